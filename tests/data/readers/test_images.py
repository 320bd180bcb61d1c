"""Images in folders: one shape for all, labels from sub-folders; files that can't be used."""

import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Schema
from autoencoders.data.readers.images import OWN_SIDE, RESIZED_SIDE
from autoencoders.data.readers.opening import open_reader
from contents import GOOD_CSV, ROWS, grey, huge_png, npy, png
from intake import Intake


@pytest.mark.parametrize("extension", ["png", "bmp", "tiff", "gif", "webp"])
def test_images_of_one_small_size_keep_it_and_their_pixels(intake: Intake, extension: str):
    for i in range(4):
        file = intake.source / f"{i}.{extension}"
        options: dict[str, Any] = {"lossless": True} if extension == "webp" else {}
        Image.fromarray(grey(9, 7, i)).save(file, **options)
    reader = open_reader(intake.source)
    ((rows, labels),) = reader.batches()
    assert reader.shape == (
        (9, 7) if extension not in ("gif", "webp") else (9, 7, 3)
    )  # which know no grey
    expected = np.stack([grey(9, 7, i) for i in range(4)])
    assert isinstance(rows, np.ndarray)
    np.testing.assert_array_equal(rows if rows.ndim == 3 else rows[..., 0], expected)
    assert (labels, reader.notes) == (None, [])


def test_a_sub_folders_name_is_the_label_of_all_below_it(intake: Intake):
    for i, name in enumerate(["cat/a.png", "cat/old/b.png", "dog/c.png"]):
        intake.image(name, grey(8, 8, i))
    ((_, labels),) = open_reader(intake.source).batches()
    assert labels == ["cat", "cat", "dog"]


def test_folders_around_all_images_are_no_label(intake: Intake):
    for i, name in enumerate(["data/animals/cat/a.png", "data/animals/dog/c.png"]):
        intake.image(name, grey(8, 8, i))
    ((_, labels),) = open_reader(intake.source).batches()
    assert labels == ["cat", "dog"]


def test_images_beside_the_folders_mean_that_none_has_a_label(intake: Intake):
    for i, name in enumerate(["cat/a.png", "b.png"]):
        intake.image(name, grey(8, 8, i))
    ((_, labels),) = open_reader(intake.source).batches()
    assert labels is None


def test_one_image_in_colour_makes_all_of_them_so(intake: Intake):
    intake.image("a.png", grey(8, 8))
    intake.image("b.png", np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8))
    reader = open_reader(intake.source)
    ((rows, _),) = reader.batches()
    assert reader.shape == rows.shape[1:] == (8, 8, 3)
    np.testing.assert_array_equal(rows[0], np.repeat(grey(8, 8)[..., None], 3, axis=2))


@pytest.mark.parametrize(
    ("sizes", "side", "expected"),
    [
        ([(OWN_SIDE, 9)] * 2, "auto", (OWN_SIDE, 9)),
        ([(OWN_SIDE + 1, 9)] * 2, "auto", (RESIZED_SIDE, RESIZED_SIDE)),
        ([(8, 8), (9, 9)], "auto", (RESIZED_SIDE, RESIZED_SIDE)),
        ([(8, 8), (9, 9)], 12, (12, 12)),
        ([(12, 12)] * 2, 12, (12, 12)),
    ],
)
def test_images_are_brought_to_one_size_and_noted_where_they_are_resized(
    intake: Intake, sizes: list[tuple[int, int]], side: int | str, expected: tuple[int, int]
):
    for i, size in enumerate(sizes):
        intake.image(f"{i}.png", grey(*size))
    reader = open_reader(intake.source, image_side=side)
    ((rows, _),) = reader.batches()
    assert reader.shape == rows.shape[1:] == expected
    assert bool(reader.notes) == (set(sizes) != {expected})


@pytest.mark.parametrize(
    ("mode", "grey_too"), [("1", True), ("L", True), ("LA", True), ("RGB", False), ("P", False)]
)
def test_a_white_image_is_white_in_every_mode(intake: Intake, mode: str, grey_too: bool):
    path = intake.image("a.png", np.full((8, 8), 255, np.uint8), mode)
    reader = open_reader(path)
    ((rows, _),) = reader.batches()
    assert (reader.shape == (8, 8)) == grey_too
    np.testing.assert_array_equal(rows, 255)


def test_an_image_of_floating_point_numbers_is_refused(intake: Intake):
    path = intake.image("a.tiff", np.full((8, 8), 0.5, np.float32))
    with pytest.raises(DataError, match=re.escape(f"{path}: floating-point pixels")):
        list(open_reader(path).batches())


@pytest.mark.parametrize("step", [1, 64, 1024])
def test_an_image_of_16_bits_keeps_its_numbers_however_few_bits_it_uses(intake: Intake, step: int):
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8) * step
    ((rows, _),) = open_reader(intake.image("a.png", pixels)).batches()
    np.testing.assert_array_equal(rows[0], pixels)


def test_a_resized_image_of_16_bits_stays_in_its_range(intake: Intake):
    pixels = np.where(np.arange(100)[:, None] < 50, 100, 4000).astype(np.uint16).repeat(100, axis=1)
    ((rows, _),) = open_reader(intake.image("a.png", pixels)).batches()
    assert rows.shape == (1, 32, 32)
    assert (rows.min(), rows.max()) == (100, 4000)


@pytest.mark.parametrize("other", ["L", "RGB"])
def test_images_of_8_and_of_16_bits_are_not_mixed(intake: Intake, other: str):
    deep = intake.image("a.png", np.zeros((8, 8), np.uint16))
    plain = intake.image("b.png", np.zeros((8, 8), np.uint8), other)
    with pytest.raises(
        DataError, match=re.escape(f"{deep} holds more than 8 bits a pixel, {plain} does not")
    ):
        open_reader(intake.source)


# pixels of RGBA, with an alpha channel that is 0, 10, ..., 230
TRANSPARENT = np.arange(24, dtype=np.uint8).reshape(6, 4) * 10


def test_what_the_alpha_channel_alone_shows_is_seen_over_white(intake: Intake):
    black = np.zeros((6, 4, 3), np.uint8)
    path = intake.image("a.png", np.dstack([black, TRANSPARENT]))
    reader = open_reader(path)
    ((rows, _),) = reader.batches()
    assert isinstance(rows, np.ndarray)
    np.testing.assert_array_equal(rows[0, ..., 0], 255 - TRANSPARENT)
    assert reader.notes == ["transparent images are laid over white: 1"]


@pytest.mark.parametrize("brightness", [250, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_white_on_a_transparent_ground_is_refused(intake: Intake, mode: str, brightness: int):
    white = np.full((6, 4, 3), brightness, np.uint8)
    path = intake.image("a.png", np.dstack([white, TRANSPARENT]), mode)
    with pytest.raises(DataError, match=re.escape(f"{path}: shows something white")):
        list(open_reader(path).batches())


def test_an_image_that_shows_nothing_or_hides_nothing_is_read(intake: Intake):
    white = np.full((6, 4, 3), 255, np.uint8)
    for i, alpha in enumerate((0, 255)):
        intake.image(f"{i}.png", np.dstack([white, np.full((6, 4), alpha, np.uint8)]))
    ((rows, _),) = open_reader(intake.source).batches()
    np.testing.assert_array_equal(rows, 255)


def test_a_transparent_place_of_a_palette_is_white(intake: Intake):
    palette = Image.fromarray(np.tile(np.array([0, 1], np.uint8), (6, 2))).convert("P")
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.save(intake.source / "a.png", transparency=1)
    ((rows, _),) = open_reader(intake.source).batches()
    expected = np.tile(np.array([[255, 0, 0], [255, 255, 255]]), (6, 2, 1))
    np.testing.assert_array_equal(rows[0], expected)


def test_images_in_colour_for_a_model_of_grey_ones_are_noted(intake: Intake):
    intake.image("a.png", np.zeros((6, 4, 3), np.uint8))
    assert open_reader(intake.source, like=Schema((6, 4))).notes == [
        "images in colour are read as grey, as the model's images are"
    ]


def test_images_of_16_bits_are_refused_for_a_model_of_images_in_colour(intake: Intake):
    path = intake.image("a.png", np.zeros((6, 4), np.uint16))
    with pytest.raises(DataError, match=re.escape(f"{path}: more than 8 bits a pixel, but the")):
        open_reader(intake.source, like=Schema((6, 4, 3)))


@pytest.mark.parametrize("ending", ["h5", "mpg", "wmf"])
def test_what_pillow_knows_but_can_not_decode_is_no_image(intake: Intake, ending: str):
    intake.image("a.png", grey(8, 8))
    intake.file(f"b.{ending}", "data")
    (note,) = open_reader(intake.source).notes
    assert note == f"left out, as no images: b.{ending} (1 files)"


def test_a_single_image_is_too_few_rows(intake: Intake):
    assert "1 rows leave" in intake.refusal(intake.file("a.png", png()))


# --- images that can't be used: (files, parts of the message) ---


IMAGE_FILES: dict[str, tuple[dict[str, bytes], list[str]]] = {
    "no image": ({"a.png": b"no image"}, ["a.png", "not an image"]),
    "an empty image": ({"a.png": b""}, ["a.png", "not an image"]),
    "a web page": ({"a.jpg": b"<html></html>"}, ["a.jpg", "not an image"]),
    "cut in its pixels": ({"a.png": png(64, 64)[:-200]}, ["a.png", "not an image"]),
    "cut in its header": ({"a.png": png()[:20]}, ["a.png", "not an image"]),
    "damaged pixels": (
        {"a.png": png()[:45] + b"\xff" * 30 + png()[75:]},
        ["a.png", "not an image"],
    ),
    "a decompression bomb": ({"a.png": huge_png(60_000)}, ["a.png"]),
    "an image of 12,000 pixels a side": ({"a.png": huge_png(12_000)}, ["a.png"]),
    "an image of 10,000 pixels a side": ({"a.png": huge_png(10_000)}, ["a.png"]),
    "an image and a table": ({"t.csv": GOOD_CSV}, ["1 tables or arrays and 1 images"]),
    "an image and an array": ({"t.npy": npy(ROWS)}, ["1 tables or arrays and 1 images"]),
}


@pytest.mark.parametrize("case", IMAGE_FILES)
def test_a_folder_with_something_else_than_good_images_is_refused(intake: Intake, case: str):
    files, parts = IMAGE_FILES[case]
    for name, content in {"good/b.png": png(), **files}.items():
        intake.file(f"images/{name}", content)
    if not any(name.endswith((".csv", ".npy")) for name in files):
        for i in range(9):
            intake.file(f"images/good/{i}.png", png(seed=i))
    message = intake.refusal(intake.source / "images")
    assert all(part in message for part in parts), message
