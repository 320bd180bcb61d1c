"""Frames of image files: upright, each of its own size and mode, and noted or refused."""

import re
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms, TiffImagePlugin

from autoencoders.core.errors import DataError
from autoencoders.data.readers.frames import ORIENTATION, PHOTOMETRIC, SUBFILE_TYPE
from autoencoders.data.readers.opening import open_reader
from contents import grey
from intake import Intake

UPRIGHT = np.arange(24, dtype=np.uint8).reshape(6, 4) * 10
BLOCKS = UPRIGHT.repeat(8, axis=0).repeat(8, axis=1)  # as large as JPEG's blocks of pixels
# the picture as it is stored, by the orientation that puts it upright
STORED = {
    1: BLOCKS,
    2: BLOCKS[:, ::-1],
    3: BLOCKS[::-1, ::-1],
    4: BLOCKS[::-1],
    5: BLOCKS.T,
    6: np.rot90(BLOCKS, 1),
    7: BLOCKS[::-1, ::-1].T,
    8: np.rot90(BLOCKS, -1),
}
SAVED: dict[str, dict[str, Any]] = {
    "png": {},
    "jpg": {"quality": 95},
    "webp": {"lossless": True},
    "tiff": {},
    "tif": {"compression": "tiff_lzw"},
}


def image(pixels: np.ndarray, mode: str | None = None) -> Image.Image:
    """An image of these pixels. mode: Pillow's, where it is not the pixels' own."""
    made = Image.fromarray(np.ascontiguousarray(pixels))
    return made.convert(mode) if mode else made


def rows(path: Path) -> np.ndarray:
    """All rows of a file or folder of images, as whole numbers."""
    parts = [batch for batch, _ in open_reader(path).batches()]
    return np.concatenate([np.asarray(part) for part in parts]).astype(int)


def pages(path: Path, *images: Image.Image, **options: Any) -> Path:
    """A TIFF, GIF, PNG or WebP of several frames."""
    images[0].save(path, save_all=True, append_images=images[1:], **options)
    return path


@pytest.mark.parametrize("extension", SAVED)
def test_an_image_is_upright_in_every_format_and_orientation(intake: Intake, extension: str):
    for orientation, stored in STORED.items():
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        path = intake.source / f"{orientation}.{extension}"
        image(stored).save(path, exif=exif, **SAVED[extension])
    reader = open_reader(intake.source)
    assert reader.shape[:2] == BLOCKS.shape
    assert reader.notes == ["images are turned as their EXIF orientation says: 7"]
    upright = rows(intake.source)
    for row in upright:
        np.testing.assert_allclose(row.reshape(48, 32, -1)[..., 0], BLOCKS, atol=3)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_every_page_has_an_orientation_of_its_own(intake: Intake, dtype: type):
    path = intake.source / "a.tiff"
    with TiffImagePlugin.AppendingTiffWriter(str(path), new=True) as pages_written:
        image(BLOCKS.astype(dtype)).save(pages_written, format="TIFF")
        pages_written.newFrame()
        turned = image(STORED[6].astype(dtype))
        turned.save(pages_written, format="TIFF", tiffinfo={ORIENTATION: 6})
    upright = rows(path)
    np.testing.assert_array_equal(upright[0], upright[1])


def test_pages_of_different_sizes_are_resized_and_noted(intake: Intake):
    path = pages(intake.source / "a.tiff", image(grey(6, 4)), image(grey(20, 30)))
    reader = open_reader(path)
    assert reader.shape == (32, 32)
    assert reader.notes[0].startswith("images of 2 sizes are resized to 32 x 32")


def test_a_page_in_colour_makes_all_of_them_so(intake: Intake):
    red = np.full((6, 4, 3), [255, 0, 0], np.uint8)
    path = pages(intake.source / "a.tiff", image(UPRIGHT), image(red))
    np.testing.assert_array_equal(rows(path)[1], red)


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (UPRIGHT.astype(np.uint16) * 200, "more than 8 bits a pixel"),
        (UPRIGHT.astype(np.float32), "floating-point pixels"),
    ],
)
def test_a_page_of_another_depth_is_refused(intake: Intake, second: np.ndarray, reason: str):
    path = pages(intake.source / "a.tiff", image(UPRIGHT), image(second))
    with pytest.raises(DataError, match=re.escape(str(path)) + f".*{reason}"):
        open_reader(path)


@pytest.mark.parametrize("extension", ["gif", "png", "webp"])
def test_frames_of_an_animation_are_rows_beside_single_images(intake: Intake, extension: str):
    frames = [np.roll(UPRIGHT, i) for i in range(4)]
    options: dict[str, Any] = {"lossless": True} if extension == "webp" else {}
    pages(intake.source / f"a.{extension}", *map(image, frames), **options)
    image(UPRIGHT).save(intake.source / "b.png")
    assert "each frame of 1 files is a row: 5 rows" in open_reader(intake.source).notes
    seen = rows(intake.source).reshape(5, 6, 4, -1)[..., 0]
    np.testing.assert_array_equal(seen, [*frames, UPRIGHT])


def test_an_image_for_viewers_without_animation_is_no_row(intake: Intake):
    frames = [np.roll(UPRIGHT, i) for i in range(3)]
    path = pages(intake.source / "a.png", *map(image, frames), default_image=True)
    np.testing.assert_array_equal(rows(path), frames[1:])


def test_previews_are_no_rows_and_noted(intake: Intake):
    picture = image(BLOCKS, "RGB")
    pages(intake.source / "a.jpg", picture, picture.resize((8, 12)), format="MPO")
    reader = open_reader(intake.source)
    (note,) = reader.notes
    assert "the picture of 1 files is read, and their further frames" in note
    assert reader.shape == (48, 32, 3)
    assert len(rows(intake.source)) == 1


@pytest.mark.parametrize("subfile_type", [1, 4])
def test_smaller_versions_and_masks_in_a_tiff_are_no_rows(intake: Intake, subfile_type: int):
    path = intake.source / "a.tiff"
    with TiffImagePlugin.AppendingTiffWriter(str(path), new=True) as pages_written:
        for content in ({}, {SUBFILE_TYPE: subfile_type}, {}):
            image(BLOCKS).save(pages_written, format="TIFF", tiffinfo=content)
            pages_written.newFrame()
    assert len(rows(path)) == 2


def test_a_frame_that_is_cut_short_is_refused_by_its_file(intake: Intake):
    frames = [image(grey(64, 64, i)) for i in range(4)]
    for extension in ("gif", "tiff", "png"):
        path = pages(intake.source / f"a.{extension}", *frames)
        path.write_bytes(path.read_bytes()[:-3000])
        with pytest.raises(DataError, match=rf"a\.{extension}: not an image that can be read"):
            list(open_reader(path).batches())


def test_colour_of_16_bits_is_refused_in_a_pixmap(intake: Intake):
    content = b"P6\n4 6\n65535\n" + bytes(4 * 6 * 6)
    with pytest.raises(DataError, match="16 bits a colour, of which 8 would be lost"):
        open_reader(intake.file("a.ppm", content))


def test_16_bits_with_a_transparent_value_are_refused(intake: Intake):
    path = intake.source / "a.png"
    image(UPRIGHT.astype(np.uint16) * 200).save(path, transparency=0)
    with pytest.raises(DataError, match=re.escape(f"{path}: more than 8 bits a pixel and a")):
        open_reader(path)


def with_white_as_0(path: Path) -> Path:
    """A TIFF whose tag on black and white is changed."""
    content = bytearray(path.read_bytes())
    (first,) = struct.unpack("<I", content[4:8])
    (n_tags,) = struct.unpack("<H", content[first : first + 2])
    for entry in range(first + 2, first + 2 + 12 * n_tags, 12):
        if struct.unpack("<H", content[entry : entry + 2]) == (PHOTOMETRIC,):
            content[entry + 8 : entry + 10] = struct.pack("<H", 0)
    path.write_bytes(content)
    return path


def test_a_tiff_whose_0_is_white_is_its_negative_or_refused(intake: Intake):
    shallow = with_white_as_0(intake.image("a.tiff", UPRIGHT))
    np.testing.assert_array_equal(rows(shallow)[0], 255 - UPRIGHT.astype(int))
    deep = with_white_as_0(intake.image("b.tiff", UPRIGHT.astype(np.uint16)))
    with pytest.raises(DataError, match=re.escape(f"{deep}: more than 8 bits a pixel, of which 0")):
        open_reader(deep)


def test_a_colour_profile_that_is_not_applied_is_noted(intake: Intake):
    colour = image(UPRIGHT, "RGB")
    usual = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    other = ImageCms.ImageCmsProfile(ImageCms.createProfile("XYZ")).tobytes()
    colour.save(intake.source / "a.png", icc_profile=usual)
    assert open_reader(intake.source).notes == []
    colour.save(intake.source / "b.png", icc_profile=other)
    image(UPRIGHT, "CMYK").save(intake.source / "c.jpg")
    (note,) = open_reader(intake.source).notes
    assert note.startswith("colour profiles are not applied")
    assert note.endswith(": 2")


def test_a_web_page_named_as_an_image_is_refused_by_name(intake: Intake):
    path = intake.file("a.png", "<html></html>")
    with pytest.raises(DataError) as caught:
        open_reader(path)
    assert str(caught.value) == (
        f"{path}: not an image that can be read (its content is of no known format)"
    )


def test_an_image_of_another_format_than_its_ending_says_is_read(intake: Intake):
    image(UPRIGHT).save(intake.source / "a.jpg", format="PNG")
    np.testing.assert_array_equal(rows(intake.source)[0], UPRIGHT)
