"""Raw rows as a reader gives them: features, the class of each row, and the split that it belongs to."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.prepared import SPLITS
from autoencoders.data.prepared.schema import Rows, some
from autoencoders.data.readers.reader import Reader
from autoencoders.params.sections import Data

SMALLEST_SPLIT = 2  # rows; a variance needs two
MOST_CLASSES = 1000
TABLES = "standard"  # the scaling that `auto` stands for, of tables
BACKWARDS = np.array(
    [2, 1, 0], np.int8
)  # numbers of SPLITS, in the order in which they take their rows
LOOKED = 100_000  # rows among which duplicates are counted


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
            raise DataError(
                f"data.label, data.split or data.ignore: no column {some(unknown)}; the source has {found}"
            )
        self.left_out = [name for name in self.reader.dates if name not in special + ignored]
        return [name for name in names if name not in {*special, *ignored, *self.left_out}]

    def _anomalies(self) -> bool:
        means, binary = self.data.label_means, self.classes == ("0", "1")
        if means == "anomaly" and not binary:
            raise DataError(
                f"data.label_means = anomaly: needs labels 0 and 1, found {some(self.classes) or 'none'}"
            )
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
            raise DataError(
                f"data.split = {data.split}: row {int(self.keys.isna().argmax()) + 1} has no value"
            )
        n_test = own_test or (
            0 if data.protocol == "transductive" else round(n * data.test_fraction)
        )
        n_validation = round((n - n_test) * data.validation_fraction)
        sizes = [n - n_test - n_validation, n_validation, n_test]
        number = np.empty(n, np.int8)  # of each row's split
        number[np.append(np.arange(n - own_test, n), self._order(n - own_test))] = np.repeat(
            BACKWARDS, sizes[::-1]
        )
        if data.split.startswith("column:"):
            if unknown := self.keys[~self.keys.isin(SPLITS)].tolist():
                raise DataError(
                    f"data.split = {data.split}: holds {unknown[0]!r}, allowed: {', '.join(SPLITS)}"
                )
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
            raise DataError(
                "no validation row is normal (label 0), and p-values compare with these; change data.split"
            )
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
        counts = dict(
            zip(
                self.classes,
                np.bincount(self.labels, minlength=len(self.classes)).tolist(),
                strict=False,
            )
        )
        told = self.reader.told + (
            [f"left out, as dates: {some(self.left_out)}"] if self.left_out else []
        )
        return {"rows": self.n, "shape": list(self.reader.shape), "labels": counts, "told": told}


def _classes(name: str, parts: list[Any], n: int) -> tuple[np.ndarray, tuple[str, ...]]:
    """Each row's class, uint16, and the classes' names in order; 0 and none where there are no labels."""
    given = [pd.Series(part) for part in parts if part is not None]
    if not given:
        return np.zeros(n, np.uint16), ()
    codes, values = pd.factorize(pd.concat(given, ignore_index=True), sort=True)
    if (codes < 0).any() or len(values) > MOST_CLASSES:
        found = (
            f"row {int((codes < 0).argmax()) + 1} has no value"
            if (codes < 0).any()
            else f"{len(values)} values"
        )
        raise DataError(
            f"label {name}: {found}; one of at most {MOST_CLASSES} classes is needed in every row"
        )
    return codes.astype(np.uint16), tuple(
        f"{v:g}" if isinstance(v, float) else str(v) for v in values
    )
