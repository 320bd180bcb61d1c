"""Columns that may be labels are pointed at, and others are not."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoencoders.data.preparation.label_hints import LabelHints, says_label
from intake import Intake, csv

N = 400
RNG = np.random.default_rng(0)
X = RNG.normal(size=N).round(3)
RARE = np.arange(N) % 20 == 7  # 5 % of the rows


def noted(columns: dict[str, Any], labels: Any = None) -> list[str]:
    """The notes on columns, which come in two parts."""
    hints = LabelHints()
    for part in (slice(0, N // 2), slice(N // 2, None)):
        series = {name: pd.Series(list(values)[part]) for name, values in columns.items()}
        candidates = {name: series[name] for name in hints.candidates(columns)}
        hints.add(candidates, None if labels is None else pd.Series(list(labels)[part]))
    return hints.notes(columns, "" if labels is None else "ill")


@pytest.mark.parametrize(
    "values",
    [RARE.astype(int), RARE, ~RARE, np.where(RARE, "bad", "good"), RARE ^ (np.arange(N) < 15)],
    ids=["0 and 1", "logical", "the other way round", "texts", "mostly"],
)
def test_a_column_that_tells_the_label_is_pointed_at(values):
    [note] = noted({"x": X, "flag": values}, RARE.astype(int))
    assert note.startswith("column flag (")
    assert "tells the label ill in " in note
    assert "name it in data.ignore" in note


@pytest.mark.parametrize(
    "values",
    [
        X,
        np.zeros(N),
        np.arange(N) % 3,
        np.arange(N) % 50 == 1,  # a rare one, of other rows: 93 % are 0 in both
        np.arange(N) == 3,
        np.arange(N) % 2,
        np.where(RARE, 1.0, np.nan),
    ],
    ids=["numbers", "one value", "three", "rare", "rarest", "even", "missing"],
)
def test_other_columns_are_not(values):
    assert noted({"x": X, "flag": values}, RARE.astype(int)) == []


def test_a_column_that_is_called_a_label_is_pointed_at():
    even = np.arange(N) % 2
    assert noted({"x": X, "is_fault": even}, RARE) == [
        "column is_fault (0 and 1) is a feature; if it is a label, too, name it in data.ignore"
    ]
    assert noted({"x": X, "target": even.astype(float)}) == [
        "column target (0 and 1) is a feature; if it is the label, set data.label: target, and "
        "data.label_means: anomaly where it marks anomalies"
    ]
    assert noted({"x": X, "valve": even, "target": X}) == []


@pytest.mark.parametrize(
    ("name", "is_label"),
    [
        *[("Label", True), ("is_anomaly", True), ("isOutlier", True), ("y", True), ("CLASS", True)],
        *[("classic", False), ("default", False), ("yaw", False), ("velocity y", False)],
    ],
)
def test_words_of_a_name_say_that_it_is_a_label(name, is_label):
    assert says_label(name) is is_label


def test_hints_are_in_the_report_unless_the_column_is_no_feature(intake: Intake):
    columns = {"x": X, "ill": RARE.astype(int), "anomaly": RARE.astype(int), "id": range(N)}
    path = intake.file("a.csv", csv(columns))

    def told(**settings: Any) -> list[str]:
        intake.load(path, **settings)
        notes: list[str] = json.loads((intake.prepared / "report.json").read_text())["told"]
        return [note for note in notes if "is a feature" in note]

    assert told() == [
        "column anomaly (0 and 1) is a feature; if it is the label, set data.label: anomaly, and "
        "data.label_means: anomaly where it marks anomalies"
    ]
    assert told(label="ill") == [
        "column anomaly (0 and 1) is a feature, and tells the label ill in 100.0% of the rows; if "
        "it is a label, too, name it in data.ignore"
    ]
    assert told(label="ill", ignore=["anomaly"]) == []
