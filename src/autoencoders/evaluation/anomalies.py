"""Anomaly detection, judged by labels: AUROC, average precision, and the alarms that clean rows may give."""

import numpy as np
from scipy.stats import betabinom
from sklearn.metrics import average_precision_score, roc_auc_score

RESAMPLES = 200  # behind each interval, within the classes


def anomaly_metrics(scores: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, object]:
    """anomaly_auroc and anomaly_average_precision with bootstrap 95 % intervals; nothing where one class is missing.

    scores: (rows,), higher is more unusual; labels: (rows,), 1 for anomalies.
    """
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    if not all(map(len, classes)):
        return {}
    rng = np.random.default_rng(seed)
    drawn = [
        np.concatenate([rng.choice(rows, len(rows)) for rows in classes]) for _ in range(RESAMPLES)
    ]
    row: dict[str, object] = {}
    for name, metric in (("auroc", roc_auc_score), ("average_precision", average_precision_score)):
        resampled = [metric(labels[rows], scores[rows]) for rows in drawn]
        row[f"anomaly_{name}"] = float(metric(labels, scores))
        row[f"anomaly_{name}_ci95"] = np.percentile(resampled, [2.5, 97.5]).tolist()
    return row


def alarm_interval(rate: float, calibration_rows: int, rows: int) -> tuple[float, float]:
    """In which 99 % of the shares of alarms among clean rows lie, where rows are exchangeable with the calibration's.

    The number of alarms is beta-binomial: Vovk 2012, "Conditional validity of inductive conformal predictors".
    """
    alarms = int(rate * (calibration_rows + 1))
    if not alarms:
        return 0.0, 0.0
    counts = betabinom(rows, alarms, calibration_rows + 1 - alarms)
    return float(counts.ppf(0.005) / rows), float(counts.ppf(0.995) / rows)
