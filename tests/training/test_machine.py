"""A training's precision and threads."""

import pytest
import pytorch_lightning as pl
import torch

from autoencoders.models import build
from autoencoders.training import machine
from autoencoders.training.fit import fit
from autoencoders.training.machine import batches_a_step, chosen_precision
from trainings import QUICK


@pytest.mark.parametrize("gains", [True, False])
@pytest.mark.parametrize(
    ("asked", "width", "precision"),
    [
        ("auto", 32, "32-true"),
        ("32-true", 4096, "32-true"),
        ("bf16-mixed", 32, "bf16-mixed"),
        ("auto", 4096, "as the processor gains"),
    ],
)
def test_bf16_is_taken_where_it_is_asked_for_or_a_wide_network_gains(
    asked, width, precision, gains, params, data, monkeypatch
):
    monkeypatch.setattr(machine, "bf16_gains", lambda: gains)
    values = {"network.nodes_per_layer": [width, width], "train.precision": asked}
    params, facts = params.override({**QUICK, **values}), data.description.facts
    pair = build("undercomplete", params.plan("undercomplete", facts).architecture, {})
    if precision == "as the processor gains":
        precision = "bf16-mixed" if gains else "32-true"
    assert chosen_precision(params.plan("undercomplete", facts).train, pair) == precision


@pytest.mark.parametrize("n_features", [1, 64, 3072, 150_528])
def test_a_step_takes_one_batch_or_several_that_fit_a_processors_cache(n_features, params, data):
    train = params.plan("undercomplete", data.description.facts).train
    batches = batches_a_step(train, n_features)
    row_bytes = 4 * n_features
    assert batches == 1 or batches * train.batch_size * row_bytes <= 8 * 2**20


class Threads(pl.Callback):
    """The number of threads of a training."""

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.found = torch.get_num_threads()


@pytest.mark.parametrize(("asked", "result"), [(1, 1), (2, 2), ("auto", 1)])
def test_a_training_takes_the_threads_it_is_given_and_gives_them_back(asked, result, params, data):
    threads, before = Threads(), torch.get_num_threads()
    params = params.override({**QUICK, "train.epochs": 1, "train.threads": asked})
    fit(params.plan("undercomplete", data.description.facts), data, callbacks=[threads])
    assert (threads.found, torch.get_num_threads()) == (result, before)
