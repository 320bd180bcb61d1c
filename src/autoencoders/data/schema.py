"""What one row of the data is: an image, or named columns of numbers and categories; raw rows to features and back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.errors import DataError

OTHER = "other"  # the place of categories that the training rows don't hold
SHOWN = 5  # rows or columns that a message names
LARGEST = float(np.finfo(np.float32).max)
Rows: TypeAlias = pa.Table | np.ndarray  # raw rows: columns by name, or (rows, ...) in the columns' order


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
        return int(np.prod(self.shape)) if self.is_image else sum(len(column.features) for column in self.columns)

    def encode(self, rows: Rows, first: int = 0) -> np.ndarray:
        """Features (rows, features) of raw rows: uint8 pixels as they are, else float32.

        first: number of the first row, for messages. Raises DataError, which names columns and rows.
        """
        if self.is_image or isinstance(rows, np.ndarray):
            return self._encode_array(np.asarray(rows), first)
        missing = [column.name for column in self.columns if column.name not in rows.column_names]
        if missing:
            raise DataError(f"missing columns: {some(missing)}; expected {some([c.name for c in self.columns], 50)}")
        values = {c: _converted(c, rows[c.name].combine_chunks(), first) for c in self.columns if c.constant is None}
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

    def _encode_array(self, rows: np.ndarray, first: int) -> np.ndarray:
        """Of an array in the columns' order, or of images, flat or not."""
        shape = self.shape or (len(self.columns),)
        if rows.shape[1:] not in (shape, (int(np.prod(shape)),)):
            raise DataError(f"rows of shape {rows.shape[1:]}, expected {shape}")
        if rows.dtype.kind not in "buif":
            raise DataError(f"values of type {rows.dtype}, expected numbers")
        if self.is_image:
            return rows.reshape(len(rows), -1) if rows.dtype == np.uint8 else _float32("pixels", rows, first)
        if any(column.categories is not None or column.fill is not None for column in self.columns):
            names = [column.name for column in self.columns]
            return self.encode(pa.table(list(rows.T.astype(np.float64)), names=names), first)
        kept = np.array([column.constant is None for column in self.columns])
        return _float32("columns", rows[:, kept], first)

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


def _converted(column: Column, values: pa.Array, first: int) -> pa.Array:
    return as_numbers(column.name, values, first) if column.categories is None else as_text(values)


def _encoded(column: Column, values: pa.Array, first: int) -> np.ndarray:
    """Features (rows, width) of one column, missing values filled."""
    values = pc.fill_null(values, column.fill) if values.null_count else values
    if column.categories is None:
        return _float32(f"column {column.name}", values.to_numpy(zero_copy_only=False)[:, None], first)
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


def as_text(values: pa.Array) -> pa.Array:
    """Text; an empty one counts as missing."""
    text = pc.cast(values, pa.string())
    return pc.if_else(pc.equal(text, ""), None, text)


def _float32(name: str, values: np.ndarray, first: int) -> np.ndarray:
    bad = ~(np.abs(values, dtype=np.float64) <= LARGEST)  # NaN too
    if bad.any():
        row, column = np.argwhere(bad.reshape(len(values), -1))[0]
        where = f"row {first + row + 1}" + (f", position {column}" if values.shape[-1] > 1 else "")
        found = values.reshape(len(values), -1)[row, column]
        raise DataError(f"{name}: {int(bad.sum())} values that are not finite 32-bit numbers ({where}: {found})")
    return values.reshape(len(values), -1).astype(np.float32)


def _rows(values: pa.Array, first: int) -> str:
    """The rows without a value, counted from 1."""
    return "row " + some([str(first + i + 1) for i in np.flatnonzero(values.is_null().to_numpy(zero_copy_only=False))])


def some(names: Sequence[str], shown: int = SHOWN) -> str:
    """The first of the names, and how many more there are."""
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def schema_from(values: Mapping[str, Any]) -> Schema:
    """A schema from its JSON."""
    columns = [{**c, "categories": c["categories"] and tuple(c["categories"])} for c in values["columns"]]
    return Schema(tuple(values["shape"]), tuple(Column(**column) for column in columns))
