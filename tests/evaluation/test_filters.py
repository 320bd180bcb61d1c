"""Cleaning corrupted inputs: each filter against its definition.

The corrupted rows are those that the model sees.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.linear_model import LinearRegression

from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.data.prepared.schema import Column, Schema
from autoencoders.evaluation.filters import RIDGE, cleaned, median, wiener
from autoencoders.evaluation.leaderboard import Evaluation
from autoencoders.evaluation.row import Row
from autoencoders.models import build
from autoencoders.models.pca import PrincipalComponents
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.sections import Evaluate

SEED = 1


@pytest.fixture(scope="module")
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.fixture(scope="module")
def pca(data: Prepared) -> PrincipalComponents:
    return PrincipalComponents(map(data.scaled, data.rows["train"]))


def corrupting(model: TrainedModel, **type_values: Any) -> TrainedModel:
    """The model with the same weights and another corruption."""
    description = replace(
        model.description, type_values={**model.description.type_values, **type_values}
    )
    made = build("denoising", description.architecture, description.type_values)
    made.load_state_dict(model.autoencoder.state_dict())
    return TrainedModel(replace(description, calibration_rows=0), made, model.shift, model.scale)


def corrupted(model: TrainedModel, data: Prepared) -> tuple[np.ndarray, np.ndarray]:
    """Clean test rows in [0, 1], and the first rows that a generator of the seed corrupts."""
    x = torch.from_numpy(data.sample("test")) / 16
    return x.numpy(), model.autoencoder.corrupt(x, torch.Generator().manual_seed(SEED)).numpy()


def psnr(x: np.ndarray, x_hat: np.ndarray) -> np.ndarray:
    return 10 * np.log10(1 / ((x - x_hat.clip(0, 1)) ** 2).mean(1))


def normal(
    rows: int, seed: int, clean: np.ndarray, noise: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Rows x = m + A u and y = B x + c + D v of standard normal u, v; clean: A, noise: D."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(rows, len(clean))) @ clean.T + 0.5
    return x, 0.7 * x + 0.2 + rng.normal(size=x.shape) @ noise.T


# --- the filters


def test_wieners_filter_is_the_linear_regression_of_clean_on_corrupted_rows_whatever_the_blocks():
    rng = np.random.default_rng(0)
    x, y = normal(500, 1, rng.normal(size=(4, 4)), rng.normal(size=(4, 4)))
    expected = LinearRegression().fit(y, x).predict(y)
    for size in (500, 77):
        result = wiener((x[i : i + size], y[i : i + size]) for i in range(0, 500, size))(y)
        np.testing.assert_allclose(result, expected, atol=1e-4)


@pytest.mark.parametrize("rows", [2, 9, 10, 11])
def test_wieners_filter_of_few_rows_is_ridge_regression_as_well(rows: int):
    rng = np.random.default_rng(0)
    x, y = normal(rows, 1, rng.normal(size=(10, 10)), rng.normal(size=(10, 10)))
    centred = y - y.mean(0)
    variance = centred.T @ centred + RIDGE * rows * np.eye(10)
    weights = np.linalg.solve(variance, centred.T @ (x - x.mean(0)))
    new = normal(50, 2, rng.normal(size=(10, 10)), rng.normal(size=(10, 10)))[1]
    expected = x.mean(0) + (new - y.mean(0)) @ weights
    for size in (rows, 1):
        pairs = ((x[i : i + size], y[i : i + size]) for i in range(0, rows, size))
        np.testing.assert_allclose(wiener(pairs)(new), expected, rtol=1e-5, atol=1e-5)


def test_wieners_filter_of_20_000_features_needs_no_matrix_of_features():
    x = np.random.default_rng(0).random((3, 20_000))
    np.testing.assert_allclose(wiener([(x, x)])(x), x, atol=1e-3)


def test_wieners_filter_of_normal_rows_nears_the_conditional_mean():
    rng = np.random.default_rng(0)
    a, d = rng.normal(size=(3, 3)), rng.normal(size=(3, 3))
    y = normal(200, 1, a, d)[1]
    gain = 0.7 * a @ a.T @ np.linalg.inv(0.49 * a @ a.T + d @ d.T)  # Cov(x, y) Cov(y)^-1
    expected = 0.5 + (y - 0.7 * 0.5 - 0.2) @ gain.T
    result = wiener([normal(200_000, 2, a, d)])(y)
    assert np.abs(result - expected).max() < 0.05


def test_a_feature_that_never_changes_and_rows_that_tell_nothing_are_no_trouble():
    x = np.random.default_rng(0).random((50, 4))
    x[:, 2] = 0.3
    np.testing.assert_allclose(wiener([(x, x)])(x), x, atol=1e-3)
    np.testing.assert_allclose(
        wiener([(x, np.zeros_like(x))])(np.zeros_like(x)), np.tile(x.mean(0), (50, 1))
    )


@pytest.mark.parametrize("shape", [(5, 4), (5, 4, 3)])
def test_the_median_is_that_of_each_pixels_neighbourhood_in_its_own_image_and_channel(shape):
    images = np.random.default_rng(0).random((3, *shape)).astype(np.float32)
    result = median(shape)(images.reshape(3, -1)).reshape(images.shape)
    mirrored = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)][: images.ndim], mode="symmetric")
    for row in range(5):
        for column in range(4):
            window = mirrored[:, row : row + 3, column : column + 3]
            np.testing.assert_array_equal(result[:, row, column], np.median(window, axis=(1, 2)))


# --- the rows


def test_every_filter_cleans_the_rows_that_the_model_sees(data, pca, untrained):
    model = untrained["denoising"]
    x, y = corrupted(model, data)
    result = cleaned(model, data, pca.at(20), SEED)
    assert list(result) == ["denoising", "wiener", "median", "pca denoised"]
    for values in result.values():  # as they are: noise of gaussian corruption leaves [0, 1]
        np.testing.assert_allclose(
            values["noisy_psnr"], 10 * np.log10(1 / ((x - y) ** 2).mean(1)), rtol=1e-4
        )
    with torch.no_grad():
        outputs = {"denoising": model.autoencoder(torch.from_numpy(y)).numpy()}
    outputs |= {"median": median((8, 8))(y), "pca denoised": pca.at(20).reconstruct(y)}
    for name, output in outputs.items():
        np.testing.assert_allclose(result[name]["denoised_psnr"], psnr(x, output), rtol=1e-4)


@pytest.mark.parametrize("batch", [50, 359])
def test_the_noise_is_that_of_the_models_own_diagnostics(data, pca, untrained, batch, monkeypatch):
    monkeypatch.setattr("autoencoders.models.trained.model.BATCH_ROWS", batch)
    model, generator = untrained["denoising"], torch.Generator().manual_seed(SEED)
    result = cleaned(model, data, pca.at(20), SEED)["denoising"]
    parts = (torch.from_numpy(data.sample("test")) / 16).split(batch)
    with torch.no_grad():
        gain = torch.cat(
            [model.autoencoder.diagnostics(x, generator, 1)["psnr_gain"] for x in parts]
        ).numpy()
    inside = (
        result["denoised_psnr"] - result["noisy_psnr"]
    )  # bce: outputs lie in (0, 1), so that nothing is clipped
    np.testing.assert_allclose(inside, gain, atol=1e-3)


def test_wieners_filter_is_near_the_best_linear_one_of_gaussian_noise(data, pca, untrained):
    model = corrupting(untrained["denoising"], level=0.25)
    x, y = corrupted(model, data)
    train = data.sample("train") / 16
    covariance = np.cov(train.T)
    gain = covariance @ np.linalg.inv(covariance + 0.25**2 * np.eye(64))
    best = psnr(x, train.mean(0) + (y - train.mean(0)) @ gain.T).mean()
    result = cleaned(model, data, pca.at(20), SEED)
    assert result["wiener"]["denoised_psnr"].mean() == pytest.approx(best, abs=0.3)
    assert result["wiener"]["denoised_psnr"].mean() > result["wiener"]["noisy_psnr"].mean() + 3


def test_the_noisy_psnr_of_gaussian_corruption_is_that_of_its_level(data, pca, untrained):
    noisy = cleaned(corrupting(untrained["denoising"], level=0.1), data, pca.at(20), SEED)[
        "wiener"
    ]["noisy_psnr"]
    assert noisy.mean() == pytest.approx(-20 * np.log10(0.1), abs=0.2)


def test_rows_that_are_not_corrupted_count_100_decibels(data, pca, untrained):
    model = corrupting(untrained["denoising"], corruption="salt_and_pepper", level=0.0)
    result = cleaned(model, data, pca.at(64), SEED)
    assert (result["median"]["noisy_psnr"] == 100).all()
    np.testing.assert_allclose(
        result["pca denoised"]["denoised_psnr"], 100
    )  # all components: nothing is lost


def test_nothing_is_cleaned_without_a_denoising_model_or_outside_the_unit_interval(
    data, pca, untrained
):
    assert cleaned(untrained["undercomplete"], data, pca.at(20), SEED) == {}
    standard = replace(data, description=replace(data.description, unit_interval=False))
    assert cleaned(untrained["denoising"], standard, pca.at(20), SEED) == {}


def test_rows_that_are_no_images_have_no_median(data, pca, untrained):
    schema = Schema(columns=(Column("number"),) * 64)
    rows = replace(data, description=replace(data.description, schema=schema))
    assert "median" not in cleaned(untrained["denoising"], rows, pca.at(20), SEED)


def test_the_leaderboard_holds_the_means_with_their_intervals(
    data: Prepared,
    pca: PrincipalComponents,
    untrained: dict[str, TrainedModel],
    leaderboard: list[Row],
    evaluate: Evaluate,
):
    result = cleaned(
        untrained["denoising"], data, pca.at(64 // 4), evaluate.seed
    )  # of 64, all would clean nothing
    rows = {row.model: row.written() for row in leaderboard}
    for name, values in result.items():
        for key, column in values.items():
            low, high = rows[name][f"test_{key}_ci95"]
            assert low < rows[name][f"test_{key}"] < high
            assert rows[name][f"test_{key}"] == pytest.approx(column.mean())
    without = Evaluation(data, evaluate, "reconstruct").rows([untrained["undercomplete"]])
    assert [row.model for row in without] == ["undercomplete", "pca", "mean"]
