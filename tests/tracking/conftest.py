"""A real MLflow store of its own for each test."""

from pathlib import Path

import pytest

from autoencoders.data.prepared import Description
from repository import ROOT


@pytest.fixture
def store_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the user's repository; code and parameters are this repository's."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # mlflow sets it; after the test it is as before
    return tmp_path


@pytest.fixture
def description() -> Description:
    """Of data that nobody reads."""
    return Description(
        name="digits",
        shape=(8, 8),
        rows={"train": 10, "validation": 5, "test": 5},
        minimum=0.0,
        maximum=16.0,
        unit_interval=True,
        scaling="pixels",
        labels=("0", "1"),
        split_sha256="a" * 64,
        content_sha256="b" * 64,
    )
