"""The Lightning module: divergence, binarised rows, precision, trimming, learning rate."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from autoencoders.core.errors import DivergedError
from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models import AUTOENCODERS
from autoencoders.models.base import Loss
from autoencoders.models.types.undercomplete import Undercomplete
from autoencoders.models.types.variational import Variational
from autoencoders.params.params import Params
from autoencoders.training import machine
from autoencoders.training.callbacks import SELECTION_METRIC
from autoencoders.training.fit import fit
from autoencoders.training.flat_optimizer import FlatAdamW
from autoencoders.training.module import TRIM_AFTER, TrainingModule
from autoencoders.training.optimizer import LeanAdamW
from autoencoders.training.schedule import warmup_cosine
from no_values import copies_of
from trainings import QUICK, same, trained

# divergence


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_becomes_nan_or_inf_stops_with_causes_and_keeps_the_last_good_checkpoint(
    value, params, data, tmp_path, monkeypatch
):
    def training_code(
        self: Variational, a: torch.Tensor, generator: torch.Generator, progress: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        z, penalty = original(self, a, generator, progress)
        return z, penalty + value if progress >= 0.5 else penalty

    original = Variational.training_code
    monkeypatch.setattr(Variational, "training_code", training_code)
    with pytest.raises(DivergedError) as message:
        trained(
            "variational", params.override({**QUICK, "train.learning_rate": 0.01}), data, tmp_path
        )
    assert f"train/penalty became {value} in epoch 3. Likely causes:" in str(message.value)
    assert "train.learning_rate = 0.01 is too high" in str(message.value)
    kept = tmp_path / "resume/last.ckpt"
    assert str(kept) in str(message.value)
    checkpoint = torch.load(kept, weights_only=True)
    assert len(checkpoint["callbacks"]["History"]["epochs"]) == 2
    assert all(torch.isfinite(v).all() for v in checkpoint["state_dict"].values())


def test_weights_that_overflow_stop_the_training(params, data, tmp_path):
    """A step multiplies each weight by 1 - rate * decay.

    In the first epoch that is less than 1, in the last ones -39.
    """
    wild = {
        "train.learning_rate": 1.0,
        "train.weight_decay": 40.0,
        "train.epochs": 30,
        "train.warmup": 0.9,
    }
    with pytest.raises(
        DivergedError, match=r"became (nan|inf) in epoch \d+.*the last good checkpoint is kept"
    ):
        trained("variational", params.override({**QUICK, **wild}), data, tmp_path)
    kept = torch.load(tmp_path / "resume/last.ckpt", weights_only=True)
    assert all(torch.isfinite(v).all() for v in kept["state_dict"].values())


def test_a_loss_that_is_nan_at_once_says_that_there_is_no_checkpoint(params, data, tmp_path):
    data = replace(data, scale=data.scale / 1e30)
    with pytest.raises(DivergedError, match=r"epoch 1.*no epoch was completed"):
        trained("undercomplete", params.override({**QUICK, "network.loss": "mse"}), data, tmp_path)


# batches and errors


@pytest.fixture
def trained_batches(monkeypatch: pytest.MonkeyPatch) -> list[torch.Tensor]:
    """The batches, in model scale, that the undercomplete type is trained on from here on."""
    batches: list[torch.Tensor] = []

    def loss(
        self: Undercomplete, x: torch.Tensor, generator: torch.Generator, progress: float
    ) -> Loss:
        if torch.is_grad_enabled():  # not in a validation
            batches.append(x)
        return original(self, x, generator, progress)

    original = Undercomplete.loss
    monkeypatch.setattr(Undercomplete, "loss", loss)
    return batches


def test_binarised_rows_are_0_or_1_with_their_values_chance_and_drawn_anew_in_each_epoch(
    params, data, trained_batches
):
    drawn = replace(data, description=replace(data.description, binarise=True))
    fit(
        params.override({**QUICK, "train.epochs": 40}).plan(
            "undercomplete", drawn.description.facts
        ),
        drawn,
    )
    epochs = torch.cat(trained_batches).unflatten(0, (40, -1))
    assert set(epochs.unique().tolist()) == {0.0, 1.0}
    assert (
        len({tuple(epoch.mean(0).tolist()) for epoch in epochs}) == 40
    )  # the rows' order alone changes no mean
    rows = data.scaled(data.sample("train"))
    deviation = np.sqrt((rows * (1 - rows)).mean(0) / len(rows) / 40)
    assert (np.abs(epochs.mean((0, 1)).numpy() - rows.mean(0)) < 5 * deviation + 1e-6).all()


def test_validation_error_is_the_clean_error_of_the_saved_weights(params, data, tmp_path):
    fitted = trained("denoising", params.override(QUICK), data, tmp_path)
    model = fitted.model.eval()
    x = model.scaled(torch.from_numpy(data.sample("validation")))
    clean = model.autoencoder.reconstruction_loss(model.autoencoder.encode(x), x).mean().item()
    assert math.isclose(
        clean, fitted.history[model.description.best_epoch - 1][SELECTION_METRIC], rel_tol=1e-5
    )


def test_clipping_bounds_what_a_step_may_change(params, data, tmp_path):
    free, clipped = (
        trained(
            "undercomplete",
            params.override({**QUICK, "train.gradient_clip": clip}),
            data,
            tmp_path / str(clip),
        )
        for clip in (0.0, 1e-3)
    )
    assert not same(free, clipped)


@pytest.mark.parametrize("trim", [0.0, 0.2])
@pytest.mark.parametrize("model_type", AUTOENCODERS)
def test_with_bf16_products_weights_and_evaluation_stay_fp32_and_the_error_is_as_good(
    model_type, trim, params, data, tmp_path
):
    params = params.override({**QUICK, "train.epochs": 8, "train.trim": trim})
    full = trained(model_type, params, data, tmp_path / "full")
    mixed = trained(
        model_type, params.override({"train.precision": "bf16-mixed"}), data, tmp_path / "mixed"
    )
    assert mixed.model.description.params["train.precision"] == "bf16-mixed"
    assert {weight.dtype for weight in mixed.model.autoencoder.parameters()} == {torch.float32}
    assert not same(full, mixed)
    assert mixed.history[-1][SELECTION_METRIC] == pytest.approx(
        full.history[-1][SELECTION_METRIC], rel=0.05
    )
    if not trim:
        x = mixed.model.scaled(torch.from_numpy(data.sample("validation")))
        clean = (
            mixed.model.autoencoder.reconstruction_loss(mixed.model.autoencoder.encode(x), x)
            .mean()
            .item()
        )
        assert clean == pytest.approx(
            mixed.history[mixed.model.description.best_epoch - 1][SELECTION_METRIC], rel=1e-5
        )


def test_a_single_epoch_has_no_warm_up_of_beta(params, data):
    values = {**QUICK, "train.epochs": 1, "models.variational.warmup": 0.5}
    with_beta, without = (
        fit(
            params.override({**values, "models.variational.beta": beta}).plan(
                "variational", data.description.facts
            ),
            data,
        ).history[0]
        for beta in (10.0, 0.0)
    )
    assert with_beta["val/penalty"] < without["val/penalty"]


# devices


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"train.trim": 0.1, "train.augment": 1.0, "train.gradient_clip": 1.0},
        {"network.kind": "conv", "network.nodes_per_layer": 8, "network.n_layers": 2},
    ],
    ids=["", "options", "conv"],
)
@pytest.mark.parametrize("model_type", AUTOENCODERS)
def test_no_step_asks_a_device_for_a_value_or_copies_to_it(
    model_type, values, params, data, monkeypatch
):
    monkeypatch.setattr(machine, "BATCHES_A_STEP", 2)
    small = {"train.epochs": 2, "train.batch_size": 128, "network.linear_path": False}
    plan = params.override({**QUICK, **small, **values}).plan(model_type, data.description.facts)
    copies = copies_of(lambda callbacks: fit(plan, data, callbacks=callbacks, trial=True))
    assert copies
    assert not [copy for copy in copies if copy.in_steps]


# trimming


def module(params: Params, model_type: str, data: Prepared, trim: float) -> TrainingModule:
    """A training's module before its first epoch."""
    params, facts = params.override({**QUICK, "train.trim": trim}), data.description.facts
    model = fit(
        params.override({"train.epochs": 1}).plan(model_type, data.description.facts), data
    ).model
    return TrainingModule(model, params.plan(model_type, facts).train, seed=1, rows=1)


@pytest.mark.parametrize("model_type", AUTOENCODERS)
@pytest.mark.parametrize("trim", [0.1, 0.25, 0.5])
def test_the_rows_left_out_of_a_batch_are_the_ones_that_are_rebuilt_worst(
    model_type, trim, params, data
):
    shell = module(params, model_type, data, trim)
    autoencoder, x = (
        shell.model.autoencoder,
        shell.model.scaled(torch.from_numpy(data.sample("test", 50))),
    )
    kept = {tuple(row) for row in shell.trimmed(x).tolist()}
    with torch.no_grad():
        error = autoencoder.reconstruction_loss(autoencoder.encode(x), x)
        error += shell.penalty_weight * autoencoder.divergence(x)
    order = error.argsort().tolist()
    n = 50 - int(trim * 50)
    assert kept == {tuple(x[i].tolist()) for i in order[:n]}
    assert len(kept) == n < 50


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_of_the_smallest_batch_a_row_is_left(params, data, rows):
    shell = module(params, "undercomplete", data, 0.5)
    x = shell.model.scaled(torch.from_numpy(data.sample("test", rows)))
    assert len(shell.trimmed(x)) == rows - rows // 2


class Trims(pl.Callback):
    """Whether a training's batches are trimmed, by epoch."""

    def __init__(self) -> None:
        self.trims: list[bool] = []

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        self.trims.append(pl_module.trims)


@pytest.mark.parametrize("model_type", ["undercomplete", "variational"])
def test_nothing_is_left_out_before_a_fifth_of_the_training(model_type, params, data):
    trims, epochs = Trims(), 10
    runs = [
        fit(
            params.override({**QUICK, "train.epochs": epochs, "train.trim": trim}).plan(
                model_type, data.description.facts
            ),
            data,
            callbacks=callbacks,
        )
        for trim, callbacks in ((0.3, [trims]), (0.0, []))
    ]
    assert trims.trims == [epoch >= TRIM_AFTER * epochs for epoch in range(epochs)]
    losses = [[means["train/reconstruction_loss"] for means in run.history] for run in runs]
    assert losses[0][:2] == losses[1][:2]
    assert losses[0][2] < losses[1][2]  # the mean of the batches' better rows


def test_trimming_keeps_a_training_from_learning_its_anomalies(params, data, tmp_path):
    rng, clean = np.random.default_rng(0), data.sample("train")
    spoilt = clean.copy()
    bad = rng.choice(len(spoilt), len(spoilt) // 10, replace=False)
    spoilt[bad] = 16 * (rng.random((1, 64)) > 0.5)  # all anomalies are alike: easy to learn
    np.save(tmp_path / "train.npy", spoilt)
    contaminated = replace(data, rows={**data.rows, "train": Blocks(tmp_path / "train.npy")})
    message = []
    for trim in (0.0, 0.2):
        changed = params.override({**QUICK, "train.epochs": 8, "train.trim": trim})
        model = fit(changed.plan("undercomplete", data.description.facts), contaminated).model
        errors = [
            np.square(model.reconstruct(rows) - rows).sum(1).mean() for rows in (spoilt[bad], clean)
        ]
        message.append(errors[0] / errors[1])
    assert message[1] > 2 * message[0]


# the learning rate


def test_the_learning_rate_rises_linearly_and_falls_to_0_along_a_cosine():
    steps, warmup = 100, 0.1
    factors = [warmup_cosine(step, steps, warmup) for step in range(steps + 1)]
    rises = [b - a for a, b in zip(factors[:10], factors[1:10], strict=False)]
    assert all(math.isclose(rise, 1 / 11) for rise in rises)
    assert max(factors) == factors[10] == 1.0
    assert math.isclose(factors[55], 0.5)
    assert math.isclose(factors[100], 0.0, abs_tol=1e-12)


@pytest.mark.parametrize(
    ("model_type", "optimizer"), [("undercomplete", FlatAdamW), ("contractive", LeanAdamW)]
)
@pytest.mark.parametrize("batches_a_step", [1, 3, 64])
def test_every_step_takes_its_own_place_in_the_schedule(
    batches_a_step, model_type, optimizer, params, data, monkeypatch
):
    rates = []
    update = optimizer.update

    def recorded(self: FlatAdamW | LeanAdamW, rate: float, clip: float) -> None:
        rates.append(rate)
        update(self, rate, clip)

    monkeypatch.setattr(optimizer, "update", recorded)
    monkeypatch.setattr(machine, "BATCHES_A_STEP", batches_a_step)
    fit(params.override(QUICK).plan(model_type, data.description.facts), data)
    train = params.plan("undercomplete", data.description.facts).train
    steps = QUICK["train.epochs"] * math.ceil(len(data.rows["train"]) / train.batch_size)
    assert rates == [
        train.learning_rate * warmup_cosine(step, steps, train.warmup) for step in range(steps)
    ]


@pytest.mark.parametrize("until", [0.2, 0.6, 1.0])
def test_images_are_augmented_in_epochs_before_augment_until_and_in_no_other(
    until, params, data, trained_batches
):
    values = {"train.epochs": 5, "train.augment": 1.0, "train.augment_until": until}
    plan = params.override({**QUICK, **values}).plan("undercomplete", data.description.facts)
    model = fit(plan, data).model
    images = set(map(tuple, model.scaled(torch.from_numpy(data.sample("train"))).tolist()))
    unchanged = []
    for epoch in torch.cat(trained_batches).unflatten(0, (5, -1)).tolist():
        unchanged.append(sum(tuple(row) in images for row in epoch))
    augmented = round(until * 5)
    assert unchanged == [0] * augmented + [len(data.rows["train"])] * (5 - augmented)


def test_rows_that_are_no_images_are_trained_on_as_they_are(params, table, trained_batches):
    values = {"train.epochs": 1, "data.name": "table", "network.linear_path": False}
    params = params.override({**QUICK, **values})
    model = fit(params.plan("undercomplete", table.description.facts), table).model
    rows = model.scaled(torch.from_numpy(table.sample("train"))).tolist()
    assert sorted(torch.cat(trained_batches).tolist()) == sorted(rows)


def test_the_strength_of_augmentation_changes_a_training(params, data):
    mild, strong = (
        fit(
            params.override({**QUICK, "train.epochs": 1, "train.augment": strength}).plan(
                "undercomplete", data.description.facts
            ),
            data,
        )
        for strength in (0.5, 1.0)
    )
    assert not same(mild, strong)
