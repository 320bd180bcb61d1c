"""Hints at columns that may be labels, although they are read as features."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from autoencoders.data.preparation.anomalous import class_name

LABEL_WORDS = {"label", "labels", "target", "anomaly", "anomalies", "anomalous", "outlier"}
LABEL_WORDS |= {"outliers", "class", "fault", "faulty", "fraud", "defect", "defective", "attack"}
LABEL_NAMES = {"y", "gt", "ground truth", "y_true"}  # as a whole
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
AGREEMENT = 0.95  # the share of rows above which a column tells the label
AGREEMENT_PER_CLASS = 0.5  # and that of each label's rows: of a rare label, most rows agree anyway
MISSING = 2  # the code of a missing value, and of each beyond the first two


@dataclass
class TwoValues:
    """The values of a column, as long as there are two at most."""

    values: list[object] = field(default_factory=list)

    @property
    def are_at_most_two(self) -> bool:
        """Whether no third value was seen."""
        return len(self.values) <= 2

    def codes(self, column: pd.Series) -> np.ndarray:
        """Each row's value (rows,), as 0 or 1 in the order in which they were seen, or MISSING."""
        codes, different = pd.factorize(column)
        places = np.full(len(different) + 1, MISSING)  # the last one is that of the code -1
        for i, value in enumerate(different):
            if value not in self.values and self.are_at_most_two:
                self.values.append(value)
            if value in self.values:
                places[i] = min(self.values.index(value), MISSING)
        return places[codes]


class LabelHints:
    """The columns of two values, and how often each agrees with the label."""

    def __init__(self) -> None:
        """Starts without a column."""
        self.label = TwoValues()
        self.columns: dict[str, TwoValues] = {}
        self.counts: dict[str, np.ndarray] = {}  # rows (value, label), by column

    def add(self, columns: Mapping[str, pd.Series], labels: pd.Series | None) -> None:
        """Adds some rows of columns. labels: of these rows, if there are any."""
        label_codes = None if labels is None else self.label.codes(labels)
        for name, column in columns.items():
            codes = self.columns.setdefault(name, TwoValues()).codes(column)
            if label_codes is not None:
                cells = np.bincount(3 * codes + label_codes, minlength=9).reshape(3, 3)
                self.counts[name] = self.counts.get(name, 0) + cells

    def candidates(self, names: Iterable[str]) -> list[str]:
        """Those of the columns that hold two values so far."""
        return [name for name in names if self.columns.get(name, TwoValues()).are_at_most_two]

    def notes(self, names: Iterable[str], label: str) -> list[str]:
        """Notes on columns that may be labels. label: the column that is the label, or nothing."""
        notes = []
        for name in names:
            values = self.columns.get(name, TwoValues()).values
            if len(values) != 2:
                continue
            shown = " and ".join(sorted(map(class_name, values)))
            share = self._agreement(name)
            if label and share > AGREEMENT:
                notes.append(
                    f"column {name} ({shown}) is a feature, and tells the label {label} in "
                    f"{share:.1%} of the rows; if it is a label, too, name it in data.ignore"
                )
            elif says_label(name) and label:
                notes.append(
                    f"column {name} ({shown}) is a feature; if it is a label, too, name it in "
                    "data.ignore"
                )
            elif says_label(name):
                notes.append(
                    f"column {name} ({shown}) is a feature; if it is the label, set data.label: "
                    f"{name}, and data.label_means: anomaly where it marks anomalies"
                )
        return notes

    def _agreement(self, name: str) -> float:
        """The share of rows in which a column tells the label; 0 where it does not for one label.

        A missing value agrees with no label.
        """
        if name not in self.counts or len(self.label.values) != 2:
            return 0.0
        counts = self.counts[name]
        per_label = counts.sum(0)[:2]
        best = 0.0
        for agreeing in (np.diagonal(counts)[:2], np.diagonal(counts[1::-1])[:2]):
            if (agreeing > AGREEMENT_PER_CLASS * per_label).all():
                best = max(best, float(agreeing.sum() / counts.sum()))
        return best


def says_label(name: str) -> bool:
    """Whether a column's name says that it is a label."""
    words = {word.lower() for word in WORD.findall(name)}
    return name.strip().lower() in LABEL_NAMES or bool(words & LABEL_WORDS)
