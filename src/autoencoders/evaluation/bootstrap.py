"""Bootstrap: 95 % intervals of means over test rows. Efron 1979, percentile method."""

from collections.abc import Sequence

import numpy as np

from autoencoders.evaluation.metrics import Values
from autoencoders.evaluation.row import Interval
from autoencoders.models.trained.fidelity import explained_variance

INTERVAL_ENDS = (2.5, 97.5)  # percentiles of the resamples: the ends of a 95 % interval


def percentile_interval(resampled: np.ndarray | Sequence[float]) -> Interval:
    """The 95 % interval of a quantity from its values in the resamples."""
    low, high = np.percentile(resampled, INTERVAL_ENDS)
    return float(low), float(high)


class Bootstrap:
    """Resamples of the same rows for every metric and model, so that intervals are paired."""

    def __init__(self, rows: int, samples: int, seed: int) -> None:
        self.rows = rows
        self.samples = samples
        self.seed = seed

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means over each resample. values: (rows, metrics); gives (samples, metrics)."""
        rng = np.random.default_rng(self.seed)
        sums = []
        for _ in range(self.samples):
            resample = rng.integers(self.rows, size=self.rows)
            counts = np.bincount(resample, minlength=self.rows).astype(np.float64)
            sums.append(counts @ values)
        return np.stack(sums) / self.rows

    def intervals(self, values: Values) -> dict[str, tuple[float, float, float]]:
        """The mean and both ends of its 95 % interval, by name."""
        resampled = self.means(np.stack(list(values.values()), axis=1))
        lows, highs = np.percentile(resampled, INTERVAL_ENDS, axis=0).tolist()
        means = [float(column.mean()) for column in values.values()]
        return dict(zip(values, zip(means, lows, highs, strict=True), strict=True))

    def explained_variance(
        self, error: np.ndarray, deviation: np.ndarray
    ) -> tuple[float, float, float]:
        """The explained variance, with its interval. error, deviation: (rows,), squared.

        deviation: from the training mean.
        """
        means = self.means(np.stack([error, deviation], axis=1))
        resampled = 1 - means[:, 0] / means[:, 1]
        low, high = percentile_interval(resampled)
        return explained_variance(error, deviation), low, high
