"""The bounds of the search space that the taken values touch: beyond them may be better ones."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from autoencoders.params.architecture import DataFacts
from autoencoders.params.dimension import Dimension

NEAR = 0.02  # of a range of numbers that are not whole: so near to an end touches it
NAMES = {  # of parameters, in a sentence
    "network.code_size": "code size",
    "network.n_layers": "number of layers",
    "network.nodes_per_layer": "nodes per layer",
    "train.learning_rate": "learning rate",
    "train.batch_size": "batch size",
}


def touched(values: Mapping[str, Any], space: Sequence[Dimension], facts: DataFacts) -> list[str]:
    """A sentence on each end of a range that a value touches, and that can be widened."""
    sentences = []
    for dimension in space:
        value = values.get(dimension.param)
        if dimension.choices is not None or value is None:
            continue
        position = _position(value, dimension)
        margin = 0 if isinstance(value, int) else NEAR
        if position <= margin and not _is_least(value, dimension.param):
            sentences.append(_sentence(dimension.param, value, "smallest"))
        if position >= 1 - margin and not _is_most(value, dimension.param, facts):
            sentences.append(_sentence(dimension.param, value, "largest"))
    return sentences


def _position(value: float, dimension: Dimension) -> float:
    """The place of a value in its range, from 0 to 1; on the logarithm where it is drawn so."""
    low, high = dimension.low, dimension.high
    if dimension.log:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def _is_least(value: float, param: str) -> bool:
    """Whether no smaller value is possible, or makes sense."""
    if param == "network.n_layers":
        return value == 0
    return value == 0 or (isinstance(value, int) and value == 1)


def _is_most(value: float, param: str, facts: DataFacts) -> bool:
    """Whether the data allows no larger value."""
    return param == "network.code_size" and value >= facts.n_features - 1


def _sentence(param: str, value: float, end: str) -> str:
    name = NAMES.get(param, param)
    return f"{name} {value:.4g} is the {end} of the space: widen {param} in tune.space"
