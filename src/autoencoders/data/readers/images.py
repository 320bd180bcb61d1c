"""Images in folders."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows
from autoencoders.data.readers import reader
from autoencoders.data.readers.reader import Labels, Reader, relative_name

if TYPE_CHECKING:
    from PIL import Image

OWN_SIDE = 64  # pixels: sides up to which images that are all of one size keep it
RESIZED_SIDE = 32  # pixels: the sides of the others
GREY = ("1", "L", "LA")  # modes of images with 8 bits a pixel and no colour
ORIENTATION = 0x0112  # the EXIF tag of how a camera was held
TURNED = (5, 6, 7, 8)  # orientations by which width and height change places
DOCUMENTS = {".pdf", ".ps", ".eps"}  # that Pillow opens as images


def image_reader(
    files: list[Path], side: int | str, like: tuple[int, ...], folder: Path, source: Path
) -> Reader:
    """A reader of image files, brought to one size, grey unless one has colour. Raises DataError.

    side: pixels, or auto. like: the shape that a model waits for, else empty. A sub-folder's name
    is the label of all images below it; there are no labels where an image lies beside sub-folders.
    source: the folder that the files are named in.
    """
    survey = _survey(files)
    shape = like or _common_shape(survey, side)
    notes = _notes(survey, shape)
    frames_per_batch = max(1, reader.BATCH_BYTES // math.prod(shape))
    has_labels = all(file.parent != folder for file in files)

    def batches() -> Iterator[tuple[Rows, Labels]]:
        for start in range(0, len(survey.frames), frames_per_batch):
            part = survey.frames[start : start + frames_per_batch]
            images = np.stack([_decoded(file, frame, shape) for file, frame in part])
            labels = None
            if has_labels:
                labels = [file.relative_to(folder).parts[0] for file, _ in part]
            yield images, labels

    is_deep = any(map(_is_deep, survey.modes))
    return Reader(
        batches,
        shape,
        largest_pixel=65535.0 if is_deep else 255.0,
        is_full_range=not is_deep,
        notes=notes,
        description=f"{len(files)} image files",
        row_files=_frame_names(survey, source),
    )


@dataclass
class _Survey:
    """The frames of all image files, and what differs between them."""

    frames: list[tuple[Path, int]] = field(default_factory=list)  # a file, and the frame in it
    sizes: set[tuple[int, int]] = field(default_factory=set)  # (height, width)
    modes: dict[str, Path] = field(default_factory=dict)  # the first file of each mode
    n_turned: int = 0  # files that their camera stored turned
    n_transparent: int = 0
    n_with_frames: int = 0  # files of several frames


def _survey(files: list[Path]) -> _Survey:
    """Looks at every file, without decoding its pixels. Raises DataError."""
    survey = _Survey()
    for file in files:
        with _opened(file) as image:
            _check_bits(file, image)
            n_frames = getattr(image, "n_frames", 1)
            survey.frames += [(file, frame) for frame in range(n_frames)]
            survey.n_with_frames += n_frames > 1
            width, height = image.size
            orientation = image.getexif().get(ORIENTATION, 1)
            if orientation in TURNED:
                width, height = height, width
            survey.n_turned += orientation not in (0, 1)
            survey.n_transparent += image.has_transparency_data
            survey.sizes.add((height, width))
            survey.modes.setdefault(image.mode, file)
    _check_depths(survey.modes)
    return survey


def _frame_names(survey: _Survey, source: Path) -> list[str]:
    """Each frame's file in the source; behind a file of several frames stands #1 and so on."""
    with_frames = {file for file, frame in survey.frames if frame}
    names = []
    for file, frame in survey.frames:
        name = relative_name(file, source)
        if file in with_frames:
            name += f"#{frame + 1}"
        names.append(name)
    return names


def _common_shape(survey: _Survey, side: int | str) -> tuple[int, ...]:
    """The shape that all images are brought to."""
    size = _common_size(survey.sizes, side)
    has_colour = any(mode not in GREY and not _is_deep(mode) for mode in survey.modes)
    return (*size, 3) if has_colour else size


def _notes(survey: _Survey, shape: tuple[int, ...]) -> list[str]:
    """Notes on images that are read in another way than they are stored."""
    notes = []
    if survey.sizes != {shape[:2]}:
        notes.append(
            f"images of {len(survey.sizes)} sizes are resized to {shape[0]} x {shape[1]} "
            "(data.image_side)"
        )
    if survey.n_turned:
        notes.append(f"images are turned as their EXIF orientation says: {survey.n_turned}")
    if survey.n_transparent:
        notes.append(f"transparent images are laid over white: {survey.n_transparent}")
    if survey.n_with_frames:
        notes.append(
            f"each frame of {survey.n_with_frames} files is a row: {len(survey.frames)} rows"
        )
    return notes


def _check_bits(file: Path, image: "Image.Image") -> None:
    """Raises DataError where Pillow would drop half of the bits of a colour."""
    raw_modes = [str(tile[3]) for tile in getattr(image, "tile", [])]
    has_colour = not _is_deep(image.mode)
    if has_colour and any(";16" in raw_mode for raw_mode in raw_modes):
        raise DataError(
            f"{file}: 16 bits a colour, of which 8 would be lost; save it with 8 bits a colour, "
            "or the pixels as .npy"
        )


def _check_depths(modes: dict[str, Path]) -> None:
    """Raises DataError where some images have 8 bits a pixel and others more.

    modes: a file of each.
    """
    deep = [file for mode, file in modes.items() if _is_deep(mode)]
    shallow = [file for mode, file in modes.items() if not _is_deep(mode)]
    if deep and shallow:
        raise DataError(
            f"{deep[0]} holds more than 8 bits a pixel, {shallow[0]} does not: "
            "they have no common scale; save all alike"
        )


def _common_size(sizes: set[tuple[int, int]], side: int | str) -> tuple[int, int]:
    """Height and width that images of these sizes are brought to. side: pixels, or auto."""
    if side != "auto":
        return int(side), int(side)
    if len(sizes) == 1:
        (size,) = sizes
        if max(size) <= OWN_SIDE:
            return size
    return RESIZED_SIDE, RESIZED_SIDE


def _decoded(file: Path, frame: int, shape: tuple[int, ...]) -> np.ndarray:
    """One frame of a file in this shape, uint8. Raises DataError.

    An image of 16 bits and more keeps the file's own numbers, of which few may use all bits.
    """
    height, width = shape[:2]
    with _opened(file) as image:
        if image.mode == "F":
            raise DataError(
                f"{file}: floating-point pixels, of unknown range; "
                "save it with 8 or 16 bits, or as .npy"
            )
        if frame:
            image.seek(frame)
        image = _upright_and_opaque(image)
        if len(shape) == 3:
            image = image.convert("RGB")
        elif _is_deep(image.mode):
            image = image.convert("I")
        else:
            image = image.convert("L")
        resized = image
        if image.size != (width, height):
            resized = image.resize((width, height))
        pixels = np.asarray(resized)
        if pixels.dtype == np.uint8:
            return pixels
        darkest, brightest = image.getextrema()
        return np.clip(pixels, darkest, brightest)  # resizing may leave their range


def _upright_and_opaque(image: "Image.Image") -> "Image.Image":
    """The image as a viewer shows it: turned as its EXIF data says, transparent parts white."""
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if not image.has_transparency_data:
        return image
    with_alpha = image.convert("RGBA")
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    return Image.alpha_composite(white, with_alpha).convert("RGB")


def _is_deep(mode: str) -> bool:
    """Whether images of this mode have one number a pixel, of more than 8 bits."""
    return mode.startswith("I")


@contextmanager
def _opened(file: Path) -> Iterator["Image.Image"]:
    """The image in a file. Raises DataError where it is none, damaged, or too large to decode."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            # raised before anything is decoded
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file) as image:
                yield image
    except (
        OSError,
        EOFError,
        ValueError,
        SyntaxError,
        RuntimeWarning,
        Image.DecompressionBombError,
    ) as error:
        raise DataError(f"{file}: not an image that can be read ({error})") from error


def image_suffixes() -> set[str]:
    """Endings of image files."""
    from PIL import Image

    Image.init()
    suffixes = set()
    for suffix, image_format in Image.EXTENSION.items():
        if image_format in Image.OPEN:
            suffixes.add(suffix)
    return suffixes - DOCUMENTS
