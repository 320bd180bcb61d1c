"""What every autoencoder is compared with: PCA at the same code size, and the training rows' mean."""

from dataclasses import dataclass

import numpy as np
from sklearn.decomposition import PCA


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
    """PCA of the training rows, fitted once for all code sizes."""

    def __init__(self, x: np.ndarray) -> None:
        """x: (rows, features), the training split in model scale."""
        fitted = PCA(svd_solver="covariance_eigh").fit(x.astype(np.float64))
        self.mean, self.components = fitted.mean_, fitted.components_

    def at(self, code_size: int) -> Projection:
        """The best linear code of that size; of all features where there are fewer."""
        return Projection(self.mean, self.components[:code_size])


def mean_predictor(x: np.ndarray) -> Projection:
    """Rebuilds every row as the training rows' mean: a code of size 0."""
    return Projection(x.mean(0, dtype=np.float64), np.zeros((0, x.shape[1])))
