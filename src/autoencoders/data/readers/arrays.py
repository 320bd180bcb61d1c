"""Arrays: .npy and .npz."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.schema import Rows
from autoencoders.data.readers import reader
from autoencoders.data.readers.reader import Reader

CHANNELS = (1, 3, 4)  # that a picture can show


def array_reader(path: Path, labels: Path | None = None) -> Reader:
    """Arrays of numbers: (rows, columns), or images (rows, height, width) and (rows, height, width, channels)."""
    rows, given = Blocks(path), Blocks(labels) if labels else None
    if len(rows.shape) > 4 or rows.dtype.kind not in "buif":
        raise DataError(
            f"{path}: {rows.dtype} of shape {rows.shape}, expected numbers, a row first"
        )
    if len(rows.shape) == 4 and rows.shape[3] not in CHANNELS:
        told = f"{path}: images of shape {rows.shape[1:]}, expected (height, width, channels) with 1, 3 or 4 channels"
        first = (
            "; move the channels to the end: numpy.moveaxis(rows, 1, -1)"
            if rows.shape[1] in CHANNELS
            else ""
        )
        raise DataError(told + (first or "; other rows can be given flat, as (rows, values)"))
    if given and (given.shape != rows.shape[:1] or given.dtype.kind in "Vc"):
        found = f"the labels in {labels} are {given.dtype} of shape {given.shape}"
        raise DataError(f"{path}: {len(rows)} rows, but {found}")
    size = max(1, reader.BATCH_BYTES // rows.row_bytes)

    def batches() -> Iterator[tuple[Rows, Any]]:
        for start in range(0, len(rows), size):
            part = rows.read(start, start + size)
            yield (
                part.reshape(len(part), *(shape or (-1,))),
                given and given.read(start, start + size),
            )

    shape = rows.shape[1 : 3 if rows.shape[3:] == (1,) else None] if len(rows.shape) > 2 else ()
    return Reader(
        batches, shape, [] if shape else [f"x{i}" for i in range(math.prod(rows.shape[1:]))]
    )
