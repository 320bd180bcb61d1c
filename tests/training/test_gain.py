"""A gain on the start: taken where it is more than the luck of few rows."""

import numpy as np
import pytest
from scipy import stats

from autoencoders.training.gain import LEVEL, is_gain


def test_a_gain_is_one_by_scipys_paired_test():
    rng = np.random.default_rng(0)
    verdicts = []
    for gain in np.linspace(-0.5, 1.5, 41):
        start = rng.random(12)
        errors = start - gain * rng.random(12) + 0.3 * rng.standard_normal(12)
        p_value = stats.ttest_rel(errors, start, alternative="less").pvalue
        verdicts.append(is_gain(errors, start))
        assert verdicts[-1] == (p_value < LEVEL)
    assert len(set(verdicts)) == 2


def test_one_lucky_row_among_few_is_no_gain_but_a_small_gain_of_every_row_is():
    start = np.ones(10)
    lucky = np.array([0.0, *np.full(9, 1.01)])
    assert lucky.mean() < start.mean()
    assert not is_gain(lucky, start)
    assert is_gain(start - np.linspace(0.001, 0.002, 10), start)


@pytest.mark.parametrize("n", [0, 1, 2, 50])
def test_the_same_errors_and_single_rows_are_no_gain(n):
    assert not is_gain(np.ones(n), np.ones(n))
    assert not is_gain(np.zeros(min(n, 1)), np.ones(min(n, 1)))
