"""Networks: the order of layers, each activation, convolutions that mirror each other."""

import math
from typing import Any, get_args

import pytest
import torch
from torch import Tensor, nn

from autoencoders.models.jacobian import linear_layers
from autoencoders.models.networks import (
    ACTIVATIONS,
    ChannelsFirst,
    ChannelsLast,
    layers_of,
    mlp,
    pair,
)
from autoencoders.params.architecture import Architecture, layer_widths
from autoencoders.params.sections import Network
from gradients import gradient_of

FORMULAS = {
    "silu": lambda a: a / (1 + math.exp(-a)),
    "gelu": lambda a: a * (1 + math.erf(a / math.sqrt(2))) / 2,
    "relu": lambda a: max(a, 0.0),
    "tanh": lambda a: (math.exp(a) - math.exp(-a)) / (math.exp(a) + math.exp(-a)),
    "sigmoid": lambda a: 1 / (1 + math.exp(-a)),
    "identity": lambda a: a,
}


def linear_sizes(network: nn.Sequential) -> list[tuple[int, int]]:
    return [
        (layer.in_features, layer.out_features) for layer in network if isinstance(layer, nn.Linear)
    ]


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_computes_its_formula(name):
    values = [-5.0, -1.5, -0.25, 0.0, 0.25, 1.5, 5.0]
    expected = torch.tensor([FORMULAS[name](a) for a in values], dtype=torch.float64)
    torch.testing.assert_close(
        ACTIVATIONS[name]()(torch.tensor(values, dtype=torch.float64)), expected
    )


def test_the_activations_are_those_that_params_yaml_may_name():
    fields: dict[str, Any] = Network.model_fields
    named = {
        name
        for field in ("activation", "code_activation")
        for name in get_args(fields[field].annotation)
    }
    assert named - {"auto"} == set(ACTIVATIONS)


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


# convolutions


def conv(shape: tuple[int, ...], widths: tuple[int, ...], code_size: int = 3) -> Architecture:
    return Architecture(
        math.prod(shape), code_size, widths, "silu", "identity", "mse", "conv", shape
    )


def sizes_between(network: nn.Sequential, x: Tensor) -> list[tuple[int, ...]]:
    """Shapes of the inputs and outputs of each (transposed) convolution, without the batch."""
    shapes: list[tuple[int, ...]] = []
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
            shapes += [tuple(x.shape[1:])] if not shapes else []
            shapes.append(tuple(layer(x).shape[1:]))
        x = layer(x)
    return shapes


@pytest.mark.parametrize("colours", [(), (3,)])
@pytest.mark.parametrize("side", range(1, 41))
def test_convolutions_give_back_images_of_any_sides_grey_and_colour(side, colours):
    shape = (side, 41 - side, *colours)
    for n_layers in (1, 2, 3):
        encoder, decoder = pair(conv(shape, (2, 4, 5)[:n_layers]), code_outputs=2)
        x = torch.rand(2, math.prod(shape))
        assert encoder(x).shape == (2, 6)
        assert decoder(torch.rand(2, 3)).shape == x.shape


@pytest.mark.parametrize("shape", [(28, 28), (8, 8, 3), (7, 10), (1, 5, 3)])
def test_the_decoders_convolutions_mirror_the_encoders(shape):
    encoder, decoder = pair(conv(shape, (4, 6, 8)), code_outputs=1)
    there = sizes_between(layers_of(encoder), torch.rand(1, math.prod(shape)))
    back = sizes_between(layers_of(decoder), torch.rand(1, 3))
    assert there[0] == ((*shape, 1)[2], *shape[:2])
    assert back == there[::-1]
    inner, outer = (*linear_layers(encoder), *linear_layers(decoder))
    assert (
        (inner.in_features, inner.out_features)
        == (outer.out_features, outer.in_features)
        == (math.prod(there[-1]), 3)
    )


def test_each_convolution_has_half_the_nodes_of_the_one_before():
    widths = layer_widths(4, 32, code_size=8, kind="conv")
    assert widths == (4, 8, 16, 32)
    encoder, _ = pair(conv((32, 32), widths), code_outputs=1)
    nodes = [math.prod(size) for size in sizes_between(layers_of(encoder), torch.rand(1, 1024))[1:]]
    assert nodes == [nodes[0] // 2**layer for layer in range(4)]
    assert nodes[0] == 4 * 16 * 16


@pytest.mark.parametrize("sides", [(2, 3), (5, 4)])
@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_keep_their_places_on_the_way_to_channels_first_and_back(sides, channels):
    images = torch.rand(4, *sides, channels)
    there = ChannelsFirst(channels, sides)(images.flatten(1))
    for position in [(0, 0), (sides[0] - 1, 0), (0, sides[1] - 1)]:
        assert torch.equal(there[:, :, *position], images[:, *position])
    assert torch.equal(ChannelsLast()(there), images.flatten(1))


def test_a_convolution_sees_an_images_neighbouring_pixels_and_no_others():
    encoder, _ = pair(conv((9, 9), (1,)), code_outputs=1)
    x = torch.zeros(1, 81, requires_grad=True)
    layers = layers_of(encoder)
    layers[1](layers[0](x))[0, 0, 2, 3].backward()  # its field is centred on row 4, column 6
    seen = {(i // 9, i % 9) for i in gradient_of(x)[0].nonzero().flatten().tolist()}
    assert seen == {(row, column) for row in (3, 4, 5) for column in (5, 6, 7)}


# tied weights


def tied(widths: tuple[int, ...] = (5, 4)) -> tuple[nn.Sequential, nn.Sequential]:
    torch.manual_seed(0)
    architecture = Architecture(7, 3, widths, "tanh", "identity", "mse", tied=True)
    encoder, decoder = pair(architecture, code_outputs=1)
    return layers_of(encoder), layers_of(decoder)


def test_tied_decoders_multiply_by_the_encoders_transposed_weights():
    encoder, decoder = tied()
    first, second, third = (layer.weight for layer in encoder if isinstance(layer, nn.Linear))
    z = torch.rand(2, 3)
    wanted = torch.tanh(torch.tanh(z @ third) @ second) @ first
    torch.testing.assert_close(decoder(z), wanted)
    assert [tuple(p.shape) for p in decoder.parameters()] == [(4,), (5,), (7,)]


def test_tied_weights_are_trained_by_both_their_uses():
    encoder, decoder = tied(())
    x = torch.rand(6, 7)
    weight = linear_layers(encoder)[0].weight
    (both,) = torch.autograd.grad(decoder(encoder(x)).sum(), weight)
    (alone,) = torch.autograd.grad(decoder(encoder(x).detach()).sum(), weight)
    assert (both - alone).abs().max() > 0.1
    assert alone.abs().max() > 0.1
