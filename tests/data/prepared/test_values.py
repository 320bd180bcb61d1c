"""The values of a raw column: null for each missing one, blanks around a text left out."""

import pyarrow as pa
import pytest

from autoencoders.data.prepared.spelling import NUMBER_MARKERS, marker_numbers
from autoencoders.data.prepared.values import typed


@pytest.mark.parametrize(
    "values", [pa.array([5.0, -999.0]), pa.array([5, -999]), pa.array(["5", "-999.0"])]
)
def test_a_marker_that_is_a_number_is_missing_however_the_column_is_stored(values):
    markers = (*NUMBER_MARKERS, "-999")
    found = typed(
        pa.table({"v": values}),
        "v",
        0,
        text=False,
        markers=markers,
        missing_numbers=marker_numbers(markers),
    )
    assert found.to_pylist() == [5.0, None]


def test_the_usual_markers_are_no_numbers():
    assert marker_numbers(NUMBER_MARKERS) == ()


def test_blanks_around_a_text_are_left_out_where_they_are_to_be():
    table = pa.table({"v": ["EU ", " EU", "  ", None]})
    assert typed(table, "v", 0, text=True, trims=True).to_pylist() == ["EU", "EU", None, None]
    assert typed(table, "v", 0, text=True).to_pylist() == ["EU ", " EU", "  ", None]
