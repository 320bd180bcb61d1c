"""Tables: CSV and Parquet."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Rows, Schema, is_number, some
from autoencoders.data.readers import reader
from autoencoders.data.readers.reader import Reader, reporting


def table_reader(path: Path, like: Schema) -> Reader:
    """CSV or Parquet: numbers as float64, text as text."""
    texts = {column.name: pa.string() for column in like.columns if column.categories is not None}
    is_parquet = path.suffix.lower() == ".parquet"
    with reporting(path):
        schema = pa.parquet.read_schema(path) if is_parquet else _csv(path, texts).schema
        index = [
            name for name in schema.names if not name or name.startswith("__index_level_")
        ]  # pandas' own
        names = [name for name in schema.names if name not in index]
    _check(path, schema)
    as_double = {
        f.name: pa.float64()
        for f in schema
        if pa.types.is_integer(f.type) or pa.types.is_null(f.type)
    }
    types = {f.name: as_double.get(f.name, f.type) for f in schema}
    rows = 1 + reader.BATCH_BYTES // (8 + 8 * len(names))

    def batches() -> Iterator[tuple[Rows, Any]]:
        with reporting(path):
            given = (
                pa.parquet.ParquetFile(path).iter_batches(rows) if is_parquet else _csv(path, types)
            )
            yield from ((pa.Table.from_batches([batch]), None) for batch in given if len(batch))

    dates = [name for name in names if pa.types.is_temporal(types[name])]
    told = [
        f"left out, as a column of row numbers: {some([name or 'the one without a name' for name in index])}"
    ]
    return Reader(batches, names=names, named=True, dates=dates, told=told if index else [])


def _check(path: Path, schema: pa.Schema) -> None:
    """Raises DataError where columns can't be told apart, or hold neither numbers nor text."""
    if twice := [name for name, n in Counter(schema.names).items() if n > 1]:
        raise DataError(f"{path}: columns whose name stands twice: {', '.join(twice)}")
    if all(map(is_number, schema.names)) and any("." in name for name in schema.names):
        raise DataError(
            f"{path}: its first line holds numbers, {some(schema.names)}; write the columns' names above it"
        )
    if binary := [
        f.name for f in schema if pa.types.is_binary(f.type) or pa.types.is_large_binary(f.type)
    ]:
        raise DataError(f"{path}: column {binary[0]} is not UTF-8 text; save the file as UTF-8")
    if nested := [f"{f.name} ({f.type})" for f in schema if pa.types.is_nested(f.type)]:
        raise DataError(
            f"{path}: nested columns: {', '.join(nested)}; only numbers and text can be features"
        )


def _csv(path: Path, types: dict[str, pa.DataType]) -> Any:
    """A stream of batches. The delimiter is the one that the first line has most of."""
    with pa.input_stream(str(path)) as stream:
        head = stream.read(2**16).split(b"\n")[0].decode("utf-8", "replace")
    parse = pa.csv.ParseOptions(delimiter=max(",;\t", key=head.count))
    options = pa.csv.ConvertOptions(column_types=types, strings_can_be_null=True)
    read = pa.csv.ReadOptions(
        use_threads=False, block_size=reader.BATCH_BYTES
    )  # with threads, errors name no rows
    return pa.csv.open_csv(path, read_options=read, parse_options=parse, convert_options=options)
