"""Parameters that name columns which do not exist, or that contradict each other."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from contents import GOOD, N
from intake import Intake, csv

NAMES = "length, width, colour, unit"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"label": "class"}, f"data.label: no column class; the source has {NAMES}"),
        ({"split": "time:day"}, f"data.split: no column day; the source has {NAMES}"),
        ({"ignore": ["a", "unit", "b"]}, f"data.ignore: no column a, b; the source has {NAMES}"),
        ({"keep": ["Width"]}, f"data.keep: no column Width; the source has {NAMES}"),
        (
            {"types": {"color": "category"}},
            f"data.types: no column color; the source has {NAMES}",
        ),
        ({"keep": ["width"], "ignore": ["width"]}, "data.keep and data.ignore: both name width"),
        ({"keep": ["colour"], "label": "colour"}, "data.keep and data.label: both name colour"),
    ],
)
def test_what_names_a_column_wrongly_is_refused(
    intake: Intake, values: dict[str, Any], message: str
):
    assert message in intake.refusal(intake.file("a.csv", csv(GOOD)), **values)


def test_all_wrong_names_are_told_at_once(intake: Intake):
    message = intake.refusal(
        intake.file("a.csv", csv(GOOD)), label="class", keep=["id"], types={"code": "category"}
    )
    keys = [line.split(":")[0] for line in message.splitlines()]
    assert keys == ["data.label", "data.keep", "data.types"]


def test_a_column_that_splits_the_rows_is_no_feature_although_it_is_kept(intake: Intake):
    path = intake.file("a.csv", csv(GOOD))
    prepared = intake.load(path, split="time:width", keep=["width"])
    assert "width" not in prepared.description.schema.features


def test_a_column_that_is_ignored_may_have_a_type_and_order_the_rows(intake: Intake):
    settings: dict[str, Any] = {"ignore": ["width"], "types": {"width": "number"}}
    prepared = intake.load(intake.file("a.csv", csv(GOOD)), split="time:width", **settings)
    assert "width" not in prepared.description.schema.features


@pytest.mark.parametrize("is_text", [True, False])
def test_dates_can_not_be_kept(intake: Intake, is_text: bool):
    days = pd.date_range("2020-01-01", periods=N)
    path = intake.source / "a.parquet"
    pd.DataFrame({**GOOD, "day": days.strftime("%d.%m.%Y") if is_text else days}).to_parquet(path)
    message = intake.refusal(path, keep=["day"])
    assert "day" in message
    assert "dates, which" in message


def test_columns_without_names_in_the_file_are_called_by_their_place(intake: Intake):
    lines = csv(GOOD).partition("\n")[2]
    settings: dict[str, Any] = {"header": "none", "types": {"x1": "category"}, "ignore": ["x0"]}
    prepared = intake.load(intake.file("a.csv", lines), label="x2", **settings)
    assert prepared.description.labels == ("blue", "green", "red")
    names = [column.name for column in prepared.description.schema.columns]
    assert names == ["x1", "x3"]


@pytest.mark.parametrize("values", [{"keep": ["x0"]}, {"types": {"x0": "category"}}])
def test_columns_of_arrays_can_not_be_named(intake: Intake, values: dict[str, Any]):
    path = intake.array("a.npy", np.zeros((40, 3)))
    assert "the source has none with names" in intake.refusal(path, **values)
