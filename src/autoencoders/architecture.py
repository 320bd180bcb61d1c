"""The shape of an encoder/decoder pair once nothing is `auto` any more; free of torch, so that checking is fast."""

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Architecture:
    """The shape of a symmetric pair: features -> widths -> code_size -> widths reversed -> features."""

    n_features: int
    code_size: int
    widths: tuple[int, ...]  # nodes of the encoder's hidden layers, input side first
    activation: str  # of the hidden layers
    code_activation: str  # of the code
    loss: str  # mse, bce or l1: with bce the decoder's outputs are logits


def layer_widths(n_layers: int, nodes_per_layer: int | Sequence[int], code_size: int) -> tuple[int, ...]:
    """Nodes of each hidden layer of the encoder, input side first.

    A single number is the first layer's width; each further layer has half the nodes of the one before it, though not
    fewer than the code (nor more than the first layer). A list is taken as it is.
    """
    if not isinstance(nodes_per_layer, int):
        return tuple(nodes_per_layer)
    floor = min(code_size, nodes_per_layer)
    return tuple(max(nodes_per_layer >> layer, floor) for layer in range(n_layers))


def default_code_size(n_features: int) -> int:
    """The code size that `auto` stands for: the square root of the number of features (64 -> 8, 784 -> 28)."""
    return max(1, round(math.sqrt(n_features)))
