"""fit: a deterministic training, described and logged."""

import pytest
import pytorch_lightning as pl
import torch

from autoencoders.training.callbacks import SELECTION_METRIC
from autoencoders.training.fit import fit
from trainings import QUICK, StopError, same, trained


def test_a_training_without_log_or_resume_point_is_the_same_training(params, data, tmp_path):
    params = params.override({**QUICK, "train.epochs": 2})
    assert same(
        fit(params.plan("denoising", data.description.facts), data),
        trained("denoising", params, data, tmp_path),
    )


def test_each_epoch_is_logged_once_with_what_the_history_keeps(params, data):
    logged = []
    fitted = fit(
        params.override(QUICK).plan("denoising", data.description.facts),
        data,
        log=lambda epoch, means: logged.append((epoch, means)),
    )
    assert logged == list(enumerate(fitted.history, 1))


def test_the_model_says_which_execution_trained_it(params, data):
    fitted = fit(
        params.override({**QUICK, "train.epochs": 1}).plan("undercomplete", data.description.facts),
        data,
        fingerprint="f" * 32,
    )
    assert fitted.model.description.fingerprint == "f" * 32


@pytest.mark.filterwarnings("error")
def test_a_training_warns_of_nothing(params, data):
    params = params.override({**QUICK, "train.epochs": 1})
    fit(params.plan("undercomplete", data.description.facts), data)


def test_the_seed_decides_everything(params, data, tmp_path):
    params = params.override({**QUICK, "train.epochs": 1})
    first, again, other = (
        trained("denoising", params.override({"seed": seed}), data, tmp_path / name)
        for name, seed in (("a", 1), ("b", 1), ("c", 2))
    )
    assert same(first, again)
    assert not same(first, other)


@pytest.mark.parametrize(
    ("model_type", "type_values"),
    [
        ("contractive", {"models.contractive.weight": 0.0}),
        ("denoising", {"models.denoising.level": 0.0}),
        ("sparse", {"models.sparse.weight": 0.0}),
    ],
)
def test_with_weight_0_a_whole_training_equals_undercomplete_exactly(
    model_type, type_values, params, data, tmp_path
):
    params = params.override(
        {**QUICK, **type_values, "network.code_activation": "sigmoid"}
    ).override({})
    params = params.model_copy(
        update={"models": params.models.model_copy(update={"variational": None})}
    )
    plain = trained("undercomplete", params, data, tmp_path / "plain")
    limit = trained(model_type, params, data, tmp_path / "limit")
    assert all(
        torch.equal(v, limit.model.state_dict()[k]) for k, v in plain.model.state_dict().items()
    )
    assert [e[SELECTION_METRIC] for e in plain.history] == [
        e[SELECTION_METRIC] for e in limit.history
    ]


@pytest.mark.parametrize(("trial", "num_nodes"), [(False, 3), (True, 1)])
def test_a_training_takes_as_many_machines_as_it_is_given_and_a_trial_one(
    trial, num_nodes, params, data, monkeypatch
):
    trainers = []

    def start(trainer: pl.Trainer, *args: object, **kwargs: object) -> None:
        trainers.append(trainer)
        raise StopError  # the other machines would be waited for

    monkeypatch.setattr(pl.Trainer, "fit", start)
    params = params.override({**QUICK, "train.num_nodes": 3})
    with pytest.raises(StopError):
        fit(params.plan("undercomplete", data.description.facts), data, trial=trial)
    (trainer,) = trainers
    assert trainer.num_nodes == num_nodes
