"""Outliers among validation and test rows, counted part by part."""

import numpy as np

from autoencoders.data.preparation.held_out_outliers import HeldOutOutliers
from autoencoders.data.prepared.fences import Fences

LIMITS = np.array([[-10, -10, -np.inf], [10, 10, np.inf], [-1] * 3, [2] * 3], np.float32)
FENCES = Fences(*LIMITS)
NAMES = ["a", "b", "c"]


def notes(fences: Fences | None, *parts: list[list[float]]) -> dict[str, str]:
    """The notes on rows that come in parts."""
    outliers = HeldOutOutliers(fences)
    for rows in parts:
        outliers.add(np.array(rows, np.float32))
    return outliers.notes(NAMES)


def test_values_beyond_the_fences_are_noted_by_feature():
    ordinary = [[0.0, 0, 99]] * 40
    assert notes(FENCES, [[11, 0, 99]], ordinary, [[-20, 0, 0], [10, -12, 0]]) == {
        "a": "-20 to 11 in 2 validation or test rows lie far from all training rows; errors take "
        "the nearest training value",
        "b": "-12 in 1 validation or test row lies far from all training rows; errors take the "
        "nearest training value",
    }


def test_so_many_that_they_are_no_errors_are_noted_as_such():
    """Two of forty rows are a twentieth, three are more."""
    ordinary = [[0.0, 0, 0]] * 37
    suffix = "and are too small if these rows are no errors: see the false alarms"
    note = notes(FENCES, ordinary, [[11, 0, 0], [11, 0, 0], [0, 0, 0]])["a"]
    assert not note.endswith(suffix)
    note = notes(FENCES, ordinary, [[11, 0, 0]] * 3)["a"]
    assert note.startswith("11 in 3 validation or test rows lie far")
    assert note.endswith(suffix)


def test_rows_between_the_fences_have_no_note():
    assert notes(FENCES, [[10, -10, 1e9]]) == {}
    assert notes(FENCES) == {}


def test_without_fences_there_is_no_note():
    assert notes(None, [[1e12, -1e12, 0]]) == {}
