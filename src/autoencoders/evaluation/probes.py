"""How much of the labels a code holds: the errors of simple classifiers that see codes alone."""

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

NEIGHBOURS = 5


def probe_errors(train: tuple[np.ndarray, np.ndarray], test: tuple[np.ndarray, np.ndarray]) -> dict[str, np.ndarray]:
    """1 for each test row that is classified wrongly, by name of the probe.

    train, test: codes (rows, code) and labels (rows,). Linear probe: logistic regression on standardised codes.
    """
    probes = {
        "linear_probe_error": make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000)),
        "knn_error": make_pipeline(StandardScaler(), KNeighborsClassifier(NEIGHBOURS)),
    }
    return {name: (probe.fit(*train).predict(test[0]) != test[1]).astype(float) for name, probe in probes.items()}
