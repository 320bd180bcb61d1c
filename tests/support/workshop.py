"""Data to track runs of, and a repository with trained models."""

import copy
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from autoencoders.data.prepared.prepared import Description, Prepared
from autoencoders.data.prepared.schema import Schema
from autoencoders.evaluation.row import Estimate, Row, TrainedNetwork
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.saved import save
from autoencoders.registry.registry import Registry
from autoencoders.tracking.runs import Runs
from repository import ROOT


def a_description() -> Description:
    """A description of data that nobody reads."""
    return Description(
        name="digits",
        schema=Schema((8, 8)),
        rows={"train": 10, "validation": 5, "test": 5},
        minimum=0.0,
        maximum=16.0,
        unit_interval=True,
        binarise=False,
        scaling="pixels",
        protocol="split",
        labels=("0", "1"),
        anomaly_labels=False,
        split_sha256="a" * 64,
        content_sha256="b" * 64,
        source="digits",
        source_sha256="c" * 64,
    )


@pytest.fixture
def description() -> Description:
    """A description of data that nobody reads."""
    return a_description()


@dataclass(frozen=True)
class Workshop:
    """A repository with a prepared table, trained models and a store.

    The tests' process is in it.
    """

    folder: Path
    data: Prepared
    models: dict[str, TrainedModel]
    runs: Runs
    registry: Registry

    def row(self, kind: str) -> Row:
        """A leaderboard row with what a model's card and the ranking need."""
        network = TrainedNetwork(2, 3.0, 100, "mse", epochs=20, best_epoch=18, active_code_units=2)
        estimates = {
            "validation_squared_error": Estimate(1.0),
            "validation_explained_variance": Estimate(0.95),
            "pca_validation_squared_error": Estimate(1.1),
            "test_squared_error": Estimate(1.0, (0.9, 1.1)),
            "pca_test_squared_error": Estimate(1.0),
        }
        return Row(kind, "reconstruct", "split", 80, network, estimates)

    def add(self, kind: str) -> str:
        """Registers a type's model, as the stage does it."""
        folder = self.folder / "model" / kind
        return self.registry.add(
            folder, self.runs.trained(folder), self.row(kind), self.runs.lineage(), 0.05
        )


@pytest.fixture(scope="module")
def workshop(
    table: Prepared, table_models: dict[str, TrainedModel], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workshop]:
    with open_workshop(table, table_models, tmp_path_factory.mktemp("workshop")) as opened:
        yield opened


@contextmanager
def open_workshop(
    table: Prepared, models: dict[str, TrainedModel], folder: Path
) -> Iterator[Workshop]:
    """A repository in a folder, in which the process is meanwhile.

    table: as `prepared_table` leaves it. models: of it, by type.
    """
    for path in (
        ROOT / name for name in ("src", "pipeline", "requirements.lock", "params.yaml", "dvc.yaml")
    ):
        (folder / path.name).symlink_to(path)
    prepared = table.rows["train"].path.parent
    shutil.copytree(prepared, folder / "data/prepared")
    shutil.copy(prepared.with_name("table.csv"), folder)
    description = replace(table.description, source=str(folder / "table.csv"))
    for kind, model in models.items():
        named = replace(model.description, fingerprint=f"of {kind}")
        changed = copy.copy(model)
        changed.description = named
        save(changed, [{"val/reconstruction_loss": 1.0}], folder / "model" / kind)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.delenv("DVC_ROOT", raising=False)
        patch.delenv("DVC_EXP_NAME", raising=False)
        patch.setenv("MLFLOW_TRACKING_URI", "")
        runs = Runs(description)
        registry = Registry(runs.client, "table")
        yield Workshop(folder, replace(table, description=description), models, runs, registry)
