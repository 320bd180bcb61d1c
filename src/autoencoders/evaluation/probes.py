"""Probes: how much of the classes the codes hold, by a linear classifier and by nearest neighbours."""

from copy import copy
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

NEIGHBOURS = 5
STRENGTHS = (
    1e3,
    1e2,
    10.0,
    1.0,
    0.1,
    1e-2,
    1e-3,
)  # of the probe's L2 penalty, among which `auto` chooses
MOSTLY_ZERO = (
    0.2  # share of a code's values that differ from 0, below which probes are given these alone
)
Labelled = tuple[np.ndarray, np.ndarray]  # codes (rows, code) and labels (rows,)


class Probes:
    """Classifiers that see codes and were fitted on training rows' ones: their errors tell what codes hold."""

    def __init__(self, train: Labelled, *, standardised: bool) -> None:
        """standardised: each unit to mean 0 and deviation 1; else all by one number, as units that rest mostly want."""
        codes, self.labels = train
        self.mean = codes.mean(0) if standardised else np.zeros(1, np.float32)
        self.deviation = codes.std(0) if standardised else codes.std(keepdims=True)
        self.deviation[self.deviation == 0] = 1
        self.sparse = not standardised and np.count_nonzero(codes) < MOSTLY_ZERO * codes.size
        self.codes = self._scaled(codes)
        self.linear = dict[float, LogisticRegression]()  # fitted by `best_l2`, by strength

    def errors(self, rows: Labelled, l2: float) -> dict[str, np.ndarray]:
        """1 for each row that is classified wrongly, by name of the probe.

        Linear probe: logistic regression, which minimises sum_i -log p(y_i | z_i) + l2 / 2 ||W||_F^2: scikit-learn's C
        is 1 / l2. One that `best_l2` has fitted is taken as it is.
        """
        linear = self.linear.get(l2) or LogisticRegression(C=1 / l2, max_iter=2000).fit(
            self.codes, self.labels
        )
        neighbours = KNeighborsClassifier(NEIGHBOURS).fit(self.codes, self.labels)
        return {
            "linear_probe_error": self._errors(linear, rows),
            "knn_error": self._errors(neighbours, rows),
        }

    def best_l2(self, validation: Labelled) -> float:
        """Of STRENGTHS, the one with which the linear probe errs least; of several, the strongest.

        Weaker ones take longer and are left out after two in a row that err more often than the best.
        """
        probe = LogisticRegression(
            max_iter=2000, warm_start=True
        )  # from strong to weak, each starts near its end
        errors = dict[float, float]()
        for l2 in STRENGTHS:
            probe.set_params(C=1 / l2).fit(self.codes, self.labels)
            self.linear[l2], errors[l2] = copy(probe), self._errors(probe, validation).sum()
            if min(list(errors.values())[-2:]) > min(errors.values()) and len(errors) > 2:
                break
        return min(errors, key=lambda l2: errors[l2])

    def _errors(self, probe: Any, rows: Labelled) -> np.ndarray:
        return (probe.predict(self._scaled(rows[0])) != rows[1]).astype(float)

    def _scaled(self, codes: np.ndarray) -> Any:
        scaled = (codes - self.mean) / self.deviation
        return csr_array(scaled) if self.sparse else scaled
