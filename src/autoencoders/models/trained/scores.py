"""Anomaly scores: variances of usual rows, the score of rows, percentiles and p-values."""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

DEGREES_OF_FREEDOM = 4  # of the Student-t distribution of the errors: heavy tails, yet a variance
BEST_SHARE = 0.8  # of the training rows, whose errors give the variance: others may be anomalies
SMALLEST_VARIANCE = 1e-6  # of a feature's errors over all rows, in model scale
TRIMMINGS = 2  # times that the best rows are chosen by the variance of the best rows before
# of a feature over the best rows, as a share of that over all rows
ERROR_FLOOR = 0.1  # of reconstruction errors
DEVIATION_FLOOR = 0.01  # of deviations from the median
# squared, in model scale: a larger error counts as this one in that floor, which a single gross
# value would else set
GROSS_ERROR = 25.0


class Scores(NamedTuple):
    """Anomaly scores of rows, in nats up to a constant; a high score is unusual."""

    # (rows,): sum of the row's contributions, its divergence where the model counts it (see
    # TrainedModel.score_parts), and the parts of its novel values
    score: np.ndarray
    contributions: np.ndarray  # (rows, features): each feature's part of the score
    percentile: np.ndarray  # (rows,): share of clean validation rows with a lower score, in percent
    p_value: np.ndarray  # (rows,): conformal, in (0, 1]
    novel_part: float  # of the score, for each value that no training row had


def robust_variance(error: np.ndarray, floor: float) -> np.ndarray:
    """Each feature's error variance in model scale: (features,), float64.

    The maximum-likelihood variance of a Gaussian decoder, which is the mean squared error (Rybkin
    et al. 2021, "Simple and effective VAE training with calibrated decoders"), of the
    BEST_SHARE of the rows with the smallest sum_j error_j / variance_j (least trimmed squares:
    Rousseeuw 1984). error: (rows, features), squared, in model scale. floor: the smallest
    variance, as a share of that over all rows.
    """
    mean = error.mean(0, dtype=np.float64).clip(SMALLEST_VARIANCE)
    smallest = floor * error.clip(max=GROSS_ERROR).mean(0, dtype=np.float64)
    smallest = smallest.clip(floor * SMALLEST_VARIANCE)
    n_best = math.ceil(BEST_SHARE * len(error))
    variance = mean
    for _ in range(TRIMMINGS):
        distance = (error / variance).sum(1)
        best = np.argsort(distance, kind="stable")[:n_best]
        variance = np.maximum(error[best].mean(0, dtype=np.float64), smallest)
    return variance


def conformal_scores(
    parts: np.ndarray, n_novel: np.ndarray | None, novel_part: float, calibration: np.ndarray
) -> Scores:
    """The scores of rows, compared with those of clean rows.

    percentile = 100 (clean rows with a lower score) / (clean rows); p-value = (1 + clean rows with
    a score as high) / (1 + clean rows): Vovk et al. 2005, "Algorithmic learning in a random world",
    section 2.2.

    parts: (rows, features + 1), see TrainedModel.score_parts, in nats.
    n_novel: (rows,), the row's values in constant columns that no training row had; None: there are
    none. novel_part: of the score, for each of them. calibration: (clean rows,), the clean rows'
    scores, rising.
    """
    score = parts.sum(1)
    if n_novel is not None:
        score = score + novel_part * n_novel.astype(score.dtype)
    n_clean = len(calibration)
    n_lower = np.searchsorted(calibration, score, "left")
    return Scores(
        score,
        contributions=parts[:, :-1],
        percentile=100 * n_lower / n_clean,
        p_value=(1 + n_clean - n_lower) / (1 + n_clean),
        novel_part=novel_part,
    )


def mean_scores(models: Sequence[Scores]) -> Scores:
    """The mean over several models' scores of the same rows.

    Of the p-values it is twice the mean, at most 1, which is valid however they depend on each
    other (Vovk & Wang 2020, "Combining p-values via averaging", proposition 3).
    """
    if len(models) == 1:
        return models[0]
    return Scores(
        score=np.mean([scores.score for scores in models], axis=0),
        contributions=np.mean([scores.contributions for scores in models], axis=0),
        percentile=np.mean([scores.percentile for scores in models], axis=0),
        p_value=np.minimum(1, 2 * np.mean([scores.p_value for scores in models], axis=0)),
        novel_part=float(np.mean([scores.novel_part for scores in models])),
    )
