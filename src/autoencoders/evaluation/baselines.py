"""The baselines: PCA at the same code size, the training rows' mean, an Isolation Forest."""

import numpy as np

# names of the baselines' rows
PCA = "pca"
MEAN = "mean"
ISOLATION_FOREST = "iforest"


def isolation_scores(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Anomaly scores (rows,) of the test rows. Liu et al. 2008, as in scikit-learn."""
    from sklearn.ensemble import IsolationForest

    return -IsolationForest(random_state=seed).fit(train).score_samples(test)
