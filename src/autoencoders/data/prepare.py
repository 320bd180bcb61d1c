"""Fills `data/prepared`: rows of the source are counted and split, surveyed, and written as features."""

from collections.abc import Iterator
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autoencoders.data.blocks import Writer
from autoencoders.data.prepared import REPORT, SPLITS, Description, content_sha256, split_sha256
from autoencoders.data.readers import Reader, open_reader
from autoencoders.data.schema import Rows, Schema, encode, some
from autoencoders.data.sources import FILES, ORIGIN
from autoencoders.data.survey import Survey
from autoencoders.errors import DataError
from autoencoders.files import read_json, replacing, tree_sha256, write_json
from autoencoders.params import Data

SMALLEST_SPLIT = 2  # rows; a variance needs two
MOST_CLASSES = 1000
TABLES = "standard"  # the scaling that `auto` stands for, of tables
BACKWARDS = np.array([2, 1, 0], np.int8)  # numbers of SPLITS, in the order in which they take their rows
LOOKED = 100_000  # rows among which duplicates are counted


def prepare(raw: Path, folder: Path, data: Data) -> Description:
    """Fills the folder with split, features and scaling of the source in `raw`. Raises DataError; it then stays as is.

    Three passes: rows and labels are counted, the training rows are surveyed, the features are written.
    """
    origin = read_json(raw / ORIGIN)
    path = Path(origin["path"]) if "path" in origin else raw / FILES
    rows = RawRows(open_reader(path, image_side=data.image_side), data, origin)
    masks, survey = rows.masks(), Survey(rows.names, data.split_seed)
    for first, batch in rows:
        survey.add(_where(batch, masks["train"][first : first + len(batch)]), first)
    schema = Schema(rows.reader.shape, survey.columns(impute=data.missing == "impute") if rows.names else ())
    if not schema.n_features:
        raise DataError("no features: every column is constant, ignored, a label or a date")
    scaling = ("pixels" if schema.is_image else TABLES) if data.scaling == "auto" else data.scaling
    if data.binarise and scaling != "pixels":
        raise DataError(f"data.binarise = true: needs images with data.scaling = pixels, but it is {scaling}")
    with replacing(folder) as new:
        scaled = partial(fitted_scaling, survey, schema, scaling, origin.get("white"))
        drawn = Binarised(**scaled(), seed=data.split_seed) if data.binarise else None
        low, high, twice = _write(new, rows, masks, schema, drawn)  # refuses values that no scaling can be fitted to
        arrays = scaled()
        for name, values in arrays.items():
            np.save(new / f"{name}.npy", values, allow_pickle=False)
        ends = (np.array([low, high], np.float32) - arrays["shift"].min()) / arrays["scale"].max()
        description = Description(
            name=data.title,
            schema=schema,
            rows={split: int(mask.sum()) for split, mask in masks.items()},
            minimum=low,
            maximum=high,
            unit_interval=scaling in ("pixels", "none") and bool(ends.min() >= 0 and ends.max() <= 1),
            scaling=scaling,
            binarise=data.binarise,
            protocol=data.protocol,
            labels=rows.classes,
            anomaly_labels=rows.anomaly_labels,
            split_sha256=split_sha256(new, schema),
            content_sha256=content_sha256(new),
            source=origin.get("path", data.title),
            source_sha256=tree_sha256(path if "path" in origin else raw),
        )
        write_json(new / "prepared.json", asdict(description))
        columns = survey.report() if rows.names else []
        write_json(new / REPORT, {**rows.report(), "duplicates": twice, "range": [low, high], "columns": columns})
    return description


class RawRows:
    """The rows of a source without labels and what is left out, batch by batch."""

    def __init__(self, reader: Reader, data: Data, origin: dict[str, Any]) -> None:
        """The first pass: counts the rows, and reads labels and what the split goes by. Raises DataError."""
        self.reader, self.data, self.origin = reader, data, origin
        if data.image_side != "auto" and reader.shape[:2] != (data.image_side, data.image_side):
            raise DataError(
                f"data.image_side = {data.image_side}: image files alone are resized, and {data.title} has rows of "
                f"shape {reader.shape or len(reader.names)}; choose auto"
            )
        label = origin.get("label", "") if data.label == "auto" else data.label
        by = data.split.partition(":")[2]
        self.names = self._features([name for name in (label, by) if name])
        self.n, labels, keys = 0, [], []
        for batch, given in reader.batches():
            self.n += len(batch)
            table = batch if isinstance(batch, pa.Table) else None
            labels.append(table[label].to_pandas() if table and label else given)
            keys += [table[by].to_pandas()] if table and by else []
        self.keys = pd.concat(keys, ignore_index=True) if keys else pd.Series(dtype=object)
        self.labels, found = _classes(label or "y", labels, self.n)
        self.classes = tuple(origin.get("labels") or found)
        self.anomaly_labels = self._anomalies()

    def _features(self, special: list[str]) -> list[str]:
        """The columns that are features. Raises DataError where a column is named that isn't there."""
        names, ignored = self.reader.names, self.data.ignore
        named = names if self.reader.named else []
        if unknown := [name for name in (*special, *ignored) if name not in named]:
            found = some(named, 50) or "none with names"
            raise DataError(f"data.label, data.split or data.ignore: no column {some(unknown)}; the source has {found}")
        self.left_out = [name for name in self.reader.dates if name not in special + ignored]
        return [name for name in names if name not in {*special, *ignored, *self.left_out}]

    def _anomalies(self) -> bool:
        means, binary = self.data.label_means, self.classes == ("0", "1")
        if means == "anomaly" and not binary:
            raise DataError(f"data.label_means = anomaly: needs labels 0 and 1, found {some(self.classes) or 'none'}")
        return means == "anomaly" or (means == "auto" and binary and bool(self.origin.get("npz")))

    def __iter__(self) -> Iterator[tuple[int, Rows]]:
        """Each batch's first row's number, and its features' columns."""
        first = 0
        for batch, _ in self.reader.batches():
            yield first, batch.select(self.names) if isinstance(batch, pa.Table) else batch
            first += len(batch)

    def masks(self) -> dict[str, np.ndarray]:
        """Which rows (rows,) each split has. Raises DataError where one has too few."""
        data, n, own_test = self.data, self.n, int(self.origin.get("test_rows", 0))
        if self.keys.isna().any():
            raise DataError(f"data.split = {data.split}: row {int(self.keys.isna().argmax()) + 1} has no value")
        n_test = own_test or (0 if data.protocol == "transductive" else round(n * data.test_fraction))
        n_validation = round((n - n_test) * data.validation_fraction)
        sizes = [n - n_test - n_validation, n_validation, n_test]
        number = np.empty(n, np.int8)  # of each row's split
        number[np.append(np.arange(n - own_test, n), self._order(n - own_test))] = np.repeat(BACKWARDS, sizes[::-1])
        if data.split.startswith("column:"):
            if unknown := self.keys[~self.keys.isin(SPLITS)].tolist():
                raise DataError(f"data.split = {data.split}: holds {unknown[0]!r}, allowed: {', '.join(SPLITS)}")
            number = pd.Categorical(self.keys, SPLITS).codes
        masks = {split: np.asarray(number == i) for i, split in enumerate(SPLITS)}
        if data.protocol == "transductive":
            masks |= dict.fromkeys(("train", "test"), np.ones(n, bool))
        for split, mask in masks.items():
            if mask.sum() < SMALLEST_SPLIT:
                raise DataError(
                    f"{n} rows leave {mask.sum()} for {split}, which needs {SMALLEST_SPLIT}; raise "
                    "data.validation_fraction or data.test_fraction, or use more data"
                )
        if self.anomaly_labels and self.labels[masks["validation"]].all():
            raise DataError("no validation row is normal (label 0), and p-values compare with these; change data.split")
        return masks

    def _order(self, n: int) -> np.ndarray:
        """The rows in the order in which test, validation and training take them: by time, the last ones first."""
        if self.data.split.startswith("time:"):
            return np.argsort(self._times().to_numpy(), kind="stable")[::-1]
        return np.random.default_rng(self.data.split_seed).permutation(n)

    def _times(self) -> pd.Series:
        """What rows are ordered by: text as the dates or numbers that it holds. Raises DataError."""
        if pd.api.types.infer_dtype(self.keys.astype(object)) != "string":
            return self.keys
        for parsed in (partial(pd.to_datetime, format="ISO8601", utc=True), pd.to_numeric):
            with suppress(ValueError):
                return parsed(self.keys)
        raise DataError(
            f"data.split = {self.data.split}: holds text such as {self.keys[0]!r}, whose order in time is unknown; "
            "write ISO dates (2026-12-31) or numbers"
        )

    def report(self) -> dict[str, Any]:
        """What the source is, and what was left out."""
        counts = dict(zip(self.classes, np.bincount(self.labels, minlength=len(self.classes)).tolist(), strict=False))
        told = self.reader.told + ([f"left out, as dates: {some(self.left_out)}"] if self.left_out else [])
        return {"rows": self.n, "shape": list(self.reader.shape), "labels": counts, "told": told}


def _classes(name: str, parts: list[Any], n: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Each row's class, uint16, and the classes' names in order; 0 and none where there are no labels."""
    given = [pd.Series(part) for part in parts if part is not None]
    if not given:
        return np.zeros(n, np.uint16), ()
    codes, values = pd.factorize(pd.concat(given, ignore_index=True), sort=True)
    if (codes < 0).any() or len(values) > MOST_CLASSES:
        found = f"row {int((codes < 0).argmax()) + 1} has no value" if (codes < 0).any() else f"{len(values)} values"
        raise DataError(f"label {name}: {found}; one of at most {MOST_CLASSES} classes is needed in every row")
    return codes.astype(np.uint16), tuple(f"{v:g}" if isinstance(v, float) else str(v) for v in values)


def _where(rows: Rows, mask: np.ndarray) -> Rows:
    return rows.filter(pa.array(mask)) if isinstance(rows, pa.Table) else rows[mask]


class Binarised:
    """Draws black or white for each pixel, white with its model-scale value as probability."""

    def __init__(self, shift: np.ndarray, scale: np.ndarray, seed: int) -> None:
        """shift, scale: (features,), the scaling."""
        self.shift, self.scale, self.random = shift, scale, np.random.default_rng([seed, 1])

    def __call__(self, features: np.ndarray) -> np.ndarray:
        """features, result: (rows, features) in raw scale and of the same type."""
        white = self.random.random(features.shape, np.float32) < (features - self.shift) / self.scale
        return (self.shift + self.scale * white).astype(features.dtype)


def _write(
    folder: Path, rows: RawRows, masks: dict[str, np.ndarray], schema: Schema, drawn: Binarised | None
) -> tuple[float, float, int]:
    """Writes features and labels; gives the range of all values, and the duplicates of the first rows.

    drawn: what held-out rows become.
    """
    writers: dict[str, Writer] = {}
    low, high, seen, looked, total = np.inf, -np.inf, set(), 0, np.zeros(schema.n_features)
    with ExitStack() as files:
        for first, batch in rows:
            features = encode(schema, batch, first)
            low, high = min(low, float(features.min())), max(high, float(features.max()))
            for split, mask in masks.items():
                if not first:
                    writer = Writer(folder / f"{split}.npy", features.dtype, (int(mask.sum()), schema.n_features))
                    writers[split] = files.enter_context(closing(writer))
                chosen = features[mask[first : first + len(batch)]]
                writers[split].add(drawn(chosen) if drawn and split != "train" else chosen)
            total += features[masks["train"][first : first + len(batch)]].sum(0, dtype=np.float64)
            if looked < LOOKED:
                seen |= {hash(row.tobytes()) for row in features}
                looked += len(features)
    for split, mask in masks.items():
        np.save(folder / f"{split}_labels.npy", rows.labels[mask], allow_pickle=False)
    np.save(folder / "mean.npy", (total / masks["train"].sum()).astype(np.float32), allow_pickle=False)
    return low, high, looked - len(seen)


def fitted_scaling(survey: Survey, schema: Schema, scaling: str, white: float | None) -> dict[str, np.ndarray]:
    """shift and scale, each (features,) float32, of the training rows alone: model scale = (raw - shift) / scale.

    Categories stay 0 and 1. pixels: from black to white is 0 to 1, where white is 1, 255, or the brightest training
    pixel above that. robust: median and interquartile range. Raises DataError where the data has no pixels.
    """
    if scaling == "pixels" and not schema.is_image:
        raise DataError("data.scaling = pixels: needs images; choose minmax, standard, robust, none or auto")
    low, median, high = survey.quartiles()
    brightest, black = float(survey.maximum.max(initial=0)), float(survey.minimum.min(initial=0))
    full = (white or (1.0 if brightest <= 1 else max(255.0, brightest))) - black
    centre, spread = {
        "pixels": (np.full_like(low, black), np.full_like(low, full)),
        "minmax": (survey.minimum, survey.maximum - survey.minimum),
        "standard": (survey.mean, survey.deviation),
        "robust": (median, np.where(high > low, high - low, survey.deviation)),
        "none": (np.zeros_like(low), np.ones_like(low)),
    }[scaling]
    spread = np.where(spread > np.finfo(np.float32).tiny, spread, 1.0)
    pairs = list(zip(centre, spread, strict=True))
    if not schema.is_image:
        known = dict(zip(survey.numbers, pairs, strict=True))
        pairs = [known.get(column.name, (0.0, 1.0)) for column in schema.columns for _ in column.features]
    shift, scale = np.array(pairs, np.float32).T
    return {"shift": shift, "scale": scale}
