"""A training by the closed form is the one by autograd."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models import AUTOENCODERS, build, products
from autoencoders.params.params import Params
from autoencoders.training import closed_form
from autoencoders.training.closed_form import ClosedForm, covers
from autoencoders.training.fit import Fitted, fit
from autoencoders.training.machine import chosen_precision
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
