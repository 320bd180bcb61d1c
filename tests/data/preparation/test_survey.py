"""Surveys of training rows: moments and quartiles by closed form, however the rows come."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.preparation import survey as module
from autoencoders.data.preparation.survey import MOST_CATEGORIES, Survey
from autoencoders.data.prepared.schema import Column

ROWS = np.random.default_rng(0).normal([1, -50, 1e6], [1, 20, 0.5], (400, 3))


def surveyed(rows: np.ndarray, names: list[str], cuts: list[int]) -> Survey:
    """A survey of rows that come in parts."""
    survey, first = Survey(names, 1), 0
    for part in np.split(rows, cuts):
        survey.add(part, first)
        first += len(part)
    return survey


@pytest.mark.parametrize("cuts", [[], [1], [0, 0, 399], list(range(1, 400)), [100, 200, 300]])
def test_moments_range_and_quartiles_are_those_of_all_rows_however_they_come(cuts: list[int]):
    survey = surveyed(ROWS, ["a", "b", "c"], cuts)
    np.testing.assert_allclose(survey.mean, ROWS.mean(0), rtol=1e-12)
    np.testing.assert_allclose(survey.deviation, ROWS.std(0), rtol=1e-9)
    np.testing.assert_array_equal((survey.minimum, survey.maximum), (ROWS.min(0), ROWS.max(0)))
    np.testing.assert_allclose(survey.quartiles(), np.quantile(ROWS, [0.25, 0.5, 0.75], axis=0))


def test_missing_values_count_in_no_statistic():
    rows = ROWS.copy()
    rows[::3, 1] = np.nan
    survey = surveyed(rows, ["a", "b", "c"], [10, 11])
    there = rows[~np.isnan(rows[:, 1]), 1]
    assert survey.count.tolist() == [400, len(there), 400]
    assert (survey.minimum[1], survey.maximum[1]) == (there.min(), there.max())
    np.testing.assert_allclose([survey.mean[1], survey.deviation[1]], [there.mean(), there.std()])
    np.testing.assert_allclose(survey.quartiles()[:, 1], np.quantile(there, [0.25, 0.5, 0.75]))


@pytest.mark.parametrize(
    ("values", "accepted"),
    [
        (1.7e9 + np.arange(-50.0, 50), False),  # seconds since 1970, within two minutes
        (1.7e9 + 86_400 * np.arange(100.0), True),  # of a hundred days
        (1e5 + 1e-3 * np.arange(100), False),
        (1e5 + np.arange(100.0), True),
        (np.append(np.arange(99.0), 1e9), True),  # one value far from the others
        (np.full(100, 1.7e9), True),  # a constant
    ],
)
def test_a_column_that_32_bit_numbers_cannot_tell_apart_is_refused(
    values: np.ndarray, *, accepted: bool
):
    survey = surveyed(values[:, None], ["a"], [])
    if accepted:
        assert survey.columns(survey.report(), impute=False)[0].name == "a"
    else:
        with pytest.raises(
            DataError,
            match=r"^column a: values from .* differ by less than 32-bit numbers can tell",
        ):
            survey.columns(survey.report(), impute=False)


def test_a_sample_that_does_not_fit_is_thinned_without_losing_the_middle(
    monkeypatch: pytest.MonkeyPatch,
):
    rows = np.random.default_rng(1).permutation(40_000)[:, None].astype(float)
    monkeypatch.setattr(module, "SAMPLE", 5000)
    survey = surveyed(rows, ["a"], list(range(100, 40_000, 100)))
    assert len(survey.sample) <= 5000
    error = (
        5 * 0.5 / np.sqrt(len(survey.sample)) * 40_000
    )  # five standard errors of a median's rank
    assert abs(survey.quartiles()[1, 0] - 20_000) < error
    np.testing.assert_allclose(survey.mean, rows.mean())


def test_columns_are_numbers_and_categories_in_the_sources_order_and_fills_are_median_and_mode():
    table = pa.table(
        {
            "colour": ["red", "blue", "red", None],
            "size": [1.0, 2.0, None, 9.0],
            "unit": ["cm"] * 4,
            "year": [1999] * 4,
            "flag": [True, False, True, True],
        }
    )
    for impute in (False, True):
        survey = Survey(table.column_names, 1)
        survey.add(table, 0)
        fills: dict[str, Any] = (
            {"colour": "red", "size": 2.0, "unit": "cm", "year": 1999.0, "flag": 1.0}
            if impute
            else {}
        )
        assert survey.columns(survey.report(), impute=impute) == (
            Column("colour", ("blue", "red"), fills.get("colour")),
            Column("size", None, fills.get("size")),
            Column("unit", ("cm",), fills.get("unit"), constant="cm"),
            Column("year", None, fills.get("year"), constant=1999.0),
            Column("flag", None, fills.get("flag")),
        )


def test_of_equally_frequent_categories_the_first_by_name_is_filled_in():
    survey = Survey(["a"], 1)
    survey.add(pa.table({"a": ["z", "b", "z", "b", "c"]}), 0)
    assert survey.columns(survey.report(), impute=True)[0].fill == "b"


@pytest.mark.parametrize("n", [MOST_CATEGORIES, MOST_CATEGORIES + 1, 3 * MOST_CATEGORIES])
def test_of_many_categories_the_commonest_are_told_apart_and_that_is_noted(n: int):
    texts = [f"n{i}" for i in range(n)] + [f"n{i}" for i in range(MOST_CATEGORIES)]
    survey = Survey(["a"], 1)
    survey.add(pa.table({"a": texts}), 0)
    columns = survey.columns(survey.report(), impute=False)
    assert columns[0].categories == tuple(sorted(f"n{i}" for i in range(MOST_CATEGORIES)))
    assert bool(survey.notes(columns, survey.report())) == (n > MOST_CATEGORIES)


@pytest.mark.parametrize("column_type", [pa.float64(), pa.string(), pa.null()])
def test_a_column_without_values_is_refused_by_name(column_type: pa.DataType):
    survey = Survey(["a", "b"], 1)
    survey.add(pa.table({"a": [1.0, 2.0], "b": pa.array([None, None], column_type)}), 0)
    with pytest.raises(
        DataError, match=r"^column b: the training rows have no value in it; add it to data.ignore"
    ):
        survey.columns(survey.report(), impute=True)


def test_the_report_says_of_each_column_what_numpy_says():
    values = np.append(np.arange(99.0), 1e4)
    table = pa.table(
        {"a": pa.array([*values, None], pa.float64()), "b": [*("xy" * 50), "x"], "c": [5] * 101}
    )
    survey = Survey(["a", "b", "c"], 1)
    survey.add(table, 0)
    a, c, b = survey.report()
    assert (a["column"], a["type"], a["missing"], a["constant"]) == ("a", "number", 1, False)
    assert (a["minimum"], a["median"], a["maximum"]) == (0, np.median(values), 1e4)
    assert (a["mean"], a["deviation"]) == pytest.approx((values.mean(), values.std()))
    assert a["outliers"] == pytest.approx(1 / 101)  # 1e4 alone lies beyond the fences
    assert b == {
        "column": "b",
        "type": "category",
        "missing": 0,
        "values": {"x": 51, "y": 50},
        "constant": False,
    }
    assert (c["column"], c["constant"], c["deviation"]) == ("c", True, 0)


def test_all_columns_without_a_value_are_named_at_once():
    rows = ROWS.copy()
    rows[:, :2] = np.nan
    survey = surveyed(rows, ["a", "b", "c"], [])
    with pytest.raises(DataError, match=r"(?s)^column a: .*no value in it.*\ncolumn b: .*no value"):
        survey.columns(survey.report(), impute=True)
