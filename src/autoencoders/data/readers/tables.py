"""Tables: CSV and Parquet."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows, Schema, abridged, is_number
from autoencoders.data.readers import reader
from autoencoders.data.readers.reader import Reader, arrow_errors

FIRST_LINE_BYTES = 2**16  # of a CSV file, in which its first line is looked for
VALUE_BYTES = 8  # of a float64
PANDAS_INDEX = "__index_level_"  # how pandas' columns of row numbers begin in Parquet


def table_reader(path: Path, like: Schema) -> Reader:
    """A reader of CSV or Parquet: numbers as float64, text as text. Raises DataError.

    like: the schema of a model that waits for the rows; its categories are read as text.
    """
    is_parquet = path.suffix.lower() == ".parquet"
    text_columns = [column.name for column in like.columns if column.categories is not None]
    with arrow_errors(path):
        if is_parquet:
            schema = pa.parquet.read_schema(path)
        else:
            schema = _open_csv(path, dict.fromkeys(text_columns, pa.string())).schema
        listed = schema.names
    _check(path, schema)
    row_numbers = [name for name in listed if not name or name.startswith(PANDAS_INDEX)]
    names = [name for name in listed if name not in row_numbers]
    column_types = {column.name: _read_type(column.type) for column in schema}
    rows_per_batch = 1 + reader.BATCH_BYTES // (VALUE_BYTES * (1 + len(names)))

    def batches() -> Iterator[tuple[Rows, Any]]:
        with arrow_errors(path):
            if is_parquet:
                parts = pa.parquet.ParquetFile(path).iter_batches(rows_per_batch)
            else:
                parts = _open_csv(path, column_types)
            for part in parts:
                if len(part):
                    yield pa.Table.from_batches([part]), None

    notes = []
    if row_numbers:
        shown = abridged([name or "the one without a name" for name in row_numbers])
        notes.append(f"left out, as a column of row numbers: {shown}")
    return Reader(
        batches,
        names=names,
        has_names=True,
        date_columns=[name for name in names if pa.types.is_temporal(column_types[name])],
        notes=notes,
    )


def _read_type(column_type: pa.DataType) -> pa.DataType:
    """The type to read a column as.

    float64 for whole numbers, as later rows may hold fractions or gaps.
    """
    if pa.types.is_integer(column_type) or pa.types.is_null(column_type):
        return pa.float64()
    return column_type


def _check(path: Path, schema: pa.Schema) -> None:
    """Raises DataError where columns can't be told apart, or hold neither numbers nor text."""
    names = schema.names
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise DataError(f"{path}: columns whose name stands twice: {', '.join(repeated)}")
    has_fraction = "." in "".join(names)
    if has_fraction and all(map(is_number, names)):
        raise DataError(
            f"{path}: its first line holds numbers, {abridged(names)}; "
            "write the columns' names above it"
        )
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


def _open_csv(path: Path, column_types: dict[str, pa.DataType]) -> Any:
    """A stream of batches. The delimiter is the one that the first line has most of."""
    with pa.input_stream(str(path)) as stream:
        first_line = stream.read(FIRST_LINE_BYTES).split(b"\n")[0].decode("utf-8", "replace")
    delimiter = max(",;\t", key=first_line.count)
    return pa.csv.open_csv(
        path,
        # with threads, errors name no rows
        read_options=pa.csv.ReadOptions(use_threads=False, block_size=reader.BATCH_BYTES),
        parse_options=pa.csv.ParseOptions(delimiter=delimiter),
        convert_options=pa.csv.ConvertOptions(column_types=column_types, strings_can_be_null=True),
    )
