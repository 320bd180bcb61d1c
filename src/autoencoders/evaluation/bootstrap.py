"""Bootstrap: 95 % intervals of means over test rows."""

import numpy as np

from autoencoders.evaluation.metrics import Values
from autoencoders.models.trained.fidelity import explained_variance


class Bootstrap:
    """Resamples of the same rows for every metric and model, so that intervals are paired."""

    def __init__(self, rows: int, samples: int, seed: int) -> None:
        self.rows, self.samples, self.seed = rows, samples, seed

    def means(self, values: np.ndarray) -> np.ndarray:
        """Means over each resample. values: (rows, metrics); gives (samples, metrics)."""
        rng = np.random.default_rng(self.seed)
        resamples = (rng.integers(self.rows, size=self.rows) for _ in range(self.samples))
        counts = (np.bincount(rows, minlength=self.rows).astype(np.float64) for rows in resamples)
        return np.stack([how_often @ values for how_often in counts]) / self.rows

    def intervals(self, values: Values) -> dict[str, tuple[float, float, float]]:
        """By name: mean, and the 2.5 and 97.5 percentiles of the resampled means (Efron 1979, percentile method)."""
        resampled = self.means(np.stack(list(values.values()), axis=1))
        low, high = np.percentile(resampled, [2.5, 97.5], axis=0).tolist()
        return {
            name: (float(values[name].mean()), low[i], high[i]) for i, name in enumerate(values)
        }

    def explained_variance(
        self, error: np.ndarray, deviation: np.ndarray
    ) -> tuple[float, float, float]:
        """The explained variance, with its interval."""
        resampled = self.means(np.stack([error, deviation], axis=1))
        low, high = np.percentile(1 - resampled[:, 0] / resampled[:, 1], [2.5, 97.5])
        return explained_variance(error, deviation), float(low), float(high)
