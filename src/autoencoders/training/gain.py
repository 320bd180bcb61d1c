"""The gain of a training on its start as PCA: real, or the luck of few validation rows."""

import numpy as np
from scipy import stats

LEVEL = 0.05  # chance at most with which a training that gains nothing is taken for one that does


def is_gain(errors: np.ndarray, start_errors: np.ndarray) -> bool:
    """Whether errors are smaller than the start's by more than chance: a one-sided paired t-test.

    The best of many epochs is better on few validation rows, even if it is worse on others. errors,
    start_errors: (rows,), of the same rows. Fewer than two rows never show a gain.
    """
    gains = np.asarray(start_errors, np.float64) - errors
    n = len(gains)
    if n < 2:
        return False
    standard_error = gains.std(ddof=1) / np.sqrt(n)
    return bool(gains.mean() > stats.t.isf(LEVEL, n - 1) * standard_error)
