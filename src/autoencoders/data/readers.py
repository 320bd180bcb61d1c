"""Files in, batches of raw rows out: CSV, Parquet, arrays, folders of images; nothing is loaded as a whole."""

import os
import warnings
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from autoencoders.data.blocks import Blocks
from autoencoders.data.schema import Rows, Schema
from autoencoders.errors import DataError

BATCH_BYTES = 2**23
TABLES, ARRAYS = (".csv", ".csv.gz", ".tsv", ".parquet"), (".npy",)
NEW = Schema()  # of data that no model waits for
OWN_SIDE, RESIZED_SIDE = 64, 32  # pixels: sides up to which images keep their size, and the side of the others
MESSAGE = "expected CSV (.csv, .tsv, .csv.gz), Parquet, .npy, .npz, a folder of images, or a zip or tar of these"


class Reader(Protocol):
    """Rows of a source, in order, as often as asked."""

    shape: tuple[int, ...]  # of one image; nothing for columns
    names: list[str]  # of the columns
    dates: list[str]  # columns of times, which are no features
    told: list[str]  # what the user should know of the reading

    def batches(self) -> Iterator[tuple[Rows, Any]]:
        """Raw rows, and their labels where the source holds them apart from the columns. Raises DataError."""


def open_reader(path: Path, *, image_side: int | str = "auto", like: Schema = NEW) -> Reader:
    """The reader of a file or folder. like: what rows have to be, where a model waits for them. Raises DataError."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_dir():
        return _reader_of_folder(path, image_side, like)
    if path.name.lower().endswith(TABLES):
        return TableReader(path, like)
    if path.suffix.lower() == ".npy":
        return ArrayReader(path, None)
    if like.shape or path.suffix.lower() in image_suffixes():
        return ImageReader([path], image_side, like.shape)
    raise DataError(f"{path}: unknown kind of file; {MESSAGE}")


def _reader_of_folder(folder: Path, image_side: int | str, like: Schema) -> Reader:
    """Of the one table or array in a folder, else of its images."""
    if (folder / "X.npy").exists():
        return ArrayReader(folder / "X.npy", folder / "y.npy" if (folder / "y.npy").exists() else None)
    root = os.path.realpath(folder)
    files = sorted(
        p for p in folder.rglob("*") if p.is_file() and not any(n[0] == "." for n in p.relative_to(folder).parts)
    )
    outside = [file for file in folder.rglob("*") if not Path(os.path.realpath(file)).is_relative_to(root)]
    if outside:
        raise DataError(f"{outside[0]}: a link out of {folder}, which is not followed; copy what it points to")
    tables = [file for file in files if file.name.lower().endswith((*TABLES, *ARRAYS))]
    images = [file for file in files if file.suffix.lower() in image_suffixes()]
    if len(tables) == 1 and not images:
        return open_reader(tables[0], like=like)
    if tables or not images:
        raise DataError(f"{folder}: {len(tables)} tables or arrays and {len(images)} images; {MESSAGE}")
    common = Path(os.path.commonpath([image.parent for image in images]))  # an archive may hold but one folder
    reader = ImageReader(images, image_side, like.shape, common)
    others = [file.name for file in files if file not in set(images)]
    reader.told += [f"left out, as no images: {', '.join(others[:5])} ({len(others)} files)"] if others else []
    return reader


class TableReader:
    """CSV or Parquet: numbers as float64, text as text."""

    def __init__(self, path: Path, like: Schema = NEW) -> None:
        self.path, self.shape, self.told = path, (), []  # type: Path, tuple[int, ...], list[str]
        with reporting(path):
            self.parquet = path.suffix.lower() == ".parquet"
            texts = {column.name: pa.string() for column in like.columns if column.categories is not None}
            schema = pa.parquet.read_schema(path) if self.parquet else self._csv(texts).schema
            self.names = list(schema.names)
        self._check(schema)
        as_double = {f.name: pa.float64() for f in schema if pa.types.is_integer(f.type) or pa.types.is_null(f.type)}
        self.types = {field.name: as_double.get(field.name, field.type) for field in schema}
        self.dates = [name for name, kind in self.types.items() if pa.types.is_temporal(kind)]

    def _check(self, schema: pa.Schema) -> None:
        twice = [name for name, n in Counter(schema.names).items() if n > 1]
        if twice:
            raise DataError(f"{self.path}: columns whose name stands twice: {', '.join(twice)}")
        binary = [f.name for f in schema if pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type)]
        if binary:
            raise DataError(f"{self.path}: column {binary[0]} is not UTF-8 text; save the file as UTF-8")
        nested = [f"{f.name} ({f.type})" for f in schema if pa.types.is_nested(f.type)]
        if nested:
            raise DataError(f"{self.path}: nested columns: {', '.join(nested)}; only numbers and text can be features")

    def _csv(self, types: dict[str, pa.DataType]) -> Any:
        options = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
        read = pa.csv.ReadOptions(use_threads=False, block_size=BATCH_BYTES)  # with threads, errors name no rows
        parse = pa.csv.ParseOptions(delimiter=self._delimiter())
        return pa.csv.open_csv(self.path, read_options=read, parse_options=parse, convert_options=options)

    def _delimiter(self) -> str:
        with pa.input_stream(str(self.path)) as stream:
            head = stream.read(2**16).split(b"\n")[0].decode("utf-8", "replace")
        return max(",;\t", key=head.count)

    def batches(self) -> Iterator[tuple[Rows, Any]]:
        """Tables of some megabytes."""
        with reporting(self.path):
            rows = 1 + BATCH_BYTES // (8 + 8 * len(self.names))
            given = pa.parquet.ParquetFile(self.path).iter_batches(rows) if self.parquet else self._csv(self.types)
            yield from ((pa.Table.from_batches([batch]), None) for batch in given if len(batch))


class ArrayReader:
    """Arrays of numbers: (rows, columns), or images (rows, height, width) and (rows, height, width, channels)."""

    def __init__(self, path: Path, labels: Path | None) -> None:
        self.rows, self.labels = Blocks(path), Blocks(labels) if labels else None
        self.shape = self.rows.shape[1:] if len(self.rows.shape) in (3, 4) else ()
        self.names = (
            [] if self.shape else [f"x{i}" for i in range(self.rows.shape[1] if len(self.rows.shape) == 2 else 1)]
        )
        self.told, self.dates = [], []  # type: list[str], list[str]
        if len(self.rows.shape) not in (1, 2, 3, 4) or self.rows.dtype.kind not in "buif":
            raise DataError(f"{path}: {self.rows.dtype} of shape {self.rows.shape}, expected numbers, a row first")
        if self.labels is not None and (self.labels.shape != self.rows.shape[:1] or self.labels.dtype.kind in "Vc"):
            kind = f"{self.labels.dtype} of shape {self.labels.shape}"
            raise DataError(f"{path}: {len(self.rows)} rows, but the labels in {labels} are {kind}")

    def batches(self) -> Iterator[tuple[Rows, Any]]:
        """Arrays of some megabytes, read one after another."""
        size = max(1, BATCH_BYTES // self.rows.row_bytes)
        for start in range(0, len(self.rows), size):
            rows = self.rows.read(start, start + size)
            labels = None if self.labels is None else self.labels.read(start, start + size)
            yield rows if rows.ndim > 1 else rows[:, None], labels


class ImageReader:
    """Image files, grey unless one of them has colour, brought to one size; a sub-folder's name is the label."""

    def __init__(
        self, files: list[Path], side: int | str, like: tuple[int, ...] = (), folder: Path | None = None
    ) -> None:
        self.files, self.folder = files, folder
        self.names, self.dates, self.told = [], [], []  # type: list[str], list[str], list[str]
        self.shape = like or self._common_shape(side)

    def _common_shape(self, side: int | str) -> tuple[int, ...]:
        sizes: Counter[tuple[int, int]] = Counter()
        colour = False
        for file in self.files:
            with _opened(file) as image:
                sizes[image.size[1], image.size[0]] += 1
                colour |= image.mode not in ("1", "L", "LA", "I", "I;16", "F")
        fits = len(sizes) == 1 and max(next(iter(sizes))) <= OWN_SIDE
        size = (int(side),) * 2 if side != "auto" else next(iter(sizes)) if fits else (RESIZED_SIDE,) * 2
        if set(sizes) != {size}:
            self.told.append(f"images of {len(sizes)} sizes are resized to {size[0]} x {size[1]} (data.image_side)")
        return (*size, 3) if colour else size

    def batches(self) -> Iterator[tuple[Rows, Any]]:
        """uint8 (images, *shape), and each image's sub-folder."""
        size = max(1, BATCH_BYTES // int(np.prod(self.shape)))
        flat = self.folder is None or any(file.parent == self.folder for file in self.files)
        for start in range(0, len(self.files), size):
            files = self.files[start : start + size]
            labels = [file.relative_to(self.folder).parts[0] if self.folder else "" for file in files]
            yield np.stack([self._decoded(file) for file in files]), None if flat else labels

    def _decoded(self, file: Path) -> np.ndarray:
        with _opened(file) as image:
            if image.mode.startswith("I"):  # 16 bits
                image = image.point(lambda value: value / 256).convert("L")
            image = image.convert("RGB" if len(self.shape) == 3 else "L")
            return np.asarray(image if image.size[::-1] == self.shape[:2] else image.resize(self.shape[1::-1]))


@contextmanager
def _opened(file: Path) -> Iterator[Any]:
    """The image in a file. Raises DataError where there is none, where it is damaged, or too large to be decoded."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)  # before anything is decoded
            with Image.open(file) as image:
                yield image
    except (OSError, EOFError, ValueError, SyntaxError, RuntimeWarning, Image.DecompressionBombError) as error:
        raise DataError(f"{file}: not an image that can be read ({error})") from error


def image_suffixes() -> set[str]:
    """Endings of image files."""
    from PIL import Image

    Image.init()
    return {suffix for suffix, name in Image.EXTENSION.items() if name in Image.OPEN} - {".pdf", ".ps", ".eps"}


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """Turns what Arrow says of a file into a DataError."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {str(error).splitlines()[0]}") from error
