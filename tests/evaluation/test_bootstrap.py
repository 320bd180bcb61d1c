"""Bootstrap intervals against theory and by simulation.

The explained variance with its interval.
"""

import math

import numpy as np
import pytest

from autoencoders.evaluation.bootstrap import Bootstrap
from autoencoders.models.trained.fidelity import squared_error


def noisy_rows() -> tuple[np.ndarray, np.ndarray]:
    """50 rows in [0, 1] with 8 features, and noisy copies of them."""
    rng = np.random.default_rng(0)
    x = rng.random((50, 8))
    return x, x + 0.1 * rng.normal(size=x.shape)


# --- explained variance ---


def test_explained_variance_of_the_training_mean_is_0_and_of_a_perfect_model_1():
    x, _ = noisy_rows()
    deviation = squared_error(x, x.mean(0))
    bootstrap = Bootstrap(50, 100, 0)
    assert bootstrap.explained_variance(squared_error(x, x.mean(0)), deviation) == (0, 0, 0)
    assert bootstrap.explained_variance(np.zeros(50), deviation) == (1, 1, 1)


def test_explained_variance_is_that_of_the_sums_and_lies_in_its_interval():
    x, x_hat = noisy_rows()
    error, deviation = squared_error(x, x_hat), squared_error(x, x.mean(0))
    result, low, high = Bootstrap(50, 500, 0).explained_variance(error, deviation)
    assert result == pytest.approx(1 - ((x - x_hat) ** 2).sum() / ((x - x.mean(0)) ** 2).sum())
    assert low < result < high


def test_explained_variance_draws_errors_and_deviations_of_the_same_rows():
    deviation = np.random.default_rng(0).random(50)
    result = Bootstrap(50, 100, 0).explained_variance(0.25 * deviation, deviation)
    np.testing.assert_allclose(
        result, 0.75, rtol=1e-12
    )  # the same share in every row: an interval of width 0


def test_with_equal_deviations_its_interval_is_that_of_the_mean_error_mirrored():
    error = np.random.default_rng(0).exponential(1, 50)
    bootstrap = Bootstrap(50, 500, 0)
    mean, low, high = bootstrap.intervals({"error": error})["error"]
    explained = bootstrap.explained_variance(error, np.full(50, 4.0))
    np.testing.assert_allclose(explained, [1 - mean / 4, 1 - high / 4, 1 - low / 4], rtol=1e-12)


# --- bootstrap ---


def test_a_resample_has_as_many_rows_as_the_data_each_drawn_with_the_same_chance():
    n, samples = 20, 4000
    counts = n * Bootstrap(n, samples, 0).means(np.eye(n))
    np.testing.assert_allclose(counts, counts.round(), atol=1e-9)
    np.testing.assert_allclose(counts.sum(1), n)
    # A row's count is binomial(n, 1/n): mean 1, variance 1 - 1/n, fourth central moment of about 4.
    variance = 1 - 1 / n
    np.testing.assert_allclose(counts.mean(0), 1, atol=5 * math.sqrt(variance / samples))
    np.testing.assert_allclose(
        counts.var(0), variance, atol=5 * math.sqrt((4 - variance**2) / samples)
    )


def test_the_interval_of_many_rows_is_the_normal_one():
    values = np.random.default_rng(0).normal(3, 2, 2000)
    mean, low, high = Bootstrap(2000, 4000, 0).intervals({"a": values})["a"]
    error = values.std() / math.sqrt(2000)
    assert mean == pytest.approx(values.mean())
    # A 2.5 % quantile of 4,000 normal draws has a standard deviation of 0.042.
    assert (low - mean) / error == pytest.approx(-1.96, abs=5 * 0.042)
    assert (high - mean) / error == pytest.approx(1.96, abs=5 * 0.042)


def test_the_interval_holds_the_true_mean_about_95_times_in_100():
    n, repetitions = 60, 400
    rng, held = np.random.default_rng(0), 0
    for seed in range(repetitions):
        values = rng.exponential(1, n)  # skewed, as errors are; its mean is 1
        _, low, high = Bootstrap(n, 200, seed).intervals({"a": values})["a"]
        held += low <= 1 <= high
    # Percentile intervals of 60 skewed rows hold it in 91 to 95 of 100 cases; of 400 repetitions,
    # the deviation is 0.014.
    assert 0.91 - 3 * 0.014 < held / repetitions < 0.95 + 3 * 0.014


def test_the_same_seed_gives_the_same_interval_and_another_another():
    values = {"a": np.random.default_rng(0).random(30)}
    first = Bootstrap(30, 100, 1)
    assert (
        first.intervals(values)
        == first.intervals(values)
        == Bootstrap(30, 100, 1).intervals(values)
    )
    assert first.intervals(values) != Bootstrap(30, 100, 2).intervals(values)


def test_a_resample_does_not_depend_on_how_many_follow_it():
    values = np.random.default_rng(0).normal(size=(359, 5))
    many = Bootstrap(359, 1000, 1).means(values)
    for few in (1, 3, 7, 999):
        np.testing.assert_array_equal(Bootstrap(359, few, 1).means(values), many[:few])


def test_intervals_are_paired_a_metric_sees_the_same_resamples_whatever_is_beside_it():
    rng = np.random.default_rng(0)
    a, b = rng.random(40), rng.random(40)
    bootstrap = Bootstrap(40, 200, 3)
    together = bootstrap.intervals({"a": a, "b": b, "a + 1": a + 1})
    np.testing.assert_allclose(together["a"], bootstrap.intervals({"a": a})["a"], rtol=1e-12)
    np.testing.assert_allclose(np.array(together["a"]) + 1, together["a + 1"], rtol=1e-12)


def test_the_interval_of_a_constant_is_the_constant():
    assert Bootstrap(16, 100, 0).intervals({"a": np.full(16, 0.5)}) == {"a": (0.5, 0.5, 0.5)}
