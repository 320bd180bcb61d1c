"""Rows of a .npy file, read block by block with plain reads.

A memory map would end up in RAM entirely once every page has been touched.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from tokenize import TokenError

import numpy as np
from numpy.typing import DTypeLike

from autoencoders.core.errors import DataError

BLOCK_BYTES = 2**23  # read at a time: 8 MB, which take far longer to read than to ask for
NOT_READABLE = (  # the errors of numpy's parser
    ValueError,
    OSError,
    TypeError,
    OverflowError,
    EOFError,
    TokenError,
)


class Blocks:
    """An array on disk whose rows are read when they are asked for. No memory is held."""

    def __init__(
        self, path: Path, clipped: Callable[[np.ndarray], np.ndarray] | None = None
    ) -> None:
        """clipped: clips the rows that are read; None: they stay as they are.

        Raises DataError where the file holds no array of plain values, or is cut short.
        """
        self.path = path
        self.clipped = clipped
        try:
            mapped = np.lib.format.open_memmap(path, mode="r")  # never pickle
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file; `dvc repro` makes it") from error
        except NOT_READABLE as error:
            raise DataError(f"{path}: not a readable .npy array ({error})") from error
        if mapped.ndim == 0:
            raise DataError(f"{path}: not an array of rows")
        if mapped.nbytes == 0:
            raise DataError(f"{path}: zero rows, or rows without values")
        self.dtype = mapped.dtype
        self.shape = mapped.shape
        self.offset = mapped.offset  # bytes before the first value
        self.row = np.dtype((mapped.dtype, mapped.shape[1:]))
        self.row_bytes = self.row.itemsize
        self.by_rows = bool(mapped.flags.c_contiguous)  # else column after column

    def __len__(self) -> int:
        return int(self.shape[0])

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows from start up to stop, as a new array."""
        rows = self._stored(start, stop)
        if self.clipped is None:
            return rows
        return self.clipped(rows)

    def in_full(self) -> "Blocks":
        """The same rows, of which none is clipped."""
        return Blocks(self.path)

    def _stored(self, start: int, stop: int | None) -> np.ndarray:
        """Rows from start up to stop as the file holds them."""
        if not self.by_rows:  # a row is spread over the whole file
            return np.array(self.mapped()[start:stop])
        end = len(self)
        if stop is not None:
            end = min(stop, end)
        offset = self.offset + start * self.row_bytes
        return np.fromfile(self.path, self.row, end - start, offset=offset)

    def mapped(self) -> np.ndarray:
        """All rows as a memory map: in memory as far as they are read."""
        return np.asarray(np.lib.format.open_memmap(self.path, mode="r"))

    def __iter__(self) -> Iterator[np.ndarray]:
        """All rows, some megabytes at a time."""
        size = self._rows_per_block()
        for start in range(0, len(self), size):
            yield self.read(start, start + size)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """The rows with these numbers, which rise."""
        if len(indices) == len(self):
            return self.read()
        rows = np.empty((len(indices), *self.shape[1:]), self.dtype)
        n = 0
        for part in self.parts(indices):
            rows[n : n + len(part)] = part
            n += len(part)
        return rows

    def parts(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """The rows with these numbers, which rise, some megabytes at a time.

        Blocks without such rows are not read.
        """
        size = self._rows_per_block()
        starts = np.unique(indices // size) * size
        for start in starts.tolist():
            first, last = np.searchsorted(indices, [start, start + size])
            block = self.read(start, start + size)
            yield block[indices[first:last] - start]

    def _rows_per_block(self) -> int:
        return max(1, BLOCK_BYTES // self.row_bytes)


class Writer:
    """A .npy file that grows by rows."""

    def __init__(self, path: Path, dtype: DTypeLike, shape: tuple[int, ...]) -> None:
        """shape: of the whole array, known beforehand."""
        self.file = path.open("wb")
        self.dtype = np.dtype(dtype)
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": shape,
        }
        np.lib.format.write_array_header_1_0(self.file, header)

    def add(self, rows: np.ndarray) -> None:
        """Appends rows."""
        self.file.write(np.ascontiguousarray(rows, self.dtype).tobytes())

    def close(self) -> None:
        """Ends the file."""
        self.file.close()
