"""The data sets by name: what is known of each, and how `data/raw` is filled with it."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from autoencoders.params import Data, DataFacts

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Source:
    """A data set of images whose pixels lie between 0 and `white`."""

    shape: tuple[int, int]  # rows, columns
    white: int
    labels: tuple[str, ...]

    @property
    def n_features(self) -> int:
        """Pixels of an image."""
        return self.shape[0] * self.shape[1]


DIGITS = tuple("0123456789")
CLOTHES = ("T-shirt", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
SOURCES = {
    "digits": Source((8, 8), 16, DIGITS),
    "mnist": Source((28, 28), 255, DIGITS),
    "fashion_mnist": Source((28, 28), 255, CLOTHES),
}


def facts(data: Data) -> DataFacts:
    """What is known before the data is there: enough to refuse a network that can't fit it."""
    return DataFacts(SOURCES[data.name].n_features, unit_interval=data.scaling in ("auto", "pixels"))


def download(name: str, folder: Path) -> None:
    """Fills the folder with `images.npy`, `labels.npy` and, where the data set has its own, `test_*.npy`.

    images: uint8 (rows, features); labels: uint8 (rows,). Raises DataError; the folder then stays as it was.
    """
    from autoencoders.data import idx
    from autoencoders.files import replacing

    arrays = _digits() if name == "digits" else idx.fetch(name)
    with replacing(folder) as new:
        import numpy as np

        for file, array in arrays.items():
            np.save(new / f"{file}.npy", array, allow_pickle=False)


def _digits() -> "dict[str, np.ndarray]":
    """scikit-learn's copy of the UCI optical digits: 1,797 images of 8 x 8 pixels from 0 to 16."""
    import numpy as np
    from sklearn.datasets import load_digits

    digits = load_digits()
    return {"images": digits.data.astype(np.uint8), "labels": digits.target.astype(np.uint8)}
