"""Anomaly detection judged by labels: AUROC, average precision, and false alarms of clean rows."""

from collections.abc import Callable

import numpy as np
from scipy.stats import betabinom
from sklearn.metrics import average_precision_score, roc_auc_score

from autoencoders.evaluation.catalogue import AUROC, AVERAGE_PRECISION, Metric
from autoencoders.evaluation.row import Estimate, Estimates, Interval

RESAMPLES = 200  # behind each interval
RANKINGS: dict[Metric, Callable[..., float]] = {
    AUROC: roc_auc_score,
    AVERAGE_PRECISION: average_precision_score,
}


def anomaly_metrics(scores: np.ndarray, labels: np.ndarray, seed: int) -> Estimates:
    """AUROC and average precision with bootstrap 95 % intervals; empty where one class is missing.

    scores: (rows,), higher is more unusual; labels: (rows,), 1 for anomalies. Resamples are drawn
    within each class.
    """
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    if any(len(rows) == 0 for rows in classes):
        return {}
    rng = np.random.default_rng(seed)
    resamples = []
    for _ in range(RESAMPLES):
        resamples.append(np.concatenate([rng.choice(rows, len(rows)) for rows in classes]))
    estimates = {}
    for metric, function in RANKINGS.items():
        resampled = [function(labels[rows], scores[rows]) for rows in resamples]
        low, high = np.percentile(resampled, [2.5, 97.5]).tolist()
        estimates[metric.key] = Estimate(float(function(labels, scores)), (low, high))
    return estimates


def alarm_interval(rate: float, calibration_rows: int, rows: int) -> Interval:
    """The 99 % interval of the false-alarm rate on clean rows exchangeable with calibration rows.

    The number of alarms is beta-binomial: Vovk 2012, "Conditional validity of inductive conformal
    predictors".
    """
    alarms = int(rate * (calibration_rows + 1))
    if not alarms:
        return 0.0, 0.0
    counts = betabinom(rows, alarms, calibration_rows + 1 - alarms)
    return float(counts.ppf(0.005) / rows), float(counts.ppf(0.995) / rows)
