"""Anomaly scores: their parts, percentiles and p-values."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

TAILS = 4  # degrees of freedom of the scores' Student-t distribution
KEPT = 0.8  # share of the training rows whose errors give the variance: the others may be anomalies
SMALLEST_VARIANCE, VARIANCE_FLOOR = (
    1e-6,
    0.01,
)  # of a feature's errors: in model scale, and as a share of all rows'


class Scores(NamedTuple):
    """How unusual rows are, in nats up to a constant: contributions and divergence add up to the score."""

    score: np.ndarray  # (rows,)
    contributions: np.ndarray  # (rows, features): each feature's part of the score
    percentile: np.ndarray  # (rows,): share of clean validation rows with a lower score, in percent
    p_value: np.ndarray  # (rows,): conformal, in (0, 1]


def mean_scores(found: Sequence[Scores]) -> Scores:
    """The mean over an ensemble; of the p-values twice the mean, which is valid however they depend on each other.

    Vovk & Wang 2020, "Combining p-values via averaging", proposition 3.
    """
    if len(found) == 1:
        return found[0]
    score, contributions, percentile, p_value = (
        np.mean(values, axis=0) for values in zip(*found, strict=True)
    )
    return Scores(score, contributions, percentile, np.minimum(1, 2 * p_value))
