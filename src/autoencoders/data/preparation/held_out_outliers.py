"""Gross outliers among validation and test rows, beyond the fences that training rows set."""

import numpy as np

from autoencoders.data.preparation.gross_outliers import MOST_OUTLIERS
from autoencoders.data.prepared.fences import Fences


class HeldOutOutliers:
    """How many values of each feature lie beyond a fence, and from where to where."""

    def __init__(self, fences: Fences | None) -> None:
        """fences: None where no feature has any."""
        self.fences = fences
        self.n_rows = 0
        self.n = np.zeros(0, int)  # (features,): rows with such a value
        self.minimum = np.zeros(0)
        self.maximum = np.zeros(0)

    def add(self, rows: np.ndarray) -> None:
        """Adds rows (rows, features), raw."""
        self.n_rows += len(rows)
        if self.fences is None:
            return
        is_beyond = self.fences.is_beyond(rows)
        if not is_beyond.any():
            return
        if not len(self.n):
            self.n = np.zeros(rows.shape[1], int)
            self.minimum = np.full(rows.shape[1], np.inf)
            self.maximum = np.full(rows.shape[1], -np.inf)
        self.n += is_beyond.sum(0)
        self.minimum = np.minimum(self.minimum, rows.min(0, where=is_beyond, initial=np.inf))
        self.maximum = np.maximum(self.maximum, rows.max(0, where=is_beyond, initial=-np.inf))

    def notes(self, features: list[str]) -> dict[str, str]:
        """A note on each feature that has such values, by its name. features: all names."""
        notes = {}
        for place in np.flatnonzero(self.n):
            n = self.n[place]
            low = f"{self.minimum[place]:.10g}"
            high = f"{self.maximum[place]:.10g}"
            values = low if low == high else f"{low} to {high}"
            rows = "1 validation or test row lies" if n == 1 else f"{n} validation or test rows lie"
            note = (
                f"{values} in {rows} far from all training rows; errors take the nearest training "
                "value"
            )
            if n > max(1, MOST_OUTLIERS * self.n_rows):
                note += ", and are too small if these rows are no errors: see the false alarms"
            notes[features[place]] = note
        return notes
