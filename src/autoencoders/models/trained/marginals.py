"""Each feature by itself: how far a value lies from the usual ones, and how rare it is.

An autoencoder that has learnt too little, or has learnt the anomalies too, rebuilds an unusual
value; the feature's own distribution still shows it.
"""

from typing import final

import torch
from torch import Tensor, nn

INTERVALS = 10  # between the nodes at which values are counted
REACH = 5.0  # deviations from the middle up to which nodes lie
SMALLEST_STEP = 1e-4  # between two nodes, in model scale: of a feature that is constant
UNSEEN = 1.0  # added to each count: values that no training row had are rare, not impossible


def student_t(squared: Tensor, variance: Tensor, degrees_of_freedom: float) -> Tensor:
    """The nats by which a density lies below its largest value, for each feature.

    Of a Student-t distribution (Lange, Little & Taylor 1989, "Robust statistical modeling using the
    t distribution"), under which a feature alone can't decide:

        (nu + 1) / 2 log(1 + squared_j / (nu variance_j))

    squared: (rows, features), squared deviations. variance: (features,).
    """
    factor = (degrees_of_freedom + 1) / 2
    return factor * (squared / (degrees_of_freedom * variance)).log1p()


@final
class Marginals(nn.Module):
    """The features' own distributions over training rows, in model scale."""

    def __init__(self, n_features: int) -> None:
        super().__init__()
        self.middle: Tensor = nn.Buffer(torch.zeros(n_features))  # the median
        self.variance: Tensor = nn.Buffer(torch.ones(n_features))  # about the median, of usual rows
        self.lowest: Tensor = nn.Buffer(torch.zeros(n_features))  # the first node
        self.step: Tensor = nn.Buffer(torch.ones(n_features))  # from node to node
        self.count: Tensor = nn.Buffer(
            torch.zeros(INTERVALS + 1, n_features)
        )  # of rows near each node

    def place_nodes(self, smallest: Tensor, largest: Tensor) -> None:
        """Sets nodes at equal steps up to REACH deviations from the middle, within the range.

        A few gross values would stretch nodes over the whole range and leave all others to one
        of them. smallest, largest: (features,), of the training rows.
        """
        reach = REACH * self.variance.sqrt()
        self.lowest = torch.maximum(self.middle - reach, smallest)
        highest = torch.minimum(self.middle + reach, largest)
        self.step = ((highest - self.lowest) / INTERVALS).clamp_min(SMALLEST_STEP)

    def add(self, x: Tensor) -> None:
        """Counts rows, each value at the two nodes around it, in parts by how near they are.

        x: (rows, features).
        """
        position = self._position(x)
        for node, count in enumerate(self.count):
            count += nearness(position, node).sum(0)

    def forward(self, x: Tensor, degrees_of_freedom: float) -> Tensor:
        """Each feature's surprise by itself, in nats: the larger one of distance and rarity.

        Result: (rows, features), 0 for the most usual value.
        """
        squared = (x - self.middle).square()
        return torch.maximum(student_t(squared, self.variance, degrees_of_freedom), self.rarity(x))

    def rarity(self, x: Tensor) -> Tensor:
        """The nats by which a value is rarer than the feature's most frequent ones.

        log(max_i count_i / count(x)), with count(x) linear between the nodes: a frequency polygon
        (Scott 1985), of which HBOS takes the bins (Goldstein & Dengel 2012). Between bins it would
        jump, and rounding would decide on which side a value lies. A value beyond all nodes is as
        rare as one at the last.
        """
        position = self._position(x)
        near = torch.zeros_like(position)
        for node, count in enumerate(self.count):
            near = near + nearness(position, node) * count
        # a polygon's rounding may exceed its largest node
        return ((self.count.amax(0) + UNSEEN) / (near + UNSEEN)).log().clamp_min(0)

    def _position(self, x: Tensor) -> Tensor:
        """Values in steps from the first node, from 0 to INTERVALS: (rows, features)."""
        return ((x - self.lowest) / self.step).clamp(0, INTERVALS)


def nearness(position: Tensor, node: int) -> Tensor:
    """The share of a value that counts at a node: 1 at the node, 0 from the next one on."""
    return (1 - (position - node).abs()).clamp_min(0)
