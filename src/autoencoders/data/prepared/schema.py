"""The schema of a row: an image, or named columns of numbers and categories.

It names the features, and turns them back into raw rows; `features.py` makes them of these.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

import numpy as np
import pyarrow as pa
from pydantic import ConfigDict, TypeAdapter

from autoencoders.data.prepared.spelling import (
    EARLIER_TEXT_MARKERS,
    NUMBER_MARKERS,
    PLAIN_SPELLING,
    Spelling,
)

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
    # the column that names the rows in answers, or nothing; schemas may differ in it and be equal,
    # as it is no feature
    id_column: str = field(default="", compare=False)
    missing_numbers: tuple[float, ...] = ()  # numbers that stand for a missing value
    trims_text: bool = False  # whether blanks around a text are no part of it
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

    @property
    def constants(self) -> list[Column]:
        """The columns that had one value in all training rows, and are no features."""
        return [column for column in self.columns if column.constant is not None]

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
