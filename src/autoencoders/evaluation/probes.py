"""Probes: how much of the classes codes hold, by a linear classifier and by nearest neighbours."""

from collections.abc import Callable
from copy import copy
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.evaluation.catalogue import PROBE_L2
from autoencoders.evaluation.metrics import Values
from autoencoders.evaluation.row import Estimate, Estimates
from autoencoders.params.sections import Evaluate

NEIGHBOURS = 5  # nearest training codes that vote on a row's class
MOST_ITERATIONS = 2000  # of the linear probe's solver: enough for weak penalties to converge
# of the linear probe's L2 penalty, among which `auto` chooses, from strong to weak
STRENGTHS = (1e3, 1e2, 10.0, 1.0, 0.1, 1e-2, 1e-3)
# weaker penalties in a row that err more often than the best, after which none follows
PATIENCE = 2
# share of a code's values other than 0, below which probes take these values alone
MOSTLY_ZERO = 0.2
PROBE_VALUES = 2**26  # of codes that a probe may be fitted on: 256 MB of memory
Encode = Callable[[np.ndarray], np.ndarray]  # raw rows in, codes out
Labelled = tuple[np.ndarray, np.ndarray]  # codes (rows, code) and labels (rows,)


def probe_metrics(
    encode: Encode, data: Prepared, params: Evaluate, codes: np.ndarray | None = None
) -> tuple[Values, Estimates]:
    """Errors of the probes on the test rows, and the linear one's L2 penalty.

    Both are empty where labels are missing, mean anomalies, or are all the same; and where test
    rows are training rows. codes: of the sample of test rows, if they are computed already.
    """
    description = data.description
    is_transductive = description.protocol == "transductive"
    if description.anomaly_labels or not description.labels or is_transductive:
        return {}, {}
    if codes is None:
        codes, _ = labelled_codes(encode, data, "test")
    test = codes, data.sampled_labels("test")
    room = PROBE_VALUES // codes.shape[1]
    train = labelled_codes(encode, data, "train", room, params.probe_rows)
    if len(np.unique(train[1])) < 2:
        return {}, {}
    probes = Probes(train, standardised=params.probe_standardised)
    l2 = params.probe_l2
    if l2 == "auto":
        l2 = probes.best_l2(labelled_codes(encode, data, "validation", room))
    return probes.errors(test, l2), {PROBE_L2.key: Estimate(l2)}


def labelled_codes(
    encode: Encode, data: Prepared, split: str, room: int = 0, most: int | None = None
) -> Labelled:
    """Codes and labels of rows of a split. Only the codes are all in memory at once.

    room, most: see `Prepared.chosen`.
    """
    chosen = data.chosen(split, most, room)
    codes = []
    for part in data.rows[split].parts(chosen):
        codes.append(encode(np.asarray(part, np.float32)))
    return np.concatenate(codes), data.labels[split][chosen]


class Probes:
    """Classifiers of codes, fitted on training rows: their errors show what codes hold."""

    def __init__(self, train: Labelled, *, standardised: bool) -> None:
        """Scales the codes.

        standardised: each unit to mean 0 and deviation 1; else all are divided by one number, as
        suits units that are mostly 0.
        """
        codes, self.labels = train
        if standardised:
            self.mean = codes.mean(0)
            self.deviation = codes.std(0)
        else:
            self.mean = np.zeros(1, np.float32)
            self.deviation = codes.std(keepdims=True)
        self.deviation[self.deviation == 0] = 1
        self.sparse = not standardised and np.count_nonzero(codes) < MOSTLY_ZERO * codes.size
        self.codes = self._scaled(codes)
        self.linear: dict[float, LogisticRegression] = {}  # fitted by `best_l2`, by strength

    def errors(self, rows: Labelled, l2: float) -> dict[str, np.ndarray]:
        """1 for each row that is classified wrongly, by name of the probe.

        The linear probe is logistic regression, which minimises
        sum_i -log p(y_i | z_i) + l2 / 2 ||W||_F^2: scikit-learn's C is 1 / l2. A probe that
        `best_l2` has fitted is not fitted again.
        """
        linear = self.linear.get(l2)
        if linear is None:
            linear = LogisticRegression(C=1 / l2, max_iter=MOST_ITERATIONS).fit(
                self.codes, self.labels
            )
        neighbours = KNeighborsClassifier(NEIGHBOURS).fit(self.codes, self.labels)
        return {
            "linear_probe_error": self._errors(linear, rows),
            "knn_error": self._errors(neighbours, rows),
        }

    def best_l2(self, validation: Labelled) -> float:
        """The one of STRENGTHS with which the linear probe errs least; of several, the strongest.

        Weaker ones take longer and are left out after PATIENCE in a row that err more often.
        """
        # each strength starts near its end, from where the stronger one before it has ended
        probe = LogisticRegression(max_iter=MOST_ITERATIONS, warm_start=True)
        errors: dict[float, float] = {}
        for l2 in STRENGTHS:
            probe.set_params(C=1 / l2).fit(self.codes, self.labels)
            self.linear[l2] = copy(probe)
            errors[l2] = self._errors(probe, validation).sum()
            latest = list(errors.values())[-PATIENCE:]
            if min(latest) > min(errors.values()):
                break
        return min(errors, key=lambda l2: errors[l2])

    def _errors(self, probe: Any, rows: Labelled) -> np.ndarray:
        codes, labels = rows
        wrong = probe.predict(self._scaled(codes)) != labels
        return wrong.astype(float)

    def _scaled(self, codes: np.ndarray) -> np.ndarray | csr_array:
        """The codes in the probes' scale; as a sparse array where they are mostly 0."""
        scaled = (codes - self.mean) / self.deviation
        if self.sparse:
            return csr_array(scaled)
        return scaled
