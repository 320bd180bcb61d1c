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
from autoencoders.data.prepared.values import typed


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
    numbers = _as_array(columns, rows)
    if numbers is not None and not schema.missing_numbers:
        return _encode_numbers(schema, columns, numbers, first)
    values = _typed_columns(schema, columns, rows, first)
    parts = []
    for column in columns:
        if column.constant is None:
            parts.append(_encoded(column, values[column.name], first))
    novel = np.zeros((len(rows), len(schema.constants)), bool)
    for i, column in enumerate(schema.constants):
        if column.name in values:
            novel[:, i] = _is_novel(column, values[column.name], first)
    return EncodedRows(np.concatenate(parts, axis=1), novel)


def _columns_in(schema: Schema, rows: pa.Table) -> list[Column]:
    """The columns that are read of a table. Raises DataError where one is missing."""
    present = set(rows.column_names)
    features = [column for column in schema.columns if column.constant is None]
    absent = [column.name for column in features if column.name not in present]
    if absent:
        expected = abridged([column.name for column in features], SHOWN_EXPECTED)
        raise DataError(f"missing columns: {abridged(absent)}; expected {expected}")
    return [column for column in schema.columns if column.name in present]


def _typed_columns(
    schema: Schema, columns: Sequence[Column], rows: pa.Table, first: int
) -> Mapping[str, ColumnValues]:
    """The columns' values by name, missing ones filled.

    Raises DataError where a missing value is not to be filled.
    """
    values: dict[str, ColumnValues] = {}
    without_values = []
    for column in columns:
        is_text = column.categories is not None
        markers = schema.text_markers if is_text else schema.number_markers
        column_values = typed(
            rows,
            column.name,
            first,
            text=is_text,
            spelling=column.spelling,
            markers=markers,
            missing_numbers=schema.missing_numbers,
            trims=schema.trims_text,
        )
        if column_values.null_count and column.fill is None:
            empty_rows = _empty_rows(column_values, first)
            without_values.append(f"{column.name} ({column_values.null_count}: {empty_rows})")
        elif column_values.null_count:
            column_values = column_values.fill_null(column.fill)
        values[column.name] = column_values
    if without_values:
        raise DataError(
            f"missing values in columns {abridged(without_values)}; fill them in, or train with "
            "data.missing: impute"
        )
    return values


def _as_array(columns: Sequence[Column], rows: pa.Table) -> np.ndarray | None:
    """The values (rows, columns) of a table whose columns are all numbers, and none is missing.

    None of any other table. Arrow makes the array at once, which column by column takes a hundred
    times as long for a wide table.
    """
    if any(column.categories is not None for column in columns):
        return None
    table = rows.select([column.name for column in columns])
    for column_type in set(table.schema.types):
        if not (pa.types.is_floating(column_type) or pa.types.is_integer(column_type)):
            return None
    batches = table.to_batches()
    if len(batches) > 1:
        batches = table.combine_chunks().to_batches()
    if len(batches) != 1:  # no rows, or more than one array holds
        return None
    values = np.asarray(batches[0].to_tensor(null_to_nan=True))
    return None if np.isnan(values).any() else values


def _encode_numbers(
    schema: Schema, columns: Sequence[Column], numbers: np.ndarray, first: int
) -> EncodedRows:
    """Rows of an array (rows, columns) of these columns, none of them text."""
    positions = {column.name: i for i, column in enumerate(columns)}
    is_feature = np.array([column.constant is None for column in columns])
    features = tuple(column for column in columns if column.constant is None)
    novel = np.zeros((len(numbers), len(schema.constants)), bool)
    for i, column in enumerate(schema.constants):
        if column.name in positions:
            novel[:, i] = _differs(column, numbers[:, positions[column.name]], first)
    encoded = _float32(Schema((), features), numbers[:, is_feature], first)
    return EncodedRows(encoded, novel)


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
    is_plain = all(column.categories is None and column.fill is None for column in schema.columns)
    if schema.missing_numbers or not is_plain:
        names = [column.name for column in schema.columns]
        table = pa.table(list(rows.T.astype(np.float64)), names=names)
        return encode_rows(schema, table, first)
    return _encode_numbers(schema, schema.columns, rows, first)


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
