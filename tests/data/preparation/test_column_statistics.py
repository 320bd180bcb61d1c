"""Statistics of a column: what is missing, how many differ, from where to where."""

import numpy as np
import pyarrow as pa

from autoencoders.data.preparation.column_statistics import ColumnStatistics


def test_values_are_counted_over_all_batches():
    statistics = ColumnStatistics()
    for batch in ([3.0, None, -999.0], [float("nan"), 1.0, 3.0]):
        statistics.add(pa.array(batch, pa.float64()), ("", "-999"))
    assert (statistics.n, statistics.missing) == (6, 3)
    assert (statistics.minimum, statistics.maximum) == (1.0, 3.0)
    assert statistics.distinct == {1.0, 3.0}
    assert statistics.examples == [3.0, 1.0]


def test_no_more_distinct_values_are_kept_than_are_counted():
    statistics = ColumnStatistics(most=10)
    for start in (0, 50):
        statistics.add(pa.array(np.arange(start, start + 50.0)), ("",))
    assert len(statistics.distinct) == 11
    assert (statistics.minimum, statistics.maximum) == (0.0, 99.0)


def test_blanks_around_a_text_are_no_part_of_it_and_markers_are_missing():
    statistics = ColumnStatistics()
    statistics.add(pa.array([" red", "red ", "", "-", None]), ("", "-"))
    assert (statistics.missing, statistics.distinct) == (3, {"red"})
