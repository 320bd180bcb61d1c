"""A reader: rows of a file in batches."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows

BATCH_BYTES = 2**23


@dataclass(frozen=True)
class Reader:
    """Rows of a source, in order, as often as asked."""

    batches: Callable[
        [], Iterator[tuple[Rows, Any]]
    ]  # raw rows, and labels that are no column. Raises DataError
    shape: tuple[int, ...] = ()  # of one image; nothing for columns
    names: list[str] = field(default_factory=list)  # of the columns
    named: bool = False  # by the source itself
    dates: list[str] = field(default_factory=list)  # columns of times, which are no features
    told: list[str] = field(default_factory=list)  # what the user should know of the reading


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turns what Arrow says of a file into a DataError."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from error
