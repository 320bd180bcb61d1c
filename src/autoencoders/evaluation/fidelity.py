"""How faithfully a model rebuilds a split: the one measure of trials, the rate-distortion curve and the champion."""

from collections.abc import Callable

import numpy as np

from autoencoders.data.prepared import Prepared
from autoencoders.evaluation.metrics import explained_variance, squared_error


def fidelity(reconstruct: Callable[[np.ndarray], np.ndarray], data: Prepared, split: str) -> tuple[np.ndarray, float]:
    """Squared error in model scale, one value a row, and the share of the split's variance that is kept.

    reconstruct: gives raw-scale reconstructions of raw rows, both (rows, features).
    """
    raw = data.sample(split)
    x, x_hat = data.scaled(raw), data.scaled(reconstruct(raw))
    return squared_error(x, x_hat), explained_variance(x, x_hat, data.scaled(data.mean))
