"""Metrics of reconstructions, one value a row; all in model scale."""

from collections.abc import Mapping

import numpy as np
import torch

from autoencoders.models.losses import PERFECT_ERROR
from autoencoders.models.trained.fidelity import squared_error

Values = Mapping[str, np.ndarray]  # per-row values by name, each (rows,)
# of a pixel: an output of float32 may be 0 or 1, where the cross-entropy would be infinite
SMALLEST_PROBABILITY = 1e-7
SSIM_WINDOW = 7  # pixels, scikit-image's default
SSIM_C1 = 0.01**2  # K1 = 0.01, for a range of 1
SSIM_C2 = 0.03**2  # K2 = 0.03


def psnr(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Peak signal-to-noise ratio in dB, one value a row, for a peak of 1 (100 dB at most)."""
    per_feature = squared_error(x, x_hat) / x.shape[1]
    return -10 * np.log10(np.maximum(per_feature, PERFECT_ERROR))


def bernoulli_cross_entropy(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    """Cross-entropy in nats summed over features, one value a row; x and x_hat in [0, 1]."""
    p = np.clip(x_hat.astype(np.float64), SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return -(x * np.log(p) + (1 - x) * np.log1p(-p)).sum(1)


def ssim(x: np.ndarray, x_hat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Structural similarity in [-1, 1], one value a row, for a range of 1; the channels' mean.

    Uniform 7 x 7 window (or the largest odd one that fits), positions where it fits the image,
    population variances. Wang et al. 2004, equation 13.
    """
    window = min(SSIM_WINDOW, *(_odd_up_to(side) for side in shape[:2]))
    a = _channels_first(x, shape)
    b = _channels_first(x_hat, shape)
    mean_a = _window_means(a, window)
    mean_b = _window_means(b, window)
    var_a = _window_means(a * a, window) - mean_a**2
    var_b = _window_means(b * b, window) - mean_b**2
    covariance = _window_means(a * b, window) - mean_a * mean_b
    luminance = (2 * mean_a * mean_b + SSIM_C1) / (mean_a**2 + mean_b**2 + SSIM_C1)
    structure = (2 * covariance + SSIM_C2) / (var_a + var_b + SSIM_C2)
    return (luminance * structure).mean((1, 2, 3)).numpy()


def _odd_up_to(side: int) -> int:
    """The largest odd number up to a side's length."""
    return side - 1 + side % 2


def _channels_first(rows: np.ndarray, shape: tuple[int, ...]) -> torch.Tensor:
    """Images (rows, channels, height, width) in double precision. shape: of one, channels last."""
    images = np.asarray(rows, np.float64).reshape(len(rows), *shape[:2], -1)
    return torch.from_numpy(images).permute(0, 3, 1, 2)


def _window_means(images: torch.Tensor, window: int) -> torch.Tensor:
    """Means over each square window that fits. images: (rows, channels, height, width).

    Sums of shifted images, because torch's pooling takes three times as long.
    """
    for axis in (2, 3):
        positions = images.shape[axis] - window + 1
        total = images.narrow(axis, 0, positions)
        for offset in range(1, window):
            total = total + images.narrow(axis, offset, positions)
        images = total / window
    return images


def reconstruction_metrics(
    x: np.ndarray, x_hat: np.ndarray, shape: tuple[int, ...], *, unit_interval: bool
) -> Values:
    """Every metric of a reconstruction, one value a row.

    x, x_hat: (rows, features); shape: of an image, () for other rows; unit_interval: x in [0, 1].
    """
    values = {
        "squared_error": squared_error(x, x_hat),
        "mse_per_feature": squared_error(x, x_hat) / x.shape[1],
        "mae_per_feature": np.abs(x - x_hat).mean(1, dtype=np.float64),
    }
    if not unit_interval:
        return values
    if shape:
        values["psnr"] = psnr(x, x_hat)
        values["ssim"] = ssim(x, x_hat, shape)
    # PCA's reconstructions leave [0, 1] and have no cross-entropy
    if x_hat.min() >= 0 and x_hat.max() <= 1:
        values["bce"] = bernoulli_cross_entropy(x, x_hat)
    return values
