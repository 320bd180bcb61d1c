"""The baselines: PCA at the same code size, the training rows' mean, an Isolation Forest."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np

# names of the baselines' rows
PCA = "pca"
MEAN = "mean"
ISOLATION_FOREST = "iforest"


@dataclass(frozen=True)
class Projection:
    """A linear encoder and decoder in model scale."""

    mean: np.ndarray  # (features,)
    components: np.ndarray  # (code, features), orthonormal rows

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Codes (rows, code)."""
        return (x - self.mean) @ self.components.T

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Reconstructions, not clipped to the data's range."""
        return self.encode(x) @ self.components + self.mean


class PrincipalComponents:
    """PCA of the training rows for all code sizes, from their covariance. Each row is read once."""

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        """blocks: (rows, features) each, the training split in model scale."""
        rows = iter(blocks)
        first = next(rows)
        # near the mean, so that subtracting it loses no digits
        origin = first.mean(0, dtype=np.float64)
        n = 0
        total = np.zeros_like(origin)
        products = np.zeros((origin.size, origin.size))
        for block in chain([first], rows):
            x = block - origin
            n += len(x)
            total += x.sum(0)
            products += x.T @ x
        offset = total / n
        covariance = products / n - np.outer(offset, offset)
        variances, directions = np.linalg.eigh(covariance)
        self.mean = origin + offset
        self.components = directions.T[np.argsort(-variances, kind="stable")]

    def at(self, code_size: int) -> Projection:
        """The best linear code of a size, or of all features if there are fewer.

        Of size 0, it reconstructs the mean.
        """
        return Projection(self.mean, self.components[:code_size])


def isolation_scores(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Anomaly scores (rows,) of the test rows. Liu et al. 2008, as in scikit-learn."""
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(random_state=seed).fit(train).score_samples(test)
