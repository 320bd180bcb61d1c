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
from autoencoders.data.readers.reader import Labels, Reader

FILE_COLUMN = "file"  # the column that names each row's file, unless the tables have one


def several_reader(
    folder: Path,
    files: list[Path],
    opened: Callable[[Path, TextSettings], Reader],
    text: TextSettings,
) -> Reader:
    """One reader of the rows of all files, in their order.

    opened: gives a file's reader. Raises DataError where the files have not the same columns.
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
            name = str(file.relative_to(folder))
            for batch, labels in reader.batches():
                if isinstance(batch, pa.Table):
                    yield _with_file(batch, first.names, texts, file_column, name), labels

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


def _with_file(
    batch: pa.Table, names: list[str], texts: list[str], file_column: str, file: str
) -> pa.Table:
    """A batch with its columns in order and in their common types, and the file's name."""
    columns: list[pa.ChunkedArray[Any] | pa.Array[Any]] = []
    for name in names:
        column = batch[name]
        if name in texts:
            column = pc.cast(column, pa.string())
        elif pa.types.is_integer(column.type):
            column = pc.cast(column, pa.float64())
        columns.append(column)
    columns.append(pa.array([file] * len(batch), pa.string()))
    return pa.table(columns, names=[*names, file_column])
