"""The comparison with the champion: by anomalies, by the code, or by the test error."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.params.defaults import ANOMALY_TYPES
from autoencoders.params.params import Params
from autoencoders.registry.comparison import compare, compare_codes, compare_errors


def identity(code_size: int) -> Any:
    """A model that rebuilds every row without error, from a code of a size."""
    architecture = SimpleNamespace(code_size=code_size)
    return SimpleNamespace(
        description=SimpleNamespace(architecture=architecture), reconstruct=lambda raw: raw
    )


def mean(code_size: int, data: Prepared) -> Any:
    """A model that rebuilds every row as the training mean, which explains no variance."""
    model = identity(code_size)
    model.reconstruct = lambda raw: np.broadcast_to(data.mean, raw.shape)
    return model


@pytest.fixture
def compress(params: Params) -> Params:
    """Parameters by which the smallest code that keeps 90 % of the variance wins."""
    return params.override({"tune.objective": "smallest_code", "tune.explained_variance": 0.9})


def test_a_model_does_not_beat_itself(table, params):
    is_better, reason = compare_errors(identity(2), identity(2), "1", table, params)
    assert not is_better
    assert "does not beat version 1's" in reason
    assert "difference 0.0000, paired 95 % interval 0.0000 to 0.0000" in reason


def test_a_model_without_error_beats_the_mean_and_not_the_other_way_round(table, params):
    assert compare_errors(identity(2), mean(2, table), "1", table, params).is_better
    assert not compare_errors(mean(2, table), identity(2), "1", table, params).is_better


def test_where_small_codes_are_asked_for_the_smaller_code_that_keeps_the_variance_wins(
    table, compress
):
    is_better, reason = compare(identity(2), identity(3), "1", table, compress)
    assert is_better
    assert reason.startswith("code size 2, which keeps 100.0%, beats version 1's code size 3, ")
    assert not compare(identity(3), identity(2), "1", table, compress).is_better
    assert not compare(mean(1, table), identity(2), "1", table, compress).is_better


def test_equal_ranks_of_the_code_leave_the_decision_to_the_error(table, params, compress):
    reconstruct = params.override({"tune.objective": "smallest_error"})
    assert compare_codes(identity(2), identity(3), "1", table, reconstruct) is None
    assert compare_codes(mean(2, table), mean(3, table), "1", table, compress) is None
    assert compare(identity(2), mean(2, table), "1", table, reconstruct).is_better


def with_scores(model_type: str, scores: np.ndarray) -> Any:
    """A model of a type that gives the test rows these scores, and rebuilds them without error."""
    model = identity(2)
    model.description.model_type = model_type
    model.description.params = {"goal": "anomaly"}
    no_values = np.zeros(len(scores))
    model.score = lambda raw, n_novel: SimpleNamespace(score=scores, p_value=no_values)
    return model


@pytest.fixture
def labelled(table: Prepared) -> Prepared:
    """The table, every fifth test row of which is an anomaly."""
    labels = (np.arange(len(table.rows["test"])) % 5 == 0).astype(np.int64)
    description = replace(table.description, anomaly_labels=True)
    return replace(table, description=description, labels={**table.labels, "test": labels})


def test_what_finds_anomalies_is_compared_by_the_auroc_of_labelled_test_rows(labelled, params):
    labels = labelled.labels["test"]
    perfect = with_scores("sparse", labels.astype(float))
    upside_down = with_scores("variational", -labels.astype(float))
    is_better, reason = compare(perfect, upside_down, "1", labelled, params)
    assert is_better
    assert reason.startswith("test AUROC 1.0000 beats version 1's 0.0000: difference 1.0000, ")
    assert not compare(upside_down, perfect, "1", labelled, params).is_better
    assert not compare(perfect, perfect, "1", labelled, params).is_better


def test_without_labels_what_finds_anomalies_is_compared_by_the_order_of_types(table, params):
    for_anomalies = params.override({"goal": "anomaly"})
    scores = np.zeros(len(table.rows["test"]))
    first, *_, last = [with_scores(name, scores) for name in ANOMALY_TYPES]
    is_better, reason = compare(first, last, "1", table, for_anomalies)
    assert is_better
    assert "in the order of types on public sets" in reason
    assert not compare(last, first, "1", table, for_anomalies).is_better
    is_better, reason = compare(first, first, "1", table, for_anomalies)
    assert not is_better
    assert "test squared error" in reason
    rebuilding = with_scores(first.description.model_type, scores)
    rebuilding.description.params = {"goal": "reconstruct"}
    assert compare(last, rebuilding, "1", table, for_anomalies) == (
        True,
        "version 1 was trained to reconstruct",
    )
    assert not compare(rebuilding, rebuilding, "1", table, for_anomalies).is_better
