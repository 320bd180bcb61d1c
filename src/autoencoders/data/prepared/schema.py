"""The schema of a row: an image, or named columns of numbers and categories.

It turns raw rows into features and back. Raw rows are checked column by column; types and text are
Arrow's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, TypeAdapter

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.spelling import (
    EARLIER_TEXT_MARKERS,
    NUMBER_MARKERS,
    PLAIN_SPELLING,
    ColumnValues,
    Spelling,
)
from autoencoders.data.prepared.values import is_number_type, typed

OTHER = "other"  # the place of categories that the training rows don't hold
SHOWN_NAMES = 5  # rows or columns that a message names
SHOWN_EXPECTED = 50  # columns that a message names where one of them is to be chosen
# of a value: squares of larger ones, and their sums, leave the range of 32-bit numbers
LARGEST = 2.0**60
NUMERIC_KINDS = "buif"  # numpy's: logical values, whole numbers without and with sign, fractions
# raw rows: columns by name, or (rows, ...) in the columns' order
Rows: TypeAlias = pa.Table | np.ndarray


@dataclass(frozen=True)
class Column:
    """A raw column.

    A number is one feature, a category is one a value and one for all others, a constant none.
    """

    name: str
    categories: tuple[str, ...] | None = None  # None: a number
    fill: float | str | None = None  # stands for a missing value; None: missing values are refused
    constant: float | str | None = None  # the one value of the training rows
    spelling: Spelling = PLAIN_SPELLING  # of numbers that are given as text

    @property
    def features(self) -> list[str]:
        """Names of the column's features."""
        if self.constant is not None:
            return []
        if self.categories is None:
            return [self.name]
        return [f"{self.name}={value}" for value in (*self.categories, OTHER)]


@dataclass(frozen=True)
class Schema:
    """A row: an image of a shape (height, width) or (height, width, channels), or columns."""

    shape: tuple[int, ...] = ()
    columns: tuple[Column, ...] = ()
    # texts that stand for a missing value; a model that was registered before has none of its own
    text_markers: tuple[str, ...] = EARLIER_TEXT_MARKERS
    number_markers: tuple[str, ...] = NUMBER_MARKERS
    # of what is read from JSON, here and in the columns
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    @property
    def is_image(self) -> bool:
        """Whether features are pixels."""
        return bool(self.shape)

    @property
    def features(self) -> list[str]:
        """A name for each feature: of an image, the pixel's position."""
        if self.is_image:
            return [f"pixel {','.join(map(str, position))}" for position in np.ndindex(self.shape)]
        return [feature for column in self.columns for feature in column.features]

    @property
    def n_features(self) -> int:
        """Numbers that a model sees of a row."""
        if self.is_image:
            return int(np.prod(self.shape))
        return sum(len(column.features) for column in self.columns)

    def decode(self, features: np.ndarray) -> np.ndarray | dict[str, np.ndarray]:
        """Raw-scale rows of features (rows, features): of columns, a mapping by name.

        Images stay (rows, features).
        """
        if self.is_image:
            return features
        parts = {}
        start = 0
        for column in self.columns:
            width = len(column.features)
            values = features[:, start : start + width]
            start += width
            if column.constant is not None:
                parts[column.name] = np.full(len(features), column.constant)
            elif column.categories is not None:
                names = np.array([*column.categories, OTHER])
                parts[column.name] = names[values.argmax(1)]
            else:
                parts[column.name] = values[:, 0]
        return parts

    def by_column(self, values: np.ndarray) -> tuple[list[str], np.ndarray]:
        """The columns' names, and values (rows, features) summed over each column's features."""
        columns = [column for column in self.columns if column.features]
        if self.is_image or not columns:
            return self.features, values
        widths = [len(column.features) for column in columns]
        starts = np.cumsum([0, *widths[:-1]])
        return [column.name for column in columns], np.add.reduceat(values, starts, axis=1)


def abridged(names: Sequence[str], shown: int = SHOWN_NAMES) -> str:
    """The first of the names, and how many more there are."""
    listed = ", ".join(names[:shown])
    if len(names) > shown:
        listed += f" and {len(names) - shown} more"
    return listed


def schema_from(values: object) -> Schema:
    """A schema from its JSON. Raises ValueError."""
    return TypeAdapter(Schema).validate_python(values)


def encode(schema: Schema, rows: Rows, first: int = 0) -> np.ndarray:
    """Features (rows, features) of raw rows: uint8 pixels as they are, else float32.

    first: number of the first row, for messages. Raises DataError, which names columns and rows.
    """
    if schema.is_image or isinstance(rows, np.ndarray):
        return _encode_array(schema, np.asarray(rows), first)
    columns = [column for column in schema.columns if column.constant is None]
    present = set(rows.schema.names)
    absent = [column.name for column in columns if column.name not in present]
    if absent:
        expected = abridged([column.name for column in columns], SHOWN_EXPECTED)
        raise DataError(f"missing columns: {abridged(absent)}; expected {expected}")
    numeric, numbers = _numbers(columns, rows)
    at_once = {column.name for column in numeric}
    others = [column for column in columns if column.name not in at_once]
    values = [_typed(schema, column, rows, first) for column in others]
    _check_filled(others, values, first)
    features = _encoded_numbers(numeric, numbers, first)
    if not others:
        return features
    parts = {}
    for column, column_values in zip(others, values, strict=True):
        parts[column.name] = _encoded(column, column_values, first)
    return _in_order(columns, features, parts)


def _numbers(columns: Sequence[Column], rows: pa.Table) -> tuple[list[Column], np.ndarray]:
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
    markers = schema.text_markers if is_text else schema.number_markers
    return typed(rows, column.name, first, text=is_text, spelling=column.spelling, markers=markers)


def _check_filled(columns: Sequence[Column], values: Sequence[ColumnValues], first: int) -> None:
    """Raises DataError where columns lack values that nothing fills."""
    without_values = []
    for column, column_values in zip(columns, values, strict=True):
        if column_values.null_count and column.fill is None:
            empty_rows = _empty_rows(column_values, first)
            without_values.append(f"{column.name} ({column_values.null_count}: {empty_rows})")
    if without_values:
        raise DataError(
            f"missing values in columns {abridged(without_values)}; fill them in, or train with "
            "data.missing: impute"
        )


def _in_order(
    columns: Sequence[Column], numbers: np.ndarray, parts: dict[str, np.ndarray]
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


def _encode_array(schema: Schema, rows: np.ndarray, first: int) -> np.ndarray:
    """Features of an array in the columns' order, or of images, flat or not. Raises DataError."""
    shape = schema.shape or (len(schema.columns),)
    flat_shape = (int(np.prod(shape)),)
    if rows.shape[1:] not in (shape, flat_shape, (*schema.shape, 1)):
        raise DataError(f"rows of shape {rows.shape[1:]}, expected {shape}")
    if rows.dtype.kind not in NUMERIC_KINDS:
        raise DataError(f"values of type {rows.dtype}, expected numbers")
    if schema.is_image:
        if rows.dtype == np.uint8:
            return rows.reshape(len(rows), schema.n_features)
        return _float32(schema, rows, first)
    if any(column.categories is not None for column in schema.columns):
        names = [column.name for column in schema.columns]
        table = pa.table(list(rows.T.astype(np.float64)), names=names)
        return encode(schema, table, first)
    columns = [column for column in schema.columns if column.constant is None]
    is_feature = np.array([column.constant is None for column in schema.columns])
    return _encoded_numbers(columns, rows[:, is_feature], first)


def _encoded_numbers(columns: Sequence[Column], values: np.ndarray, first: int) -> np.ndarray:
    """Features of columns of numbers (rows, columns), filled where the columns say with what.

    Raises DataError where a number is missing or out of range.
    """
    is_nan = np.isnan(values)
    if is_nan.any():
        fills = [np.nan if column.fill is None else column.fill for column in columns]
        values = np.where(is_nan, np.array(fills, np.float64), values)
    return _float32(Schema((), tuple(columns)), values, first)


def _encoded(column: Column, values: ColumnValues, first: int) -> np.ndarray:
    """Features (rows, width) of one column, missing values filled.

    Raises DataError where a number is out of range.
    """
    if values.null_count:
        values = values.fill_null(column.fill)
    if column.categories is None:
        numbers = values.to_numpy(zero_copy_only=False)
        return _float32(Schema((), (column,)), numbers, first)
    n = len(column.categories)
    positions = pc.index_in(values, pa.array(column.categories, pa.string()))
    places = positions.fill_null(n).to_numpy(zero_copy_only=False)
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
