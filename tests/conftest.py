"""Shared by several test files.

The repository's parameters, prepared digits, untrained models, the MNIST files.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.data.sources.source import download
from autoencoders.evaluation.catalogue import SQUARED_ERROR
from autoencoders.evaluation.leaderboard import Evaluation
from autoencoders.evaluation.row import Row
from autoencoders.models import build
from autoencoders.models.trained.model import ModelDescription, TrainedModel, as_tensor
from autoencoders.params.params import Params, load_params
from autoencoders.params.sections import Evaluate
from autoencoders.training.fit import fit
from repository import ROOT
from tables import prepared_table

pytest_plugins = ["workshop"]
MNIST_VARIABLE = "AUTOENCODERS_TEST_MNIST"
THREADS_VARIABLE = "AUTOENCODERS_TEST_THREADS"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skips tests of a GPU, by name, where there is none."""
    if torch.cuda.is_available():
        return
    for item in items:
        if item.get_closest_marker("gpu"):
            reason = f"{item.name}: no GPU: torch.cuda.is_available() is false"
            item.add_marker(pytest.mark.skip(reason=reason))


@pytest.fixture(autouse=True, scope="session")
def threads() -> Iterator[None]:
    """One for each test, or as many as the variable says.

    Small products are not worth a second thread, which slows them a hundredfold where all cores are
    busy.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(int(os.environ.get(THREADS_VARIABLE, "1")))
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def params() -> Params:
    """The repository's own params.yaml."""
    return load_params(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory, params: Params) -> Path:
    """A folder like data/prepared, with the digits as params.yaml splits and scales them."""
    folder = tmp_path_factory.mktemp("digits")
    data = params.override({"data.name": "digits"}).data
    download(data, folder / "raw")
    prepare(folder / "raw", folder / "prepared", data)
    return folder / "prepared"


@pytest.fixture(scope="session")
def mnist_mirror() -> Path:
    """A folder that holds the four canonical MNIST files."""
    folder = Path(os.environ.get(MNIST_VARIABLE) or ROOT / "../shared/data/mnist")
    names = [
        f"{split}-{part}.gz"
        for split in ("train", "t10k")
        for part in ("images-idx3-ubyte", "labels-idx1-ubyte")
    ]
    missing = [name for name in names if not (folder / name).is_file()]
    if missing:
        pytest.skip(
            f"{folder} lacks {', '.join(missing)}; "
            f"set {MNIST_VARIABLE} to a folder with the MNIST files"
        )
    return folder


@pytest.fixture(scope="session")
def untrained_on(params: Params) -> Callable[[str, Prepared], TrainedModel]:
    """Builds a freshly initialised model, calibrated on prepared data."""

    def built(kind: str, data: Prepared) -> TrainedModel:
        facts = data.description.facts
        description = ModelDescription(
            model_type=kind,
            architecture=params.plan(kind, facts).architecture,
            type_values=params.plan(kind, facts).type_values,
            params=params.plan(kind, facts).flat(),
            data=data.description.name,
            schema=data.description.schema,
            split_sha256=data.description.split_sha256,
            fingerprint="0" * 32,
            epochs=2,
            best_epoch=1,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            autoencoder = build(kind, description.architecture, description.type_values)
        model = TrainedModel(
            description, autoencoder, as_tensor(data.shift), as_tensor(data.scale)
        ).eval()
        model.calibrate(data.sample("train"), data.clean("validation"))
        return model

    return built


@pytest.fixture(scope="session")
def untrained(
    params: Params, digits: Path, untrained_on: Callable[[str, Prepared], TrainedModel]
) -> dict[str, TrainedModel]:
    """A freshly initialised model of every type in params.yaml, fit for the digits."""
    data = load_prepared(digits)
    return {kind: untrained_on(kind, data) for kind in params.model_types}


@pytest.fixture(scope="session")
def frame() -> pd.DataFrame:
    """A table of numbers that hang together, a category, and two columns that never change."""
    rng = np.random.default_rng(0)
    length, colour = rng.normal(10, 2, 400), rng.choice(["red", "green", "blue"], 400)
    width = 3 * length + rng.normal(size=400) + 5 * (colour == "red")
    return pd.DataFrame(
        {"length": length, "colour": colour, "site": "A", "width": width, "unit": 7}
    )


@pytest.fixture(scope="session")
def table(
    params: Params, frame: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory
) -> Prepared:
    """The table, prepared."""
    return prepared_table(params, frame, tmp_path_factory.mktemp("table"))[1]


@pytest.fixture(scope="session")
def table_models(params: Params, table: Prepared) -> dict[str, TrainedModel]:
    """Quickly trained models of the table."""
    quick = params.override({"train.epochs": 20, "network.code_size": 2, "data.name": "table"})
    return {
        kind: fit(quick.plan(kind, table.description.facts), table).model
        for kind in ("undercomplete", "variational")
    }


@pytest.fixture(scope="session")
def evaluate(params: Params) -> Evaluate:
    """params.yaml's evaluate section, shrunk."""
    shrunk = {
        "bootstrap_samples": 200,
        "importance_samples": 5,
        "probe_rows": 300,
        "figure_columns": 5,
    }
    return params.override({f"evaluate.{name}": value for name, value in shrunk.items()}).evaluate


@pytest.fixture(scope="session")
def leaderboard(digits: Path, evaluate: Evaluate, untrained: dict[str, TrainedModel]) -> list[Row]:
    """The rows of the untrained models and the baselines on the digits."""
    return Evaluation(load_prepared(digits), evaluate, "reconstruct").rows(list(untrained.values()))


@pytest.fixture(scope="session")
def rebuilding(leaderboard: list[Row]) -> list[Row]:
    """The rows of what rebuilds rows from codes: all but the filters of corrupted inputs."""
    return [row for row in leaderboard if row.has(SQUARED_ERROR)]


@pytest.fixture
def store_root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that stands for the user's repository, with its own stores.

    Code and parameters are this one's.
    """
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # mlflow sets it; after the test it is as before
    return tmp_path


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The database of a store without runs: making one takes two seconds."""
    from autoencoders.tracking import store

    root = tmp_path_factory.mktemp("empty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DVC_ROOT", str(root))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        store.open_store()
    return root / "mlruns/mlflow.db"


@pytest.fixture
def tracked_root(store_root: Path, empty_database: Path) -> Path:
    """`store_root`, in which MLflow's store is there and empty."""
    (store_root / "mlruns").mkdir()
    shutil.copy(empty_database, store_root / "mlruns")
    return store_root
