"""Numbers far from all others: gross outliers, and markers of missing values."""

import numpy as np
import pytest

from autoencoders.data.preparation import survey as module
from autoencoders.data.preparation.far_values import far_value_notes
from autoencoders.data.preparation.gross_outliers import gross_outliers
from autoencoders.data.preparation.survey import Survey

MEASURED = np.random.default_rng(0).normal(50, 5, 400).round(2)


def notes_on(values: np.ndarray) -> list[str]:
    """The notes on a column of the values, which stand beside another one."""
    survey = Survey(["a", "b"], 1)
    survey.add(np.column_stack([values, MEASURED[: len(values)]]), 0)
    return far_value_notes(survey)


@pytest.mark.parametrize("marker", [-999, -99, -9999, 9999, 999.25, -999.9, -32768, -888])
def test_a_marker_among_measurements_is_noted_with_its_rows_and_the_mend(marker: float):
    values = MEASURED.copy()
    values[::10] = marker
    low = np.delete(values, np.s_[::10]).min()
    (note,) = notes_on(values)
    assert note.startswith(
        f"column a: {marker:g} in 40 training rows stands far from all others ({low:g} to "
    )
    assert "data.null_values" in note


def test_the_markers_of_a_survey_are_noted_together():
    values = np.tile([1.0, 2, 3, 4, 5, 98, 99, 3], 50)
    (note,) = notes_on(values)
    assert note.startswith("column a: 98, 99 in 100 training rows stand far from all others (1 to")
    assert notes_on(np.tile([1.0, 2, 3, 4, -9, -8], 50))


def test_a_marker_below_0_is_noted_however_far_the_others_reach():
    incomes = np.append(np.random.default_rng(0).integers(0, 5000, 398), [1e6, -99])
    (note,) = notes_on(incomes.astype(float))
    assert note.startswith("column a: -99 in 1 training row stands far")


@pytest.mark.parametrize(
    "values",
    [
        MEASURED,
        np.arange(400.0) - 150,  # holds 99 and -99, as it does their neighbours
        np.append(MEASURED, [120.0, 99.0])[2:],
        np.tile([0.0, 1, 99, 0], 100),  # of two values, the range says nothing
        np.append(MEASURED[1:], -998.5),
        np.full(400, -999.0),
    ],
    ids=["measurements", "a range", "an outlier beside", "few values", "no marker", "constant"],
)
def test_other_numbers_are_not(values: np.ndarray):
    assert notes_on(values) == []


def judged(values: np.ndarray, held_out: dict[str, str] | None = None) -> list[str]:
    """The notes on a column of the values whose gross outliers the scale leaves out."""
    survey = Survey(["a"], 1)
    survey.add(values[:, None], 0)
    return far_value_notes(survey, gross_outliers(survey), held_out)


def test_a_gross_outlier_has_one_note_with_its_distance_and_the_mend():
    values = MEASURED.copy()
    values[:8] = -9999
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    n_ranges = float(f"{(9999 + median) / (high - low):.2g}")
    others = values[8:]
    assert judged(values) == [
        f"column a: -9999 in 8 training rows is {n_ranges:,.0f} interquartile ranges away from the "
        f"others ({others.min():g} to {others.max():g}); the scale leaves it out, and errors take "
        "the nearest other value; if it means missing, say data.null_values: ['-9999']"
    ]


def test_several_outliers_of_a_column_share_a_note():
    values = MEASURED.copy()
    values[[3, 7]] = [-9999, 1e12]
    (note,) = judged(values)
    assert note.startswith("column a: -9999, 1e+12 in 2 training rows are ")
    assert "leaves them out" in note
    assert note.endswith("if it means missing, say data.null_values: ['-9999']")
    many = np.tile(MEASURED, 2)
    many[:6] = 1e5 + np.arange(6) / 2
    (note,) = judged(many)
    assert note.startswith("column a: 6 values from 100000 to 100002.5 in 6 training rows are ")
    assert "missing" not in note


def test_a_repeated_outlier_may_mean_missing_however_it_is_written():
    values = MEASURED.copy()
    values[:2] = 1e12
    (note,) = judged(values)
    assert note.endswith("if it means missing, say data.null_values: ['1e+12']")


def test_outliers_of_a_column_that_is_mostly_one_value_are_noted_without_a_distance():
    counts = np.random.default_rng(0).poisson(0.2, 1000).astype(float)
    counts[:5] = 65535
    (note,) = judged(counts)
    assert (
        f"65535 in 5 training rows is far from all of the others (0 to {counts[5:].max():g})"
        in note
    )


def test_values_that_are_too_many_to_be_errors_are_noted():
    values = np.random.default_rng(0).normal(50, 5, 1000)
    values[:30] = 5000 + np.arange(30)
    (note,) = judged(values)
    assert note.startswith("column a: 5000 to 5029 in 30 training rows stand far from all others")
    assert "the scale holds them" in note


def test_a_crowd_of_a_thinned_sample_is_noted_with_its_number_of_training_rows():
    values = np.random.default_rng(0).normal(50, 5, 1000)
    values[:30] = 5000 + np.arange(30)
    survey = Survey(["a"], 1)
    survey.add(values[:, None], 0)
    outliers = gross_outliers(survey)
    survey.rate = 0.5
    (note,) = far_value_notes(survey, outliers)
    assert "in 60 training rows stand far" in note


def test_outliers_among_other_rows_alone_are_noted_by_them():
    held_out = {"a": "-9999 in 1 validation or test row lies far"}
    assert judged(MEASURED, held_out) == [f"column a: {held_out['a']}"]
    values = MEASURED.copy()
    values[0] = -9999
    (note,) = judged(values, held_out)
    assert "1 training row is" in note


def test_a_thinned_sample_stands_for_all_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SAMPLE", 400)
    monkeypatch.setattr(module, "SAMPLE_ROWS", 200)
    values = MEASURED.copy()
    values[::2] = -999
    (note,) = notes_on(values)
    n_rows = int(note.split(" in ")[1].split()[0])
    assert 140 <= n_rows <= 260
