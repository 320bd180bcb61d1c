"""Arrays: .npy and .npz."""

import math
from collections.abc import Iterator
from pathlib import Path

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.schema import NUMERIC_KINDS, Rows
from autoencoders.data.readers import reader
from autoencoders.data.readers.reader import Labels, Reader

MOST_AXES = 4  # of images: rows, height, width, channels
LARGEST_PIXELS = {"uint8": 255.0, "uint16": 65535.0}  # by numpy's type
CHANNELS = (1, 3, 4)  # that a picture can show


def array_reader(path: Path, labels_path: Path | None = None) -> Reader:
    """A reader of arrays of numbers. Raises DataError.

    Shapes: (rows, columns), or images (rows, height, width) and (rows, height, width, channels).
    """
    rows = Blocks(path)
    labels = Blocks(labels_path) if labels_path else None
    _check_rows(rows)
    if labels is not None:
        _check_labels(labels, rows)
    image_shape = _image_shape(rows.shape)
    n_columns = math.prod(rows.shape[1:])
    row_shape = image_shape or (n_columns,)
    rows_per_batch = max(1, reader.BATCH_BYTES // rows.row_bytes)

    def batches() -> Iterator[tuple[Rows, Labels]]:
        for start in range(0, len(rows), rows_per_batch):
            stop = start + rows_per_batch
            part = rows.read(start, stop)
            part_labels = None
            if labels is not None:
                part_labels = labels.read(start, stop)
            yield part.reshape(len(part), *row_shape), part_labels

    description = f"array of {rows.dtype}, shape {rows.shape}"
    if image_shape:
        largest = LARGEST_PIXELS.get(rows.dtype.name, math.inf)
        return Reader(batches, image_shape, largest_pixel=largest, description=description)
    return Reader(batches, names=[f"x{i}" for i in range(n_columns)], description=description)


def _check_rows(rows: Blocks) -> None:
    """Raises DataError where an array holds no numbers, or images that no picture shows."""
    if len(rows.shape) > MOST_AXES or rows.dtype.kind not in NUMERIC_KINDS:
        raise DataError(
            f"{rows.path}: {rows.dtype} of shape {rows.shape}, expected numbers, a row first"
        )
    if len(rows.shape) == MOST_AXES and rows.shape[3] not in CHANNELS:
        advice = "other rows can be given flat, as (rows, values)"
        if rows.shape[1] in CHANNELS:
            advice = "move the channels to the end: numpy.moveaxis(rows, 1, -1)"
        raise DataError(
            f"{rows.path}: images of shape {rows.shape[1:]}, expected (height, width, channels) "
            f"with 1, 3 or 4 channels; {advice}"
        )


def _check_labels(labels: Blocks, rows: Blocks) -> None:
    """Raises DataError where labels are not one plain value a row."""
    if labels.shape != rows.shape[:1] or labels.dtype.kind in "Vc":  # structures, complex numbers
        raise DataError(
            f"{rows.path}: {len(rows)} rows, but the labels in {labels.path} are {labels.dtype} of "
            f"shape {labels.shape}"
        )


def _image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one image in an array of this shape, empty for columns.

    A single channel is no axis.
    """
    if len(shape) < 3:
        return ()
    if shape[3:] == (1,):
        return shape[1:3]
    return shape[1:]
