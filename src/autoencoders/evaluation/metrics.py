"""Metrics of reconstructions, one value a row, and their means with bootstrap intervals; all in model scale."""

from collections.abc import Callable, Mapping
from functools import reduce

import numpy as np
import torch

from autoencoders.data.prepared import Prepared

Values = Mapping[str, np.ndarray]  # per-row values by name, each (rows,)
SMALLEST_ERROR = 1e-10  # mean squared error that counts as perfect: 100 dB
SSIM_WINDOW = 7  # pixels


def squared_error(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Squared error summed over features, one value a row. x, x_hat: (rows, features)."""
    return np.square(x - x_hat, dtype=np.float64).sum(1)


def explained_variance(error: np.ndarray, deviation: np.ndarray) -> float:
    """1 - sum of squared errors / sum of squared deviations from the training mean, both (rows,)."""
    return float(1 - error.sum() / deviation.sum())


def fidelity(reconstruct: Callable[[np.ndarray], np.ndarray], data: Prepared, split: str) -> tuple[np.ndarray, float]:
    """Squared error in model scale, one value a row, and the share of the split's variance that is kept.

    The one measure of trials, the rate-distortion curve and the champion.
    reconstruct: gives raw-scale reconstructions of raw rows, both (rows, features).
    """
    raw = data.sample(split)
    x, x_hat = data.scaled(raw), data.scaled(reconstruct(raw))
    error = squared_error(x, x_hat)
    return error, explained_variance(error, squared_error(x, data.scaled(data.mean)))


def psnr(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio in dB, one value a row, for a peak of 1 (100 dB at most)."""
    return -10 * np.log10(np.maximum(squared_error(x, x_hat) / x.shape[1], SMALLEST_ERROR))


def bernoulli_cross_entropy(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Cross-entropy in nats summed over features, one value a row; x and x_hat in [0, 1]."""
    p = np.clip(x_hat.astype(np.float64), 1e-7, 1 - 1e-7)
    return -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(1)


def ssim(x: np.ndarray, x_hat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Structural similarity in [-1, 1], one value a row, for a range of 1; of colours, the channels' mean.

    Uniform 7 x 7 window (or the largest odd one that fits), positions where it fits the image, population variances,
    K1 = 0.01, K2 = 0.03. Wang et al. 2004, equation 13.
    """
    window = min(SSIM_WINDOW, *(side - 1 + side % 2 for side in shape[:2]))
    images = (torch.from_numpy(np.asarray(rows, np.float64).reshape(len(rows), *shape[:2], -1)) for rows in (x, x_hat))
    a, b = (channels_last.permute(0, 3, 1, 2) for channels_last in images)

    def mean(images: torch.Tensor) -> torch.Tensor:
        for axis in (2, 3):  # sums of shifted images, as pooling takes three times as long
            n = images.shape[axis] - window + 1
            shifted = (images.narrow(axis, i, n) for i in range(window))
            images = reduce(torch.Tensor.add, shifted) / window
        return images

    mean_a, mean_b = mean(a), mean(b)
    var_a, var_b = mean(a * a) - mean_a**2, mean(b * b) - mean_b**2
    covariance = mean(a * b) - mean_a * mean_b
    c1, c2 = 0.01**2, 0.03**2
    luminance = (2 * mean_a * mean_b + c1) / (mean_a**2 + mean_b**2 + c1)
    structure = (2 * covariance + c2) / (var_a + var_b + c2)
    return (luminance * structure).mean((1, 2, 3)).numpy()


def reconstruction_metrics(x: np.ndarray, x_hat: np.ndarray, shape: tuple[int, ...], *, unit_interval: bool) -> Values:
    """Every metric of a reconstruction, one value a row. x, x_hat: (rows, features); shape: of an image."""
    values = {
        "squared_error": squared_error(x, x_hat),
        "mse_per_feature": squared_error(x, x_hat) / x.shape[1],
        "mae_per_feature": np.abs(x - x_hat).mean(1, dtype=np.float64),
    }
    if unit_interval:
        values |= {"psnr": psnr(x, x_hat), "ssim": ssim(x, x_hat, shape)} if shape else {}
        if x_hat.min() >= 0 and x_hat.max() <= 1:  # PCA's reconstructions leave [0, 1] and have no cross-entropy
            values["bce"] = bernoulli_cross_entropy(x, x_hat)
    return values


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
        return {name: (float(values[name].mean()), low[i], high[i]) for i, name in enumerate(values)}

    def explained_variance(self, error: np.ndarray, deviation: np.ndarray) -> tuple[float, float, float]:
        """The explained variance, with its interval."""
        resampled = self.means(np.stack([error, deviation], axis=1))
        low, high = np.percentile(1 - resampled[:, 0] / resampled[:, 1], [2.5, 97.5])
        return explained_variance(error, deviation), float(low), float(high)
