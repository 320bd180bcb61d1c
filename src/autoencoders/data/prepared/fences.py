"""Fences of features: what lies beyond them is a gross outlier, which no model is fitted to."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from autoencoders.core.errors import DataError
from autoencoders.core.files import AGAIN

FENCES = "fences.npy"


@dataclass(frozen=True)
class Fences:
    """Each feature's fences, and the range of the training values between them.

    All are (features,), float32, in raw scale; infinite where a feature has none.
    """

    low: np.ndarray
    high: np.ndarray
    minimum: np.ndarray
    maximum: np.ndarray

    def is_beyond(self, rows: np.ndarray) -> np.ndarray:
        """Whether each value of rows (rows, features) lies beyond a fence."""
        is_beyond: np.ndarray = (rows < self.low) | (rows > self.high)
        return is_beyond

    def clipped(self, rows: np.ndarray) -> np.ndarray:
        """Rows (rows, features) whose values beyond a fence are at that end of the training range.

        All others stay as they are, also between that range and a fence.
        """
        if not len(rows):
            return rows
        if (rows.min(0) >= self.low).all() and (rows.max(0) <= self.high).all():
            return rows
        rows = np.where(rows < self.low, self.minimum, rows)
        return np.where(rows > self.high, self.maximum, rows)

    def stacked(self) -> np.ndarray:
        """All four as one array (4, features), as it is stored."""
        return np.stack([self.low, self.high, self.minimum, self.maximum])

    def save(self, folder: Path) -> None:
        """Writes the fences into the folder of prepared rows."""
        np.save(folder / FENCES, self.stacked(), allow_pickle=False)


def load_fences(folder: Path, n_features: int) -> Fences | None:
    """The fences in a folder of prepared rows; None where these have none. Raises DataError."""
    path = folder / FENCES
    if not path.exists():
        return None
    try:
        stacked = np.load(path, allow_pickle=False)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: not a readable .npy array ({error}); {AGAIN}") from error
    if stacked.shape != (4, n_features) or stacked.dtype != np.float32:
        raise DataError(
            f"{path}: {stacked.dtype} of shape {stacked.shape}, expected float32 of shape "
            f"(4, {n_features}); {AGAIN}"
        )
    low, high, minimum, maximum = stacked
    if not ((low <= minimum) & (minimum <= maximum) & (maximum <= high)).all():
        raise DataError(f"{path}: fences that can't be used; {AGAIN}")
    return Fences(low, high, minimum, maximum)
