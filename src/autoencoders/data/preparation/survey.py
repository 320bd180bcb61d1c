"""A survey of the training rows: moments, range and a sample of numbers, the values of text."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, cast

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.decision import ColumnType
from autoencoders.data.preparation.text_column import Markers
from autoencoders.data.prepared.categories import merged
from autoencoders.data.prepared.schema import (
    LARGEST,
    Column,
    Rows,
)
from autoencoders.data.prepared.spelling import (
    PLAIN_SPELLING,
    ColumnValues,
    Spelling,
    marker_numbers,
)
from autoencoders.data.prepared.values import is_text_type, typed

SAMPLE = 2**24  # values kept for medians and quartiles, which are exact up to so many: 128 MB
SAMPLE_ROWS = 1000  # rows that the sample may have however many columns there are
MOST_CATEGORIES = 100  # of a text column: each becomes a feature
RESOLUTION = 2.0**-19  # of 32-bit numbers: 16 steps, as a share of a value
# interquartile ranges beyond the quartiles from which on a value counts as an outlier. Tukey 1977
FENCE = 1.5


class Survey:
    """Statistics of columns: of numbers or pixels as arrays (numbers,), of texts as counts."""

    def __init__(
        self,
        names: list[str],
        seed: int,
        types: Mapping[str, ColumnType] | None = None,
        markers: Markers | None = None,
    ) -> None:
        """names: of the columns; none for images. types: of the columns of text."""
        self.names = names
        self.types = types or {}
        self.markers = markers or Markers()
        self.numbers = names  # names of numeric columns
        self.texts: dict[str, Counter[str]] = {}  # how often each value occurs, by column
        self.rng = np.random.default_rng(seed)
        self.n = 0  # rows
        self.count = np.zeros(1)  # values that are not missing
        self.mean = np.zeros(1)
        self.m2 = np.zeros(1)  # sum of squared deviations from the mean
        self.minimum = np.full(1, np.inf)
        self.maximum = np.full(1, -np.inf)
        self.sample: np.ndarray = np.zeros((0, 0))  # (rows, numbers)
        self.rate = 1.0  # share of rows that are in the sample

    # `encode` refuses values that overflow here, by row and column
    @np.errstate(invalid="ignore", over="ignore")
    def add(self, rows: Rows, first: int) -> None:
        """Adds training rows. first: number of the first one, for messages."""
        if not len(rows):
            return
        if not isinstance(rows, pa.Table):
            self._add_numbers(rows.reshape(len(rows), -1).astype(np.float64))
            return
        texts = [name for name in self.names if self._is_category(rows, name)]
        for name in texts:
            values = typed(rows, name, first, text=True, markers=self.markers.text, trims=True)
            self._add_text(name, values)
        are_texts = set(texts)
        self.numbers = [name for name in self.names if name not in are_texts]
        numbers = np.zeros((len(rows), len(self.numbers)))
        for i, name in enumerate(self.numbers):
            values = typed(
                rows,
                name,
                first,
                text=False,
                spelling=self._spelling(name),
                markers=self.markers.number,
                missing_numbers=marker_numbers(self.markers.number),
            )
            numbers[:, i] = values.to_numpy(zero_copy_only=False)
        self._add_numbers(numbers)

    def _is_category(self, rows: pa.Table, name: str) -> bool:
        """Whether a column holds categories: by its type, else as it is text."""
        if name in self.types:
            return self.types[name].is_category
        return is_text_type(rows.schema.field(name).type)

    def _spelling(self, name: str) -> Spelling:
        """The spelling of a column's numbers."""
        return self.types[name].spelling if name in self.types else PLAIN_SPELLING

    def _add_text(self, name: str, values: ColumnValues) -> None:
        """Counts values."""
        counts = self.texts.setdefault(name, Counter())
        counted: ColumnValues = pc.value_counts(values.drop_null())
        pairs: list[Any] = counted.to_pylist()
        for pair in pairs:
            counts[pair["values"]] += pair["counts"]

    def _add_numbers(self, values: np.ndarray) -> None:
        """Adds values (rows, numbers), where NaN is missing. Moments by Chan et al. 1983."""
        count = (~np.isnan(values)).sum(0)
        mean = np.nansum(values, 0) / np.maximum(count, 1)
        m2 = np.nansum(np.square(values - mean), 0)
        total = np.maximum(self.count + count, 1)
        gap = mean - self.mean
        self.m2 = self.m2 + m2 + gap**2 * self.count * count / total
        self.mean = self.mean + gap * count / total
        self.count = self.count + count
        self.minimum = np.fmin(self.minimum, np.fmin.reduce(values))
        self.maximum = np.fmax(self.maximum, np.fmax.reduce(values))
        self._add_to_sample(values)
        self.n += len(values)

    def _add_to_sample(self, values: np.ndarray) -> None:
        """Adds rows to the sample, and halves it while it is too large.

        Each row stays with the same probability.
        """
        sampled = values
        if self.rate < 1:
            sampled = values[self.rng.random(len(values)) < self.rate]
        if self.n:
            sampled = np.concatenate([self.sample, sampled])
        while sampled.size > max(SAMPLE, SAMPLE_ROWS * values.shape[1]):
            sampled = sampled[self.rng.random(len(sampled)) < 0.5]
            self.rate /= 2
        self.sample = sampled

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation (numbers,) of the values that are not missing."""
        return np.sqrt(self.m2 / np.maximum(self.count, 1))

    @np.errstate(invalid="ignore")
    def quartiles(self) -> np.ndarray:
        """The sample's quartiles (3, numbers)."""
        return pd.DataFrame(self.sample).quantile([0.25, 0.5, 0.75]).to_numpy()

    def columns(self, report: list[dict[str, Any]], *, impute: bool) -> tuple[Column, ...]:
        """The schema's columns. report: of this survey. impute: whether missing values are filled.

        Raises DataError where a column has no values, or numbers that 32 bits can't tell apart.
        """
        statistics = {row["column"]: row for row in report}
        empty = [name for name in self.names if statistics[name]["missing"] == self.n]
        if empty:
            raise DataError(
                "\n".join(
                    f"column {name}: the training rows have no value in it; add it to data.ignore"
                    for name in empty
                )
            )
        columns = []
        for name in self.names:
            row = statistics[name]
            if row["type"] == "number":
                column = _numeric_column(row, impute=impute)
                columns.append(replace(column, spelling=self._spelling(name)))
            else:
                columns.append(_category_column(row, impute=impute))
        return tuple(columns)

    @staticmethod
    def notes(columns: tuple[Column, ...], report: list[dict[str, Any]]) -> list[str]:
        """Notes on the columns: values that have no place of their own, and filled ones."""
        notes = []
        statistics = {row["column"]: row for row in report}
        for column in columns:
            row = statistics[column.name]
            n_values = len(row.get("values", ()))
            if n_values > MOST_CATEGORIES:
                notes.append(
                    f"column {column.name}: {n_values} different texts, of which the commonest "
                    f"{MOST_CATEGORIES} are told apart, and all others are one"
                )
            if row["missing"] and column.fill is not None:
                notes.append(
                    f"column {column.name}: missing values are filled with {column.fill} "
                    f"({int(row['missing'])} training rows)"
                )
        return notes

    @np.errstate(invalid="ignore", over="ignore")
    def report(self) -> list[dict[str, Any]]:
        """report.json's part on columns: type, range, moments, missing values, outliers."""
        low, median, high = self.quartiles()
        reach = FENCE * (high - low)
        is_outlier = (self.sample < low - reach) | (self.sample > high + reach)
        numbers = pd.DataFrame(
            {
                "column": self.numbers,
                "type": "number",
                "missing": self.n - self.count,
                "minimum": self.minimum,
                "median": median,
                "mean": self.mean,
                "maximum": self.maximum,
                "deviation": self.deviation,
                "outliers": is_outlier.mean(0),
                "constant": self.minimum == self.maximum,
            }
        )
        rows = cast(list[dict[str, Any]], numbers.to_dict("records"))
        for name, texts in self.texts.items():
            counts = merged(texts)
            rows.append(
                {
                    "column": name,
                    "type": "category",
                    "missing": self.n - counts.total(),
                    "values": dict(sorted(counts.items())),
                    "constant": len(counts) < 2,
                }
            )
        return rows


def _numeric_column(row: dict[str, Any], *, impute: bool) -> Column:
    """A numeric column from its row of the report.

    Raises DataError where 32 bits can't tell its values apart.
    """
    name = row["column"]
    low = float(row["minimum"])
    high = float(row["maximum"])
    smallest_deviation = RESOLUTION * max(abs(low), abs(high))
    if not row["constant"] and row["deviation"] < smallest_deviation:
        raise DataError(
            f"column {name}: values from {low!r} to {high!r} differ by less than 32-bit numbers "
            "can tell; subtract what they have in common, or add it to data.ignore"
        )
    is_constant = row["constant"] and abs(row["minimum"]) <= LARGEST
    return Column(
        name,
        fill=row["median"] if impute else None,
        constant=row["minimum"] if is_constant else None,
    )


def _category_column(row: dict[str, Any], *, impute: bool) -> Column:
    """A category from its row of the report."""
    name = row["column"]
    values = row["values"]
    most_common = max(values, key=values.__getitem__)
    commonest = sorted(values, key=values.__getitem__, reverse=True)[:MOST_CATEGORIES]
    return Column(
        name,
        tuple(sorted(commonest)),
        fill=most_common if impute else None,
        constant=most_common if row["constant"] else None,
    )
