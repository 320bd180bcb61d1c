"""The schema of a row: an image, or named columns of numbers and categories.

It turns raw rows into features and back. Raw rows are checked column by column; types and text are
Arrow's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, TypeAdapter

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.categories import category_places
from autoencoders.data.prepared.spelling import (
    EARLIER_TEXT_MARKERS,
    NUMBER_MARKERS,
    PLAIN_SPELLING,
    ColumnValues,
    Spelling,
)
from autoencoders.data.prepared.values import typed

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
    present = set(rows.column_names)
    absent = [column.name for column in columns if column.name not in present]
    if absent:
        expected = abridged([column.name for column in columns], SHOWN_EXPECTED)
        raise DataError(f"missing columns: {abridged(absent)}; expected {expected}")
    numbers = _as_array(columns, rows)
    if numbers is not None:
        return _float32(Schema((), tuple(columns)), numbers, first)
    values = []
    without_values = []
    for column in columns:
        is_text = column.categories is not None
        markers = schema.text_markers if is_text else schema.number_markers
        column_values = typed(
            rows, column.name, first, text=is_text, spelling=column.spelling, markers=markers
        )
        values.append(column_values)
        if column_values.null_count and column.fill is None:
            empty_rows = _empty_rows(column_values, first)
            without_values.append(f"{column.name} ({column_values.null_count}: {empty_rows})")
    if without_values:
        raise DataError(
            f"missing values in columns {abridged(without_values)}; fill them in, or train with "
            "data.missing: impute"
        )
    parts = []
    for column, column_values in zip(columns, values, strict=True):
        parts.append(_encoded(column, column_values, first))
    return np.concatenate(parts, axis=1)


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
    if any(column.categories is not None or column.fill is not None for column in schema.columns):
        names = [column.name for column in schema.columns]
        table = pa.table(list(rows.T.astype(np.float64)), names=names)
        return encode(schema, table, first)
    is_feature = np.array([column.constant is None for column in schema.columns])
    return _float32(schema, rows[:, is_feature], first)


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
