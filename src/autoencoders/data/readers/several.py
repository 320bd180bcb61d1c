"""Several tables or arrays of the same columns as one source, such as the parts of a data set."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows, abridged
from autoencoders.data.prepared.values import is_text_type
from autoencoders.data.readers.delimited import TextSettings
from autoencoders.data.readers.reader import Labels, Reader, arrow_errors, relative_name

FILE_COLUMN = "file"  # the column that names each row's file, unless the tables have one
OTHER_FILE_COLUMN = "name of the file"
SHOWN_ARRAYS = 8  # that a message lists
# the names of arrays of labels, such as y_train
LABELS = re.compile(r"(.*[_ -])?(y|labels?|targets?|classes)([_ -].*)?", re.IGNORECASE)


def several_reader(
    folder: Path,
    files: list[Path],
    opened: Callable[[Path, TextSettings], Reader],
    text: TextSettings,
    id_column: str,
) -> Reader:
    """One reader of the rows of all files, in their order.

    opened: gives a file's reader. id_column: the column whose values are texts, which lose no
    digit, or nothing. Raises DataError where the files have not the same columns.
    """
    text = replace(text, is_part=True)
    readers = [opened(file, text) for file in files]
    _check_alike(folder, files, readers)
    first = readers[0]
    if not first.is_table:
        note = f"{len(files)} arrays are one: {abridged([file.name for file in files])}"
        return replace(first, batches=lambda: _chained(readers), notes=[*first.notes, note])
    types_of_files = _types_of_files(readers)
    types = {name: _common_type(types_of_files[name]) for name in first.names}
    if id_column in types:
        types[id_column] = pa.string()
    texts = [name for name in first.names if types[name] == pa.string()]
    if any(set(reader.text_columns) != set(texts) for reader in readers):
        as_text = replace(text, as_text=tuple({*text.as_text, *texts}))
        readers = [opened(file, as_text) for file in files]
    file_column = _free_name(first.names)

    def batches() -> Iterator[tuple[Rows, Labels]]:
        for file, reader in zip(files, readers, strict=True):
            file_name = relative_name(file, folder)
            for batch, labels in reader.batches():
                if isinstance(batch, pa.Table):
                    with arrow_errors(file):
                        table = _with_file(batch, types, file_column, file_name)
                    yield table, labels

    return replace(
        first,
        batches=batches,
        names=[*first.names, file_column],
        is_typed=all(reader.is_typed for reader in readers),
        date_columns=[name for name in first.names if pa.types.is_temporal(types[name])],
        text_columns=texts,
        file_column=file_column,
        description=f"{len(files)} files: {first.description}",
        notes=[*_notes(folder, files, readers, file_column), *_type_notes(types_of_files)],
    )


def _notes(folder: Path, files: list[Path], readers: list[Reader], file_column: str) -> list[str]:
    """The notes of all files, by file where they are not those of all, and on what they make."""
    notes = []
    for file, reader in zip(files, readers, strict=True):
        for note in reader.notes:
            of_all = all(note in other.notes for other in readers)
            notes.append(note if of_all else f"{file.relative_to(folder)}: {note}")
    notes = list(dict.fromkeys(notes))
    notes.append(
        f"{len(files)} files are one table; the column {file_column} names each row's, and may "
        "stand in data.label or data.split"
    )
    folders = sorted({part for file in files for part in file.relative_to(folder).parts[:-1]})
    keys = [name for name in folders if "=" in name]
    if keys:
        notes.append(f"values in names of folders are no columns: {abridged(keys)}")
    return notes


def _type_notes(types_of_files: dict[str, set[pa.DataType]]) -> list[str]:
    """Notes on columns whose values are text in some files alone."""
    notes = []
    for name, types in types_of_files.items():
        if _common_type(types) == pa.string() and not all(map(is_text_type, types)):
            listed = ", ".join(sorted(map(str, types)))
            notes.append(f"column {name}: read as text, as files differ in its type: {listed}")
    return notes


def _free_name(names: list[str]) -> str:
    """A name for the column of the files that no column has."""
    numbered = [f"{OTHER_FILE_COLUMN} {n}" for n in range(2, len(names) + 2)]
    candidates = [FILE_COLUMN, OTHER_FILE_COLUMN, *numbered]
    return next(name for name in candidates if name not in names)


def _check_alike(folder: Path, files: list[Path], readers: list[Reader]) -> None:
    """Raises DataError where files differ in their columns, or in what their rows are."""
    first = readers[0]
    if not any(reader.is_table for reader in readers):
        _check_arrays(folder, files, readers)
    for file, reader in zip(files, readers, strict=True):
        if reader.is_table == first.is_table:
            differing = sorted({*first.names} ^ {*reader.names})
            if not differing:
                continue
            reason = f"columns that only one of them has: {abridged(differing)}"
        else:
            reason = f"{first.description}, but {reader.description}"
        raise DataError(
            f"{folder}: {files[0].name} and {file.name} are no parts of one table ({reason}); "
            "leave one table, or parts with the same columns"
        )


def _check_arrays(folder: Path, files: list[Path], readers: list[Reader]) -> None:
    """Raises DataError where arrays are rows of different shapes or scales, or labels."""
    rows = {(reader.shape, reader.largest_pixel, len(reader.names)) for reader in readers}
    labels = [file.name for file in files if LABELS.fullmatch(file.stem)]
    if len(rows) == 1 and not labels:
        return
    listed = []
    for file, reader in zip(files, readers, strict=True):
        listed.append(f"{file.stem} ({reader.description})")
    raise DataError(
        f"{folder}: its arrays are no parts of one: {abridged(listed, SHOWN_ARRAYS)}; rows are to "
        "be called X, their labels y, as by numpy.savez(file, X=..., y=...)"
    )


def _types_of_files(readers: list[Reader]) -> dict[str, set[pa.DataType]]:
    """The types that a column has in the tables, by name."""
    types: dict[str, set[pa.DataType]] = {name: set() for name in readers[0].names}
    for reader in readers:
        batch, _ = next(reader.batches(), (None, None))
        if isinstance(batch, pa.Table):
            for name, name_types in types.items():
                name_types.add(batch.schema.field(name).type)
    return types


def _common_type(types: set[pa.DataType]) -> pa.DataType:
    """The type that holds the values of all these types; text where there is none."""
    types = types - {pa.null()}
    if not types:
        return pa.float64()
    if len(types) == 1 and not any(map(is_text_type, types)):
        return next(iter(types))
    if all(map(_is_number, types)):
        return pa.float64()
    if all(map(_is_day_or_time, types)):
        return pa.timestamp("us")
    return pa.string()


def _is_number(column_type: pa.DataType) -> bool:
    """Whether an Arrow type is one of numbers, or of logical values."""
    return (
        pa.types.is_integer(column_type)
        or pa.types.is_floating(column_type)
        or pa.types.is_decimal(column_type)
        or pa.types.is_boolean(column_type)
    )


def _is_day_or_time(column_type: pa.DataType) -> bool:
    """Whether an Arrow type is one of points in time."""
    return pa.types.is_date(column_type) or pa.types.is_timestamp(column_type)


def _chained(readers: list[Reader]) -> Iterator[tuple[Rows, Labels]]:
    for reader in readers:
        yield from reader.batches()


def _with_file(
    batch: pa.Table, types: dict[str, pa.DataType], file_column: str, file: str
) -> pa.Table:
    """A batch with its columns in order and in their common types, and the file's name."""
    columns: list[pa.ChunkedArray[Any] | pa.Array[Any]] = []
    for name, column_type in types.items():
        columns.append(pc.cast(batch[name], column_type, safe=False))
    columns.append(pa.array([file] * len(batch), pa.string()))
    return pa.table(columns, names=[*types, file_column])
