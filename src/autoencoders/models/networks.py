"""Builders of the symmetric encoder/decoder pair."""

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from autoencoders.params.architecture import Architecture

ACTIVATIONS: dict[str, type[nn.Module]] = {
    "silu": nn.SiLU,
    "gelu": nn.GELU,
    "relu": nn.ReLU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "identity": nn.Identity,
}


def mlp(sizes: Sequence[int], activation: str) -> nn.Sequential:
    """Linear layers from sizes[0] inputs to sizes[-1] outputs, with the activation between them."""
    layers: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return nn.Sequential(*layers[:-1])


def pair(a: Architecture, code_outputs: int) -> tuple[nn.Module, nn.Module]:
    """Encoder and decoder: (batch, features) to (batch, code_size * code_outputs), and back.

    The decoder takes (batch, code_size). code_outputs: the encoder's outputs for each code unit.
    Weights are drawn as in Glorot & Bengio 2010; with torch's default, the signals of deep networks
    fade.
    """
    build_pair = conv_pair if a.kind == "conv" else mlp_pair
    encoder, decoder = build_pair(a, code_outputs)
    for module in (*encoder.modules(), *decoder.modules()):
        if isinstance(module, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return encoder, decoder


def mlp_pair(a: Architecture, code_outputs: int) -> tuple[nn.Module, nn.Module]:
    """Linear layers; the decoder mirrors the encoder, with its weights where they are tied.

    With a linear path both have an affine map beside their hidden layers.
    """
    n_outputs = a.code_size * code_outputs
    encoder = mlp([a.n_features, *a.widths, n_outputs], a.activation)
    # built for tied weights too: each model draws the same random numbers
    decoder = mlp([a.code_size, *reversed(a.widths), a.n_features], a.activation)
    if a.tied:
        decoder = transposed(encoder)
    if not (a.linear_path and a.widths):
        return encoder, decoder
    to_code = nn.Linear(a.n_features, n_outputs, bias=False)
    from_code: nn.Module = nn.Linear(a.code_size, a.n_features, bias=False)
    if a.tied:
        from_code = Transposed(to_code, bias=False)
    return LinearPath(encoder, to_code), LinearPath(decoder, from_code)


def transposed(encoder: nn.Sequential) -> nn.Sequential:
    """The encoder's layers in reverse, linear ones with transposed weights."""
    layers: list[nn.Module] = []
    for layer in reversed(encoder):
        if isinstance(layer, nn.Linear):
            layers.append(Transposed(layer))
        else:
            layers.append(layer)
    return nn.Sequential(*layers)


def conv_pair(a: Architecture, code_outputs: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Convolutions of 3 x 3 with stride 2, then a linear layer; the decoder mirrors them.

    a.shape: (rows, columns) or (rows, columns, channels), channels last, as images are stored, of
    any size; a.widths: channels.
    """
    height, width, colours = (*a.shape, 1)[:3]
    channels = [colours, *a.widths]
    sides = [(math.ceil(height / 2**i), math.ceil(width / 2**i)) for i in range(len(channels))]
    encoder: list[nn.Module] = [ChannelsFirst(colours, sides[0])]
    decoder: list[nn.Module] = []
    for i, (inputs, outputs) in enumerate(zip(channels, channels[1:], strict=False)):
        encoder += [nn.Conv2d(inputs, outputs, 3, stride=2, padding=1), ACTIVATIONS[a.activation]()]
        rows, columns = sides[i]
        padding = (1 - rows % 2, 1 - columns % 2)  # an even side is one pixel longer
        deconvolution = nn.ConvTranspose2d(
            outputs, inputs, 3, stride=2, padding=1, output_padding=padding
        )
        decoder = [ACTIVATIONS[a.activation](), deconvolution, *decoder]
    nodes = channels[-1] * sides[-1][0] * sides[-1][1]
    encoder += [nn.Flatten(), nn.Linear(nodes, a.code_size * code_outputs)]
    first = [nn.Linear(a.code_size, nodes), nn.Unflatten(1, (channels[-1], *sides[-1]))]
    return nn.Sequential(*encoder), nn.Sequential(*first, *decoder, ChannelsLast())


class Transposed(nn.Module):
    """A linear layer with another one's weights, transposed, and its own bias.

    Vincent et al. 2010, section 2.2.
    """

    def __init__(self, layer: nn.Linear, *, bias: bool = True) -> None:
        """bias: whether there is one."""
        super().__init__()
        self.layer = (layer,)  # hidden from `parameters`, which has its weights already
        self.bias = nn.Parameter(torch.zeros(layer.in_features)) if bias else None

    def forward(self, z: Tensor) -> Tensor:
        """(batch, in_features) from z: (batch, out_features), as the other layer counts them."""
        return nn.functional.linear(z, self.layer[0].weight.t(), self.bias)


class LinearPath(nn.Module):
    """Layers with an affine map beside them: W x + f(x), whose bias is that of f's last layer."""

    def __init__(self, layers: nn.Sequential, path: nn.Module) -> None:
        """layers: f; path: W."""
        super().__init__()
        self.layers = layers
        self.path = path

    def forward(self, x: Tensor) -> Tensor:
        """(batch, outputs) from x: (batch, inputs)."""
        return self.path(x) + self.layers(x)


def layers_of(half: nn.Module) -> nn.Sequential:
    """The layers of an encoder or a decoder, without the linear path beside them."""
    return cast(nn.Sequential, half.layers if isinstance(half, LinearPath) else half)


def path_weight(half: nn.Module) -> Tensor | None:
    """The linear path's weight of an encoder (outputs, inputs); None without a path."""
    if not isinstance(half, LinearPath):
        return None
    return cast(nn.Linear, half.path).weight


@torch.no_grad()
def start_as(half: nn.Module, weight: Tensor, bias: Tensor) -> None:
    """Makes an encoder or a decoder the affine map `weight @ x + bias`, by its linear path.

    Its layers' output is then the bias alone, as the last one's weights are 0. Where these are the
    other half's, transposed, that half has to start first: its own last weights are 0. weight:
    (outputs, inputs); bias: (outputs,).
    """
    layers = layers_of(half)
    last = layers[-1]
    if not isinstance(half, LinearPath):
        if isinstance(last, nn.Linear):
            last.weight.copy_(weight)
        cast(Tensor, last.bias).copy_(bias)
        return
    if isinstance(half.path, nn.Linear):
        half.path.weight.copy_(weight)
    if isinstance(last, nn.Linear):
        last.weight.zero_()
    cast(Tensor, last.bias).zero_()
    rest = layers(weight.new_zeros(1, weight.shape[1]))[0]
    cast(Tensor, last.bias).copy_(bias - rest)


class ChannelsFirst(nn.Module):
    """Rows of pixels (batch, rows * columns * channels) as (batch, channels, rows, columns)."""

    def __init__(self, channels: int, sides: tuple[int, int]) -> None:
        """sides: rows, columns."""
        super().__init__()
        self.channels = channels
        self.sides = sides

    def forward(self, x: Tensor) -> Tensor:
        """Images of rows."""
        return x.reshape(-1, *self.sides, self.channels).permute(0, 3, 1, 2)


class ChannelsLast(nn.Module):
    """The inverse of ChannelsFirst."""

    def forward(self, x: Tensor) -> Tensor:
        """Rows of images."""
        return x.permute(0, 2, 3, 1).flatten(1)
