"""Files in, batches of raw rows out: CSV, Parquet, arrays, folders of images; nothing is loaded as a whole."""

import os
from pathlib import Path

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Schema
from autoencoders.data.readers.arrays import array_reader
from autoencoders.data.readers.images import image_reader, image_suffixes
from autoencoders.data.readers.reader import Reader
from autoencoders.data.readers.tables import table_reader

TABLES, ARRAYS = (".csv", ".csv.gz", ".tsv", ".parquet"), (".npy",)
NEW = Schema()  # of data that no model waits for
MESSAGE = "expected CSV (.csv, .tsv, .csv.gz), Parquet, .npy, .npz, a folder of images, or a zip or tar of these"


def open_reader(path: Path, *, image_side: int | str = "auto", like: Schema = NEW) -> Reader:
    """The reader of a file or folder. like: what rows have to be, where a model waits for them. Raises DataError."""
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_dir():
        return _reader_of_folder(path, image_side, like)
    if path.name.lower().endswith(TABLES):
        return table_reader(path, like)
    if path.suffix.lower() == ".npy":
        return array_reader(path)
    if like.shape or path.suffix.lower() in image_suffixes():
        return image_reader([path], image_side, like.shape, path.parent)
    raise DataError(f"{path}: unknown kind of file; {MESSAGE}")


def _reader_of_folder(folder: Path, image_side: int | str, like: Schema) -> Reader:
    """Of the one table or array in a folder, else of its images."""
    if (folder / "X.npy").exists():
        return array_reader(
            folder / "X.npy", folder / "y.npy" if (folder / "y.npy").exists() else None
        )
    everything, root = sorted(folder.rglob("*")), os.path.realpath(folder)
    if outside := [
        path for path in everything if not Path(os.path.realpath(path)).is_relative_to(root)
    ]:
        raise DataError(
            f"{outside[0]}: a link out of {folder}, which is not followed; copy what it points to"
        )
    shown = [path for path in everything if "/." not in f"/{path.relative_to(folder).as_posix()}"]
    files = [path for path in shown if path.is_file()]
    tables = [file for file in files if file.name.lower().endswith((*TABLES, *ARRAYS))]
    images = [file for file in files if file.suffix.lower() in image_suffixes()]
    if len(tables) == 1 and not images:
        return open_reader(tables[0], like=like)
    if tables or not images:
        raise DataError(
            f"{folder}: {len(tables)} tables or arrays and {len(images)} images; {MESSAGE}"
        )
    common = Path(
        os.path.commonpath([image.parent for image in images])
    )  # an archive may hold but one folder
    reader = image_reader(images, image_side, like.shape, common)
    others = [file.name for file in files if file not in set(images)]
    reader.told.extend(
        [f"left out, as no images: {', '.join(others[:5])} ({len(others)} files)"] if others else []
    )
    return reader
