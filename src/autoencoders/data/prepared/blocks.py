"""Rows of a .npy file, read block by block: a memory map that is read all over becomes resident as a whole."""

from collections.abc import Iterator
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np

from autoencoders.core.errors import DataError

BLOCK_BYTES = 2**23


class Blocks:
    """An array on disk whose rows are read when they are asked for. No memory is held."""

    def __init__(self, path: Path) -> None:
        """Raises DataError where the file holds no array of plain values, or is cut short."""
        self.path = path
        try:
            mapped = np.lib.format.open_memmap(path, mode="r")  # never pickle
        except FileNotFoundError as error:
            raise DataError(f"{path}: no such file; `dvc repro` makes it") from error
        except (
            ValueError,
            OSError,
            TypeError,
            OverflowError,
            EOFError,
            TokenError,
        ) as error:  # of numpy's parser
            raise DataError(f"{path}: not a readable .npy array ({error})") from error
        if mapped.ndim == 0:
            raise DataError(f"{path}: not an array of rows")
        if mapped.nbytes == 0:
            raise DataError(f"{path}: zero rows, or rows without values")
        self.dtype, self.shape, self.offset = mapped.dtype, mapped.shape, mapped.offset
        self.row = np.dtype((mapped.dtype, mapped.shape[1:]))
        self.row_bytes, self.by_rows = self.row.itemsize, bool(mapped.flags.c_contiguous)

    def __len__(self) -> int:
        return int(self.shape[0])

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """Rows from start up to stop, as a new array."""
        if not self.by_rows:  # column after column: a row is spread over the whole file
            return np.array(np.lib.format.open_memmap(self.path, mode="r")[start:stop])
        rows = min(len(self) if stop is None else stop, len(self)) - start
        return np.fromfile(self.path, self.row, rows, offset=self.offset + start * self.row_bytes)

    def mapped(self) -> np.ndarray:
        """All rows, in memory as far as they are read."""
        return np.asarray(np.lib.format.open_memmap(self.path, mode="r"))

    def __iter__(self) -> Iterator[np.ndarray]:
        """All rows, some megabytes at a time."""
        size = max(1, BLOCK_BYTES // self.row_bytes)
        for start in range(0, len(self), size):
            yield self.read(start, start + size)

    def take(self, indices: np.ndarray) -> np.ndarray:
        """The rows with these numbers, which rise."""
        if len(indices) == len(self):
            return self.read()
        taken, n = np.empty((len(indices), *self.shape[1:]), self.dtype), 0
        for part in self.parts(indices):
            taken[n : n + len(part)] = part
            n += len(part)
        return taken

    def parts(self, indices: np.ndarray) -> Iterator[np.ndarray]:
        """The rows with these numbers, which rise, some megabytes at a time; other blocks are not read."""
        size = max(1, BLOCK_BYTES // self.row_bytes)
        starts = np.unique(indices // size) * size
        for start in starts.tolist():
            first, last = np.searchsorted(indices, [start, start + size])
            yield self.read(start, start + size)[indices[first:last] - start]


class Writer:
    """A .npy file that grows by rows."""

    def __init__(self, path: Path, dtype: Any, shape: tuple[int, ...]) -> None:
        """shape: of the whole array, known beforehand."""
        self.file, self.dtype = path.open("wb"), np.dtype(dtype)
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
