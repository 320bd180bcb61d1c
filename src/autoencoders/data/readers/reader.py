"""A reader: rows of a file in batches."""

import math
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows

BATCH_BYTES = 2**23  # of a batch of raw rows: 8 MB, whatever the size of the file
# columns of a wide table, whose batches grow with their number: each costs time in every batch
WIDE = 2**12
Labels: TypeAlias = np.ndarray | list[str] | None  # (rows,), of a batch


@dataclass(frozen=True)
class Reader:
    """Rows of a source, in order, as often as asked.

    batches: gives raw rows (rows, ...), and labels (rows,) that are no column, or None. Raises
    DataError.
    """

    batches: Callable[[], Iterator[tuple[Rows, Labels]]]
    shape: tuple[int, ...] = ()  # of one image; empty for columns
    largest_pixel: float = math.inf  # of the pixels' type, of 8 or 16 bits
    is_full_range: bool = False  # whether white is that value, however dark the images are
    names: list[str] = field(default_factory=list)  # of the columns
    is_table: bool = False  # whether batches are tables with named columns
    is_typed: bool = False  # whether the source itself tells text from numbers
    description: str = ""  # of the source, in a few words
    date_columns: list[str] = field(default_factory=list)  # columns of times, which are no features
    text_columns: list[str] = field(default_factory=list)  # columns whose values are texts
    file_column: str = ""  # the column of each row's file, which is no feature
    row_files: list[str] = field(default_factory=list)  # each row's file, where rows are images
    notes: list[str] = field(default_factory=list)  # for the user: what was left out or resized


def relative_name(file: Path, folder: Path) -> str:
    """A file's path below a folder."""
    return file.relative_to(folder).as_posix()


def table_batch_bytes(n_columns: int) -> int:
    """The bytes of a table's batch: even of a wide one, they hold some hundred rows."""
    return BATCH_BYTES * (1 + n_columns // WIDE)


@contextmanager
def arrow_errors(path: Path) -> Iterator[None]:
    """Turns errors of Arrow and gzip about a file into a DataError."""
    try:
        yield
    except (pa.ArrowException, OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        first_line = str(error).splitlines()[0]
        raise DataError(f"{path}: {first_line}") from error
