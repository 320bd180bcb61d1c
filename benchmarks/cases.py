"""The cases of `make bench` and `make bench-peers`: networks, and the rows that train them."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from common import ROOT

HELD_OUT = 1000  # rows that are made for validation, and as many for test
PEAK = 2e-3  # of the learning rate's cosine
TABLE_ROWS, TABLE_COLUMNS, TABLE_SIGNALS = 50_000, 12, 3


class Case(NamedTuple):
    """A network, and the rows that it is trained on."""

    source: Callable[[Path], dict[str, Any]]  # writes rows into a folder; the parameters below data
    widths: list[int]
    code: int
    batch: int
    epochs: int
    activation: str = "relu"
    linear_path: bool = False


@dataclass(frozen=True)
class PreparedCase:
    """A case with its rows as `data/prepared` has them."""

    name: str
    case: Case
    params: Any  # params.yaml's with the case's values
    data: Any
    folder: Path  # for what a training writes

    @property
    def n_features(self) -> int:
        """Numbers in a row."""
        return int(self.data.description.facts.n_features)

    @property
    def train_rows(self) -> int:
        """Rows of the training split."""
        return len(self.data.rows["train"])

    def scaled(self) -> dict[str, np.ndarray]:
        """All rows in model scale, by split."""
        splits = ("train", "validation", "test")
        return {split: self.data.scaled(self.data.sample(split)) for split in splits}

    def with_epochs(self, epochs: int) -> "PreparedCase":
        """The case with another number of epochs."""
        params = self.params.override({"train.epochs": epochs})
        return replace(self, case=self.case._replace(epochs=epochs), params=params)


def prepared_case(name: str, folder: Path) -> PreparedCase:
    """Writes and prepares a case's rows in a new folder."""
    from autoencoders.data.preparation.prepare import prepare
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.data.sources.source import download
    from autoencoders.params.params import load_params

    folder.mkdir()
    case = CASES[name]
    values = {**case.source(folder), **_values(case)}
    params = load_params(ROOT / "params.yaml").override(values)
    download(params.data, folder / "raw")
    prepare(folder / "raw", folder / "prepared", params.data)
    return PreparedCase(name, case, params, load_prepared(folder / "prepared"), folder)


def _values(case: Case) -> dict[str, Any]:
    """The parameters of a case: the same training as by hand and in other libraries."""
    return {
        "network.code_size": case.code,
        "network.n_layers": len(case.widths),
        "network.nodes_per_layer": case.widths,
        "network.activation": case.activation,
        "network.loss": "mse",
        "network.linear_path": case.linear_path,
        "train.batch_size": case.batch,
        "train.epochs": case.epochs,
        "train.learning_rate": PEAK,
        "train.weight_decay": 0.0,
        "train.augment": 0.0,
        "train.patience": 0,
    }


def images(n: int, side: int) -> np.ndarray:
    """Grey images (n, side, side), uint8, of a few smooth shapes.

    These move from image to image, so that there is something to learn.
    """
    rng = np.random.default_rng(0)
    y, x = np.mgrid[0:side, 0:side] / side
    brightness = np.zeros((n, side, side))
    for _ in range(3):
        centre, width = rng.random((2, n, 1, 1)), 0.05 + 0.15 * rng.random((n, 1, 1))
        brightness += np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * width**2))
    return np.asarray(255 * brightness.clip(0, 1), np.uint8)


def drawn_images(train_rows: int, side: int) -> Callable[[Path], dict[str, Any]]:
    """A source of drawn images, of which train_rows are trained on."""

    def source(folder: Path) -> dict[str, Any]:
        rows = train_rows + 2 * HELD_OUT
        np.save(folder / "rows.npy", images(rows, side))
        return {
            "data.path": str(folder / "rows.npy"),
            "data.test_fraction": HELD_OUT / rows,
            "data.validation_fraction": HELD_OUT / (rows - HELD_OUT),
        }

    return source


def digits(folder: Path) -> dict[str, Any]:
    """A source of the digits that come with the project."""
    return {"data.name": "digits"}


def drawn_table(folder: Path) -> dict[str, Any]:
    """A source of a table whose columns bend a few signals, with noise."""
    rng = np.random.default_rng(0)
    signals = rng.standard_normal((TABLE_ROWS, TABLE_SIGNALS))
    bent = np.tanh(signals @ rng.standard_normal((TABLE_SIGNALS, TABLE_COLUMNS)))
    noise = rng.standard_normal((TABLE_ROWS, TABLE_COLUMNS))
    mixed = bent @ rng.standard_normal((TABLE_COLUMNS, TABLE_COLUMNS)) + 0.1 * noise
    np.save(folder / "rows.npy", np.asarray(mixed, np.float32))
    return {"data.path": str(folder / "rows.npy")}


CASES = {
    "small": Case(drawn_images(12_800, 8), widths=[32], code=8, batch=64, epochs=10),
    # the network and the batches that `auto` gives to digits; squared error, which all libraries
    # have
    "digits": Case(digits, widths=[128, 64], code=8, batch=64, epochs=100, activation="silu"),
    "middle": Case(drawn_images(12_800, 28), widths=[512, 256, 128], code=32, batch=128, epochs=3),
    # what `auto` gives to a table of this size
    "table": Case(
        drawn_table,
        widths=[128, 64],
        code=TABLE_SIGNALS,
        batch=128,
        epochs=5,
        activation="silu",
        linear_path=True,
    ),
}
