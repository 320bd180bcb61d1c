"""Raw rows as a reader gives them: their features, their classes, their splits."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.anomalous import (
    ANOMALOUS,
    NORMAL,
    anomalous_class,
    class_name,
)
from autoencoders.data.preparation.columns import ColumnTypes
from autoencoders.data.preparation.decision import dates_note
from autoencoders.data.preparation.label_hints import LabelHints
from autoencoders.data.preparation.named_columns import check_named_columns
from autoencoders.data.preparation.splits import split_masks
from autoencoders.data.preparation.text_column import Markers
from autoencoders.data.prepared.schema import Rows, abridged
from autoencoders.data.prepared.spelling import is_marker
from autoencoders.data.prepared.values import is_text_type
from autoencoders.data.readers.reader import Reader
from autoencoders.data.sources.origin import Origin
from autoencoders.params.sections import Data

NPZ_ANOMALIES = (("0", "1"), ("False", "True"))  # labels in .npz that mean normal and anomaly
MOST_CLASSES = 1000  # of a label column: one with more values is hardly a class


class RawRows:
    """The rows of a source, batch by batch, without labels and columns that are left out."""

    def __init__(self, reader: Reader, data: Data, origin: Origin) -> None:
        """Counts the rows, and reads their labels and the column to split by: the first pass.

        Raises DataError.
        """
        self.reader = reader
        self.data = data
        self.origin = origin
        _check_image_side(reader, data)
        label = data.label
        if label == "auto":
            label = origin.label or ""
        split_by = data.split.partition(":")[2]
        used = [name for name in (label, split_by) if name] + data.ignore
        check_named_columns(data, label, reader)
        if data.id:
            used.append(data.id)
        self.unused_dates = [name for name in reader.date_columns if name not in used]
        no_features = {*used, *self.unused_dates, reader.file_column}
        self.names = [name for name in reader.names if name not in no_features]
        self._read_labels_and_split(label, split_by)
        self.anomaly_labels = self._order_anomaly_labels()

    def _read_labels_and_split(self, label: str, split_by: str) -> None:
        """Sets the number of rows, each row's class, the classes' names, the column to split by."""
        self.n = 0
        labels = []
        split_values = []
        column_types = ColumnTypes(self.data, is_typed=self.reader.is_typed)
        self.markers = column_types.markers
        hints = LabelHints()
        for batch, batch_labels in self.reader.batches():
            self.n += len(batch)
            if batch_labels is not None:
                labels.append(pd.Series(batch_labels))
            if not isinstance(batch, pa.Table):
                continue
            column_types.add(batch, self.names)
            batch_label = None
            if label:
                batch_label = _marks(batch[label], self.markers)
                labels.append(batch_label)
            if split_by:
                split_values.append(_marks(batch[split_by], self.markers))
            candidates = {
                name: _marks(batch[name], self.markers) for name in hints.candidates(self.names)
            }
            hints.add(candidates, batch_label)
        self.decision = column_types.decide()
        self.decision.check()
        left_out = set(self.decision.left_out)
        self.names = [name for name in self.names if name not in left_out]
        self.label_notes = hints.notes(self.names, label)
        self.split_column = pd.Series(dtype=object)
        if split_values:
            self.split_column = pd.concat(split_values, ignore_index=True)
        self.labels = np.zeros(self.n, np.uint16)
        names: tuple[str, ...] = ()
        if labels:
            self.labels, names = _classes(label or "y", pd.concat(labels, ignore_index=True))
        self.classes = self.origin.labels or names

    def _order_anomaly_labels(self) -> bool:
        """Gives anomalies the class 1, where labels mean anomalies; returns whether they do.

        Raises DataError where data.label_means says so, but there are not two classes.
        """
        means = self.data.label_means
        if means == "class":
            return False
        if means == "auto" and not (self.origin.npz and self.classes in NPZ_ANOMALIES):
            self._note_anomaly_words()
            return False
        counts = np.bincount(self.labels, minlength=len(self.classes))
        decided = anomalous_class(self.classes, counts)
        if decided is None:
            raise DataError(
                "data.label_means = anomaly: needs two labels, "
                f"found {abridged(self.classes) or 'none'}"
            )
        position, reason = decided
        if self.classes != ("0", "1"):
            self.label_notes.append(f"label {self.classes[position]} is the anomaly, {reason}")
        if position == 0:
            self.labels = 1 - self.labels
            self.classes = self.classes[::-1]
        return True

    def _note_anomaly_words(self) -> None:
        """Notes two classes, of which one may mean an anomaly by its name."""
        words = {name.strip().lower() for name in self.classes} - {"0", "1"}
        may_be_anomalies = self.classes == ("-1", "1") or words & (ANOMALOUS | NORMAL)
        if len(self.classes) == 2 and may_be_anomalies:
            self.label_notes.append(
                f"labels {' and '.join(self.classes)} are two classes; if one of them means an "
                "anomaly, set data.label_means: anomaly"
            )

    def __iter__(self) -> Iterator[tuple[int, Rows]]:
        """Batches of features' columns, each with the number of its first row."""
        first = 0
        for batch, _ in self.reader.batches():
            if isinstance(batch, pa.Table):
                yield first, batch.select(self.names)
            else:
                yield first, batch
            first += len(batch)

    def masks(self) -> dict[str, np.ndarray]:
        """The rows of each split, as masks (rows,). Raises DataError where one can't be used."""
        n_publisher_test = self.origin.test_rows or 0
        masks = split_masks(self.data, self.n, self.split_column, n_publisher_test)
        if self.anomaly_labels and self.labels[masks["validation"]].all():
            raise DataError(
                "no validation row is normal (label 0), and p-values compare with these; "
                "change data.split"
            )
        return masks

    def report(self) -> dict[str, Any]:
        """report.json's part on the source: numbers of rows and labels, and what was left out."""
        counts = np.bincount(self.labels, minlength=len(self.classes)).tolist()
        notes = [*self.reader.notes, *self.decision.notes, *self.label_notes]
        if self.unused_dates:
            notes.append(dates_note(self.unused_dates, "dates", self.data.split))
        return {
            "rows": self.n,
            "shape": list(self.reader.shape),
            "labels": dict(zip(self.classes, counts, strict=False)),
            "told": notes,
        }


def _marks(values: "pa.ChunkedArray[Any]", markers: Markers) -> pd.Series:
    """Each row's value in a column (rows,): text without blanks around it, or numbers.

    Null in place of texts that stand for a missing value.
    """
    if not is_text_type(values.type):
        return values.to_pandas()
    texts = pc.utf8_trim_whitespace(pc.cast(values, pa.string()).combine_chunks())
    is_missing = is_marker(texts, markers.text)
    return pc.if_else(is_missing, pa.scalar(None, pa.string()), texts).to_pandas()


def _check_image_side(reader: Reader, data: Data) -> None:
    """Raises DataError where images should have another side, but are no image files."""
    side = data.image_side
    if side == "auto" or reader.shape[:2] == (side, side):
        return
    raise DataError(
        f"data.image_side = {side}: image files alone are resized, and {data.title} has rows of "
        f"shape {reader.shape or len(reader.names)}; choose auto"
    )


def _classes(column: str, labels: pd.Series) -> tuple[np.ndarray, tuple[str, ...]]:
    """Each row's class, uint16, and the names of classes in order.

    labels: (rows,). column: their name, for messages. Raises DataError where a row has no label, or
    where there are too many classes.
    """
    codes, values = pd.factorize(labels, sort=True)
    problem = ""
    if (codes < 0).any():
        row = int((codes < 0).argmax()) + 1
        problem = f"row {row} has no value"
    elif len(values) > MOST_CLASSES:
        problem = f"{len(values)} values"
    if problem:
        raise DataError(
            f"label {column}: {problem}; "
            f"one of at most {MOST_CLASSES} classes is needed in every row"
        )
    return codes.astype(np.uint16), tuple(map(class_name, values))
