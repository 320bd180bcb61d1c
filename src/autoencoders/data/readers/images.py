"""Images in folders."""

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows
from autoencoders.data.readers import reader
from autoencoders.data.readers.reader import Reader

OWN_SIDE, RESIZED_SIDE = (
    64,
    32,
)  # pixels: sides up to which images keep their size, and the side of the others
GREY = ("1", "L", "LA")  # modes of images with 8 bits a pixel and no colour


def image_reader(files: list[Path], side: int | str, like: tuple[int, ...], folder: Path) -> Reader:
    """Image files, grey unless one of them has colour, brought to one size; a sub-folder's name is the label."""
    shape, told = (like, list[str]()) if like else _common_shape(files, side)
    size = max(1, reader.BATCH_BYTES // math.prod(shape))
    flat = any(file.parent == folder for file in files)

    def batches() -> Iterator[tuple[Rows, Any]]:
        for start in range(0, len(files), size):
            part = files[start : start + size]
            labels = None if flat else [file.relative_to(folder).parts[0] for file in part]
            yield np.stack([_decoded(file, shape) for file in part]), labels

    return Reader(batches, shape, told=told)


def _common_shape(files: list[Path], side: int | str) -> tuple[tuple[int, ...], list[str]]:
    """The shape that all images are brought to, and what the user should know of it."""
    sizes: Counter[tuple[int, int]] = Counter()
    modes = dict[str, Path]()
    for file in files:
        with _opened(file) as image:
            sizes[image.size[1], image.size[0]] += 1
            modes.setdefault(image.mode, file)
    colour = any(mode not in GREY and not _deep(mode) for mode in modes)
    if len({_deep(mode) for mode in modes}) > 1:
        one, other = (
            next(file for mode, file in modes.items() if _deep(mode) is deep)
            for deep in (True, False)
        )
        raise DataError(
            f"{one} holds more than 8 bits a pixel, {other} does not: they have no common scale; save all alike"
        )
    fits = len(sizes) == 1 and max(next(iter(sizes))) <= OWN_SIDE
    size = (
        (int(side),) * 2 if side != "auto" else next(iter(sizes)) if fits else (RESIZED_SIDE,) * 2
    )
    told = f"images of {len(sizes)} sizes are resized to {size[0]} x {size[1]} (data.image_side)"
    return (*size, 3) if colour else size, [told] if set(sizes) != {size} else []


def _decoded(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The image in this shape: uint8; of 16 bits and more, the file's own numbers, of which few may use all bits."""
    with _opened(file) as image:
        if image.mode == "F":
            raise DataError(
                f"{file}: floating-point pixels, of unknown range; save it with 8 or 16 bits, or as .npy"
            )
        image = image.convert(
            "I" if _deep(image.mode) and len(shape) == 2 else "RGB" if len(shape) == 3 else "L"
        )
        resized = np.asarray(image if image.size[::-1] == shape[:2] else image.resize(shape[1::-1]))
        return resized if resized.dtype == np.uint8 else np.clip(resized, *image.getextrema())


def _deep(mode: str) -> bool:
    """Whether images of this mode have one number a pixel, of more than 8 bits."""
    return mode.startswith("I")


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The image in a file. Raises DataError where there is none, where it is damaged, or too large to be decoded."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "error", Image.DecompressionBombWarning
            )  # before anything is decoded
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
    return {suffix for suffix, name in Image.EXTENSION.items() if name in Image.OPEN} - {
        ".pdf",
        ".ps",
        ".eps",
    }
