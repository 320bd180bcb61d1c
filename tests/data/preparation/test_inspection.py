"""The inspection of a table says what preprocessing does with it."""

import numpy as np
import pandas as pd
import pytest

from autoencoders.data.preparation import inspection
from autoencoders.data.preparation.inspection import InspectedColumn, Inspection
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


def inspected(intake: Intake, **settings: object) -> dict[str, InspectedColumn]:
    """The columns of COLUMNS as a file."""
    path = intake.file("a.csv", csv(COLUMNS, ";"))
    result = Inspection(open_reader(path), intake.section(path, **settings))
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
    assert (columns["n"].missing, columns["n"].values) == (1, "0 to 12, 8 different")


def test_what_is_inspected_is_what_is_prepared(intake):
    settings = {"label": "y", "ignore": ["mixed"], "missing": "impute"}
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
    assert columns["n"].values == "0 to 12, 8 different"
    assert columns["valve"].treatment == "no feature: one value in all rows"
