"""A gain on the start: taken where it is more than the luck of few rows."""

from itertools import product

import numpy as np
import pytest

from autoencoders.training.gain import LEVEL, is_gain


@pytest.mark.parametrize("n", [3, 4, 5, 6, 8])
def test_a_gain_is_one_where_few_signs_would_give_a_larger_sum_of_ranks(n):
    """The signed-rank test's p-value, counted over all signs of the ranks."""
    ranks = np.arange(1, n + 1)
    sums = np.array([ranks[np.array(signs)].sum() for signs in product([False, True], repeat=n)])
    for signs in product([-1, 1], repeat=n):
        gains = np.array(signs) * (1 + 0.01 * ranks)
        observed = ranks[gains > 0].sum()
        p_value = (sums >= observed).mean()
        assert is_gain(1 - gains, np.ones(n)) == (p_value < LEVEL and gains.mean() > 0)


def test_one_lucky_row_among_few_is_no_gain_but_a_small_gain_of_every_row_is():
    start = np.ones(10)
    lucky = np.array([0.0, *np.full(9, 1.01)])
    assert lucky.mean() < start.mean()
    assert not is_gain(lucky, start)
    assert is_gain(start - np.linspace(0.001, 0.002, 10), start)


def test_a_row_that_gains_most_hides_no_gain_of_the_others():
    """Its deviation makes a t-test doubt the mean."""
    gains = np.array([*np.linspace(0.1, 0.2, 15), 50.0])
    assert is_gain(100 - gains, np.full(16, 100.0))


def test_a_gain_of_most_rows_is_none_where_the_mean_is_worse():
    gains = np.array([*np.linspace(0.1, 0.2, 15), -50.0])
    assert not is_gain(100 - gains, np.full(16, 100.0))


@pytest.mark.parametrize("n", [1, 2, 50])
def test_the_same_errors_and_single_rows_are_no_gain(n):
    assert not is_gain(np.ones(n), np.ones(n))
    assert not is_gain(np.zeros(1), np.ones(1))


def test_rows_that_the_training_leaves_out_decide_nothing():
    """Anomalies that PCA has learnt, and a trimmed training has not."""
    start = np.ones(100)
    errors = np.full(100, 0.9)
    errors[:10] = 50
    assert not is_gain(errors, start)
    assert is_gain(errors, start, trim=0.1)
    assert not is_gain(start, np.where(errors > 1, 50, 0.9), trim=0.1)
