"""Files in, batches of raw rows out: CSV, Parquet, arrays, folders of images; nothing is loaded as a whole."""

import math
import os
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from autoencoders.data.blocks import Blocks
from autoencoders.data.schema import Rows, Schema, is_number, some
from autoencoders.errors import DataError

BATCH_BYTES = 2**23
CHANNELS = (1, 3, 4)  # that a picture can show
TABLES, ARRAYS = (".csv", ".csv.gz", ".tsv", ".parquet"), (".npy",)
NEW = Schema()  # of data that no model waits for
OWN_SIDE, RESIZED_SIDE = 64, 32  # pixels: sides up to which images keep their size, and the side of the others
GREY = ("1", "L", "LA")  # modes of images with 8 bits a pixel and no colour
MESSAGE = "expected CSV (.csv, .tsv, .csv.gz), Parquet, .npy, .npz, a folder of images, or a zip or tar of these"


@dataclass(frozen=True)
class Reader:
    """Rows of a source, in order, as often as asked."""

    batches: Callable[[], Iterator[tuple[Rows, Any]]]  # raw rows, and labels that are no column. Raises DataError
    shape: tuple[int, ...] = ()  # of one image; nothing for columns
    names: list[str] = field(default_factory=list)  # of the columns
    named: bool = False  # by the source itself
    dates: list[str] = field(default_factory=list)  # columns of times, which are no features
    told: list[str] = field(default_factory=list)  # what the user should know of the reading


def open_reader(path: Path, *, image_side: int | str = "auto", like: Schema = NEW) -> Reader:
    """The reader of a file or folder. like: what rows have to be, where a model waits for them. Raises DataError."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_dir():
        return _reader_of_folder(path, image_side, like)
    if path.name.lower().endswith(TABLES):
        return _table(path, like)
    if path.suffix.lower() == ".npy":
        return _array(path)
    if like.shape or path.suffix.lower() in image_suffixes():
        return _images([path], image_side, like.shape, path.parent)
    raise DataError(f"{path}: unknown kind of file; {MESSAGE}")


def _reader_of_folder(folder: Path, image_side: int | str, like: Schema) -> Reader:
    """Of the one table or array in a folder, else of its images."""
    if (folder / "X.npy").exists():
        return _array(folder / "X.npy", folder / "y.npy" if (folder / "y.npy").exists() else None)
    everything, root = sorted(folder.rglob("*")), os.path.realpath(folder)
    if outside := [path for path in everything if not Path(os.path.realpath(path)).is_relative_to(root)]:
        raise DataError(f"{outside[0]}: a link out of {folder}, which is not followed; copy what it points to")
    shown = [path for path in everything if "/." not in f"/{path.relative_to(folder).as_posix()}"]
    files = [path for path in shown if path.is_file()]
    tables = [file for file in files if file.name.lower().endswith((*TABLES, *ARRAYS))]
    images = [file for file in files if file.suffix.lower() in image_suffixes()]
    if len(tables) == 1 and not images:
        return open_reader(tables[0], like=like)
    if tables or not images:
        raise DataError(f"{folder}: {len(tables)} tables or arrays and {len(images)} images; {MESSAGE}")
    common = Path(os.path.commonpath([image.parent for image in images]))  # an archive may hold but one folder
    reader = _images(images, image_side, like.shape, common)
    others = [file.name for file in files if file not in set(images)]
    reader.told.extend([f"left out, as no images: {', '.join(others[:5])} ({len(others)} files)"] if others else [])
    return reader


def _table(path: Path, like: Schema) -> Reader:
    """CSV or Parquet: numbers as float64, text as text."""
    texts = {column.name: pa.string() for column in like.columns if column.categories is not None}
    is_parquet = path.suffix.lower() == ".parquet"
    with reporting(path):
        schema = pa.parquet.read_schema(path) if is_parquet else _csv(path, texts).schema
        index = [name for name in schema.names if not name or name.startswith("__index_level_")]  # pandas' own
        names = [name for name in schema.names if name not in index]
    _check(path, schema)
    as_double = {f.name: pa.float64() for f in schema if pa.types.is_integer(f.type) or pa.types.is_null(f.type)}
    types = {f.name: as_double.get(f.name, f.type) for f in schema}
    rows = 1 + BATCH_BYTES // (8 + 8 * len(names))

    def batches() -> Iterator[tuple[Rows, Any]]:
        with reporting(path):
            given = pa.parquet.ParquetFile(path).iter_batches(rows) if is_parquet else _csv(path, types)
            yield from ((pa.Table.from_batches([batch]), None) for batch in given if len(batch))

    dates = [name for name in names if pa.types.is_temporal(types[name])]
    told = [f"left out, as a column of row numbers: {some([name or 'the one without a name' for name in index])}"]
    return Reader(batches, names=names, named=True, dates=dates, told=told if index else [])


def _check(path: Path, schema: pa.Schema) -> None:
    """Raises DataError where columns can't be told apart, or hold neither numbers nor text."""
    if twice := [name for name, n in Counter(schema.names).items() if n > 1]:
        raise DataError(f"{path}: columns whose name stands twice: {', '.join(twice)}")
    if all(map(is_number, schema.names)) and any("." in name for name in schema.names):
        raise DataError(
            f"{path}: its first line holds numbers, {some(schema.names)}; write the columns' names above it"
        )
    if binary := [f.name for f in schema if pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type)]:
        raise DataError(f"{path}: column {binary[0]} is not UTF-8 text; save the file as UTF-8")
    if nested := [f"{f.name} ({f.type})" for f in schema if pa.types.is_nested(f.type)]:
        raise DataError(f"{path}: nested columns: {', '.join(nested)}; only numbers and text can be features")


def _csv(path: Path, types: dict[str, pa.DataType]) -> Any:
    """A stream of batches. The delimiter is the one that the first line has most of."""
    with pa.input_stream(str(path)) as stream:
        head = stream.read(2**16).split(b"\n")[0].decode("utf-8", "replace")
    parse = pa.csv.ParseOptions(delimiter=max(",;\t", key=head.count))
    options = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    read = pa.csv.ReadOptions(use_threads=False, block_size=BATCH_BYTES)  # with threads, errors name no rows
    return pa.csv.open_csv(path, read_options=read, parse_options=parse, convert_options=options)


def _array(path: Path, labels: Path | None = None) -> Reader:
    """Arrays of numbers: (rows, columns), or images (rows, height, width) and (rows, height, width, channels)."""
    rows, given = Blocks(path), Blocks(labels) if labels else None
    if len(rows.shape) > 4 or rows.dtype.kind not in "buif":
        raise DataError(f"{path}: {rows.dtype} of shape {rows.shape}, expected numbers, a row first")
    if len(rows.shape) == 4 and rows.shape[3] not in CHANNELS:
        told = f"{path}: images of shape {rows.shape[1:]}, expected (height, width, channels) with 1, 3 or 4 channels"
        first = "; move the channels to the end: numpy.moveaxis(rows, 1, -1)" if rows.shape[1] in CHANNELS else ""
        raise DataError(told + (first or "; other rows can be given flat, as (rows, values)"))
    if given and (given.shape != rows.shape[:1] or given.dtype.kind in "Vc"):
        found = f"the labels in {labels} are {given.dtype} of shape {given.shape}"
        raise DataError(f"{path}: {len(rows)} rows, but {found}")
    size = max(1, BATCH_BYTES // rows.row_bytes)

    def batches() -> Iterator[tuple[Rows, Any]]:
        for start in range(0, len(rows), size):
            part = rows.read(start, start + size)
            yield part.reshape(len(part), *(shape or (-1,))), given and given.read(start, start + size)

    shape = rows.shape[1 : 3 if rows.shape[3:] == (1,) else None] if len(rows.shape) > 2 else ()
    return Reader(batches, shape, [] if shape else [f"x{i}" for i in range(math.prod(rows.shape[1:]))])


def _images(files: list[Path], side: int | str, like: tuple[int, ...], folder: Path) -> Reader:
    """Image files, grey unless one of them has colour, brought to one size; a sub-folder's name is the label."""
    shape, told = (like, list[str]()) if like else _common_shape(files, side)
    size = max(1, BATCH_BYTES // math.prod(shape))
    flat = any(file.parent == folder for file in files)

    def batches() -> Iterator[tuple[Rows, Any]]:
        for start in range(0, len(files), size):
            part = files[start : start + size]
            labels = None if flat else [file.relative_to(folder).parts[0] for file in part]
            yield np.stack([_decoded(file, shape) for file in part]), labels

    return Reader(batches, shape, told=told)


def _common_shape(files: list[Path], side: int | str) -> tuple[tuple[int, ...], list[str]]:
    """The shape that all images are brought to, and what the user should know of it."""
    sizes: Counter[tuple[int, int]] = Counter()
    modes = dict[str, Path]()
    for file in files:
        with _opened(file) as image:
            sizes[image.size[1], image.size[0]] += 1
            modes.setdefault(image.mode, file)
    colour = any(mode not in GREY and not _deep(mode) for mode in modes)
    if len({_deep(mode) for mode in modes}) > 1:
        one, other = (next(file for mode, file in modes.items() if _deep(mode) is deep) for deep in (True, False))
        raise DataError(
            f"{one} holds more than 8 bits a pixel, {other} does not: they have no common scale; save all alike"
        )
    fits = len(sizes) == 1 and max(next(iter(sizes))) <= OWN_SIDE
    size = (int(side),) * 2 if side != "auto" else next(iter(sizes)) if fits else (RESIZED_SIDE,) * 2
    told = f"images of {len(sizes)} sizes are resized to {size[0]} x {size[1]} (data.image_side)"
    return (*size, 3) if colour else size, [told] if set(sizes) != {size} else []


def _decoded(file: Path, shape: tuple[int, ...]) -> np.ndarray:
    """The image in this shape: uint8; of 16 bits and more, the file's own numbers, of which few may use all bits."""
    with _opened(file) as image:
        if image.mode == "F":
            raise DataError(f"{file}: floating-point pixels, of unknown range; save it with 8 or 16 bits, or as .npy")
        image = image.convert("I" if _deep(image.mode) and len(shape) == 2 else "RGB" if len(shape) == 3 else "L")
        resized = np.asarray(image if image.size[::-1] == shape[:2] else image.resize(shape[1::-1]))
        return resized if resized.dtype == np.uint8 else np.clip(resized, *image.getextrema())


def _deep(mode: str) -> bool:
    """Whether images of this mode have one number a pixel, of more than 8 bits."""
    return mode.startswith("I")


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
