"""Several tables or arrays of the same columns as one source, such as the parts of a data set."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows, abridged
from autoencoders.data.readers.delimited import TextSettings
from autoencoders.data.readers.reader import Labels, Reader, relative_name

FILE_COLUMN = "file"  # the column that names each row's file, unless the tables have one


def several_reader(
    folder: Path,
    files: list[Path],
    opened: Callable[[Path, TextSettings], Reader],
    text: TextSettings,
    id_column: str,
) -> Reader:
    """One reader of the rows of all files, in their order.

    opened: gives a file's reader. id_column: the column whose whole numbers stay as they are, or
    nothing. Raises DataError where the files have not the same columns.
    """
    readers = [opened(file, text) for file in files]
    _check_alike(folder, files, readers)
    first = readers[0]
    if not first.is_table:
        return replace(first, batches=lambda: _chained(readers))
    texts = sorted({name for reader in readers for name in reader.text_columns})
    if any(set(reader.text_columns) != set(texts) for reader in readers):
        as_text = replace(text, as_text=tuple({*text.as_text, *texts}))
        readers = [opened(file, as_text) for file in files]
    file_column = FILE_COLUMN if FILE_COLUMN not in first.names else "name of the file"
    notes = list(dict.fromkeys(note for reader in readers for note in reader.notes))
    notes.append(
        f"{len(files)} files are one table; the column {file_column} names each row's, and may "
        "stand in data.label or data.split"
    )

    def batches() -> Iterator[tuple[Rows, Labels]]:
        for file, reader in zip(files, readers, strict=True):
            file_name = relative_name(file, folder)
            for batch, labels in reader.batches():
                if isinstance(batch, pa.Table):
                    columns = _in_common_types(batch, first.names, texts, id_column)
                    column = pa.array([file_name] * len(batch), pa.string())
                    yield columns.append_column(file_column, column), labels

    return replace(
        first,
        batches=batches,
        names=[*first.names, file_column],
        text_columns=texts,
        file_column=file_column,
        description=f"{len(files)} files: {first.description}",
        notes=notes,
    )


def _check_alike(folder: Path, files: list[Path], readers: list[Reader]) -> None:
    """Raises DataError where files differ in their columns, or in the shape of their rows."""
    first = readers[0]
    for file, reader in zip(files, readers, strict=True):
        if reader.is_table == first.is_table and reader.shape == first.shape:
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


def _chained(readers: list[Reader]) -> Iterator[tuple[Rows, Labels]]:
    for reader in readers:
        yield from reader.batches()


def _in_common_types(
    batch: pa.Table, names: list[str], texts: list[str], id_column: str
) -> pa.Table:
    """A batch with its columns in order and in the types that they have in all files."""
    columns: list[pa.ChunkedArray[Any]] = []
    for name in names:
        column = batch[name]
        if name in texts:
            column = pc.cast(column, pa.string())
        elif pa.types.is_integer(column.type) and name != id_column:
            column = pc.cast(column, pa.float64())
        columns.append(column)
    return pa.table(columns, names=names)
