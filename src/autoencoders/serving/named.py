"""Rows with the names that stand beside their answers: ids, and files."""

from collections.abc import Iterator
from typing import NamedTuple, TypeAlias

import pandas as pd
import pyarrow as pa

from autoencoders.data.prepared.row_names import VALUE_COLUMN, Ids, as_texts
from autoencoders.data.prepared.schema import Rows, Schema
from autoencoders.data.readers.reader import Reader
from autoencoders.data.readers.several import FILE_COLUMN
from autoencoders.serving.inference import Answer

Names: TypeAlias = dict[str, Ids]  # by column


class NamedRows(NamedTuple):
    """A batch of rows, and their names."""

    rows: Rows
    names: Names


def named_batches(reader: Reader, schema: Schema, op: str) -> Iterator[NamedRows]:
    """Yields a reader's batches without the columns that name their rows, and these columns.

    Codes, for op decode, may have the columns that encode wrote beside them.
    """
    columns = [schema.id_column, reader.file_column]
    if op == "decode":
        columns.append(FILE_COLUMN)
    first = 0
    for batch, _ in reader.batches():
        names: Names = {}
        if reader.row_files:
            names[FILE_COLUMN] = list(reader.row_files[first : first + len(batch)])
        first += len(batch)
        rows: Rows = batch
        if isinstance(rows, pa.Table):
            present = [column for column in columns if column and column in rows.column_names]
            for column in present:
                names[column] = as_texts(rows[column].to_pylist(), column)
            rows = rows.drop_columns([*names])
        yield NamedRows(rows, names)


def with_names(answers: Answer, names: Names) -> pd.DataFrame:
    """Answers as a table that begins with the rows' names."""
    table = as_table(answers)
    for position, (column, values) in enumerate(names.items()):
        # of this type also where no row has a name: then Parquet has one type in all batches
        table.insert(position, column, pd.Series(values, dtype="string"))
    return table


def as_table(answers: Answer) -> pd.DataFrame:
    """A table as it is; an array with a column for each of a row's values."""
    if isinstance(answers, pd.DataFrame):
        return answers
    return pd.DataFrame(answers.reshape(len(answers), -1)).add_prefix(VALUE_COLUMN)
