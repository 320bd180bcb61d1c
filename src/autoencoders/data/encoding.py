"""Raw rows to features, checked column by column; types and text are Arrow's work."""

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.schema import Column, Schema, some
from autoencoders.errors import DataError

LARGEST = float(np.finfo(np.float32).max)
Rows: TypeAlias = pa.Table | np.ndarray  # raw rows: columns by name, or (rows, ...) in the columns' order


def encode(schema: Schema, rows: Rows, first: int = 0) -> np.ndarray:
    """Features (rows, features) of raw rows: uint8 pixels as they are, else float32.

    first: number of the first row, for messages. Raises DataError, which names columns and rows.
    """
    if schema.is_image or isinstance(rows, np.ndarray):
        return _encode_array(schema, np.asarray(rows), first)
    used = [column for column in schema.columns if column.constant is None]
    missing = [column.name for column in used if column.name not in rows.column_names]
    if missing:
        raise DataError(f"missing columns: {some(missing)}; expected {some([column.name for column in used], 50)}")
    values = {column: _converted(column, rows[column.name].combine_chunks(), first) for column in used}
    empty = [
        f"{c.name} ({v.null_count}: {_rows(v, first)})" for c, v in values.items() if v.null_count and c.fill is None
    ]
    if empty:
        raise DataError(f"missing values in columns {some(empty)}; fill them in, or train with data.missing: impute")
    return np.concatenate([_encoded(column, column_values, first) for column, column_values in values.items()], axis=1)


def _encode_array(schema: Schema, rows: np.ndarray, first: int) -> np.ndarray:
    """Of an array in the columns' order, or of images, flat or not."""
    shape = schema.shape or (len(schema.columns),)
    if rows.shape[1:] not in (shape, (int(np.prod(shape)),)):
        raise DataError(f"rows of shape {rows.shape[1:]}, expected {shape}")
    if rows.dtype.kind not in "buif":
        raise DataError(f"values of type {rows.dtype}, expected numbers")
    if schema.is_image:
        return rows.reshape(len(rows), schema.n_features) if rows.dtype == np.uint8 else _float32(schema, rows, first)
    if any(column.categories is not None or column.fill is not None for column in schema.columns):
        names = [column.name for column in schema.columns]
        return encode(schema, pa.table(list(rows.T.astype(np.float64)), names=names), first)
    kept = np.array([column.constant is None for column in schema.columns])
    return _float32(schema, rows[:, kept], first)


def _converted(column: Column, values: pa.Array, first: int) -> pa.Array:
    return as_numbers(column.name, values, first) if column.categories is None else as_text(column.name, values)


def _encoded(column: Column, values: pa.Array, first: int) -> np.ndarray:
    """Features (rows, width) of one column, missing values filled."""
    values = pc.fill_null(values, column.fill) if values.null_count else values
    if column.categories is None:
        return _float32(Schema((), (column,)), values.to_numpy(zero_copy_only=False)[:, None], first)
    found = pc.index_in(values, pa.array(column.categories, pa.string()))
    places = pc.fill_null(found, len(column.categories)).to_numpy(zero_copy_only=False)
    return np.eye(len(column.categories) + 1, dtype=np.float32)[places]


def as_numbers(name: str, values: pa.Array, first: int = 0) -> pa.Array:
    """float64; NaN counts as missing. Raises DataError, which names the rows that hold no number."""
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        numbers = pc.cast(values, pa.float64(), safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"column {name}, rows {first + 1} to {first + len(values)}: not numbers ({error})") from None
    return pc.if_else(pc.is_nan(numbers), None, numbers)


def as_text(name: str, values: pa.Array) -> pa.Array:
    """Text; an empty one counts as missing. Raises DataError."""
    try:
        text = pc.cast(values, pa.string())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"column {name}: not text ({error})") from None
    return pc.if_else(pc.equal(text, ""), None, text)


def _float32(schema: Schema, values: np.ndarray, first: int) -> np.ndarray:
    values = values.reshape(len(values), schema.n_features)
    bad = ~(np.abs(values, dtype=np.float64) <= LARGEST)  # NaN too
    if bad.any():
        row, column = np.argwhere(bad)[0]
        found = f"row {first + row + 1}, {schema.features[column]}: {values[row, column]}"
        raise DataError(f"{found} is no finite 32-bit number, and {int(bad.sum()) - 1} others are none")
    return values.astype(np.float32)


def _rows(values: pa.Array, first: int) -> str:
    """The rows without a value, counted from 1."""
    return "row " + some([str(first + i + 1) for i in np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))])
