"""The inspection of a table says what preprocessing does with it."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoencoders.data.preparation import inspection
from autoencoders.data.preparation.inspection import InspectedColumn, Inspection
from autoencoders.data.preparation.plan import text_settings
from autoencoders.data.readers.opening import open_reader
from intake import Intake, csv

N = 1500
RNG = np.random.default_rng(0)
COLUMNS = {
    "id": range(N),
    "temp": [f"{value:.2f}".replace(".", ",") for value in RNG.normal(20, 3, N)],
    "colour": [("red", "blue", "")[i % 3] for i in range(N)],
    "day": pd.date_range("2020-01-01", periods=N).strftime("%d.%m.%Y"),
    "created_at": RNG.permutation(1_700_000_000 + 60 * np.arange(N)),
    "valve": [0] * N,
    "y": [i % 2 for i in range(N)],
    "mixed": ["5 kg", *["5 g"] * (N - 1)],
    "n": ["?" if i == 7 else i * i % 13 for i in range(N)],
}


def inspected(
    intake: Intake, values: Mapping[str, Iterable[Any]] = COLUMNS, **settings: Any
) -> dict[str, InspectedColumn]:
    """The columns of values as a file."""
    path = intake.file("a.csv", csv(values, ";"))
    data = intake.section(path, **settings)
    result = Inspection(open_reader(path, text=text_settings(data)), data)
    assert list(result.read())[-1] == N
    return {column.name: column for column in result.columns(result.decide())}


def test_every_column_has_its_type_values_and_treatment(intake):
    columns = inspected(intake, label="y")
    assert list(columns) == list(COLUMNS)
    assert {name: column.type for name, column in columns.items()} == {
        "id": "number",
        "temp": "number",
        "colour": "category",
        "day": "date",
        "created_at": "date",
        "valve": "number",
        "y": "number",
        "mixed": "unclear",
        "n": "number",
    }
    assert columns["id"].values == "0 to 1000 among the first 1000 different"
    assert columns["id"].treatment == "left out: numbers of the rows, which run"
    assert columns["created_at"].values == "2023-11-14 to 2023-11-15, over 1000"
    assert columns["created_at"].treatment == "left out: dates, seconds since 1970"
    assert columns["colour"].missing == N // 3
    assert columns["colour"].values == "2 different"
    assert columns["temp"].treatment == ("a feature, scaling: standard, read with a decimal comma")
    assert columns["valve"].treatment == "no feature: one value in all rows"
    assert columns["y"].treatment == "the class (data.label)"
    assert columns["mixed"].treatment == "refused: units differ: '5 g', '5 kg'"
    assert (columns["n"].missing, columns["n"].values) == (1, "0 to 12, 7 different")


def test_what_is_inspected_is_what_is_prepared(intake):
    settings: dict[str, Any] = {"label": "y", "ignore": ["mixed"], "missing": "impute"}
    columns = inspected(intake, **settings)
    prepared = intake.load(intake.source / "a.csv", **settings)
    features = {column.name for column in prepared.description.schema.columns if column.features}
    assert features == {
        name
        for name, column in columns.items()
        if column.treatment.startswith(("a feature", "categories"))
    }


def test_of_a_wide_table_fewer_values_are_kept_and_counted(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(inspection, "MOST_VALUES", 100 * (1 + len(COLUMNS)))
    columns = inspected(intake)
    assert columns["temp"].values.endswith("among the first 101 different")
    assert columns["id"].values == "0 to 101 among the first 101 different"
    assert columns["n"].values == "0 to 12, 7 different"
    assert columns["valve"].treatment == "no feature: one value in all rows"


def test_texts_such_as_na_are_no_dates_and_no_numbers(intake: Intake):
    days = pd.date_range("2020-01-01", periods=N).strftime("%d.%m.%Y")
    columns = inspected(
        intake,
        {
            "day": ["NA" if i % 5 == 0 else days[i % 300] for i in range(N)],
            "stamp": ["NA" if i % 5 == 0 else 20200101 + i % 28 for i in range(N)],
            "n": [("NA", "1", "1.0", "2", "+2")[i % 5] for i in range(N)],
            "x": [f"{i % 77},5" for i in range(N)],
        },
    )
    assert (columns["day"].type, columns["day"].missing) == ("date", N // 5)
    assert columns["day"].values == "240 different"
    assert (columns["stamp"].type, columns["stamp"].missing) == ("date", N // 5)
    assert columns["stamp"].values == "2020-01-01 to 2020-01-28, 28 different"
    assert (columns["n"].type, columns["n"].missing) == ("number", N // 5)
    assert columns["n"].values == "1 to 2, 2 different"


@pytest.mark.parametrize("words", [("TRUE", "FALSE"), ("true", "false"), ("True", "False")])
def test_true_and_false_are_no_range_of_numbers(intake: Intake, words: tuple[str, str]):
    values: dict[str, Any] = {"on": [words[i % 2] for i in range(N)], "x": range(5, N + 5)}
    column = inspected(intake, values)["on"]
    assert (column.type, column.values, column.missing) == ("true/false", "2 different", 0)
    assert column.treatment.endswith("with true for 1 and false for 0")


def test_categories_that_are_merged_are_said_to_be(intake: Intake):
    values: dict[str, Any] = {
        "x": [f"{i % 77},5" for i in range(N)],
        "few": [f"name {i % 100}" for i in range(N)],
        "town": [f"town {i % 300}" for i in range(N)],
        "street": [f"street {i % 1100}" for i in range(N)],
        "code": [i % 200 for i in range(N)],
    }
    columns = inspected(intake, values, types={"code": "category"})
    assert columns["few"].treatment == "categories, one feature each"
    assert columns["town"].treatment == (
        "categories, one feature each: the commonest 100 of 300 texts, all others are one"
    )
    assert "commonest 100 of over 1000 texts" in columns["street"].treatment
    assert columns["code"].treatment.startswith("categories, one feature each (data.types): the")
