"""Metrics against scikit-image, torch and closed forms."""

import math

import numpy as np
import pytest
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from autoencoders.evaluation.metrics import (
    bernoulli_cross_entropy,
    psnr,
    reconstruction_metrics,
    ssim,
)
from autoencoders.models.trained.fidelity import squared_error


def pair(rows: int, features: int, noise: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    """Rows in [0, 1] and noisy copies of them in [0, 1]."""
    rng = np.random.default_rng(0)
    x = rng.random((rows, features))
    return x, np.clip(x + noise * rng.normal(size=x.shape), 0, 1)


# --- errors ---


def test_squared_error_is_summed_over_features_for_each_row():
    x, x_hat = pair(5, 3)
    expected = [
        math.fsum((a - b) ** 2 for a, b in zip(*rows, strict=True))
        for rows in zip(x, x_hat, strict=True)
    ]
    np.testing.assert_allclose(squared_error(x, x_hat), expected, rtol=1e-14)


@pytest.mark.parametrize("shape", [(8, 8), (28, 28)])
def test_psnr_equals_scikit_images(shape: tuple[int, int]):
    x, x_hat = pair(6, math.prod(shape))
    expected = [peak_signal_noise_ratio(a, b, data_range=1) for a, b in zip(x, x_hat, strict=True)]
    np.testing.assert_allclose(psnr(x, x_hat), expected, rtol=1e-12)


def test_a_tenth_of_the_error_everywhere_is_20_decibels_more_and_no_error_is_100():
    x, x_hat = pair(6, 64)
    np.testing.assert_allclose(psnr(x, x + 0.1 * (x_hat - x)), psnr(x, x_hat) + 20, rtol=1e-12)
    np.testing.assert_array_equal(psnr(x, x), 100)


def test_cross_entropy_equals_torchs():
    x, x_hat = pair(6, 64)
    x_hat = np.clip(x_hat, 0.001, 0.999)
    expected = torch.nn.functional.binary_cross_entropy(
        torch.from_numpy(x_hat), torch.from_numpy(x), reduction="none"
    ).sum(1)
    np.testing.assert_allclose(bernoulli_cross_entropy(x, x_hat), expected.numpy(), rtol=1e-12)


def test_cross_entropy_of_a_coin_is_log_2_a_feature_and_of_certain_errors_finite():
    x = pair(6, 64)[0]
    np.testing.assert_allclose(
        bernoulli_cross_entropy(x, np.full_like(x, 0.5)), 64 * math.log(2), rtol=1e-12
    )
    certain = np.array([[0.0, 1.0]], np.float32)
    assert bernoulli_cross_entropy(certain, certain)[0] == pytest.approx(0, abs=1e-6)
    assert np.isfinite(bernoulli_cross_entropy(certain, 1 - certain)).all()


# --- structural similarity ---


@pytest.mark.parametrize(
    ("shape", "window"),
    [((8, 8), 7), ((28, 28), 7), ((8, 28), 7), ((7, 7), 7), ((6, 9), 5), ((5, 5), 5), ((4, 4), 3)],
)
def test_ssim_equals_scikit_images_with_the_largest_odd_window_up_to_7(
    shape: tuple[int, int], window: int
):
    x, x_hat = pair(6, math.prod(shape))
    expected = [
        structural_similarity(
            a.reshape(shape),
            b.reshape(shape),
            win_size=window,
            data_range=1,
            use_sample_covariance=False,
        )
        for a, b in zip(x, x_hat, strict=True)
    ]
    np.testing.assert_allclose(ssim(x, x_hat, shape), expected, rtol=0, atol=1e-10)


def test_ssim_is_1_for_the_same_image_symmetric_and_lower_the_more_noise():
    x, _ = pair(6, 64)
    np.testing.assert_allclose(ssim(x, x, (8, 8)), 1, rtol=0, atol=1e-12)
    noisy = [pair(6, 64, noise)[1] for noise in (0.05, 0.2, 0.8)]
    np.testing.assert_allclose(ssim(x, noisy[0], (8, 8)), ssim(noisy[0], x, (8, 8)), rtol=1e-12)
    means = [ssim(x, x_hat, (8, 8)).mean() for x_hat in noisy]
    assert 1 > means[0] > means[1] > means[2]


def test_ssim_of_two_even_greys_is_their_luminance_term():
    a, b = 0.2, 0.6
    expected = (2 * a * b + 0.01**2) / (a**2 + b**2 + 0.01**2)
    result = ssim(np.full((1, 64), a), np.full((1, 64), b), (8, 8))
    np.testing.assert_allclose(result, expected, rtol=1e-9)


# --- all of them ---


def test_per_feature_metrics_are_means_where_the_others_are_sums():
    x, x_hat = pair(6, 64)
    values = reconstruction_metrics(x, x_hat, (8, 8), unit_interval=True)
    np.testing.assert_allclose(values["mse_per_feature"], ((x - x_hat) ** 2).mean(1), rtol=1e-12)
    np.testing.assert_allclose(values["squared_error"], 64 * values["mse_per_feature"], rtol=1e-12)
    np.testing.assert_allclose(values["mae_per_feature"], np.abs(x - x_hat).mean(1), rtol=1e-12)
    np.testing.assert_array_equal(values["psnr"], psnr(x, x_hat))
    np.testing.assert_array_equal(values["ssim"], ssim(x, x_hat, (8, 8)))
    assert {len(column) for column in values.values()} == {6}


def test_metrics_that_need_values_between_0_and_1_are_left_out_where_there_are_others():
    x, x_hat = pair(6, 64)
    names = {"squared_error", "mse_per_feature", "mae_per_feature"}
    assert set(reconstruction_metrics(x, x_hat, (8, 8), unit_interval=False)) == names
    assert set(reconstruction_metrics(x, x_hat, (8, 8), unit_interval=True)) == names | {
        "psnr",
        "ssim",
        "bce",
    }
    for leaving in (x_hat - 1e-3 - x_hat.min(), x_hat + 1e-3 + 1 - x_hat.max()):
        assert set(reconstruction_metrics(x, leaving, (8, 8), unit_interval=True)) == names | {
            "psnr",
            "ssim",
        }
