"""Images in folders."""

import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows
from autoencoders.data.readers import reader
from autoencoders.data.readers.reader import Labels, Reader

if TYPE_CHECKING:
    from PIL import Image

OWN_SIDE = 64  # pixels: sides up to which images that are all of one size keep it
RESIZED_SIDE = 32  # pixels: the sides of the others
GREY = ("1", "L", "LA")  # modes of images with 8 bits a pixel and no colour
DOCUMENTS = {".pdf", ".ps", ".eps"}  # that Pillow opens as images


def image_reader(files: list[Path], side: int | str, like: tuple[int, ...], folder: Path) -> Reader:
    """A reader of image files, brought to one size, grey unless one has colour. Raises DataError.

    side: pixels, or auto. like: the shape that a model waits for, else empty. A sub-folder's name
    is the label of all images below it; there are no labels where an image lies beside sub-folders.
    """
    shape = like
    notes: list[str] = []
    if not shape:
        shape, notes = _common_shape(files, side)
    files_per_batch = max(1, reader.BATCH_BYTES // math.prod(shape))
    has_labels = all(file.parent != folder for file in files)

    def batches() -> Iterator[tuple[Rows, Labels]]:
        for start in range(0, len(files), files_per_batch):
            part = files[start : start + files_per_batch]
            images = np.stack([_decoded(file, shape) for file in part])
            labels = None
            if has_labels:
                labels = [file.relative_to(folder).parts[0] for file in part]
            yield images, labels

    return Reader(batches, shape, notes=notes, description=f"{len(files)} image files")


def _common_shape(files: list[Path], side: int | str) -> tuple[tuple[int, ...], list[str]]:
    """The shape that all images are brought to, and a note if some are resized.

    Raises DataError.
    """
    sizes: set[tuple[int, int]] = set()  # (height, width)
    modes: dict[str, Path] = {}  # the first file of each mode
    for file in files:
        with _opened(file) as image:
            width, height = image.size
            sizes.add((height, width))
            modes.setdefault(image.mode, file)
    _check_depths(modes)
    size = _common_size(sizes, side)
    notes = []
    if sizes != {size}:
        notes.append(
            f"images of {len(sizes)} sizes are resized to {size[0]} x {size[1]} (data.image_side)"
        )
    has_colour = any(mode not in GREY and not _is_deep(mode) for mode in modes)
    if has_colour:
        return (*size, 3), notes
    return size, notes


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


def _decoded(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The image in this shape, uint8. Raises DataError.

    An image of 16 bits and more keeps the file's own numbers, of which few may use all bits.
    """
    height, width = shape[:2]
    with _opened(file) as image:
        if image.mode == "F":
            raise DataError(
                f"{file}: floating-point pixels, of unknown range; "
                "save it with 8 or 16 bits, or as .npy"
            )
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
