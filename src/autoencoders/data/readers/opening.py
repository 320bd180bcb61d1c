"""Opens files as batches of raw rows: CSV, Parquet, arrays, folders of images."""

import os
import re
from pathlib import Path

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import SHOWN_NAMES, Schema, abridged
from autoencoders.data.readers.arrays import ANY_SCHEMA, array_reader
from autoencoders.data.readers.delimited import TextSettings
from autoencoders.data.readers.images import image_reader, image_suffixes
from autoencoders.data.readers.reader import Reader
from autoencoders.data.readers.several import several_reader
from autoencoders.data.readers.tables import table_reader
from autoencoders.data.sources.archive import is_archive

TABLE_SUFFIXES = (".csv", ".csv.gz", ".tsv", ".tsv.gz", ".parquet")
ARRAY_SUFFIX = ".npy"
TEXT_SETTINGS = TextSettings()
CONVERSIONS = {  # of files that tables often come in, by ending
    (".xlsx", ".xls", ".ods"): "a spreadsheet; save its sheet as CSV",
    (".json", ".jsonl", ".ndjson"): "JSON; convert it: "
    "pandas.read_json(file, lines=True).to_parquet('rows.parquet')",
    (
        ".heic",
        ".heif",
        ".jxl",
        ".svg",
        ".dcm",
        ".nii",
        ".nii.gz",
    ): "an image in a format that is not read; save it as PNG, or its pixels as .npy",
    (".feather", ".arrow", ".orc", ".h5", ".hdf5", ".mat", ".pkl", ".pickle", ".pt", ".db"): "a "
    "format that is not read; save the table as Parquet, or the array as .npy",
}
HIDDEN = ("__MACOSX", "@eaDir")  # folders that macOS and network disks make for themselves
SPLITS = ("train", "training", "val", "valid", "validation", "test", "testing")
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
    _check_name(path)
    if path.is_dir():
        return _folder_reader(path, image_side, like, text)
    if path.name.lower().endswith(TABLE_SUFFIXES):
        return table_reader(path, like, text)
    if path.suffix.lower() == ARRAY_SUFFIX:
        return array_reader(path, like=like)
    if like.shape or path.suffix.lower() in image_suffixes():
        return image_reader([path], image_side, like.shape, path.parent, path.parent)
    for endings, advice in CONVERSIONS.items():
        if path.name.lower().endswith(endings):
            raise DataError(f"{path}: {advice}")
    raise DataError(f"{path}: unknown kind of file; {EXPECTED}")


def _folder_reader(folder: Path, image_side: int | str, like: Schema, text: TextSettings) -> Reader:
    """The reader of X.npy and y.npy, of the tables or arrays in a folder, or of its images.

    Raises DataError.
    """
    files = _visible_files(folder)
    array = folder / "X.npy"
    labels = folder / "y.npy"
    if array in files:
        reader = array_reader(array, labels if labels in files else None, like)
        return _with_others(reader, files, [array, labels], "neither X nor y")
    images = _with_endings(files, tuple(image_suffixes()))
    tables = _with_endings(files, (*TABLE_SUFFIXES, ARRAY_SUFFIX))
    if bool(tables) == bool(images):
        raise DataError(
            f"{folder}: {len(tables)} tables or arrays and {len(images)} images; {EXPECTED}"
            f"{_advice(folder, files, tables)}"
        )
    if images:
        # folders around all images are no labels: an archive may hold but one folder
        innermost = Path(os.path.commonpath([image.parent for image in images]))
        reader = image_reader(images, image_side, like.shape, innermost, folder)
        reader.notes.extend(_label_notes(images, innermost))
        return _with_others(reader, files, images, "no images")

    def opened(file: Path, settings: TextSettings) -> Reader:
        return open_reader(file, like=like, text=settings)

    if len(tables) == 1:
        reader = opened(tables[0], text)
    else:
        reader = several_reader(folder, tables, opened, text, like.id_column)
    return _with_others(reader, files, tables, "no tables")


def _with_endings(files: list[Path], endings: tuple[str, ...]) -> list[Path]:
    """The files whose names end so, without links that lead nowhere."""
    return [file for file in files if file.name.lower().endswith(endings) and file.exists()]


def _advice(folder: Path, files: list[Path], tables: list[Path]) -> str:
    """The way out where a folder holds no rows, or tables as well as images."""
    if tables:
        return "; give the path of the images' folder alone, or that of the table"
    if not files:
        return ""
    shown = abridged([str(file.relative_to(folder)) for file in files])
    if any(is_archive(file) for file in files):
        return f"; it holds {shown}: give an archive's own path, or unpack it"
    return f"; it holds {shown}"


def _with_others(reader: Reader, files: list[Path], used: list[Path], reason: str) -> Reader:
    """The reader with a note on the other files, which are left out."""
    others = [file.name for file in files if file not in set(used)]
    if others:
        shown = ", ".join(others[:SHOWN_NAMES])
        reader.notes.append(f"left out, as {reason}: {shown} ({len(others)} files)")
    return reader


def _label_notes(images: list[Path], folder: Path) -> list[str]:
    """Notes on folders of images that are no labels, or may be none."""
    beside = [image for image in images if image.parent == folder]
    if beside and len(beside) < len(images):
        return [
            f"folders are no labels, as images lie beside them: {beside[0].name} "
            f"({len(beside)} images)"
        ]
    folders = sorted({image.relative_to(folder).parts[0] for image in images})
    if not beside and all(name.lower() in SPLITS for name in folders):
        return [
            f"the labels are {abridged(folders)}: where these are splits, give the path of one of "
            "them alone"
        ]
    return []


def _natural(path: Path) -> tuple[list[list[tuple[int, int, str]]], str]:
    """A key that sorts names as a person does: img2 before img10, whether in capitals or not."""
    key = []
    for name in path.parts:
        parts = re.split(r"(\d+)", name.casefold())
        key.append([(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts])
    return key, str(path)  # names that differ in capitals or zeros have an order, too


def _visible_files(folder: Path) -> list[Path]:
    """Files in a folder and its folders, in order, without hidden ones.

    Among them are links that lead nowhere. Raises DataError where a link leads out.
    """
    root = os.path.realpath(folder)
    files = []
    for path in sorted(folder.rglob("*"), key=_natural):
        if not Path(os.path.realpath(path)).is_relative_to(root):
            raise DataError(
                f"{path}: a link out of {folder}, which is not followed; copy what it points to"
            )
        is_broken = path.is_symlink() and not path.exists()
        is_hidden = any(map(_is_hidden, path.relative_to(folder).parts))
        if (path.is_file() or is_broken) and not is_hidden:
            _check_name(path)
            files.append(path)
    return files


def _check_name(path: Path) -> None:
    """Raises DataError where the name of a file is no text, which no answer or report can hold."""
    name = os.fsencode(path)
    try:
        name.decode()
    except UnicodeDecodeError as error:
        shown = name.decode(errors="replace")
        raise DataError(f"{shown}: its name is not UTF-8; rename it") from error


def _is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is none of the user's."""
    return name.startswith(".") or name in HIDDEN
