"""Ids keep their text, whatever holds them."""

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.row_names import as_texts, is_answer_column, without_ids

LONG = 2**53 + 1  # the first whole number that a float does not hold


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("0012", "0012"),
        (" a ", " a "),
        ("NA", "NA"),
        ("", ""),
        (LONG, str(LONG)),
        (10**20, str(10**20)),
        (7.0, "7"),
        (2.0**53, "9007199254740992"),
        (0.5, "0.5"),
        (float("inf"), "inf"),
        (True, "True"),
        (datetime.date(2026, 1, 31), "2026-01-31"),
        (None, None),
        (float("nan"), None),
        (pd.NA, None),
        (pd.NaT, None),
    ],
)
def test_a_value_is_the_text_that_a_person_reads(value: object, text: str | None):
    assert as_texts([value], "id") == [text]


@pytest.mark.parametrize("value", [2.0**53 + 2, -1e18])
def test_a_float_that_may_have_lost_digits_is_refused(value: float):
    with pytest.raises(DataError, match=f"column id: {value:.0f} is stored as a decimal number"):
        as_texts([value], "id")


FORMS: dict[str, Any] = {
    "frame": pd.DataFrame({"x": [1.0, 2.0], "id": [LONG, 1]}),
    "frame of two types": pd.DataFrame({"x": [1.0, 2.0], "id": [str(LONG), 1]}),
    "table": pa.table({"x": [1.0, 2.0], "id": [LONG, 1]}),
    "columns": {"x": [1.0, 2.0], "id": [LONG, 1]},
    "columns of arrays": {"x": np.ones(2), "id": np.array([LONG, 1])},
}


def columns(rows: Any) -> list[str]:
    """The names of the columns."""
    return rows.column_names if isinstance(rows, pa.Table) else list(rows)


@pytest.mark.parametrize("form", FORMS)
def test_ids_leave_rows_of_columns_by_name(form: str):
    rows, ids = without_ids(FORMS[form], "id")
    assert ids == [str(LONG), "1"]
    assert columns(rows) == ["x"]
    assert columns(FORMS[form]) == ["x", "id"]


def test_one_value_by_name_is_one_row():
    assert without_ids({"x": 1.0, "id": "007"}, "id") == ({"x": 1.0}, ["007"])


@pytest.mark.parametrize("id_column", ["", "id"])
@pytest.mark.parametrize(
    "rows", [np.ones((2, 2)), [[1, 2]], pd.DataFrame({"x": [1.0], "": [2.0]}), {"x": 1.0}, None]
)
def test_rows_without_the_column_stay_as_they_are(rows: Any, id_column: str):
    same, ids = without_ids(rows, id_column)
    assert same is rows
    assert ids is None


def test_a_column_that_stands_twice_is_left_to_the_check_of_columns():
    rows = pd.DataFrame([[1, 2, 3]], columns=["x", "id", "id"])
    same, ids = without_ids(rows, "id")
    assert same is rows
    assert ids is None


def test_columns_of_answers_are_known_by_name():
    assert is_answer_column("score")
    assert is_answer_column("value_12")
    assert not is_answer_column("value_")
    assert not is_answer_column("value_1a")
    assert not is_answer_column("id")
