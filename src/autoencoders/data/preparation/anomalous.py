"""The one of two labels that means an anomaly."""

import numpy as np

ANOMALOUS = {"1", "true", "yes", "anomaly", "anomalous", "abnormal", "outlier", "fault", "faulty"}
ANOMALOUS |= {"failure", "fail", "defect", "defective", "bad", "nok", "fraud", "attack", "malign"}
ANOMALOUS |= {"malignant", "positive", "broken", "error", "novel", "novelty", "o"}
NORMAL = {"0", "false", "no", "normal", "ok", "good", "inlier", "healthy", "benign", "negative"}
NORMAL |= {"regular", "pass", "clean", "n"}


def anomalous_class(names: tuple[str, ...], counts: np.ndarray) -> tuple[int, str] | None:
    """The position of the class that means an anomaly, and why; None unless there are two.

    names: of the classes. counts: (classes,), rows of each. A name that says it decides; else the
    rarer class is the anomaly.
    """
    if len(names) != 2:
        return None
    words = [name.strip().lower() for name in names]
    for position in (0, 1):
        other = words[1 - position]
        is_named = words[position] in ANOMALOUS and other not in ANOMALOUS
        if is_named and words != ["-1", "1"]:
            return position, "by its name"
        if other in NORMAL and words[position] not in NORMAL:
            return position, f"as the other one is called {names[1 - position]}"
    rarer = int(counts.argmin())
    return rarer, "as the rarer of the two"


def class_name(value: object) -> str:
    """A label as text; a whole number that is stored as a float has no decimals."""
    if isinstance(value, float):
        return f"{value:g}"
    return str(value)
