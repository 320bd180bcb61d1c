"""Statistics of one column of an inspected table."""

from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.prepared.spelling import ColumnValues, is_marker, marker_numbers
from autoencoders.data.prepared.values import is_text_type

MOST_DISTINCT = 1000  # values of a column that are counted
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
