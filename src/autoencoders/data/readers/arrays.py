"""Arrays: .npy and .npz."""

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.schema import NUMERIC_KINDS, Rows, Schema
from autoencoders.data.readers import reader
from autoencoders.data.readers.reader import Labels, Reader

ANY_SCHEMA = Schema()  # of data that no model waits for
MOST_AXES = 4  # of images: rows, height, width, channels
LARGEST_PIXELS = {"uint8": 255.0, "uint16": 65535.0}  # by numpy's type
CHANNELS = (1, 3, 4)  # that a picture can show
COLOURS = (3, 4)  # channels of one picture in colour
WITH_ALPHA = 4  # channels of a picture with transparency
SMALLEST_PICTURE = 8  # pixels a side, of an array that may be meant otherwise


def array_reader(path: Path, labels_path: Path | None = None, like: Schema = ANY_SCHEMA) -> Reader:
    """A reader of arrays of numbers. Raises DataError.

    Shapes: (rows, columns), or images (rows, height, width) and (rows, height, width, channels).
    like: the schema of a model that waits for the rows; their labels are then of no use.
    """
    rows = Blocks(path)
    labels = Blocks(labels_path) if labels_path else None
    _check_rows(rows)
    if rows.shape[1:] != like.shape:
        _check_pictures(rows)
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
            if labels is not None and like == ANY_SCHEMA:
                part_labels = _classes(labels.read(start, stop), labels.path, start)
            yield part.reshape(len(part), *row_shape), part_labels

    description = f"array of {rows.dtype}, shape {rows.shape}"
    if image_shape:
        largest = LARGEST_PIXELS.get(rows.dtype.name, math.inf)
        return Reader(
            batches,
            image_shape,
            largest_pixel=largest,
            description=description,
            notes=_notes(rows),
        )
    names = [f"x{i}" for i in range(n_columns)]
    return Reader(batches, names=names, description=description, notes=_notes(rows))


def _notes(rows: Blocks) -> list[str]:
    """Notes on rows that may be meant otherwise."""
    n, *row_shape = rows.shape
    if not row_shape:
        return [
            f"{n} rows of one value; where they are a series, give its windows as rows: "
            "numpy.lib.stride_tricks.sliding_window_view(series, 32)"
        ]
    if len(row_shape) == MOST_AXES - 1 and row_shape[2] == WITH_ALPHA:
        return ["four channels, of which the fourth is read as the others are: as no transparency"]
    side = math.isqrt(row_shape[0])
    is_square = len(row_shape) == 1 and side >= SMALLEST_PICTURE and side**2 == row_shape[0]
    if is_square and rows.dtype == np.uint8:
        return [
            f"columns of numbers; where they are pictures, give rows.reshape(-1, {side}, {side})"
        ]
    return []


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


def _check_pictures(rows: Blocks) -> None:
    """Raises DataError where an array may be a single picture in colour."""
    shape = rows.shape
    if len(shape) != MOST_AXES - 1 or shape[2] not in COLOURS or min(shape[:2]) < SMALLEST_PICTURE:
        return
    raise DataError(
        f"{rows.path}: shape {shape} may be one picture in colour, or rows of shape {shape[1:]}; "
        "give pictures as (rows, height, width, channels), and other rows flat, as (rows, values)"
    )


def _check_labels(labels: Blocks, rows: Blocks) -> None:
    """Raises DataError where labels are not one plain value a row."""
    if labels.shape == rows.shape[:1] and labels.dtype.kind not in "Vc":  # structures, complex
        return
    advice = ""
    if labels.shape == (len(rows), 1):
        advice = "; give one value a row: y.ravel()"
    elif len(labels.shape) == 2 and len(labels) == len(rows):
        advice = "; give one value a row, of one column for each class: y.argmax(axis=1)"
    raise DataError(
        f"{rows.path}: {len(rows)} rows, but the labels in {labels.path} are {labels.dtype} of "
        f"shape {labels.shape}{advice}"
    )


def _classes(labels: np.ndarray, path: Path, first: int) -> np.ndarray:
    """Labels (rows,) of some rows: bytes as text. first: number of the first row.

    Raises DataError where one is a fraction, which is no class.
    """
    if labels.dtype.kind == "S":
        return np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind != "f":
        return labels
    is_fraction = np.isfinite(labels) & (labels != np.round(labels))
    if is_fraction.any():
        row = int(is_fraction.argmax())
        raise DataError(
            f"{path}: row {first + row + 1} is {labels[row]:g}, but a label is a class, a whole "
            "number or text; leave y out where it is a quantity"
        )
    return labels


def _image_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of one image in an array of this shape, empty for columns.

    A single channel is no axis.
    """
    if len(shape) < 3:
        return ()
    if shape[3:] == (1,):
        return shape[1:3]
    return shape[1:]
