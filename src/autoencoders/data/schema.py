"""What one row of the data is: an image, or named columns of numbers and categories; features back to raw rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import ConfigDict, TypeAdapter

OTHER = "other"  # the place of categories that the training rows don't hold
SHOWN = 5  # rows or columns that a message names


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
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")  # of what is read from JSON, as everything below

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
    return ", ".join(names[:shown]) + (f" and {len(names) - shown} more" if len(names) > shown else "")


def schema_from(values: object) -> Schema:
    """A schema from its JSON. Raises ValueError."""
    return TypeAdapter(Schema).validate_python(values)
