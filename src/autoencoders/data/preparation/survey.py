"""What a pass over the training rows tells: of numbers their moments, range and a sample, of text its values."""

from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import LARGEST, Column, Rows, is_number, some, typed

SAMPLE = 2**24  # values kept for medians and quartiles, which are exact up to so many
MOST_CATEGORIES = 100
RESOLUTION = 2.0**-19  # of 32-bit numbers: 16 steps, as a share of a value
FENCE = 1.5  # interquartile ranges beyond the quartiles from which on a value counts as an outlier. Tukey 1977


class Survey:
    """Statistics of columns, by number among the numeric ones or by name among the texts; of images, by pixel."""

    def __init__(self, names: list[str], seed: int) -> None:
        """names: of the columns; none for images."""
        self.names, self.numbers, self.rng = names, names, np.random.default_rng(seed)
        self.texts: dict[str, Counter[str]] = {}
        self.n, self.rate = 0, 1.0
        self.count = self.mean = self.m2 = np.zeros(1)
        self.minimum, self.maximum = np.full(1, np.inf), np.full(1, -np.inf)
        self.sample: np.ndarray = np.zeros((0, 0))

    @np.errstate(
        invalid="ignore", over="ignore"
    )  # of values that `encode` refuses by row and column
    def add(self, rows: Rows, first: int) -> None:
        """Takes training rows, of which the first has this number."""
        if not len(rows):
            return
        if not isinstance(rows, pa.Table):
            self._add_numbers(rows.reshape(len(rows), -1).astype(np.float64))
            return
        texts = [name for name in self.names if is_text(rows.schema.field(name).type)]
        for name in texts:
            self._add_text(name, typed(rows, name, first, text=True))
        self.numbers = [name for name in self.names if name not in texts]
        columns = (typed(rows, name, first, text=False) for name in self.numbers)
        arrays = [column.to_numpy(zero_copy_only=False) for column in columns]
        self._add_numbers(np.stack(arrays, axis=1) if arrays else np.zeros((len(rows), 0)))

    def _add_text(self, name: str, values: pa.Array) -> None:
        counts = self.texts.setdefault(name, Counter())
        counts.update(
            {
                pair["values"]: pair["counts"]
                for pair in values.drop_null().value_counts().to_pylist()
            }
        )
        if len(counts) > MOST_CATEGORIES:
            raise DataError(
                f"column {name}: text with more than {MOST_CATEGORIES} different values can't be a category "
                f"({some(sorted(counts, key=is_number))}); add it to data.ignore, or name it in data.label"
            )

    def _add_numbers(self, values: np.ndarray) -> None:
        """Mean and squared deviations by Chan et al. 1983; of the sample's rows each is kept with the same chance."""
        count = (~np.isnan(values)).sum(0)
        mean, total = np.nansum(values, 0) / np.maximum(count, 1), np.maximum(self.count + count, 1)
        gap = mean - self.mean
        self.m2 = (
            self.m2 + np.nansum(np.square(values - mean), 0) + gap**2 * self.count * count / total
        )
        self.mean, self.count = self.mean + gap * count / total, self.count + count
        self.minimum = np.fmin(self.minimum, np.fmin.reduce(values))
        self.maximum = np.fmax(self.maximum, np.fmax.reduce(values))
        kept = values[self.rng.random(len(values)) < self.rate] if self.rate < 1 else values
        self.sample, self.n = (
            np.concatenate([self.sample, kept]) if self.n else kept,
            self.n + len(values),
        )
        while self.sample.size > max(SAMPLE, 1000 * values.shape[1]):
            self.sample, self.rate = (
                self.sample[self.rng.random(len(self.sample)) < 0.5],
                self.rate / 2,
            )

    @property
    def deviation(self) -> np.ndarray:
        """Standard deviation of the values that are there."""
        return np.sqrt(self.m2 / np.maximum(self.count, 1))

    @np.errstate(invalid="ignore")
    def quartiles(self) -> np.ndarray:
        """(3, numeric columns): the sample's quartiles."""
        return pd.DataFrame(self.sample).quantile([0.25, 0.5, 0.75]).to_numpy()

    def columns(self, *, impute: bool) -> tuple[Column, ...]:
        """The schema's columns. Raises DataError where one has no values, or a few texts among numbers."""
        told = {row["column"]: row for row in self.report()}
        return tuple(self._column(told[name], impute=impute) for name in self.names)

    def _column(self, told: dict[str, Any], *, impute: bool) -> Column:
        name, values = told["column"], told.get("values", {})
        if told["missing"] == self.n:
            raise DataError(
                f"column {name}: the training rows have no value in it; add it to data.ignore"
            )
        if told["type"] == "number":
            constant = (
                told["minimum"] if told["constant"] and abs(told["minimum"]) <= LARGEST else None
            )
            low, high = (float(told[end]) for end in ("minimum", "maximum"))
            if not told["constant"] and told["deviation"] < RESOLUTION * max(abs(low), abs(high)):
                raise DataError(
                    f"column {name}: values from {low!r} to {high!r} differ by less than 32-bit numbers can tell; "
                    "subtract what they have in common, or add it to data.ignore"
                )
            return Column(name, None, told["median"] if impute else None, constant)
        text = [value for value in values if not is_number(value)]
        if 0 < 2 * len(text) < len(values):
            raise DataError(
                f"column {name}: {some(text)} among numbers; mend it, or add it to data.ignore"
            )
        common = max(values, key=values.__getitem__)
        return Column(
            name, tuple(values), common if impute else None, common if told["constant"] else None
        )

    @np.errstate(invalid="ignore", over="ignore")
    def report(self) -> list[dict[str, Any]]:
        """One mapping a column: type, range, moments, missing values, the share of outliers."""
        low, median, high = self.quartiles()
        outside = (self.sample < low - FENCE * (high - low)) | (
            self.sample > high + FENCE * (high - low)
        )
        values = {
            "missing": self.n - self.count,
            "minimum": self.minimum,
            "median": median,
            "mean": self.mean,
            "maximum": self.maximum,
            "deviation": self.deviation,
            "outliers": outside.mean(0),
            "constant": self.minimum == self.maximum,
        }
        numbers = pd.DataFrame({"column": self.numbers, "type": "number", **values}).to_dict(
            "records"
        )
        texts = [
            {"column": name, "type": "category", "missing": self.n - counts.total()}
            | {"values": dict(sorted(counts.items())), "constant": len(counts) < 2}
            for name, counts in self.texts.items()
        ]
        return [*numbers, *texts]


def is_text(kind: pa.DataType) -> bool:
    """Whether a column holds categories."""
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )
