"""A training by the closed form is the one by autograd."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models import AUTOENCODERS, build, products
from autoencoders.models.base import Autoencoder, Loss
from autoencoders.models.jacobian import linear_layers
from autoencoders.models.networks import layers_of
from autoencoders.models.types.undercomplete import Undercomplete
from autoencoders.params.architecture import Architecture
from autoencoders.params.params import Params
from autoencoders.training import closed_form
from autoencoders.training.closed_form import ClosedForm, covers
from autoencoders.training.fit import Fitted, fit
from autoencoders.training.machine import chosen_precision
from autoencoders.training.resume import ResumePoint
from trainings import QUICK, StopError, same, trained

COVERED = [name for name in AUTOENCODERS if name != "contractive"]
EPOCHS = {"train.epochs": 3, "train.patience": 0, "train.batch_size": 100}
TABLE = {"data.name": "table"}
RULE = "autoencoders.training.closed_form.covers"


def by_both(
    model_type: str, params: Params, data: Prepared, monkeypatch: pytest.MonkeyPatch
) -> tuple[Fitted, Fitted]:
    """Two trainings: by the closed form, and by autograd."""
    plan = params.plan(model_type, data.description.facts)
    steps = 0
    original = ClosedForm.step

    def counted(*arguments: Any) -> Any:
        nonlocal steps
        steps += 1
        return original(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(ClosedForm, "step", counted)
        closed = fit(plan, data)
    assert steps, "the closed form took no step"
    with monkeypatch.context() as patch:
        patch.setattr(RULE, lambda *_: False)
        return closed, fit(plan, data)


def assert_close(closed: Fitted, autograd: Fitted) -> None:
    """Weights within rounding in 32 bits, logged means within 1e-6."""
    weights = autograd.model.autoencoder.state_dict()
    for name, weight in closed.model.autoencoder.state_dict().items():
        torch.testing.assert_close(weight, weights[name], rtol=1e-3, atol=1e-4, msg=name)
    for ours, theirs in zip(closed.history, autograd.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("model_type", AUTOENCODERS)
def test_at_the_defaults_of_digits_weights_have_the_same_bytes(
    model_type, params, data, monkeypatch
):
    params = params.override({"train.epochs": 3, "data.name": "digits"})
    plan = params.plan(model_type, data.description.facts)
    closed = fit(plan, data)
    monkeypatch.setattr(RULE, lambda *_: False)
    autograd = fit(plan, data)
    weights = autograd.model.state_dict()
    for name, weight in closed.model.state_dict().items():
        assert torch.equal(weight, weights[name]), name
    for ours, theirs in zip(closed.history, autograd.history, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-6)


@pytest.mark.parametrize("model_type", COVERED)
@pytest.mark.parametrize("loss", ["mse", "bce", "l1"])
def test_every_loss(loss, model_type, params, data, monkeypatch):
    params = params.override({**EPOCHS, "network.loss": loss, "network.linear_path": False})
    assert_close(*by_both(model_type, params, data, monkeypatch))


@pytest.mark.parametrize("activation", ["silu", "gelu", "relu", "tanh", "sigmoid"])
def test_every_activation(activation, params, data, monkeypatch):
    params = params.override({**EPOCHS, "network.activation": activation})
    assert_close(*by_both("variational", params, data, monkeypatch))


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid"])
def test_every_activation_of_the_code(activation, params, data, monkeypatch):
    params = params.override({**EPOCHS, "network.code_activation": activation})
    assert_close(*by_both("undercomplete", params, data, monkeypatch))


VALUES = {
    "clipped": {"train.gradient_clip": 0.1},
    "augmented": {"train.augment": 1.0},
    "trimmed": {"train.trim": 0.3},  # from the second epoch on: batches of another size
    "one hidden layer": {"network.n_layers": 1},
    "no hidden layer": {"network.n_layers": 0},
    "linear path": {"network.linear_path": True, "network.loss": "mse"},
    "linear path, no hidden layer": {
        "network.linear_path": True,
        "network.loss": "mse",
        "network.n_layers": 0,
    },
    "a short last batch": {"train.batch_size": 37},
}


@pytest.mark.parametrize("model_type", ["undercomplete", "denoising", "variational"])
@pytest.mark.parametrize("values", VALUES.values(), ids=VALUES)
def test_every_way_of_training(values, model_type, params, data, monkeypatch):
    params = params.override({**EPOCHS, **values})
    batch_size = params.plan(model_type, data.description.facts).train.batch_size
    assert len(data.rows["train"]) % batch_size, "every batch is full"
    assert_close(*by_both(model_type, params, data, monkeypatch))


@pytest.mark.parametrize("penalty", ["kl", "l1", "top_k"])
def test_every_penalty_of_sparse_codes(penalty, params, data, monkeypatch):
    params = params.override({**EPOCHS, "models.sparse.penalty": penalty})
    if penalty == "top_k":
        params = params.override({"models.sparse.k": 3, "models.sparse.anneal": 0.7})
    assert_close(*by_both("sparse", params, data, monkeypatch))


@pytest.mark.parametrize("corruption", ["gaussian", "masking", "salt_and_pepper"])
def test_every_corruption(corruption, params, data, monkeypatch):
    params = params.override({**EPOCHS, "models.denoising.corruption": corruption})
    assert_close(*by_both("denoising", params, data, monkeypatch))


def test_a_table_with_the_linear_path_of_its_defaults(params, table, monkeypatch):
    params = params.override({**EPOCHS, **TABLE})
    assert params.plan("undercomplete", table.description.facts).architecture.linear_path
    for model_type in ("undercomplete", "variational"):
        assert_close(*by_both(model_type, params, table, monkeypatch))


@pytest.mark.parametrize("model_type", COVERED)
@pytest.mark.parametrize("trim", [0.0, 0.2])
def test_a_training_that_was_stopped_ends_with_the_same_bytes(
    trim, model_type, params, data, tmp_path
):
    params = params.override({**QUICK, "train.trim": trim})
    whole = trained(model_type, params, data, tmp_path / "whole")
    with pytest.raises(StopError):
        trained(model_type, params, data, tmp_path / "stopped", until=3)
    assert same(trained(model_type, params, data, tmp_path / "stopped"), whole)


def test_a_trained_model_s_weights_share_no_memory(params, data):
    plan = params.override(QUICK).plan("undercomplete", data.description.facts)
    weights = list(fit(plan, data).model.autoencoder.parameters())
    assert len({weight.untyped_storage().data_ptr() for weight in weights}) == len(weights)


def test_a_model_that_was_stopped_behind_its_last_epoch_shares_no_memory_either(
    params, data, tmp_path, monkeypatch
):
    original = ResumePoint.on_train_epoch_end

    def save_and_stop(self: ResumePoint, trainer: Any, module: Any) -> None:
        original(self, trainer, module)
        if trainer.current_epoch + 1 == trainer.max_epochs:
            raise StopError

    params = params.override(QUICK)
    with monkeypatch.context() as patch:
        patch.setattr(ResumePoint, "on_train_epoch_end", save_and_stop)
        with pytest.raises(StopError):
            trained("undercomplete", params, data, tmp_path)
    weights = list(trained("undercomplete", params, data, tmp_path).model.autoencoder.parameters())
    assert len({weight.untyped_storage().data_ptr() for weight in weights}) == len(weights)


# a type of one's own


class NoisyInput(Autoencoder):
    """Changes the encoder's input, and is no type that cleans rows."""

    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:
        return x + torch.randn(x.shape, generator=generator)


class ShortWeights(Autoencoder):
    """A penalty on the weights themselves."""

    weight = 0.01

    def training_code(
        self, a: Tensor, generator: torch.Generator, progress: float
    ) -> tuple[Tensor, Tensor]:
        squares = [weight.square().sum() for weight in self.parameters()]
        return self.code(a, progress), torch.stack(squares).sum()


class Cycle(Autoencoder):
    """A penalty on what the encoder makes of a reconstruction, by all weights once more."""

    weight = 0.1

    def training_code(
        self, a: Tensor, generator: torch.Generator, progress: float
    ) -> tuple[Tensor, Tensor]:
        z = self.code(a, progress)
        again = self.encoder(self.decoder(z))
        return z, (again - z).square().sum(-1).mean()


class OtherActivation(Autoencoder):
    """A code activation that no parameter names."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.code_activation = nn.Softplus()


@pytest.mark.parametrize("own", [NoisyInput, ShortWeights, Cycle, OtherActivation])
def test_it_trains_a_type_of_one_s_own_as_autograd_does(own, params, data, monkeypatch):
    monkeypatch.setitem(AUTOENCODERS, "undercomplete", own)
    assert_close(*by_both("undercomplete", params.override(EPOCHS), data, monkeypatch))


class OwnReconstructionLoss(Autoencoder):
    """Weighs rows."""

    def reconstruction_loss(self, z: Tensor, x: Tensor) -> Tensor:
        return super().reconstruction_loss(z, x) * x.mean(-1)


class OwnEncode(Autoencoder):
    """Encodes otherwise than by its `code`."""

    def encode(self, x: Tensor, progress: float = 1.0) -> Tensor:
        return super().encode(x, progress).tanh()


class OwnLoss(Autoencoder):
    """Trains the code of another input by a loss as a whole."""

    def loss(self, x: Tensor, generator: torch.Generator, progress: float = 1.0) -> Loss:
        return super().loss(x.flip(0), generator, progress)


class Scaled(Autoencoder):
    """A weight beside those of encoder and decoder."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.scale = nn.Parameter(torch.ones(architecture.code_size))


class SharedBias(Autoencoder):
    """A bias of two layers."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        linear_layers(self.decoder)[0].bias = linear_layers(self.encoder)[0].bias


class Frozen(Autoencoder):
    """A weight that is not to be trained."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        linear_layers(self.encoder)[0].weight.requires_grad_(False)


class Residual(nn.Module):
    """Layers beside which the input goes on."""

    def __init__(self, layers: nn.Module) -> None:
        super().__init__()
        self.layers = layers

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


class OwnDecoder(Autoencoder):
    """A decoder of another kind."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.decoder = nn.Sequential(*layers_of(self.decoder), Residual(nn.Linear(64, 64)))


class OwnModule(Autoencoder):
    """An encoder that is no list of layers."""

    def __init__(self, architecture: Architecture) -> None:
        super().__init__(architecture)
        self.encoder = Residual(nn.Linear(64, 64))


OTHERS = [
    OwnReconstructionLoss,
    OwnEncode,
    OwnLoss,
    Scaled,
    SharedBias,
    Frozen,
    OwnDecoder,
    OwnModule,
]


@pytest.mark.parametrize("own", OTHERS)
def test_a_type_that_is_more_than_these_parts_takes_autograd_s_step(own, params, data):
    plan = params.override({"network.n_layers": 1}).plan("undercomplete", data.description.facts)
    assert covers(Undercomplete(plan.architecture), plan.train, "32-true")
    assert not covers(own(plan.architecture), plan.train, "32-true")


# what takes autograd's step


def covered(params: Params, data: Prepared, model_type: str, values: dict[str, Any]) -> bool:
    """Whether the rule lets a training take the closed form."""
    plan = params.override({**QUICK, **values}).plan(model_type, data.description.facts)
    autoencoder = build(plan.model_type, plan.architecture, plan.type_values)
    return covers(autoencoder, plan.train, chosen_precision(plan.train, autoencoder))


ORDINARY = {
    "contractive": ("contractive", {}),
    "tied": ("undercomplete", {"network.tied": True}),
    "conv": ("undercomplete", {"network.kind": "conv", "network.nodes_per_layer": 4}),
    "importance-weighted": (
        "variational",
        {"models.variational.importance_samples": 2, "models.variational.beta": 1.0},
    ),
    "bf16": ("undercomplete", {"train.precision": "bf16-mixed"}),
}


@pytest.mark.parametrize(("model_type", "values"), ORDINARY.values(), ids=ORDINARY)
def test_what_the_closed_form_does_not_cover(model_type, values, params, data):
    assert not covered(params, data, model_type, values)


@pytest.mark.parametrize("model_type", COVERED)
def test_what_it_covers(model_type, params, data):
    assert covered(params, data, model_type, {})


def test_several_devices_and_a_gpu_take_autograd_s_step(params, data, monkeypatch):
    plan = params.plan("undercomplete", data.description.facts)
    autoencoder = build(plan.model_type, plan.architecture, plan.type_values)
    one = plan.train
    two = one.model_copy(update={"devices": 2})
    assert covers(autoencoder, one, "32-true")
    assert not covers(autoencoder, two, "32-true")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert not covers(autoencoder, one, "32-true")


# products


def test_where_onednn_gains_it_computes_the_large_products(params, data, monkeypatch):
    monkeypatch.setattr(closed_form, "onednn_gains", lambda: True)
    monkeypatch.setattr(products, "FROM", 1)
    called = []
    original = products._linear

    def linear(*arguments: Any) -> None:
        called.append(arguments)
        original(*arguments)

    monkeypatch.setattr(products, "_linear", linear)
    params = params.override(EPOCHS)
    assert_close(*by_both("variational", params, data, monkeypatch))
    assert called


def test_a_torch_without_onednns_operator_trains_with_mkl(params, data, monkeypatch):
    monkeypatch.setattr(closed_form, "onednn_gains", lambda: True)
    monkeypatch.setattr(products, "FROM", 1)
    monkeypatch.setattr(torch.ops, "mkldnn", SimpleNamespace())
    params = params.override(QUICK)
    fit(params.plan("undercomplete", data.description.facts), data)
