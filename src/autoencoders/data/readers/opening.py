"""Opens files as batches of raw rows: CSV, Parquet, arrays, folders of images."""

import os
import re
from pathlib import Path

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import SHOWN_NAMES, Schema
from autoencoders.data.readers.arrays import array_reader
from autoencoders.data.readers.delimited import TextSettings
from autoencoders.data.readers.images import image_reader, image_suffixes
from autoencoders.data.readers.reader import Reader
from autoencoders.data.readers.several import several_reader
from autoencoders.data.readers.tables import table_reader

TABLE_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".parquet")
ARRAY_SUFFIX = ".npy"
TEXT_SETTINGS = TextSettings()
ANY_SCHEMA = Schema()  # of data that no model waits for
CONVERSIONS = {  # of files that tables often come in, by ending
    (".xlsx", ".xls", ".ods"): "a spreadsheet; save its sheet as CSV",
    (".json", ".jsonl", ".ndjson"): "JSON; convert it: "
    "pandas.read_json(file, lines=True).to_parquet('rows.parquet')",
    (".feather", ".arrow", ".orc", ".h5", ".hdf5", ".mat", ".pkl", ".pickle", ".pt", ".db"): "a "
    "format that is not read; save the table as Parquet, or the array as .npy",
}
EXPECTED = (
    "expected CSV (.csv, .tsv, .csv.gz), Parquet, .npy, .npz, a folder of images, "
    "or a zip or tar of these"
)


def open_reader(
    path: Path,
    *,
    image_side: int | str = "auto",
    like: Schema = ANY_SCHEMA,
    text: TextSettings = TEXT_SETTINGS,
) -> Reader:
    """The reader of a file or folder. Raises DataError.

    image_side: pixels that image files are resized to, or auto. like: the schema of a model that
    waits for the rows. text: settings of delimited text.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_dir():
        return _folder_reader(path, image_side, like, text)
    if path.name.lower().endswith(TABLE_SUFFIXES):
        return table_reader(path, like, text)
    if path.suffix.lower() == ARRAY_SUFFIX:
        return array_reader(path)
    if like.shape or path.suffix.lower() in image_suffixes():
        return image_reader([path], image_side, like.shape, path.parent, path.parent)
    for endings, advice in CONVERSIONS.items():
        if path.name.lower().endswith(endings):
            raise DataError(f"{path}: {advice}")
    raise DataError(f"{path}: unknown kind of file; {EXPECTED}")


def _folder_reader(folder: Path, image_side: int | str, like: Schema, text: TextSettings) -> Reader:
    """The reader of X.npy and y.npy, of the one table or array in a folder, or of its images.

    Raises DataError.
    """
    array = folder / "X.npy"
    labels = folder / "y.npy"
    if array.exists():
        return array_reader(array, labels if labels.exists() else None)
    files = _visible_files(folder)
    suffixes = image_suffixes()
    images = [file for file in files if file.suffix.lower() in suffixes]
    tables = [file for file in files if file.name.lower().endswith((*TABLE_SUFFIXES, ARRAY_SUFFIX))]
    if len(tables) == 1 and not images:
        return open_reader(tables[0], like=like, text=text)
    if tables and not images:

        def opened(file: Path, settings: TextSettings) -> Reader:
            return open_reader(file, like=like, text=settings)

        return several_reader(folder, tables, opened, text, like.id_column)
    if tables or not images:
        raise DataError(
            f"{folder}: {len(tables)} tables or arrays and {len(images)} images; {EXPECTED}"
        )
    # folders around all images are no labels: an archive may hold but one folder
    innermost = Path(os.path.commonpath([image.parent for image in images]))
    reader = image_reader(images, image_side, like.shape, innermost, folder)
    others = [file.name for file in files if file.suffix.lower() not in suffixes]
    if others:
        shown = ", ".join(others[:SHOWN_NAMES])
        reader.notes.append(f"left out, as no images: {shown} ({len(others)} files)")
    return reader


def _natural(path: Path) -> list[tuple[int, int, str]]:
    """A key that sorts names as a person does: img2 before img10."""
    parts = re.split(r"(\d+)", str(path))
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


def _visible_files(folder: Path) -> list[Path]:
    """Files in a folder and its folders, in order, without hidden ones.

    Raises DataError where a link leads out.
    """
    root = os.path.realpath(folder)
    files = []
    for path in sorted(folder.rglob("*"), key=_natural):
        if not Path(os.path.realpath(path)).is_relative_to(root):
            raise DataError(
                f"{path}: a link out of {folder}, which is not followed; copy what it points to"
            )
        is_hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and not is_hidden:
            files.append(path)
    return files
