"""The shape of an encoder/decoder pair, once nothing is `auto` any more.

Free of torch, so that checking params.yaml is fast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True)
class Architecture:
    """The shape of a symmetric pair.

    features -> widths -> code_size -> widths reversed -> features.
    """

    n_features: int
    code_size: int
    widths: tuple[int, ...]  # nodes of the encoder's hidden layers, input side first
    activation: str  # of the hidden layers
    code_activation: str  # of the code
    loss: str  # mse, bce or l1: with bce the decoder's outputs are logits
    kind: str = "mlp"  # mlp or conv
    shape: tuple[int, ...] = ()  # of an image: rows, columns and, where there are several, channels
    tied: bool = False  # mlp: the decoder's weights are the encoder's, transposed
    # mlp: an affine map beside the hidden layers of both; the training starts as PCA
    linear_path: bool = False


def layer_widths(
    n_layers: int, nodes: int | Sequence[int], code_size: int, kind: str = "mlp"
) -> tuple[int, ...]:
    """Nodes (conv: channels) of each hidden layer of the encoder, input side first.

    mlp: a single number is the first layer's width; each further layer has half the nodes of the
    one before it, though not fewer than the code (nor more than the first layer). conv: it is the
    channels of the layer next to the code, and each layer before it has half of them: as every
    layer halves both sides of the image, its nodes fall by half too. A list is taken as it is.
    """
    if not isinstance(nodes, int):
        return tuple(nodes)
    widths = [nodes >> layer for layer in range(n_layers)]  # halved from layer to layer
    if kind == "conv":
        return tuple(max(1, channels) for channels in reversed(widths))
    floor = min(code_size, nodes)
    return tuple(max(width, floor) for width in widths)


class DataFacts(NamedTuple):
    """The facts about the data that networks, rules and defaults need."""

    n_features: int
    unit_interval: bool  # all values in model scale lie in [0, 1]
    # of one image: rows, columns and, where there are several, channels; of a table: nothing
    shape: tuple[int, ...] = ()
    rows: int = 1000  # of the training split
    anomaly_labels: bool = False  # one of the labels means an anomaly

    @property
    def kind(self) -> str:
        """Image or table."""
        return "image" if self.shape else "table"
