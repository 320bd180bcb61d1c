"""PCA of the training rows: the best linear code, by which others are judged and may start."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from typing import final

import numpy as np
from threadpoolctl import threadpool_limits


@dataclass(frozen=True)
class Projection:
    """A linear encoder and decoder in model scale."""

    mean: np.ndarray  # (features,)
    components: np.ndarray  # (code, features), orthonormal rows
    deviations: np.ndarray  # (code,): of the training rows' codes, the largest first

    def encode(self, x: np.ndarray) -> np.ndarray:
        """Codes (rows, code)."""
        return (x - self.mean) @ self.components.T

    def reconstruct(self, x: np.ndarray) -> np.ndarray:
        """Reconstructions, not clipped to the data's range."""
        return self.encode(x) @ self.components + self.mean


class PrincipalComponents:
    """PCA of the training rows for all code sizes. Each row is read once.

    The components are the eigenvectors of the features' covariance, the largest variance first
    (Jolliffe 2002, "Principal component analysis", section 1.1). Of fewer rows than features, they
    come from the rows' Gram matrix, which is smaller: see `Snapshots`.
    """

    def __init__(self, blocks: Iterable[np.ndarray]) -> None:
        """blocks: (rows, features) each, the training split in model scale."""
        rows = iter(blocks)
        first = next(rows)
        n_features = first.shape[1]
        held = leading(chain([first], rows), n_features)
        # several threads sum in another order, and the training may have fewer than the evaluation
        with threadpool_limits(1):
            if sum(map(len, held)) < n_features:
                self.fitted: Covariance | Snapshots = Snapshots(np.concatenate(held))
            else:
                self.fitted = Covariance(chain(held, rows))
        self.mean = self.fitted.mean

    def at(self, code_size: int) -> Projection:
        """The best linear code of a size, or of all features or rows if there are fewer.

        Of size 0, it reconstructs the mean. Each component's largest value is positive.
        """
        with threadpool_limits(1):
            components = self.fitted.components(code_size)
        largest = np.abs(components).argmax(1)
        signs = np.sign(components[np.arange(len(components)), largest])
        deviations = np.sqrt(self.fitted.variances[: len(components)])
        return Projection(self.mean, signs[:, None] * components, deviations)


def leading(blocks: Iterator[np.ndarray], n_rows: int) -> list[np.ndarray]:
    """The blocks up to the one that completes n_rows rows; all blocks if they have fewer rows."""
    held: list[np.ndarray] = []
    n = 0
    while n < n_rows:
        block = next(blocks, None)
        if block is None:
            break
        held.append(block)
        n += len(block)
    return held


@final
class Covariance:
    """Principal components as eigenvectors of the features' covariance (features, features)."""

    def __init__(self, blocks: Iterator[np.ndarray]) -> None:
        """blocks: (rows, features) each."""
        first = next(blocks)
        # near the mean, so that subtracting it loses no digits
        origin = first.mean(0, dtype=np.float64)
        n = 0
        total = np.zeros_like(origin)
        products = np.zeros((origin.size, origin.size))
        for block in chain([first], blocks):
            x = block - origin
            n += len(x)
            total += x.sum(0)
            products += x.T @ x
        offset = total / n
        covariance = products / n - np.outer(offset, offset)
        variances, directions = np.linalg.eigh(covariance)
        order = np.argsort(-variances, kind="stable")
        self.mean = origin + offset  # (features,)
        self.variances = variances[order].clip(0)  # (features,): rounding makes some negative
        self.directions = directions.T[order]

    def components(self, n: int) -> np.ndarray:
        """The first n components, orthonormal: (n, features)."""
        return self.directions[:n]


@final
class Snapshots:
    """Principal components as weighted sums of the rows, which are fewer than the features.

    The weights are eigenvectors of the rows' Gram matrix (rows, rows): where X X' u = s u, X' u is
    an eigenvector of X' X. Sirovich 1987, "Turbulence and the dynamics of coherent structures",
    part I, the method of snapshots.
    """

    def __init__(self, rows: np.ndarray) -> None:
        """rows: (rows, features)."""
        self.mean = rows.mean(0, dtype=np.float64)  # (features,)
        self.centred = rows - self.mean
        squares, weights = np.linalg.eigh(self.centred @ self.centred.T)
        order = np.argsort(-squares, kind="stable")
        self.variances = squares[order].clip(0) / len(rows)  # (rows,)
        self.weights = weights[:, order]  # a column a component

    def components(self, n: int) -> np.ndarray:
        """The first n components, orthonormal: (n, features); as many as rows, at most.

        The orthogonalisation gives them length 1, and takes out of those of small variance what
        rounding put there of larger ones.
        """
        directions, _ = np.linalg.qr(self.centred.T @ self.weights[:, :n])
        return directions.T
