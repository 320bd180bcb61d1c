"""PCA against the singular value decomposition, from blocks of rows.

The mean is a code of size 0.
"""

import numpy as np
import pytest

from autoencoders.models.pca import Covariance, PrincipalComponents, Snapshots
from autoencoders.models.trained.fidelity import squared_error

ROWS, FEATURES = 200, 12


@pytest.fixture
def x() -> np.ndarray:
    """Correlated rows with a mean far from 0."""
    rng = np.random.default_rng(0)
    return rng.normal(size=(ROWS, FEATURES)) @ rng.normal(size=(FEATURES, FEATURES)) + np.arange(
        FEATURES
    )


@pytest.mark.parametrize("code_size", range(FEATURES + 1))
def test_pcas_error_is_the_sum_of_the_discarded_squared_singular_values(
    x: np.ndarray, code_size: int
):
    singular = np.linalg.svd(x - x.mean(0), compute_uv=False)
    x_hat = PrincipalComponents([x]).at(code_size).reconstruct(x)
    expected = (singular[code_size:] ** 2).sum() / ROWS
    assert squared_error(x, x_hat).mean() == pytest.approx(expected, rel=1e-9, abs=1e-18)


@pytest.mark.parametrize("rows", [FEATURES - 1, FEATURES, FEATURES + 1])
@pytest.mark.parametrize("code_size", range(FEATURES + 1))
def test_pcas_error_is_that_sum_with_about_as_many_rows_as_features(
    x: np.ndarray, rows: int, code_size: int
):
    x = x[:rows]
    singular = np.linalg.svd(x - x.mean(0), compute_uv=False)
    x_hat = PrincipalComponents([x]).at(code_size).reconstruct(x)
    expected = (singular[code_size:] ** 2).sum() / rows
    assert squared_error(x, x_hat).mean() == pytest.approx(expected, rel=1e-9, abs=1e-18)


@pytest.mark.parametrize("rows", [2, 5, FEATURES - 1, FEATURES, FEATURES + 1])
def test_the_rows_gram_matrix_gives_the_components_of_the_covariance(x: np.ndarray, rows: int):
    rank = min(rows - 1, FEATURES)  # the rows differ from their mean in so many directions
    by_covariance = Covariance(iter([x[:rows]]))
    by_rows = Snapshots(x[:rows])
    np.testing.assert_allclose(by_rows.mean, by_covariance.mean, rtol=1e-12)
    components = by_rows.components(rank)
    cosines = components @ by_covariance.components(rank).T
    np.testing.assert_allclose(np.abs(cosines), np.eye(rank), atol=1e-9)
    np.testing.assert_allclose(components @ components.T, np.eye(rank), atol=1e-12)


def test_components_of_tiny_variance_are_no_less_orthonormal():
    rng = np.random.default_rng(0)
    deviations = 10.0 ** -np.arange(10)
    rows = rng.normal(size=(10, 10)) * deviations @ rng.normal(size=(10, 40))
    components = PrincipalComponents([rows]).at(10).components
    np.testing.assert_allclose(components @ components.T, np.eye(10), atol=1e-12)


@pytest.mark.parametrize(
    ("rows", "route"),
    [(FEATURES - 1, Snapshots), (FEATURES, Covariance), (FEATURES + 1, Covariance)],
)
@pytest.mark.parametrize("size", [1, 5, 100])
def test_the_smaller_matrix_is_taken_whatever_the_blocks(
    x: np.ndarray, rows: int, route: type, size: int
):
    blocks = [x[start : min(start + size, rows)] for start in range(0, rows, size)]
    pca = PrincipalComponents(blocks)
    assert isinstance(pca.fitted, route)
    whole = PrincipalComponents([x[:rows]]).at(5)
    np.testing.assert_allclose(pca.at(5).reconstruct(x), whole.reconstruct(x), atol=1e-9)


def test_rows_of_20_000_features_need_no_matrix_of_features():
    rows = np.random.default_rng(0).normal(size=(3, 20_000)).astype(np.float32)
    x_hat = PrincipalComponents([rows]).at(2).reconstruct(rows)  # the covariance would take hours
    np.testing.assert_allclose(x_hat, rows, atol=1e-9)


def test_pcas_error_falls_with_every_code_unit_to_0_at_full_rank(x: np.ndarray):
    pca = PrincipalComponents([x])
    errors = [squared_error(x, pca.at(size).reconstruct(x)).mean() for size in range(FEATURES + 1)]
    assert (np.diff(errors) < 0).all()
    assert errors[-1] == pytest.approx(0, abs=1e-18)


def test_pca_of_rank_3_needs_3_code_units_and_constant_columns_are_no_trouble():
    rng = np.random.default_rng(0)
    x = np.hstack([rng.normal(size=(50, 3)) @ rng.normal(size=(3, 9)), np.full((50, 2), 7.0)])
    pca = PrincipalComponents([x])
    error = [squared_error(x, pca.at(size).reconstruct(x)).mean() for size in (2, 3, 4)]
    assert error[0] > 0.01
    np.testing.assert_allclose(error[1:], 0, atol=1e-12)


def test_no_other_projection_onto_as_many_directions_is_better(x: np.ndarray):
    best = squared_error(x, PrincipalComponents([x]).at(4).reconstruct(x)).mean()
    centred = x - x.mean(0)
    for seed in range(20):
        directions, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(FEATURES, 4)))
        assert squared_error(centred, centred @ directions @ directions.T).mean() > best


def test_components_are_orthonormal_and_codes_uncorrelated(x: np.ndarray):
    projection = PrincipalComponents([x]).at(5)
    np.testing.assert_allclose(
        projection.components @ projection.components.T, np.eye(5), atol=1e-12
    )
    codes = projection.encode(x)
    assert codes.shape == (ROWS, 5)
    np.testing.assert_allclose(np.corrcoef(codes.T), np.eye(5), atol=1e-9)


def test_a_reconstruction_is_its_own_reconstruction(x: np.ndarray):
    projection = PrincipalComponents([x]).at(5)
    once = projection.reconstruct(x)
    np.testing.assert_allclose(projection.reconstruct(once), once, atol=1e-9)


def test_a_code_larger_than_the_data_has_all_features(x: np.ndarray):
    assert PrincipalComponents([x]).at(1000).components.shape == (FEATURES, FEATURES)


def test_a_code_larger_than_the_number_of_rows_has_as_many_components_as_rows(x: np.ndarray):
    projection = PrincipalComponents([x[:5]]).at(1000)
    assert projection.components.shape == (5, FEATURES)
    np.testing.assert_allclose(projection.reconstruct(x[:5]), x[:5], atol=1e-9)


def test_the_mean_predictor_gives_every_row_the_training_mean(x: np.ndarray):
    train, test = x[:150], x[150:]
    np.testing.assert_allclose(
        PrincipalComponents([train]).at(0).reconstruct(test),
        np.tile(train.mean(0), (50, 1)),
        rtol=1e-12,
    )
    assert PrincipalComponents([train]).at(0).encode(test).shape == (50, 0)


@pytest.mark.parametrize("size", [1, 7, 64, ROWS])
def test_blocks_of_any_size_give_the_same_components(x: np.ndarray, size: int):
    whole = PrincipalComponents([x]).at(5)
    parts = PrincipalComponents(x[start : start + size] for start in range(0, ROWS, size)).at(5)
    np.testing.assert_allclose(parts.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(parts.reconstruct(x), whole.reconstruct(x), atol=1e-9)


def test_a_mean_far_above_the_spread_costs_no_digits(x: np.ndarray):
    near, far = (
        PrincipalComponents([x]).at(5),
        PrincipalComponents([x[:50] + 1e7, x[50:] + 1e7]).at(5),
    )
    np.testing.assert_allclose(far.reconstruct(x + 1e7) - 1e7, near.reconstruct(x), atol=1e-5)


def test_single_precision_rows_give_double_precision_baselines(x: np.ndarray):
    rows = x.astype(np.float32)
    for pca in (PrincipalComponents([rows]), PrincipalComponents([rows[:5]])):
        for projection in (pca.at(3), pca.at(0)):
            assert projection.mean.dtype == projection.components.dtype == np.float64
