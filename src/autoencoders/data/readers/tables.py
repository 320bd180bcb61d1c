"""Tables: CSV and Parquet."""

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows, Schema, abridged
from autoencoders.data.prepared.values import is_text_type
from autoencoders.data.readers import reader
from autoencoders.data.readers.delimited import DelimitedFile, TextSettings
from autoencoders.data.readers.reader import Labels, Reader, arrow_errors

VALUE_BYTES = 8  # of a float64
PANDAS_INDEX = "__index_level_"  # how pandas' columns of row numbers begin in Parquet


def table_reader(path: Path, like: Schema, settings: TextSettings) -> Reader:
    """A reader of CSV or Parquet: numbers as float64, text as text. Raises DataError.

    like: the schema of a model that waits for the rows; its categories are read as text. settings:
    of delimited text.
    """
    with arrow_errors(path):
        table = _opened(path, like, settings)
        schema = table.schema()
    _check(path, schema)
    names = [name for name in schema.names if not _is_row_number(name)]
    empty = set(table.empty)
    names = [name for name in names if name not in empty]
    notes = list(table.notes)
    row_numbers = [name for name in schema.names if _is_row_number(name)]
    if not table.is_typed:
        row_numbers = [name for name in row_numbers if name]  # on others, the dialect has a note
    if row_numbers:
        shown = abridged([name or "the one without a name" for name in row_numbers])
        notes.append(f"left out, as a column of row numbers: {shown}")
    column_types = {column.name: _read_type(column.type) for column in schema}
    row_bytes = VALUE_BYTES * (1 + len(names))
    rows_per_batch = 1 + reader.table_batch_bytes(len(names)) // row_bytes

    def batches() -> Iterator[tuple[Rows, Labels]]:
        with arrow_errors(path):
            for part in table.batches(column_types, rows_per_batch):
                if len(part):
                    yield pa.Table.from_batches([part]), None

    return Reader(
        batches,
        names=names,
        is_table=True,
        is_typed=table.is_typed,
        description=table.description,
        date_columns=[name for name in names if pa.types.is_temporal(column_types[name])],
        text_columns=[name for name in names if is_text_type(column_types[name])],
        notes=notes,
    )


class ParquetTable:
    """A Parquet file."""

    is_typed = True
    description = "Parquet"
    empty: tuple[str, ...] = ()

    def __init__(self, path: Path) -> None:
        """path: of the file."""
        self.path = path
        self.notes: list[str] = []

    def schema(self) -> pa.Schema:
        """The columns and their types."""
        return pa.parquet.read_schema(self.path)

    def batches(
        self, types: Mapping[str, pa.DataType], rows_per_batch: int
    ) -> Iterator[pa.RecordBatch]:
        """Yields the rows in batches; types: the file has its own."""
        del types
        return pa.parquet.ParquetFile(self.path).iter_batches(rows_per_batch)


def _opened(path: Path, like: Schema, settings: TextSettings) -> DelimitedFile | ParquetTable:
    if path.suffix.lower() == ".parquet":
        return ParquetTable(path)
    return DelimitedFile(path, like, settings)


def _is_row_number(name: str) -> bool:
    """Whether a column holds row numbers: one without a name in CSV, pandas' index in Parquet."""
    return not name or name.startswith(PANDAS_INDEX)


def _read_type(column_type: pa.DataType) -> pa.DataType:
    """The type to read a column as.

    float64 for whole numbers, as later rows may hold fractions or gaps.
    """
    if pa.types.is_integer(column_type) or pa.types.is_null(column_type):
        return pa.float64()
    return column_type


def _check(path: Path, schema: pa.Schema) -> None:
    """Raises DataError where columns can't be told apart, or hold neither numbers nor text."""
    repeated = [name for name, count in Counter(schema.names).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: columns whose name stands twice: {', '.join(repeated)}")
    nested = []
    for column in schema:
        if pa.types.is_binary(column.type) or pa.types.is_large_binary(column.type):
            raise DataError(
                f"{path}: column {column.name} is not UTF-8 text; save the file as UTF-8"
            )
        if pa.types.is_nested(column.type):
            nested.append(f"{column.name} ({column.type})")
    if nested:
        raise DataError(
            f"{path}: nested columns: {', '.join(nested)}; only numbers and text can be features"
        )
