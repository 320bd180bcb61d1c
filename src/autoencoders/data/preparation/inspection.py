"""The inspection of a table before any run: its columns' values, and what is made of each.

Columns are read and decided on by the pipeline's own code.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.preparation.column_statistics import MOST_DISTINCT, ColumnStatistics
from autoencoders.data.preparation.columns import ColumnTypes
from autoencoders.data.preparation.decision import Decision
from autoencoders.data.preparation.mends import Mends
from autoencoders.data.preparation.spellings import SpellingEvidence
from autoencoders.data.preparation.survey import MOST_CATEGORIES
from autoencoders.data.prepared.spelling import PLAIN_SPELLING, Spelling, numbers_of
from autoencoders.data.prepared.values import column_values
from autoencoders.data.readers.reader import Reader
from autoencoders.params.sections import Data

MOST_VALUES = 2**21  # of all columns, that are kept to count them: some 200 MB


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
                    values=self._values(name, decision),
                    missing=self._missing(name, decision),
                    examples=[_shown(example) for example in statistics.examples],
                    treatment=treatments[name],
                )
            )
        return inspected

    def _type(self, name: str, decision: Decision) -> str:
        """The type of a column in one word."""
        if name in decision.problems:
            return "unclear"
        if self._are_dates(name, decision):
            return "date"
        column_type = decision.types.get(name)
        if column_type is None:
            return "text" if self._holds_text(name) else "number"
        if column_type.spelling.logical:
            return "true/false"
        return "category" if column_type.is_category else "number"

    def _holds_text(self, name: str) -> bool:
        """Whether a column that is not decided on has a text that is no number."""
        texts = [value for value in self.statistics[name].distinct if isinstance(value, str)]
        return bool(SpellingEvidence().add(texts))

    def _values(self, name: str, decision: Decision) -> str:
        """The range of numbers and dates, and how many values differ."""
        statistics = self.statistics[name]
        column_type = decision.types.get(name)
        if column_type and column_type.spelling.logical:
            return f"{len(statistics.distinct)} different"
        if column_type and not column_type.is_category and not column_type.date_format:
            return self._values_of_numbers(name, column_type.spelling)
        count = f"over {statistics.most}"
        if len(statistics.distinct) <= statistics.most:
            count = f"{self._n_different(name, decision)} different"
        limits = self._limits(name, decision)
        return f"{limits}, {count}" if limits else count

    def _values_of_numbers(self, name: str, spelling: Spelling) -> str:
        """The range of numbers that are given as text, and how many differ."""
        statistics = self.statistics[name]
        texts = pa.array([str(value) for value in statistics.distinct], pa.string())
        numbers, _ = numbers_of(texts, spelling, self.column_types.markers.number)
        ends = pc.min_max(numbers)
        limits = f"{ends['min'].as_py():g} to {ends['max'].as_py():g}"
        if len(statistics.distinct) > statistics.most:
            return f"{limits} among the first {statistics.most} different"
        return f"{limits}, {len(pc.unique(numbers.drop_null()))} different"

    def _n_different(self, name: str, decision: Decision) -> int:
        """The number of different values; of dates, a text such as NA is none."""
        distinct = self.statistics[name].distinct
        if not self._are_dates(name, decision):
            return len(distinct)
        markers = self.column_types.markers.number
        return sum(not (isinstance(value, str) and value in markers) for value in distinct)

    def _limits(self, name: str, decision: Decision) -> str:
        """The least and the greatest of numbers or dates; nothing of texts."""
        if name in decision.dates:
            return self.column_types.numeric_dates[name].range(decision.dates[name])
        low = self.statistics[name].minimum
        high = self.statistics[name].maximum
        if low is None or isinstance(low, str):
            return ""
        if isinstance(low, float):
            return f"{low:g} to {high:g}"
        return f"{low} to {high}"

    def _are_dates(self, name: str, decision: Decision) -> bool:
        """Whether a column holds dates: by its type, as texts or as numbers."""
        column_type = decision.types.get(name)
        if column_type and column_type.date_format:
            return True
        return name in self.reader.date_columns or name in decision.dates

    def _missing(self, name: str, decision: Decision) -> int:
        """The number of rows without a value: of numbers and dates, texts such as NA count, too."""
        missing = self.statistics[name].missing
        if name not in self.column_types.texts:
            return missing
        column_type = decision.types.get(name)
        is_number = column_type is not None and not column_type.is_category
        if is_number or self._are_dates(name, decision):
            missing += self.column_types.texts[name].n_markers
        return missing

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
            return f"categories, one feature each (data.types){self._merged(name)}"
        if column_type and column_type.is_category:
            return f"categories, one feature each{self._merged(name)}"
        scaling = "standard" if self.data.scaling == "auto" else self.data.scaling
        if column_type and column_type.spelling != PLAIN_SPELLING:
            return f"a feature, scaling: {scaling}, read {column_type.spelling}"
        return f"a feature, scaling: {scaling}"

    def _merged(self, name: str) -> str:
        """The merging of a column's rare categories, in words; nothing where they are few."""
        statistics = self.statistics[name]
        n_distinct = len(statistics.distinct)
        if n_distinct <= MOST_CATEGORIES:
            return ""
        count = str(n_distinct) if n_distinct <= statistics.most else f"over {statistics.most}"
        return f": the commonest {MOST_CATEGORIES} of {count} texts, all others are one"


def _shown(value: object) -> str:
    """A value as a person writes it: a whole number has no decimals, though it is a float."""
    return str(value).removesuffix(".0")
