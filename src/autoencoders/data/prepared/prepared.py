"""`data/prepared`: training, validation and test rows, their scaling, their description."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np
from pydantic import ConfigDict, TypeAdapter, ValidationError

from autoencoders.core.errors import DataError
from autoencoders.core.files import AGAIN, sha256, tree_sha256
from autoencoders.core.paths import DESCRIPTION
from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.fences import Fences, load_fences
from autoencoders.data.prepared.schema import Schema
from autoencoders.params.architecture import DataFacts

SPLITS = ("train", "validation", "test")
NUMBERS = "test_numbers.npy"  # of the test rows in the source, counted from 1
REPORT = "report.json"  # of the source: types, ranges, missing values, outliers, duplicates
MOST_NOTES = 50  # on a source, that are shown at once: of a wide table there may be thousands
SAMPLE_VALUES = 2**24  # of a split, that may be in memory at once: 64 MB as float32


@dataclass(frozen=True)
class Description:
    """prepared.json: what a later stage may know of the data without reading it."""

    name: str
    schema: Schema
    rows: dict[str, int]  # by split
    minimum: float  # of all rows, raw scale
    maximum: float
    unit_interval: bool  # all values in model scale lie in [0, 1]
    scaling: str
    binarise: bool  # held-out rows are 0 or 1; training draws such rows anew in each epoch
    protocol: str  # split, or transductive: all rows are training and test rows
    labels: tuple[str, ...]  # class names by label value
    anomaly_labels: bool  # label 1 is an anomaly, 0 is normal
    split_sha256: str  # of the rows of all splits in raw scale, and of the schema
    content_sha256: str  # of all arrays
    source: str  # the user's file or folder, else the data set's name
    source_sha256: str
    # the parameters that decided on the splits, by name in the section `data`
    split_values: dict[str, str | int | float] = field(default_factory=dict)
    __pydantic_config__: ClassVar = ConfigDict(extra="forbid")

    @property
    def facts(self) -> DataFacts:
        """The facts that a network must fit."""
        return DataFacts(
            self.schema.n_features,
            self.unit_interval,
            self.schema.shape,
            self.rows["train"],
            self.anomaly_labels,
        )


@dataclass(frozen=True)
class Prepared:
    """The arrays of `data/prepared`: raw-scale rows (n, features), read in blocks; labels (n,).

    Values beyond the fences are clipped, for models are fitted to these rows and their errors
    measured on them: one value would decide both. Scores are of the rows in full.
    """

    description: Description
    rows: dict[str, Blocks]
    labels: dict[str, np.ndarray]
    # (n,): the row's values in constant columns that no training row had
    n_novel: dict[str, np.ndarray]
    shift: np.ndarray  # (features,), float32: model scale = (raw - shift) / scale
    scale: np.ndarray
    mean: np.ndarray  # (features,), float32: of the training rows, raw scale
    # (test rows,): their numbers in the source, counted from 1; empty in data prepared before
    test_numbers: np.ndarray
    fences: Fences | None = None  # None: the features have none

    def chosen(self, split: str, most: int | None = None, room: int = 0) -> np.ndarray:
        """Numbers of the rows that `sample` gives, in order; always the same.

        most: rows, at most; None: all. room: rows that fit in memory; 0: those of `sample`.
        """
        n = len(self.rows[split])
        room = room or SAMPLE_VALUES // self.description.schema.n_features
        size = min(n, room, most or n)
        if size == n:
            return np.arange(n)
        return np.sort(np.random.default_rng(0).choice(n, size, replace=False))

    def sample(self, split: str, most: int | None = None) -> np.ndarray:
        """Raw rows of a split, float32: all if they fit in memory, else always the same sample."""
        rows = self.rows[split].take(self.chosen(split, most))
        return np.asarray(rows, np.float32)

    def sample_in_full(self, split: str) -> np.ndarray:
        """The rows that `sample` gives, none of which is clipped."""
        rows = self.rows[split].in_full().take(self.chosen(split))
        return np.asarray(rows, np.float32)

    def scaled(self, raw: np.ndarray) -> np.ndarray:
        """Raw rows in model scale, float32."""
        return (np.asarray(raw, np.float32) - self.shift) / self.scale

    def clean(self, split: str, most: int | None = None) -> np.ndarray:
        """`sample` without the rows whose label says that they are anomalies."""
        rows = self.sample(split, most)
        if not self.description.anomaly_labels:
            return rows
        return rows[self.sampled_labels(split, most) == 0]

    def clean_novel(self, split: str, most: int | None = None) -> np.ndarray:
        """The numbers of novel values in the rows that `clean` gives."""
        n_novel = self.n_novel[split][self.chosen(split, most)]
        if not self.description.anomaly_labels:
            return n_novel
        return n_novel[self.sampled_labels(split, most) == 0]

    def sampled_labels(self, split: str, most: int | None = None) -> np.ndarray:
        """Labels of the rows that `sample` gives."""
        return self.labels[split][self.chosen(split, most)]


def content_sha256(folder: Path) -> str:
    """The hash of all arrays in a folder that `prepare` wrote, except of the rows' numbers.

    These name rows, and change none of them.
    """
    return tree_sha256(*(path for path in folder.glob("*.npy") if path.name != NUMBERS))


def split_sha256(folder: Path, schema: Schema) -> str:
    """The hash of each split's rows in raw scale: where it is the same, models may be compared."""
    arrays = [folder / f"{split}.npy" for split in SPLITS]
    values = asdict(schema)
    del values["id_column"]  # it names the rows, and changes none of them
    columns = json.dumps(values, sort_keys=True)
    return sha256(tree_sha256(*arrays).encode(), columns.encode())


def shown_notes(notes: Sequence[str]) -> list[str]:
    """The first notes on a source, and how many more there are."""
    shown = list(notes[:MOST_NOTES])
    if len(notes) > MOST_NOTES:
        shown.append(f"and {len(notes) - MOST_NOTES} more notes, which {REPORT} holds")
    return shown


def load_description(folder: Path) -> Description:
    """Reads prepared.json of a folder. Raises DataError."""
    path = folder / DESCRIPTION.name
    try:
        return TypeAdapter(Description).validate_json(path.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; `dvc repro preprocess` makes it") from error
    except ValidationError as error:
        problems = []
        for details in error.errors():
            key = ".".join(map(str, details["loc"]))
            problems.append(f"{key}: {details['msg']}".lstrip(": "))
        raise DataError(
            f"{path}: not what preprocess wrote ({'; '.join(problems)}); {AGAIN}"
        ) from error


def load_prepared(folder: Path) -> Prepared:
    """Opens the arrays that `prepare` wrote into a folder. Raises DataError."""
    description = load_description(folder)
    n_features = description.schema.n_features
    rows = {}
    labels = {}
    n_novel = {}
    fences = load_fences(folder, n_features)
    for split in SPLITS:
        n = description.rows.get(split, 0)
        rows[split] = _array(folder / f"{split}.npy", (n, n_features), fences)
        labels[split] = _array(folder / f"{split}_labels.npy", (n,)).mapped()
        n_novel[split] = np.zeros(n, np.uint16)
        if description.schema.constants and (folder / f"{split}_novel.npy").exists():
            n_novel[split] = _array(folder / f"{split}_novel.npy", (n,)).mapped()
    shift = _array(folder / "shift.npy", (n_features,)).read()
    scale = _array(folder / "scale.npy", (n_features,)).read()
    mean = _array(folder / "mean.npy", (n_features,)).read()
    if not (np.isfinite([shift, scale, mean]).all() and (scale > 0).all()):
        raise DataError(f"{folder}: shift or scale can't be used; {AGAIN}")
    test_numbers = np.empty(0, np.uint64)
    if (folder / NUMBERS).exists():
        test_numbers = _array(folder / NUMBERS, (len(rows["test"]),)).mapped()
    return Prepared(description, rows, labels, n_novel, shift, scale, mean, test_numbers, fences)


def _array(path: Path, shape: tuple[int, ...], fences: Fences | None = None) -> Blocks:
    """The array in a file, clipped by fences. Raises DataError where it is not of this shape."""
    try:
        array = Blocks(path, fences.clipped if fences else None)
    except DataError as error:
        raise DataError(f"{error}; {AGAIN}") from error
    if array.shape != shape or array.dtype.kind not in "uf":
        raise DataError(
            f"{path}: {array.dtype} of shape {array.shape}, expected numbers of shape {shape}; "
            f"{AGAIN}"
        )
    return array
