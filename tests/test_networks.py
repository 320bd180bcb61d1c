"""Layer stacks: what follows what, and what each activation computes."""

import math
from typing import Any, get_args

import pytest
import torch
from torch import nn

from autoencoders.networks import ACTIVATIONS, mlp
from autoencoders.params import Network

FORMULAS = {
    "silu": lambda a: a / (1 + math.exp(-a)),
    "gelu": lambda a: a * (1 + math.erf(a / math.sqrt(2))) / 2,
    "relu": lambda a: max(a, 0.0),
    "tanh": lambda a: (math.exp(a) - math.exp(-a)) / (math.exp(a) + math.exp(-a)),
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "identity": lambda a: a,
}


def linear_sizes(network: nn.Sequential) -> list[tuple[int, int]]:
    return [(layer.in_features, layer.out_features) for layer in network if isinstance(layer, nn.Linear)]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_computes_its_formula(name):
    values = [-5.0, -1.5, -0.25, 0.0, 0.25, 1.5, 5.0]
    expected = torch.tensor([FORMULAS[name](a) for a in values], dtype=torch.float64)
    torch.testing.assert_close(ACTIVATIONS[name]()(torch.tensor(values, dtype=torch.float64)), expected)


def test_the_activations_are_those_that_params_yaml_may_name():
    fields: dict[str, Any] = Network.model_fields
    named = {name for field in ("activation", "code_activation") for name in get_args(fields[field].annotation)}
    assert named == set(ACTIVATIONS)


@pytest.mark.parametrize("sizes", [[3, 2], [5, 4, 3], [9, 7, 7, 2, 30]])
def test_linear_layers_join_neighbouring_sizes(sizes):
    assert linear_sizes(mlp(sizes, "relu")) == list(zip(sizes[:-1], sizes[1:], strict=True))


@pytest.mark.parametrize("sizes", [[3, 2], [5, 4, 3], [9, 7, 7, 2, 30]])
def test_activations_stand_between_linear_layers_and_not_after_the_last(sizes):
    kinds = [type(layer) for layer in mlp(sizes, "gelu")]
    assert kinds == ([nn.Linear, nn.GELU] * len(sizes))[: 2 * (len(sizes) - 1) - 1]


def test_a_stack_computes_its_layers_one_after_another():
    network = mlp([4, 3, 2], "tanh")
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    hidden, output = (layer for layer in network if isinstance(layer, nn.Linear))
    expected = torch.tanh(x @ hidden.weight.T + hidden.bias) @ output.weight.T + output.bias
    torch.testing.assert_close(network(x), expected)


def test_an_unknown_activation_is_refused_by_name():
    with pytest.raises(KeyError, match="swish"):
        mlp([4, 3, 2], "swish")
