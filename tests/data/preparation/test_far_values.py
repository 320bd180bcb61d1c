"""Numbers far from all others, as markers of missing values are."""

import numpy as np
import pytest

from autoencoders.data.preparation import survey as module
from autoencoders.data.preparation.far_values import far_value_notes
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
    assert note.startswith("column a: -99 in 1 training rows")


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


def test_a_thinned_sample_stands_for_all_rows(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "SAMPLE", 400)
    monkeypatch.setattr(module, "SAMPLE_ROWS", 200)
    values = MEASURED.copy()
    values[::2] = -999
    (note,) = notes_on(values)
    n_rows = int(note.split(" in ")[1].split()[0])
    assert 140 <= n_rows <= 260
