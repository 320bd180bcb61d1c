"""The frames of image files: which of them are rows, and what differs between them."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from autoencoders.core.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

GREY = ("1", "L", "LA", "La")  # modes of images with 8 bits a pixel and no colour
ORIENTATION = 0x0112  # the EXIF tag of how a camera was held
TURNED = (5, 6, 7, 8)  # orientations by which width and height change places
# TIFF's tags
IMAGE_WIDTH = 256
IMAGE_LENGTH = 257
SUBFILE_TYPE = 254
PHOTOMETRIC = 262  # 0: white is 0
NO_PAGE = 0b101  # bits of SUBFILE_TYPE: a smaller version of another page, a mask of one
FIRST_ALONE = ("MPO", "PSD")  # formats whose further frames are previews, depths or layers
PPM_CODECS = ("ppm", "ppm_plain")  # Pillow's, whose settings are a mode and the value of white
MOST_8_BITS = 255
# the name of the usual profile, as old and as new profiles write it
USUAL_PROFILE = (b"sRGB", "sRGB".encode("utf-16-be"))


@dataclass
class ImageSurvey:
    """The frames of all image files that are rows, and what differs between them."""

    frames: list[tuple[Path, int]] = field(default_factory=list)  # a file, and the frame in it
    sizes: set[tuple[int, int]] = field(default_factory=set)  # (height, width)
    modes: dict[str, Path] = field(default_factory=dict)  # the first file of each mode
    n_turned: int = 0  # frames that their camera stored turned
    n_transparent: int = 0
    n_with_profile: int = 0  # frames whose colours are not meant as sRGB
    n_with_frames: int = 0  # files of several frames
    n_with_others: int = 0  # files of frames that are no rows

    @property
    def has_colour(self) -> bool:
        """Whether any frame has colour."""
        return any(mode not in GREY and not is_deep(mode) for mode in self.modes)

    @property
    def is_deep(self) -> bool:
        """Whether frames have more than 8 bits a pixel."""
        return any(map(is_deep, self.modes))

    def add(self, file: Path, image: "Image.Image", frame: int) -> None:
        """Adds the frame that an image stands at. Raises DataError."""
        _check_bits(file, image)
        orientation = image.getexif().get(ORIENTATION, 1)
        width, height = _stored_size(image)
        if orientation in TURNED:
            width, height = height, width
        self.frames.append((file, frame))
        self.sizes.add((height, width))
        self.modes.setdefault(image.mode, file)
        self.n_turned += orientation not in (0, 1)
        self.n_transparent += image.has_transparency_data
        self.n_with_profile += _has_profile(image)

    def notes(self, shape: tuple[int, ...]) -> list[str]:
        """Notes on images that are read in another way than they are stored. shape: as read."""
        notes = []
        if self.sizes != {shape[:2]}:
            notes.append(
                f"images of {len(self.sizes)} sizes are resized to {shape[0]} x {shape[1]} "
                "(data.image_side)"
            )
        if self.n_turned:
            notes.append(f"images are turned as their EXIF orientation says: {self.n_turned}")
        if self.n_transparent:
            notes.append(f"transparent images are laid over white: {self.n_transparent}")
        if self.n_with_profile:
            notes.append(
                "colour profiles are not applied, so that colours may look different in a viewer: "
                f"{self.n_with_profile}"
            )
        if self.has_colour and len(shape) == 2:
            notes.append("images in colour are read as grey, as the model's images are")
        if self.n_with_frames:
            notes.append(
                f"each frame of {self.n_with_frames} files is a row: {len(self.frames)} rows"
            )
        if self.n_with_others:
            notes.append(
                f"the picture of {self.n_with_others} files is read, and their further frames "
                "(previews, masks, layers) are left out"
            )
        return notes


def survey_of(files: list[Path]) -> ImageSurvey:
    """Looks at every frame of every file. Raises DataError."""
    survey = ImageSurvey()
    for file in files:
        with opened(file) as image:
            frames = _rows(image)
            survey.n_with_frames += len(frames) > 1
            survey.n_with_others += len(frames) < getattr(image, "n_frames", 1)
            for frame in frames:
                if frame:
                    image.seek(frame)
                survey.add(file, image, frame)
    _check_depths(survey.modes)
    return survey


@contextmanager
def opened(file: Path) -> Iterator["Image.Image"]:
    """The image in a file. Raises DataError where it is none, damaged, or too large to decode."""
    from PIL import Image, UnidentifiedImageError

    try:
        with warnings.catch_warnings():
            # raised before anything is decoded
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            # by name, Pillow would map the file, and lose its place in a TIFF that is stored turned
            with file.open("rb") as stream, Image.open(stream) as image:
                yield image
    except UnidentifiedImageError as error:
        raise DataError(
            f"{file}: not an image that can be read (its content is of no known format)"
        ) from error
    except (
        OSError,
        EOFError,
        ValueError,
        SyntaxError,
        RuntimeWarning,
        Image.DecompressionBombError,
    ) as error:
        raise DataError(f"{file}: not an image that can be read ({error})") from error


def is_deep(mode: str) -> bool:
    """Whether images of this mode have one number a pixel, of more than 8 bits."""
    return mode.startswith("I")


def _rows(image: "Image.Image") -> list[int]:
    """The frames that are pictures of their own, by number."""
    n_frames = getattr(image, "n_frames", 1)
    if image.format in FIRST_ALONE:
        return [0]
    if image.format == "TIFF" and n_frames > 1:
        pages = [page for page in range(n_frames) if _is_page(image, page)]
        image.seek(0)
        return pages or [0]
    if n_frames > 1 and image.info.get("default_image"):  # for viewers that know no animation
        return list(range(1, n_frames))
    return list(range(n_frames))


def _is_page(image: "Image.Image", page: int) -> bool:
    """Whether a page of a TIFF is no smaller version and no mask of another one."""
    image.seek(page)
    subfile_type = _tags(image).get(SUBFILE_TYPE, 0)
    return not subfile_type & NO_PAGE


def _stored_size(image: "Image.Image") -> tuple[int, int]:
    """Width and height before an orientation is applied, which Pillow does at once in a TIFF."""
    if image.format != "TIFF":
        return image.size
    tags = _tags(image)
    return tags[IMAGE_WIDTH], tags[IMAGE_LENGTH]


def _tags(image: "Image.Image") -> dict[int, int]:
    """The tags of a TIFF's page."""
    tags: dict[int, int] = getattr(image, "tag_v2", {})
    return tags


def _has_profile(image: "Image.Image") -> bool:
    """Whether colours are meant otherwise than Pillow takes them, which is as sRGB."""
    if image.mode == "CMYK":
        return True
    profile = image.info.get("icc_profile") or b""
    return bool(profile) and not any(name in profile for name in USUAL_PROFILE)


def _check_bits(file: Path, image: "Image.Image") -> None:
    """Raises DataError where pixels have no common range, or would lose some of their bits."""
    if image.mode == "F":
        raise DataError(
            f"{file}: floating-point pixels, of unknown range; "
            "save it with 8 or 16 bits, or as .npy"
        )
    if is_deep(image.mode):
        if image.has_transparency_data:
            raise DataError(
                f"{file}: more than 8 bits a pixel and a transparent value, which have no common "
                "scale; save it without transparency"
            )
        if image.format == "TIFF" and _tags(image).get(PHOTOMETRIC) == 0:
            raise DataError(
                f"{file}: more than 8 bits a pixel, of which 0 is white, so that it would be read "
                "as its negative; save it with black as 0"
            )
        return
    for codec, _, _, settings in getattr(image, "tile", []):
        is_deep_ppm = codec in PPM_CODECS and settings[1] > MOST_8_BITS
        if is_deep_ppm or ";16" in str(settings):
            raise DataError(
                f"{file}: 16 bits a colour, of which 8 would be lost; save it with 8 bits a "
                "colour, or the pixels as .npy"
            )


def _check_depths(modes: dict[str, Path]) -> None:
    """Raises DataError where some images have 8 bits a pixel and others more.

    modes: a file of each.
    """
    deep = [file for mode, file in modes.items() if is_deep(mode)]
    shallow = [file for mode, file in modes.items() if not is_deep(mode)]
    if deep and shallow:
        raise DataError(
            f"{deep[0]} holds more than 8 bits a pixel, {shallow[0]} does not: "
            "they have no common scale; save all alike"
        )
