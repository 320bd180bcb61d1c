"""The gain of a training on its start as PCA: real, or the luck of few validation rows."""

import numpy as np
from scipy import stats

LEVEL = 0.05  # chance at most with which a training that gains nothing is taken for one that does


def is_gain(errors: np.ndarray, start_errors: np.ndarray, trim: float = 0.0) -> bool:
    """Whether errors are smaller than the start's, in the mean and by more than chance.

    The best of many epochs is better on few validation rows, even if it is worse on others. Chance
    is judged by a one-sided signed-rank test (Wilcoxon 1945), as single rows far from the others
    hide a gain from tests of the mean.

    errors, start_errors: (rows,), of the same rows. trim: the share of the rows that is left out,
    as the training leaves it out of its losses. These are the rows with the largest sum of both
    errors, which favours neither.
    """
    n = len(errors) - int(trim * len(errors))
    chosen = np.argsort(errors + start_errors, kind="stable")[:n]
    gains = np.asarray(start_errors, np.float64)[chosen] - errors[chosen]
    if not gains.any() or gains.mean() <= 0:
        return False
    return bool(stats.wilcoxon(gains, alternative="greater").pvalue < LEVEL)
