"""What labels tell of a model: how well its scores find anomalies, how much of the classes its codes hold."""

import numpy as np
from scipy.stats import betabinom
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NEIGHBOURS = 5
RESAMPLES = 200  # behind each interval, within the classes
STRENGTHS = (1e3, 1e2, 10.0, 1.0, 0.1, 1e-2, 1e-3)  # of the probe's L2 penalty, among which `auto` chooses
Labelled = tuple[np.ndarray, np.ndarray]  # codes (rows, code) and labels (rows,)


def anomaly_metrics(scores: np.ndarray, labels: np.ndarray, seed: int) -> dict[str, object]:
    """anomaly_auroc and anomaly_average_precision with bootstrap 95 % intervals; nothing where one class is missing.

    scores: (rows,), higher is more unusual; labels: (rows,), 1 for anomalies.
    """
    classes = [np.flatnonzero(labels == label) for label in (0, 1)]
    if not all(map(len, classes)):
        return {}
    rng = np.random.default_rng(seed)
    drawn = [np.concatenate([rng.choice(rows, len(rows)) for rows in classes]) for _ in range(RESAMPLES)]
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


def probe_errors(train: Labelled, test: Labelled, l2: float) -> dict[str, np.ndarray]:
    """1 for each test row that is classified wrongly, by name of the probe; both see standardised codes.

    Linear probe: logistic regression, which minimises sum_i -log p(y_i | z_i) + l2 / 2 ||W||_F^2: scikit-learn's C is
    1 / l2.
    """
    return {
        "linear_probe_error": _linear_errors(train, test, l2),
        "knn_error": _errors(KNeighborsClassifier(NEIGHBOURS), train, test),
    }


def best_l2(train: Labelled, validation: Labelled) -> float:
    """Of STRENGTHS, the one with which the linear probe errs least on validation rows; of several, the strongest."""
    return min(STRENGTHS, key=lambda l2: _linear_errors(train, validation, l2).sum())


def _linear_errors(train: Labelled, rows: Labelled, l2: float) -> np.ndarray:
    return _errors(LogisticRegression(C=1 / l2, max_iter=2000), train, rows)


def _errors(probe: object, train: Labelled, rows: Labelled) -> np.ndarray:
    return (make_pipeline(StandardScaler(), probe).fit(*train).predict(rows[0]) != rows[1]).astype(float)
