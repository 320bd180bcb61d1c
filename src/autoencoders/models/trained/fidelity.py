"""Fidelity: squared errors of reconstructions, and the share of the variance that they explain."""

from collections.abc import Callable

import numpy as np

from autoencoders.data.prepared.prepared import Prepared


def squared_error(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Squared error summed over features, one value a row. x, x_hat: (rows, features)."""
    return np.square(x - x_hat, dtype=np.float64).sum(1)


def explained_variance(error: np.ndarray, deviation: np.ndarray) -> float:
    """1 - sum of squared errors / sum of squared deviations from the training mean.

    error, deviation: (rows,), squared and summed over features.
    """
    return float(1 - error.sum() / deviation.sum())


def fidelity(
    reconstruct: Callable[[np.ndarray], np.ndarray], data: Prepared, split: str
) -> tuple[np.ndarray, float]:
    """Squared error in model scale, one value a row, and the split's explained variance.

    Trials, the rate-distortion curve and the champion are all measured by it. reconstruct: gives
    raw-scale reconstructions of raw rows, both (rows, features).
    """
    raw = data.sample(split)
    x = data.scaled(raw)
    x_hat = data.scaled(reconstruct(raw))
    error = squared_error(x, x_hat)
    deviation = squared_error(x, data.scaled(data.mean))
    return error, explained_variance(error, deviation)
