"""Lines without text: in a file of one column each is a missing value, but for those at its end."""

import io
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pyarrow as pa

from autoencoders.data.readers.encoding import BLOCK_BYTES, open_bytes


def without_last(parts: Iterator[pa.RecordBatch], n: int) -> Iterator[pa.RecordBatch]:
    """Yields batches without the last n rows of them all."""
    held: list[pa.RecordBatch] = []
    n_held = 0
    for part in parts:
        held.append(part)
        n_held += len(part)
        while held and n_held - len(held[0]) >= n:
            first = held.pop(0)
            n_held -= len(first)
            yield first
    for part in held:
        n_rows = min(len(part), max(0, n_held - n))
        n_held -= len(part)
        yield part.slice(0, n_rows)


def blank_lines_at_end(path: Path, encoding: str) -> int:
    """The number of lines without text after a file's last line of text."""
    n_ends = 0
    with io.TextIOWrapper(cast("io.BufferedReader", open_bytes(path)), encoding=encoding) as text:
        while block := text.read(BLOCK_BYTES):
            last = block.rstrip()
            if last:
                n_ends = 0
            n_ends += block[len(last) :].count("\n")
    return max(0, n_ends - 1)
