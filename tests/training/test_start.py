"""A training that starts as PCA: epoch 0, in curves and among the best epochs."""

import math

import numpy as np
import pytest

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.pca import PrincipalComponents
from autoencoders.models.trained.fidelity import squared_error
from autoencoders.models.trained.saved import TRAIN_LOSS, VALIDATION_LOSS, load_history, save
from autoencoders.params.params import Params
from autoencoders.training.fit import Fitted, fit
from trainings import QUICK, StopError, same, trained

START = {**QUICK, "network.linear_path": True, "network.code_size": 2, "train.trim": 0.0}
LINEAR = {
    "undercomplete": {},
    "sparse": {
        "models.sparse.penalty": "l1",
        "models.sparse.network.code_activation": "identity",
    },
    "contractive": {},
    "denoising": {},
    "variational": {},
}


def fitted(params: Params, table: Prepared, model_type: str, **values: object) -> Fitted:
    """A short training of a table that starts as PCA."""
    changed = params.override({**START, **LINEAR[model_type], "data.name": "table", **values})
    return fit(changed.plan(model_type, table.description.facts), table)


def pca_error(table: Prepared, split: str) -> float:
    """PCA's squared error at the code size, in model scale."""
    x = table.scaled(table.sample(split))
    pca = PrincipalComponents(map(table.scaled, table.rows["train"])).at(2)
    return float(squared_error(x, pca.reconstruct(x)).mean())


@pytest.mark.parametrize("model_type", LINEAR)
def test_epoch_0_has_pcas_errors(model_type, params, table):
    start, *others = fitted(params, table, model_type).history
    assert start[VALIDATION_LOSS] == pytest.approx(pca_error(table, "validation"), rel=1e-4)
    assert len(others) == QUICK["train.epochs"]
    if model_type in ("undercomplete", "contractive", "sparse"):
        assert start[TRAIN_LOSS] == pytest.approx(pca_error(table, "train"), rel=1e-4)
    assert all(math.isfinite(value) for value in start.values())


@pytest.mark.parametrize("model_type", LINEAR)
def test_a_start_that_no_epoch_improves_on_is_the_best_one_where_the_loss_is_the_error_alone(
    model_type, params, table
):
    """A rate of learning that spoils the weights; a penalty or noise wants something else."""
    spoiling = {"train.learning_rate": 1.0, "train.patience": 2}
    result = fitted(params, table, model_type, **spoiling)
    description = result.model.description
    if model_type == "undercomplete":
        assert description.best_epoch == 0
        assert description.epochs == 2
        x = table.sample("test")
        error = squared_error(table.scaled(result.model.reconstruct(x)), table.scaled(x)).mean()
        assert error == pytest.approx(pca_error(table, "test"), rel=1e-3)
    else:
        assert description.best_epoch > 0


def test_the_log_and_the_table_of_curves_begin_with_epoch_0(params, table, tmp_path):
    logged: list[int] = []
    changed = params.override({**START, "data.name": "table"})
    plan = changed.plan("undercomplete", table.description.facts)
    result = fit(plan, table, log=lambda epoch, _: logged.append(epoch))
    assert logged == list(range(QUICK["train.epochs"] + 1))
    save(result.model, result.history, tmp_path / "model")
    lines = (tmp_path / "model" / "history.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [str(epoch) for epoch in logged]
    assert load_history(tmp_path / "model") == result.history


@pytest.mark.parametrize("model_type", LINEAR)
def test_a_training_that_was_stopped_ends_with_the_same_weights_and_curves(
    model_type, params, table, tmp_path
):
    changed = params.override({**START, **LINEAR[model_type], "data.name": "table"})
    whole = trained(model_type, changed, table, tmp_path / "whole")
    with pytest.raises(StopError):
        trained(model_type, changed, table, tmp_path / "parts", until=3)
    assert same(trained(model_type, changed, table, tmp_path / "parts"), whole)


def test_without_a_linear_path_epochs_are_counted_from_1(params, table):
    changed = params.override({**QUICK, "data.name": "table", "network.linear_path": False})
    result = fit(changed.plan("undercomplete", table.description.facts), table)
    assert len(result.history) == result.model.description.epochs == QUICK["train.epochs"]
    assert np.isfinite(result.history[0][VALIDATION_LOSS])
