"""Whether new data still looks like the training data: columns, code units and anomaly scores."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.features import EncodedRows, encode_rows
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving.answers import reading
from autoencoders.serving.served import ServedModel, trained_model

TABLE_COLUMNS = ["what", "statistic", "p_value"]
SAMPLED_ROWS = 10_000  # of the training data, and at most of the new data, that are compared
LEVEL = 0.01  # chance of reporting a difference where there is none
SMALLEST = 0.1  # Kolmogorov-Smirnov distance from which on a difference matters
SHOWN_LINES = 12  # lines of the summary


class Drift(NamedTuple):
    """The differences between new data and the training data."""

    table: pd.DataFrame  # what, statistic (Kolmogorov-Smirnov distance), p_value, moved
    rows: int  # of the new data
    alarms: float  # share of new rows whose score counts as an anomaly's

    @property
    def moved(self) -> list[str]:
        """Names of the columns, code units and scores that differ."""
        return list(self.table["what"][self.table["moved"]])

    def metrics(self) -> dict[str, float]:
        """The figures of an MLflow run by name."""
        return {
            "score_distance": self.table["statistic"][0],
            "moved": len(self.moved),
            "alarms": self.alarms,
        }


def drift(model: TrainedModel | ServedModel, source: Path, data: Prepared, rate: float) -> Drift:
    """Compares new rows with the training rows.

    By two-sample Kolmogorov-Smirnov tests, Bonferroni-corrected, of columns (a category by its
    shares), of code units, and of the scores against those of clean validation rows. rate: of false
    alarms. Raises DataError where the prepared data is not the one that the model was trained on.
    """
    trained = trained_model(model)
    description = trained.description
    if description.split_sha256 != data.description.split_sha256:
        raise DataError(
            "data/prepared is not what this model was trained on; "
            "`dvc repro preprocess` with its parameters"
        )
    new, novel = _sampled(source, trained)
    old = data.sample("train", SAMPLED_ROWS)
    scores = model.score(new, novel.sum(1))
    pairs = {"score": (trained.calibration.numpy(), scores.score)}
    old_codes = model.encode(old)
    new_codes = model.encode(new)
    for unit in range(old_codes.shape[1]):
        pairs[f"code unit {unit}"] = (old_codes[:, unit], new_codes[:, unit])
    if not description.schema.is_image:
        for i, name in enumerate(description.schema.features):
            pairs[f"column {name}"] = (old[:, i], new[:, i])
        for i, column in enumerate(description.schema.constants):
            pairs[f"column {column.name}"] = (np.zeros(len(old)), novel[:, i])
    lines = []
    for name, (before, after) in pairs.items():
        test = ks_2samp(before, after)
        lines.append((name, test.statistic, test.pvalue))
    table = pd.DataFrame(lines, columns=TABLE_COLUMNS)
    table["moved"] = (table["p_value"] < LEVEL / len(table)) & (table["statistic"] > SMALLEST)
    alarms = float((scores.p_value <= rate).mean())
    return Drift(table, len(new), alarms)


def _sampled(source: Path, model: TrainedModel) -> EncodedRows:
    """At most SAMPLED_ROWS rows, evenly spread over the file. Raises DataError without rows."""
    schema = model.description.schema
    parts: list[EncodedRows] = []
    n = 0  # rows read
    step = 1  # between the rows that are sampled
    with reading(source, schema) as reader:
        for batch, _ in reader.batches():
            parts.append(every_nth(encode_rows(schema, batch, n), step, first=n))
            n += len(batch)
            while sum(len(part.features) for part in parts) > 2 * SAMPLED_ROWS:
                parts = [every_nth(_joined(parts), 2)]
                step *= 2
    if not n:
        raise DataError(f"{source}: no rows")
    rows = _joined(parts)
    return every_nth(rows, math.ceil(len(rows.features) / SAMPLED_ROWS))


def _joined(parts: Sequence[EncodedRows]) -> EncodedRows:
    """The rows of all parts."""
    return EncodedRows(
        np.concatenate([part.features for part in parts]),
        np.concatenate([part.novel for part in parts]),
    )


def every_nth(rows: EncodedRows, n: int, *, first: int = 0) -> EncodedRows:
    """The rows whose numbers are multiples of n. first: number of the first row."""
    chosen = slice(-first % n, None, n)
    return EncodedRows(rows.features[chosen], rows.novel[chosen])


def summary(drift: Drift) -> str:
    """A table for a terminal, the largest differences first."""
    largest = drift.table.sort_values("statistic", ascending=False, kind="stable").head(SHOWN_LINES)
    formatters: dict[str, Callable[..., str | None]] = {
        "statistic": "{:.3f}".format,
        "p_value": "{:.1e}".format,
        "moved": {True: "yes", False: ""}.get,
    }
    header = ["what", "distance", "p-value", "moved"]
    lines = largest.to_string(index=False, header=header, formatters=formatters)
    return f"{drift.rows} rows against the training data\n{lines}"
