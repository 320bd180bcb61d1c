"""Metrics of reconstructions, one value a row; all in model scale."""

from collections.abc import Mapping
from functools import reduce

import numpy as np
import torch

from autoencoders.models.trained.fidelity import squared_error

Values = Mapping[str, np.ndarray]  # per-row values by name, each (rows,)
SMALLEST_ERROR = 1e-10  # mean squared error that counts as perfect: 100 dB
SSIM_WINDOW = 7  # pixels


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
    images = (
        torch.from_numpy(np.asarray(rows, np.float64).reshape(len(rows), *shape[:2], -1))
        for rows in (x, x_hat)
    )
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


def reconstruction_metrics(
    x: np.ndarray, x_hat: np.ndarray, shape: tuple[int, ...], *, unit_interval: bool
) -> Values:
    """Every metric of a reconstruction, one value a row. x, x_hat: (rows, features); shape: of an image."""
    values = {
        "squared_error": squared_error(x, x_hat),
        "mse_per_feature": squared_error(x, x_hat) / x.shape[1],
        "mae_per_feature": np.abs(x - x_hat).mean(1, dtype=np.float64),
    }
    if unit_interval:
        values |= {"psnr": psnr(x, x_hat), "ssim": ssim(x, x_hat, shape)} if shape else {}
        if (
            x_hat.min() >= 0 and x_hat.max() <= 1
        ):  # PCA's reconstructions leave [0, 1] and have no cross-entropy
            values["bce"] = bernoulli_cross_entropy(x, x_hat)
    return values
