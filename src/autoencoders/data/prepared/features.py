"""Features of raw rows: what a model sees of them.

Raw rows are checked column by column; types and text are Arrow's work.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.categories import category_places
from autoencoders.data.prepared.schema import (
    LARGEST,
    NUMERIC_KINDS,
    SHOWN_EXPECTED,
    Column,
    Rows,
    Schema,
    abridged,
)
from autoencoders.data.prepared.spelling import ColumnValues
from autoencoders.data.prepared.values import is_number_type, typed


class EncodedRows(NamedTuple):
    """Rows as a model sees them."""

    features: np.ndarray  # (rows, features): uint8 pixels as they are, else float32
    # (rows, constant columns), logical: whether a value is one that no training row had
    novel: np.ndarray


def encode(schema: Schema, rows: Rows, first: int = 0) -> np.ndarray:
    """Features (rows, features) of raw rows, see `encode_rows`. Raises DataError."""
    return encode_rows(schema, rows, first).features


def encode_rows(schema: Schema, rows: Rows, first: int = 0) -> EncodedRows:
    """Features of raw rows, and which values of constant columns no training row had.

    A column that had one value in all training rows is no feature, and may be absent. first: number
    of the first row, for messages. Raises DataError, which names columns and rows.
    """
    if schema.is_image or isinstance(rows, np.ndarray):
        return _encode_array(schema, np.asarray(rows), first)
    columns = _columns_in(schema, rows)
    numeric, numbers = _numbers(schema, columns, rows)
    at_once = {column.name for column in numeric}
    others = [column for column in columns if column.name not in at_once]
    values = {column.name: _typed(schema, column, rows, first) for column in others}
    _check_filled(others, values, first)
    encoded = _encode_numbers(schema, numeric, numbers, first)
    if not others:
        return encoded
    parts = {}
    novel = encoded.novel
    places = {column.name: place for place, column in enumerate(schema.constants)}
    for column in others:
        filled = values[column.name]
        if filled.null_count:
            filled = filled.fill_null(column.fill)
        if column.constant is None:
            parts[column.name] = _encoded(column, filled, first)
        else:
            novel[:, places[column.name]] = _is_novel(column, filled, first)
    features = [column for column in columns if column.constant is None]
    return EncodedRows(_in_order(features, encoded.features, parts), novel)


def _columns_in(schema: Schema, rows: pa.Table) -> list[Column]:
    """The columns that are read of a table. Raises DataError where one is missing."""
    present = set(rows.schema.names)
    features = [column for column in schema.columns if column.constant is None]
    absent = [column.name for column in features if column.name not in present]
    if absent:
        expected = abridged([column.name for column in features], SHOWN_EXPECTED)
        raise DataError(f"missing columns: {abridged(absent)}; expected {expected}")
    return [column for column in schema.columns if column.name in present]


def _numbers(
    schema: Schema, columns: Sequence[Column], rows: pa.Table
) -> tuple[list[Column], np.ndarray]:
    """The columns that a table holds as numbers, and these (rows, columns); NaN where missing.

    None of the columns where one of them lacks values that nothing fills: column by column, every
    such column is named. Arrow makes the array at once, which column by column takes a hundred
    times as long for a wide table.
    """
    names = rows.schema.names
    types = dict(zip(names, rows.schema.types, strict=True))
    numeric = []
    for column in columns:
        if column.categories is None and is_number_type(types[column.name]):
            numeric.append(column)
    numeric_names = [column.name for column in numeric]
    table = rows if numeric_names == names else rows.select(numeric_names)
    values = _as_array(table)
    if schema.missing_numbers:
        values = np.where(np.isin(values, schema.missing_numbers), np.nan, values)
    for position in np.flatnonzero(np.isnan(values).any(0)):
        if numeric[position].fill is None:
            return [], values[:, :0]
    return numeric, values


def _as_array(table: pa.Table) -> np.ndarray:
    """The values (rows, columns) of a table of numbers; NaN where one is missing."""
    batches = table.to_batches()
    if len(batches) > 1:
        batches = table.combine_chunks().to_batches()
    if not batches or not table.num_columns:
        return np.zeros(table.shape)
    return np.asarray(batches[0].to_tensor(null_to_nan=True))


def _typed(schema: Schema, column: Column, rows: pa.Table, first: int) -> ColumnValues:
    """A column's values as the schema has them, null where one is missing. Raises DataError."""
    is_text = column.categories is not None
    return typed(
        rows,
        column.name,
        first,
        text=is_text,
        spelling=column.spelling,
        markers=schema.text_markers if is_text else schema.number_markers,
        missing_numbers=schema.missing_numbers,
        trims=schema.trims_text,
    )


def _check_filled(
    columns: Sequence[Column], values: Mapping[str, ColumnValues], first: int
) -> None:
    """Raises DataError where columns lack values that nothing fills."""
    without_values = []
    for column in columns:
        column_values = values[column.name]
        if column_values.null_count and column.fill is None:
            empty_rows = _empty_rows(column_values, first)
            without_values.append(f"{column.name} ({column_values.null_count}: {empty_rows})")
    if without_values:
        raise DataError(
            f"missing values in columns {abridged(without_values)}; fill them in, or train with "
            "data.missing: impute"
        )


def _in_order(
    columns: Sequence[Column], numbers: np.ndarray, parts: Mapping[str, np.ndarray]
) -> np.ndarray:
    """Features in the columns' order. parts: of the columns that are not in numbers, by name."""
    features = []
    place = 0
    for column in columns:
        if column.name in parts:
            features.append(parts[column.name])
        else:
            features.append(numbers[:, place : place + 1])
            place += 1
    return np.concatenate(features, axis=1)


def _encode_array(schema: Schema, rows: np.ndarray, first: int) -> EncodedRows:
    """Rows of an array in the columns' order, or of images, flat or not. Raises DataError."""
    shape = schema.shape or (len(schema.columns),)
    flat_shape = (int(np.prod(shape)),)
    if rows.shape[1:] not in (shape, flat_shape, (*schema.shape, 1)):
        raise DataError(f"rows of shape {rows.shape[1:]}, expected {shape}")
    if rows.dtype.kind not in NUMERIC_KINDS:
        raise DataError(f"values of type {rows.dtype}, expected numbers")
    if schema.is_image:
        features = rows.reshape(len(rows), schema.n_features)
        if rows.dtype != np.uint8:
            features = _float32(schema, rows, first)
        return EncodedRows(features, np.zeros((len(rows), 0), bool))
    has_categories = any(column.categories is not None for column in schema.columns)
    if schema.missing_numbers or has_categories:
        names = [column.name for column in schema.columns]
        table = pa.table(list(rows.T.astype(np.float64)), names=names)
        return encode_rows(schema, table, first)
    return _encode_numbers(schema, schema.columns, rows, first)


def _encode_numbers(
    schema: Schema, columns: Sequence[Column], numbers: np.ndarray, first: int
) -> EncodedRows:
    """Rows of an array (rows, columns) of these columns, filled where they say with what.

    Raises DataError where a number is missing or out of range.
    """
    is_nan = np.isnan(numbers)
    if is_nan.any():
        fills = [np.nan if column.fill is None else column.fill for column in columns]
        numbers = np.where(is_nan, np.array(fills, np.float64), numbers)
    places = {column.name: place for place, column in enumerate(columns)}
    novel = np.zeros((len(numbers), len(schema.constants)), bool)
    for i, column in enumerate(schema.constants):
        if column.name in places:
            novel[:, i] = _differs(column, numbers[:, places[column.name]], first)
    features = tuple(column for column in columns if column.constant is None)
    is_feature = np.array([column.constant is None for column in columns], bool)
    return EncodedRows(_float32(Schema((), features), numbers[:, is_feature], first), novel)


def _is_novel(column: Column, values: ColumnValues, first: int) -> np.ndarray:
    """Whether each value (rows,) of a constant column is another one than the training rows'.

    Raises DataError where a number is out of range.
    """
    if column.categories is None:
        return _differs(column, values.to_numpy(zero_copy_only=False), first)
    return category_places(values, [str(column.constant)]) > 0


def _differs(column: Column, numbers: np.ndarray, first: int) -> np.ndarray:
    """Whether each number (rows,) differs from the constant by more than 32-bit numbers tell.

    The same value may come with 64 bits from a file, and with 32 from an array. Raises DataError
    where a number is out of range.
    """
    as_feature = Schema((), (replace(column, constant=None),))
    return _float32(as_feature, numbers, first)[:, 0] != np.float32(column.constant)


def _encoded(column: Column, values: ColumnValues, first: int) -> np.ndarray:
    """Features (rows, width) of one column. Raises DataError where a number is out of range."""
    if column.categories is None:
        numbers = values.to_numpy(zero_copy_only=False)
        return _float32(Schema((), (column,)), numbers, first)
    n = len(column.categories)
    places = category_places(values, column.categories)
    return np.eye(n + 1, dtype=np.float32)[places]


def _float32(schema: Schema, values: np.ndarray, first: int) -> np.ndarray:
    """Numbers as features (rows, features). Raises DataError where one is NaN or too large."""
    values = values.reshape(len(values), schema.n_features)
    is_in_range = np.abs(values, dtype=np.float64) <= LARGEST  # not of NaN
    if not is_in_range.all():
        row, column = np.argwhere(~is_in_range)[0]
        n_others = int((~is_in_range).sum()) - 1
        raise DataError(
            f"row {first + row + 1}, {schema.features[column]}: {values[row, column]} is not "
            f"finite or beyond {LARGEST:g}, as are {n_others} others"
        )
    return values.astype(np.float32)


def _empty_rows(values: ColumnValues, first: int) -> str:
    """The rows without a value, counted from 1. first: number of the first row."""
    is_empty = values.is_null().to_numpy(zero_copy_only=False)
    numbers = [str(first + i + 1) for i in np.flatnonzero(is_empty)]
    return f"row {abridged(numbers)}"
