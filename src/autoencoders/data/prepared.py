"""`data/prepared`: arrays split into training, validation and test rows, their scaling, their description."""

from dataclasses import asdict, dataclass
from pathlib import Path
from tokenize import TokenError

import numpy as np

from autoencoders.data.sources import SOURCES, Source
from autoencoders.errors import DataError
from autoencoders.files import read_json, replacing, sha256, write_json
from autoencoders.params import Data, DataFacts

SPLITS = ("train", "validation", "test")
OWN_TEST = ("test_images", "test_labels")  # of a data set that comes with a test split
SMALLEST_SPLIT = 2  # rows; a variance needs two


@dataclass(frozen=True)
class Description:
    """prepared.json: what a later stage may know of the data without reading it."""

    name: str
    shape: tuple[int, int]  # of one image
    rows: dict[str, int]  # by split
    minimum: float  # of the training rows, raw scale
    maximum: float
    unit_interval: bool  # all values in model scale lie in [0, 1]
    scaling: str
    labels: tuple[str, ...]  # class names by label value
    split_sha256: str  # of the indices of all splits
    content_sha256: str  # of all arrays

    @property
    def facts(self) -> DataFacts:
        """What a network must fit."""
        return DataFacts(self.shape[0] * self.shape[1], self.unit_interval)


@dataclass(frozen=True)
class Prepared:
    """The arrays of `data/prepared`: rows in raw scale (n, features), labels (n,), memory-mapped."""

    description: Description
    rows: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    shift: np.ndarray  # (features,), float32: model scale = (raw - shift) / scale
    scale: np.ndarray


def prepare(raw: Path, folder: Path, data: Data) -> Description:
    """Fills the folder with the split and scaling of the arrays in `raw`. Raises DataError; it then stays as it was."""
    source = SOURCES[data.name]
    images, labels, splits = _split(raw, source, data)
    shift, scale = _scaling(images[splits["train"]], source, data.scaling)
    with replacing(folder) as new:
        arrays = {"shift": shift, "scale": scale}
        for split, indices in splits.items():
            arrays |= {split: images[indices], f"{split}_labels": labels[indices]}
        for name, array in arrays.items():
            np.save(new / f"{name}.npy", array, allow_pickle=False)
        train = arrays["train"]
        description = Description(
            name=data.name,
            shape=source.shape,
            rows={split: len(indices) for split, indices in splits.items()},
            minimum=float(train.min()),
            maximum=float(train.max()),
            unit_interval=data.scaling in ("auto", "pixels"),
            scaling="pixels" if data.scaling == "auto" else data.scaling,
            labels=source.labels,
            split_sha256=sha256(*(indices.astype("<i8").tobytes() for indices in splits.values())),
            content_sha256=sha256(*(np.ascontiguousarray(array).tobytes() for array in arrays.values())),
        )
        write_json(new / "prepared.json", asdict(description))
    return description


def _split(raw: Path, source: Source, data: Data) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """All images, all labels, and the indices of each split, in ascending order."""
    images, labels = _pair(raw, "images", "labels", source)
    order = np.random.default_rng(data.split_seed).permutation(len(images))
    if any((raw / f"{name}.npy").exists() for name in OWN_TEST):
        test_images, test_labels = _pair(raw, *OWN_TEST, source)
        test = len(images) + np.arange(len(test_images))
        images, labels = np.concatenate([images, test_images]), np.concatenate([labels, test_labels])
    else:
        n_test = round(len(order) * data.test_fraction)
        test, order = order[:n_test], order[n_test:]
    n_validation = round(len(order) * data.validation_fraction)
    parts = (order[n_validation:], order[:n_validation], test)
    splits = {split: np.sort(indices) for split, indices in zip(SPLITS, parts, strict=True)}
    for split, indices in splits.items():
        if len(indices) < SMALLEST_SPLIT:
            raise DataError(
                f"{raw}: {len(images)} rows leave {len(indices)} for {split}, which needs {SMALLEST_SPLIT}; "
                "raise data.validation_fraction or data.test_fraction, or use more data"
            )
    return images, labels, splits


def _pair(raw: Path, images_name: str, labels_name: str, source: Source) -> tuple[np.ndarray, np.ndarray]:
    """Images, and as many labels."""
    images = load_rows(raw / f"{images_name}.npy", source)
    labels = load_labels(raw / f"{labels_name}.npy", source)
    if len(images) != len(labels):
        raise DataError(
            f"{raw}: {len(images)} rows in {images_name}.npy, but {len(labels)} in {labels_name}.npy; "
            "delete the folder and run `dvc repro`"
        )
    return images, labels


def _scaling(train: np.ndarray, source: Source, scaling: str) -> tuple[np.ndarray, np.ndarray]:
    """shift and scale, each (features,) float32, fitted on the training rows alone."""
    zeros, ones = np.zeros(source.n_features), np.ones(source.n_features)
    if scaling in ("auto", "pixels"):
        shift, scale = zeros, ones * source.white
    elif scaling == "standard":
        deviation = train.std(axis=0, dtype=np.float64)
        shift, scale = train.mean(axis=0, dtype=np.float64), np.where(deviation > 0, deviation, 1.0)
    else:
        shift, scale = zeros, ones
    return shift.astype(np.float32), scale.astype(np.float32)


def load_array(path: Path, *, dtype: str, ndim: int) -> np.ndarray:
    """A memory-mapped array of a .npy file. Raises DataError where it isn't one of that type and number of axes."""
    try:
        array = np.lib.format.open_memmap(path, mode="r")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; `dvc repro` makes it") from error
    except (ValueError, OSError, TypeError, OverflowError, TokenError) as error:  # of numpy's parser of headers
        raise DataError(f"{path}: not a readable .npy array ({error}); delete it and run `dvc repro`") from error
    if array.dtype != dtype or array.ndim != ndim:
        found = f"{array.dtype} with {array.ndim} axes"
        raise DataError(f"{path}: {found}, expected {dtype} with {ndim} axes; delete it and run `dvc repro`")
    if len(array) == 0:
        raise DataError(f"{path}: zero rows; delete it and run `dvc repro`")
    return array


def load_rows(path: Path, source: Source) -> np.ndarray:
    """Images, uint8 (rows, features), checked against what is known of the source."""
    rows = load_array(path, dtype="uint8", ndim=2)
    if rows.shape[1] != source.n_features:
        raise DataError(f"{path}: {rows.shape[1]} features, expected {source.n_features}")
    if rows.max() > source.white:
        raise DataError(f"{path}: a pixel of {rows.max()}, expected 0 to {source.white}")
    return rows


def load_labels(path: Path, source: Source) -> np.ndarray:
    """Labels, uint8 (rows,), each an index into the source's label names."""
    labels = load_array(path, dtype="uint8", ndim=1)
    if labels.max() >= len(source.labels):
        raise DataError(f"{path}: a label of {labels.max()}, expected 0 to {len(source.labels) - 1}")
    return labels


def _load_scaling(path: Path, source: Source, *, above: float) -> np.ndarray:
    """shift or scale, float32 (features,), finite numbers above a bound."""
    values = load_array(path, dtype="float32", ndim=1)
    good = int((np.isfinite(values) & (values > above)).sum())
    if (len(values), good) != (source.n_features,) * 2:
        raise DataError(
            f"{path}: {len(values)} values, {good} of them finite and above {above}, expected {source.n_features}; "
            "delete it and run `dvc repro`"
        )
    return values


def load_description(folder: Path) -> Description:
    """prepared.json. Raises DataError."""
    path = folder / "prepared.json"
    try:
        values = read_json(path)
        source = SOURCES[values["name"]]
        if tuple(values["shape"]) != source.shape or set(values["rows"]) != set(SPLITS):
            raise DataError(
                f"{path}: shape {values['shape']} and rows of {', '.join(values['rows'])}, expected shape "
                f"{list(source.shape)} and rows of {', '.join(SPLITS)}; delete it and run `dvc repro`"
            )
        return Description(**{**values, "shape": source.shape, "labels": tuple(values["labels"])})
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; `dvc repro preprocess` makes it") from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: not what preprocess wrote ({error}); delete it and run `dvc repro`") from error


def load_prepared(folder: Path) -> Prepared:
    """The arrays that `prepare` wrote. Raises DataError."""
    description = load_description(folder)
    source = SOURCES[description.name]
    prepared = Prepared(
        description,
        rows={split: load_rows(folder / f"{split}.npy", source) for split in SPLITS},
        labels={split: load_labels(folder / f"{split}_labels.npy", source) for split in SPLITS},
        shift=_load_scaling(folder / "shift.npy", source, above=-np.inf),
        scale=_load_scaling(folder / "scale.npy", source, above=0.0),
    )
    for split in SPLITS:
        found = (len(prepared.rows[split]), len(prepared.labels[split]))
        if found != (description.rows[split],) * 2:
            raise DataError(
                f"{folder}: {found[0]} rows and {found[1]} labels in {split}, expected {description.rows[split]}; "
                "delete the folder and run `dvc repro`"
            )
    return prepared
