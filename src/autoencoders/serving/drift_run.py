"""The MLflow run of a comparison of new data with the training data."""

import tempfile
from pathlib import Path

from autoencoders.data.prepared.prepared import Description
from autoencoders.serving.drift import Drift
from autoencoders.tracking.runs import Runs


def log_drift(drift: Drift, uri: str, file: Path, data: Description) -> str:
    """Logs the drift of a file against the training data of a registered model; returns the run."""
    with tempfile.TemporaryDirectory() as scratch:
        table = Path(scratch, "drift.csv")
        drift.table.to_csv(table, index=False)
        return Runs(data).log_drift(uri, str(file), table, drift.metrics())
