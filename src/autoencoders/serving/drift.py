"""Whether new data still looks like the training data: in its columns, in code space, in anomaly scores."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.data.prepared.schema import encode
from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving.answers import reading

COLUMNS = ["what", "statistic", "p_value"]
ROWS = 10_000  # of the training data, and at most of the new data, that are compared
LEVEL = 0.01  # chance that anything is said to have moved where nothing has
SMALLEST = 0.1  # Kolmogorov-Smirnov distance from which on a difference matters


class Drift(NamedTuple):
    """What moved, and by how much."""

    table: pd.DataFrame  # what, statistic (Kolmogorov-Smirnov distance), p_value, moved
    rows: int
    alarms: float  # share of new rows whose score counts as an anomaly's

    @property
    def moved(self) -> list[str]:
        """Names of what moved."""
        return list(self.table["what"][self.table["moved"]])

    def metrics(self) -> dict[str, float]:
        """The figures of an MLflow run."""
        return {
            "score_distance": self.table["statistic"][0],
            "moved": len(self.moved),
            "alarms": self.alarms,
        }


def drift(model: TrainedModel, source: Path, data: Prepared, rate: float) -> Drift:
    """Compares new rows with the training rows by two-sample Kolmogorov-Smirnov tests, Bonferroni-corrected.

    Columns (a category by its shares), code units, and the scores against those of clean validation rows. Raises
    DataError where the prepared data is not the one that the model was trained on.
    """
    if model.description.split_sha256 != data.description.split_sha256:
        raise DataError(
            "data/prepared is not what this model was trained on; `dvc repro preprocess` with its parameters"
        )
    new, old, schema = _sampled(source, model), data.sample("train", ROWS), model.description.schema
    scores = model.score(new)
    pairs = {"score": (model.calibration.numpy(), scores.score)}
    units = zip(model.encode(old).T, model.encode(new).T, strict=True)
    pairs |= {f"code unit {i}": unit for i, unit in enumerate(units)}
    columns = (
        {}
        if schema.is_image
        else dict(zip(schema.features, zip(old.T, new.T, strict=True), strict=True))
    )
    pairs |= {f"column {name}": column for name, column in columns.items()}
    tests = {what: ks_2samp(*pair) for what, pair in pairs.items()}
    table = pd.DataFrame(
        [(what, t.statistic, t.pvalue) for what, t in tests.items()], columns=COLUMNS
    )
    table["moved"] = (table["p_value"] < LEVEL / len(table)) & (table["statistic"] > SMALLEST)
    return Drift(table, len(new), float((scores.p_value <= rate).mean()))


def _sampled(source: Path, model: TrainedModel) -> np.ndarray:
    """Features of at most ROWS rows, evenly spread over the file."""
    schema, n, step, parts = model.description.schema, 0, 1, list[np.ndarray]()
    with reading(source, schema) as reader:
        for batch, _ in reader.batches():
            parts.append(encode(schema, batch, n)[-n % step :: step])
            n += len(batch)
            while sum(map(len, parts)) > 2 * ROWS:
                parts, step = [np.concatenate(parts)[::2]], 2 * step
    if not n:
        raise DataError(f"{source}: no rows")
    rows = np.concatenate(parts)
    return rows[:: -(-len(rows) // ROWS)]


def told(found: Drift) -> str:
    """What moved, the largest first, for a terminal."""
    largest = found.table.sort_values("statistic", ascending=False, kind="stable").head(12)
    formats = {
        "statistic": "{:.3f}".format,
        "p_value": "{:.1e}".format,
        "moved": {True: "yes", False: ""}.get,
    }
    shown = largest.to_string(
        index=False, header=["what", "distance", "p-value", "moved"], formatters=formats
    )
    return f"{found.rows} rows against the training data\n{shown}"
