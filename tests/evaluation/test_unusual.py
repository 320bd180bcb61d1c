"""The most unusual test rows: those that `ae score` would put first, by their number."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation import unusual
from autoencoders.evaluation.leaderboard import Evaluation
from autoencoders.evaluation.unusual import most_unusual, unusual_rows
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.params import Params
from autoencoders.params.sections import Evaluate
from autoencoders.serving.inference import answer


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(unusual, "MOST_UNUSUAL", 7)
    return 7


def test_they_are_the_rows_of_the_source_that_score_highest_with_the_same_reasons(
    few: int, table: Prepared, table_models: dict[str, TrainedModel], frame: pd.DataFrame
):
    model = table_models["variational"]
    test = frame.iloc[table.test_numbers.astype(int) - 1]
    scored = answer(model, "score", test)
    assert isinstance(scored, pd.DataFrame)
    scored["number"] = table.test_numbers.astype(int)
    expected = scored.sort_values("score", ascending=False, kind="stable")[:few]
    rows = unusual_rows(model, table)
    assert [row.number for row in rows] == expected["number"].tolist()
    np.testing.assert_allclose([row.score for row in rows], expected["score"], rtol=1e-5)
    np.testing.assert_allclose([row.p_value for row in rows], expected["p_value"])
    assert [row.reasons for row in rows] == expected["reasons"].tolist()
    assert {row.label for row in rows} == {""}  # the table has none


def test_data_that_was_prepared_before_numbers_no_row(
    few: int, table: Prepared, table_models: dict[str, TrainedModel]
):
    before = replace(table, test_numbers=np.empty(0, np.uint64))
    assert {row.number for row in unusual_rows(table_models["variational"], before)} == {None}


def test_a_value_that_no_training_row_had_is_a_reason(
    few: int, table: Prepared, table_models: dict[str, TrainedModel]
):
    n_novel = np.zeros(len(table.rows["test"]), np.uint16)
    n_novel[5] = 3
    changed = replace(table, n_novel={**table.n_novel, "test": n_novel})
    first = unusual_rows(table_models["undercomplete"], changed)[0]
    assert first.number == table.test_numbers[5]
    assert first.reasons.startswith("a value that no training row had ")


def test_labels_have_their_names(few: int, table: Prepared, table_models: dict[str, TrainedModel]):
    labels = np.arange(len(table.rows["test"])) % 2
    description = replace(table.description, labels=("good", "bad"))
    changed = replace(table, labels={**table.labels, "test": labels}, description=description)
    place = {number: i for i, number in enumerate(table.test_numbers.tolist())}
    for row in unusual_rows(table_models["undercomplete"], changed):
        assert row.number is not None
        assert row.label == ("good", "bad")[place[row.number] % 2]


def test_the_best_types_rows_are_taken_where_the_goal_is_to_find_anomalies(
    few: int,
    table: Prepared,
    table_models: dict[str, TrainedModel],
    evaluate: Evaluate,
    params: Params,
    tmp_path: Path,
):
    rows = Evaluation(table, evaluate, "anomaly").rows(list(table_models.values()))
    found = most_unusual(table_models, rows, table, params.tune)
    assert found is not None
    assert found.model == "variational"  # first in the order of types, as there are no labels
    assert found.rows == unusual_rows(table_models["variational"], table)
    rebuilt = [replace(row, goal="reconstruct") for row in rows]
    assert most_unusual(table_models, rebuilt, table, params.tune) is None
