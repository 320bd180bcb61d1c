"""What a row of the data is: an image, or named columns of numbers and categories; raw rows to features and back.

Raw rows are checked column by column; types and text are Arrow's work.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ConfigDict, TypeAdapter

from autoencoders.core.errors import DataError

OTHER = "other"  # the place of categories that the training rows don't hold
SHOWN = 5  # rows or columns that a message names
LARGEST = (
    2.0**60
)  # of a value: squares of larger ones, and their sums, leave the range of 32-bit numbers
Rows: TypeAlias = (
    pa.Table | np.ndarray
)  # raw rows: columns by name, or (rows, ...) in the columns' order


@dataclass(frozen=True)
class Column:
    """A raw column: a number is one feature, a category is one a value and one for all others, a constant none."""

    name: str
    categories: tuple[str, ...] | None = None  # None: a number
    fill: float | str | None = None  # stands for a missing value; None: missing values are refused
    constant: float | str | None = None  # the one value of the training rows

    @property
    def features(self) -> list[str]:
        """Names of the column's features."""
        if self.constant is not None:
            return []
        values = () if self.categories is None else (*self.categories, OTHER)
        return [f"{self.name}={value}" for value in values] or [self.name]


@dataclass(frozen=True)
class Schema:
    """A row: an image of a shape (rows, columns and, where there are several, channels), or columns."""

    shape: tuple[int, ...] = ()
    columns: tuple[Column, ...] = ()
    __pydantic_config__: ClassVar = ConfigDict(
        extra="forbid"
    )  # of what is read from JSON, as everything below

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
        return (
            int(np.prod(self.shape))
            if self.is_image
            else sum(len(column.features) for column in self.columns)
        )

    def decode(self, features: np.ndarray) -> Any:
        """Raw-scale rows of features (rows, features): images as (rows, features); of columns, a mapping by name."""
        if self.is_image:
            return features
        parts, start = {}, 0
        for column in self.columns:
            values = features[:, start : start + len(column.features)]
            start += values.shape[1]
            if column.constant is not None:
                parts[column.name] = np.full(len(features), column.constant)
            elif column.categories is not None:
                parts[column.name] = np.array([*column.categories, OTHER])[values.argmax(1)]
            else:
                parts[column.name] = values[:, 0]
        return parts

    def by_column(self, values: np.ndarray) -> tuple[list[str], np.ndarray]:
        """Values of features (rows, features) summed over each column's features, and the columns' names."""
        used = [column for column in self.columns if column.features]
        if self.is_image or not used:
            return self.features, values
        starts = np.cumsum([0, *(len(column.features) for column in used)])[:-1]
        return [column.name for column in used], np.add.reduceat(values, starts, axis=1)


def some(names: Sequence[str], shown: int = SHOWN) -> str:
    """The first of the names, and how many more there are."""
    return ", ".join(names[:shown]) + (
        f" and {len(names) - shown} more" if len(names) > shown else ""
    )


def is_number(text: str) -> bool:
    """Whether text is a decimal number."""
    return text.lstrip("-").replace(".", "", 1).isdigit()


def schema_from(values: object) -> Schema:
    """A schema from its JSON. Raises ValueError."""
    return TypeAdapter(Schema).validate_python(values)


def encode(schema: Schema, rows: Rows, first: int = 0) -> np.ndarray:
    """Features (rows, features) of raw rows: uint8 pixels as they are, else float32.

    first: number of the first row, for messages. Raises DataError, which names columns and rows.
    """
    if schema.is_image or isinstance(rows, np.ndarray):
        return _encode_array(schema, np.asarray(rows), first)
    used = [column for column in schema.columns if column.constant is None]
    if missing := [column.name for column in used if column.name not in rows.column_names]:
        raise DataError(
            f"missing columns: {some(missing)}; expected {some([column.name for column in used], 50)}"
        )
    values = {
        column: typed(rows, column.name, first, text=column.categories is not None)
        for column in used
    }
    empty = [
        f"{c.name} ({v.null_count}: {_rows(v, first)})"
        for c, v in values.items()
        if v.null_count and c.fill is None
    ]
    if empty:
        raise DataError(
            f"missing values in columns {some(empty)}; fill them in, or train with data.missing: impute"
        )
    return np.concatenate(
        [_encoded(column, column_values, first) for column, column_values in values.items()], axis=1
    )


def _encode_array(schema: Schema, rows: np.ndarray, first: int) -> np.ndarray:
    """Of an array in the columns' order, or of images, flat or not."""
    shape = schema.shape or (len(schema.columns),)
    if rows.shape[1:] not in (shape, (int(np.prod(shape)),), (*schema.shape, 1)):
        raise DataError(f"rows of shape {rows.shape[1:]}, expected {shape}")
    if rows.dtype.kind not in "buif":
        raise DataError(f"values of type {rows.dtype}, expected numbers")
    if schema.is_image:
        return (
            rows.reshape(len(rows), schema.n_features)
            if rows.dtype == np.uint8
            else _float32(schema, rows, first)
        )
    if any(column.categories is not None or column.fill is not None for column in schema.columns):
        names = [column.name for column in schema.columns]
        return encode(schema, pa.table(list(rows.T.astype(np.float64)), names=names), first)
    kept = np.array([column.constant is None for column in schema.columns])
    return _float32(schema, rows[:, kept], first)


def _encoded(column: Column, values: pa.Array, first: int) -> np.ndarray:
    """Features (rows, width) of one column, missing values filled."""
    values = pc.fill_null(values, column.fill) if values.null_count else values
    if column.categories is None:
        return _float32(
            Schema((), (column,)), values.to_numpy(zero_copy_only=False)[:, None], first
        )
    found = pc.index_in(values, pa.array(column.categories, pa.string()))
    places = pc.fill_null(found, len(column.categories)).to_numpy(zero_copy_only=False)
    return np.eye(len(column.categories) + 1, dtype=np.float32)[places]


def typed(rows: pa.Table, name: str, first: int, *, text: bool) -> pa.Array:
    """A column as float64, where NaN counts as missing, or as text, where an empty one does.

    first: number of the first row. Raises DataError, which names the rows that hold something else.
    """
    values, kind = rows[name].combine_chunks(), pa.string() if text else pa.float64()
    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    try:
        found = pc.cast(values, kind, safe=text)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        where, wanted = f"rows {first + 1} to {first + len(values)}", "text" if text else "numbers"
        raise DataError(f"column {name}, {where}: not {wanted} ({error})") from None
    return pc.if_else(pc.equal(found, "") if text else pc.is_nan(found), None, found)


def _float32(schema: Schema, values: np.ndarray, first: int) -> np.ndarray:
    values = values.reshape(len(values), schema.n_features)
    bad = ~(np.abs(values, dtype=np.float64) <= LARGEST)  # NaN too
    if bad.any():
        row, column = np.argwhere(bad)[0]
        found = f"row {first + row + 1}, {schema.features[column]}: {values[row, column]}"
        raise DataError(
            f"{found} is not finite or beyond {LARGEST:g}, as are {int(bad.sum()) - 1} others"
        )
    return values.astype(np.float32)


def _rows(values: pa.Array, first: int) -> str:
    """The rows without a value, counted from 1."""
    return "row " + some(
        [
            str(first + i + 1)
            for i in np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))
        ]
    )
