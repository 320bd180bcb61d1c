"""Images in folders."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows
from autoencoders.data.readers import reader
from autoencoders.data.readers.frames import ImageSurvey, is_deep, opened, survey_of
from autoencoders.data.readers.reader import Labels, Reader, relative_name

if TYPE_CHECKING:
    from PIL import Image

OWN_SIDE = 64  # pixels: sides up to which images that are all of one size keep it
RESIZED_SIDE = 32  # pixels: the sides of the others
FAINT = 1 / 16  # of what an alpha channel shows: less of it is left over white
# that Pillow opens as images: documents, and stubs of data and films that it can't decode
NO_PICTURES = {
    *(".pdf", ".ps", ".eps"),
    *(".h5", ".hdf", ".hdf5", ".grib", ".bufr", ".wmf", ".emf", ".mpg", ".mpeg"),
}


def image_reader(
    files: list[Path], side: int | str, like: tuple[int, ...], folder: Path, source: Path
) -> Reader:
    """A reader of image files, brought to one size, grey unless one has colour. Raises DataError.

    side: pixels, or auto. like: the shape that a model waits for, else empty. A sub-folder's name
    is the label of all images below it; there are no labels where an image lies beside sub-folders.
    source: the folder that the files are named in.
    """
    survey = survey_of(files)
    shape = like or _common_shape(survey, side)
    if survey.is_deep and len(shape) == 3:
        raise DataError(
            f"{survey.frames[0][0]}: more than 8 bits a pixel, but the model's images have 8 bits "
            "a colour; save it with 8 bits"
        )
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

    return Reader(
        batches,
        shape,
        largest_pixel=65535.0 if survey.is_deep else 255.0,
        is_full_range=not survey.is_deep,
        notes=survey.notes(shape),
        description=f"{len(files)} image files",
        row_files=_frame_names(survey, source),
    )


def _frame_names(survey: ImageSurvey, source: Path) -> list[str]:
    """Each frame's file in the source; behind a file of several frames stands #1 and so on."""
    with_frames = {file for file, frame in survey.frames if frame}
    names = []
    for file, frame in survey.frames:
        name = relative_name(file, source)
        if file in with_frames:
            name += f"#{frame + 1}"
        names.append(name)
    return names


def _common_shape(survey: ImageSurvey, side: int | str) -> tuple[int, ...]:
    """The shape that all images are brought to."""
    size = _common_size(survey.sizes, side)
    return (*size, 3) if survey.has_colour else size


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
    with opened(file) as image:
        if frame:
            image.seek(frame)
        image = _upright_and_opaque(file, image)
        if len(shape) == 3:
            image = image.convert("RGB")
        elif is_deep(image.mode):
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


def _upright_and_opaque(file: Path, image: "Image.Image") -> "Image.Image":
    """The image as a viewer shows it: turned as its EXIF data says, transparent parts white.

    Raises DataError where that hides what the image shows.
    """
    from PIL import Image, ImageOps

    image = ImageOps.exif_transpose(image)
    if not image.has_transparency_data:
        return image
    with_alpha = image.convert("RGBA")
    white = Image.new("RGBA", image.size, (255, 255, 255, 255))
    opaque = Image.alpha_composite(white, with_alpha).convert("RGB")
    shown = np.ptp(np.asarray(opaque), axis=(0, 1)).max()
    if shown < FAINT * np.ptp(np.asarray(with_alpha.getchannel("A"))):
        raise DataError(
            f"{file}: shows something white on a transparent ground, which is nothing over white; "
            "lay it over black, or save its alpha channel as a grey image"
        )
    return opaque


def image_suffixes() -> set[str]:
    """Endings of image files."""
    from PIL import Image

    Image.init()
    suffixes = set()
    for suffix, image_format in Image.EXTENSION.items():
        if image_format in Image.OPEN:
            suffixes.add(suffix)
    return suffixes - NO_PICTURES
