"""The comparison with the champion: by the code where the goal ranks it, else by the test error."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from autoencoders.data.prepared.prepared import Prepared
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


def test_where_the_goal_is_to_compress_the_smaller_code_that_keeps_the_variance_wins(
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
