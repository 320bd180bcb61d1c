"""The Jacobian's norm of every type, against torch's own Jacobian."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from autoencoders.models import AUTOENCODERS, base, build
from autoencoders.models.base import Autoencoder
from autoencoders.models.jacobian import linear_layers, squared_norm
from autoencoders.params.architecture import Architecture

FEATURES, CODE = 6, 5
TYPE_VALUES: dict[str, dict[str, Any]] = {
    "undercomplete": {},
    "sparse": {"penalty": "top_k", "weight": 0.1, "sparsity": 0.2, "k": 2},
    "contractive": {"weight": 0.1, "jacobian": "auto"},
    "denoising": {"corruption": "gaussian", "level": 0.1},
    "variational": {"beta": 1.0, "warmup": 0.0},
}
WIDTHS = [(), (9, 4, 7)]
every_type = pytest.mark.parametrize("model_type", TYPE_VALUES)


def built(
    model_type: str,
    widths: tuple[int, ...] = (),
    hidden: str = "silu",
    code: str = "identity",
    shape: tuple[int, ...] = (),
) -> Autoencoder:
    """In float64, with weights large enough that activations bend; convolutions for images."""
    torch.manual_seed(0)
    code = "identity" if model_type == "variational" else code
    network = Architecture(
        FEATURES, CODE, widths, hidden, code, "mse", "conv" if shape else "mlp", shape
    )
    model = build(model_type, network, TYPE_VALUES[model_type]).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) / 2)
    return model.requires_grad_(requires_grad=False)


def rows(n: int) -> Tensor:
    return torch.randn(n, FEATURES, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def torchs_norm(model: Autoencoder, x: Tensor) -> Tensor:
    """||dz/dx||_F of each row, from the whole Jacobian of the code that `encode` gives."""
    return torch.stack(
        [torch.autograd.functional.jacobian(model.encode, row[None]).norm() for row in x]
    )


def test_every_type_is_tested():
    assert set(TYPE_VALUES) == set(AUTOENCODERS)


@every_type
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("hidden", ["silu", "gelu", "relu", "tanh", "sigmoid"])
@pytest.mark.parametrize("code", ["identity", "relu", "tanh", "sigmoid"])
def test_the_norm_is_that_of_torchs_jacobian(model_type, widths, hidden, code):
    model, x = built(model_type, widths, hidden, code), rows(4)
    torch.testing.assert_close(model.jacobian_norm(x), torchs_norm(model, x))


@every_type
def test_the_norm_of_convolutions_is_that_of_torchs_jacobian(model_type):
    model, x = built(model_type, (2, 3), shape=(2, 3)), rows(4)
    torch.testing.assert_close(model.jacobian_norm(x), torchs_norm(model, x))


@every_type
@pytest.mark.parametrize("widths", WIDTHS)
@pytest.mark.parametrize("values", [1, 2 * CODE * 9, 2**24])  # one row a part, two or more, all
def test_the_parts_that_rows_are_taken_in_change_nothing(model_type, widths, values, monkeypatch):
    model, x = built(model_type, widths), rows(7)
    expected = model.jacobian_norm(x)
    monkeypatch.setattr(base, "JACOBIAN_VALUES", values)
    torch.testing.assert_close(model.jacobian_norm(x), expected)


def test_units_that_are_switched_off_do_not_move_with_the_input():
    sparse = built("sparse")
    weights, x = linear_layers(sparse.encoder)[0].weight, rows(4)
    on = (sparse.encode(x) != 0).double()
    assert (on.sum(1) == TYPE_VALUES["sparse"]["k"]).all()
    torch.testing.assert_close(sparse.jacobian_norm(x), (on @ weights.square().sum(1)).sqrt())


def test_of_one_layer_no_jacobian_is_held(monkeypatch):
    features, code = 300, 2000  # of 1,000 rows, Jacobians of 2.4 GB, and 16 GB of code by code
    model = build("undercomplete", Architecture(features, code, (), "silu", "identity", "mse"), {})
    monkeypatch.setattr(base, "JACOBIAN_VALUES", 2**40)
    norm = model.jacobian_norm(torch.zeros(1000, features))
    (layer,) = linear_layers(model.encoder)
    squared_norm = layer.weight.square().sum().item()
    assert norm[0].item() == pytest.approx(math.sqrt(squared_norm), rel=1e-5)


@pytest.mark.parametrize("batch", [1, 4, 100])
@pytest.mark.parametrize("inputs", [10, 30, 300])
def test_the_first_layer_enters_in_the_way_that_takes_fewer_products(batch, inputs):
    nodes = 20
    weights = [torch.ones(nodes, inputs), torch.ones(CODE, nodes)]
    slopes = [torch.ones(batch, nodes), torch.ones(batch, CODE)]
    with FlopCounterMode(display=False) as counter:
        squared_norm(weights, slopes)
    n_rows = batch * CODE  # of all Jacobians together
    by_weight = n_rows * nodes * inputs
    by_its_square = nodes * inputs * nodes + n_rows * nodes * nodes
    assert counter.get_total_flops() == 2 * min(by_weight, by_its_square)


def test_the_encoders_linear_layers_come_input_side_first():
    assert [
        layer.in_features for layer in linear_layers(built("undercomplete", (9, 4)).encoder)
    ] == [FEATURES, 9, 4]
