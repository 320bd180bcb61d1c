"""The inspection of a table before any run: its columns' values, and what is made of each.

Columns are read and decided on by the pipeline's own code.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.preparation.columns import ColumnTypes
from autoencoders.data.preparation.decision import Decision
from autoencoders.data.preparation.mends import Mends
from autoencoders.data.preparation.spellings import SpellingEvidence
from autoencoders.data.prepared.spelling import (
    PLAIN_SPELLING,
    ColumnValues,
    is_marker,
    marker_numbers,
    numbers_of,
)
from autoencoders.data.prepared.values import column_values, is_text_type
from autoencoders.data.readers.reader import Reader
from autoencoders.params.sections import Data

MOST_DISTINCT = 1000  # values of a column that are counted
MOST_VALUES = 2**21  # of all columns, that are kept to count them: some 200 MB
EXAMPLES = 3


@dataclass
class ColumnStatistics:
    """The values of one column: how many, how many differ, from where to where."""

    most: int = MOST_DISTINCT  # distinct values that are counted
    n: int = 0  # rows
    present: int = 0  # values that are not missing
    distinct: set[object] = field(default_factory=set)  # up to one more than `most`
    examples: list[object] = field(default_factory=list)
    minimum: object = None
    maximum: object = None

    def add(self, values: ColumnValues, markers: tuple[str, ...]) -> None:
        """Adds the values of some rows. markers: texts that stand for a missing value."""
        self.n += len(values)
        values = _present(values, markers)
        self.present += len(values)
        if not len(values):
            return
        if len(self.distinct) <= self.most:
            unique: list[object] = pc.unique(values).to_pylist()
            self._add_distinct(unique)
        ends = pc.min_max(values)
        low = ends["min"].as_py()
        high = ends["max"].as_py()
        self.minimum = low if self.minimum is None else min(self.minimum, low)
        self.maximum = high if self.maximum is None else max(self.maximum, high)

    def _add_distinct(self, values: list[object]) -> None:
        for value in values:
            if value in self.distinct:
                continue
            if len(self.examples) < EXAMPLES:
                self.examples.append(value)
            self.distinct.add(value)
            if len(self.distinct) > self.most:
                break

    @property
    def missing(self) -> int:
        """The number of rows without a value."""
        return self.n - self.present


def _present(values: ColumnValues, markers: tuple[str, ...]) -> ColumnValues:
    """The values that are not missing."""
    if is_text_type(values.type):
        texts = pc.utf8_trim_whitespace(pc.cast(values, pa.string())).drop_null()
        return texts.filter(pc.invert(is_marker(texts, markers)))
    values = values.drop_null()
    numbers = marker_numbers(markers)
    if numbers and (pa.types.is_floating(values.type) or pa.types.is_integer(values.type)):
        marked = pc.is_in(pc.cast(values, pa.float64()), pa.array(numbers, pa.float64()))
        values = values.filter(pc.invert(marked))
    if pa.types.is_floating(values.type):
        return values.filter(pc.invert(pc.is_nan(values)))
    return values


@dataclass(frozen=True)
class InspectedColumn:
    """One column as a person reads of it."""

    name: str
    type: str  # number, category, date, ...
    values: str  # their range, or how many differ
    missing: int
    examples: list[str]
    treatment: str  # what the pipeline makes of it


class Inspection:
    """A table's columns after every row of it was read once."""

    def __init__(self, reader: Reader, data: Data) -> None:
        """reader: of a table. data: what the user says of it."""
        self.reader = reader
        self.data = data
        self.n = 0  # rows
        self.column_types = ColumnTypes(data, is_typed=reader.is_typed)
        most = min(MOST_DISTINCT, 1 + MOST_VALUES // (1 + len(reader.names)))
        self.statistics = {name: ColumnStatistics(most) for name in reader.names}

    def read(self) -> Iterator[int]:
        """Reads the table; yields the number of rows so far. Raises DataError."""
        markers = self.column_types.markers
        features = [name for name in self.reader.names if name not in self._named()]
        for batch, _ in self.reader.batches():
            if not isinstance(batch, pa.Table):
                raise TypeError("a table has columns")
            self.column_types.add(batch, features)
            for name, statistics in self.statistics.items():
                statistics.add(column_values(batch, name), markers.text)
            self.n += len(batch)
            yield self.n

    def _named(self) -> dict[str, str]:
        """The treatment that parameters or the source give to columns, by name."""
        named = dict.fromkeys(self.data.ignore, "left out (data.ignore)")
        if self.data.id:
            named[self.data.id] = "left out: names the rows in answers (data.id)"
        named |= dict.fromkeys(self.reader.date_columns, "left out: a date")
        if self.reader.file_column:
            named[self.reader.file_column] = "left out: the name of each row's file"
        if self.data.label != "auto":
            named[self.data.label] = "the class (data.label)"
        split_by = self.data.split.partition(":")[2]
        if split_by:
            named[split_by] = f"splits the rows (data.split: {self.data.split})"
        return named

    def decide(self) -> Decision:
        """The decision on the columns of text, and the problems."""
        return self.column_types.decide()

    def problems(self, decision: Decision) -> dict[str, str]:
        """Why the table is refused, by column: all reasons at once."""
        problems = dict(decision.problems)
        for name in self._features(decision):
            if self._is_empty(name, decision):
                problems[name] = "no value in it"
            elif self.data.missing == "refuse" and self._missing(name, decision):
                problems[name] = f"missing values in {self._missing(name, decision)} rows"
        return problems

    def mends(self, decision: Decision) -> Mends:
        """The parameters by which the table is taken after all."""
        features = self._features(decision)
        empty = [name for name in features if self._is_empty(name, decision)]
        missing = [name for name in features if self._missing(name, decision)]
        missing += [name for name in decision.problems if self._is_mended_with_gaps(name, decision)]
        return Mends(
            types={**self.data.types, **decision.mends} if decision.mends else {},
            ignore=[*self.data.ignore, *empty] if empty else [],
            impute=self.data.missing == "refuse" and set(missing) > set(empty),
        )

    def _is_mended_with_gaps(self, name: str, decision: Decision) -> bool:
        """Whether a column lacks values when it has the type that mends it."""
        if self.statistics[name].missing:
            return True
        column = self.column_types.texts[name]
        return decision.mends[name] != "category" and column.n_markers > 0

    def _features(self, decision: Decision) -> list[str]:
        """The columns that are to be features."""
        no_features = {*self._named(), *decision.left_out, *decision.problems}
        return [name for name in self.statistics if name not in no_features]

    def _is_empty(self, name: str, decision: Decision) -> bool:
        return self._missing(name, decision) == self.n

    def columns(self, decision: Decision) -> list[InspectedColumn]:
        """Every column, in the source's order."""
        inspected = []
        treatments = self._treatments(decision)
        for name, statistics in self.statistics.items():
            inspected.append(
                InspectedColumn(
                    name=name,
                    type=self._type(name, decision),
                    values=self._values(name, statistics, decision),
                    missing=self._missing(name, decision),
                    examples=[str(example) for example in statistics.examples],
                    treatment=treatments[name],
                )
            )
        return inspected

    def _type(self, name: str, decision: Decision) -> str:
        """The type of a column in one word."""
        if name in decision.problems:
            return "unclear"
        column_type = decision.types.get(name)
        if name in self.reader.date_columns or name in decision.dates:
            return "date"
        if column_type and column_type.date_format:
            return "date"
        if column_type is None:
            return "text" if self._holds_text(name) else "number"
        return "category" if column_type.is_category else "number"

    def _holds_text(self, name: str) -> bool:
        """Whether a column that is not decided on has a text that is no number."""
        texts = [value for value in self.statistics[name].distinct if isinstance(value, str)]
        return bool(SpellingEvidence().add(texts))

    def _values(self, name: str, statistics: ColumnStatistics, decision: Decision) -> str:
        """The range of numbers and dates, or how many texts differ."""
        n_distinct = len(statistics.distinct)
        most = statistics.most
        count = f"{n_distinct} different" if n_distinct <= most else f"over {most}"
        if name in decision.dates:
            days = self.column_types.numeric_dates[name].range(decision.dates[name])
            return f"{days}, {count}"
        low = statistics.minimum
        high = statistics.maximum
        column_type = decision.types.get(name)
        if column_type and not column_type.is_category and not column_type.date_format:
            texts = pa.array([str(value) for value in statistics.distinct], pa.string())
            markers = self.column_types.markers.number
            numbers, _ = numbers_of(texts, column_type.spelling, markers)
            ends = pc.min_max(numbers)
            low = ends["min"].as_py()
            high = ends["max"].as_py()
            if n_distinct > most:
                return f"{low:g} to {high:g} among the first {most} different"
        if isinstance(low, str) or low is None:
            return count
        if isinstance(low, float):
            return f"{low:g} to {high:g}, {count}"
        return f"{low} to {high}, {count}"

    def _missing(self, name: str, decision: Decision) -> int:
        """The number of rows without a value: of numbers, markers such as NA count, too."""
        statistics = self.statistics[name]
        column_type = decision.types.get(name)
        if column_type is None or column_type.is_category or column_type.date_format:
            return statistics.missing
        if name not in self.column_types.texts:
            return statistics.missing
        return statistics.missing + self.column_types.texts[name].n_markers

    def _treatments(self, decision: Decision) -> dict[str, str]:
        """The pipeline's treatment of each column."""
        treatments = {name: self._as_feature(name, decision) for name in self.statistics}
        for name, statistics in self.statistics.items():
            if len(statistics.distinct) == 1:
                treatments[name] = "no feature: one value in all rows"
        for name, reason in self.problems(decision).items():
            treatments[name] = f"refused: {reason}"
        for name in decision.left_out:
            treatments[name] = f"left out: {decision.reasons[name]}"
        return treatments | self._named()

    def _as_feature(self, name: str, decision: Decision) -> str:
        """The treatment of a column that is a feature."""
        column_type = decision.types.get(name)
        if self.data.types.get(name) == "category":
            return "categories, one feature each (data.types)"
        if column_type and column_type.is_category:
            return "categories, one feature each"
        scaling = "standard" if self.data.scaling == "auto" else self.data.scaling
        if column_type and column_type.spelling != PLAIN_SPELLING:
            return f"a feature, scaling: {scaling}, read {column_type.spelling}"
        return f"a feature, scaling: {scaling}"
