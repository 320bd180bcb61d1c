"""What the data layer's tests share: a user's folder, and models for new data."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from autoencoders.checkpoint import ModelDescription, TrainedModel, as_tensor
from autoencoders.data.prepared import Prepared
from autoencoders.models import build
from autoencoders.params import Params
from intake import Intake, columns, csv


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


@pytest.fixture
def intake(tmp_path: Path, scratch: Path, params: Params) -> Intake:
    """A user's folder, empty."""
    return Intake(tmp_path, params)


@pytest.fixture(scope="session")
def untrained_on(params: Params) -> Callable[[str, Prepared], TrainedModel]:
    """Builds a freshly initialised model, calibrated on prepared data."""

    def built(kind: str, data: Prepared) -> TrainedModel:
        facts = data.description.facts
        description = ModelDescription(
            kind=kind,
            architecture=params.architecture(kind, facts),
            own=params.own_for(kind, facts),
            params=params.flatten(kind, facts),
            data=data.description.name,
            schema=data.description.schema,
            split_sha256=data.description.split_sha256,
            fingerprint="0" * 32,
            epochs=2,
            best_epoch=1,
        )
        with torch.random.fork_rng():
            torch.manual_seed(0)
            autoencoder = build(kind, description.architecture, description.own)
        model = TrainedModel(description, autoencoder, as_tensor(data.shift), as_tensor(data.scale)).eval()
        model.calibrate(data.sample("train"), data.clean("validation"))
        return model

    return built


@pytest.fixture(scope="session")
def tabular(
    tmp_path_factory: pytest.TempPathFactory, params: Params, untrained_on: Callable[[str, Prepared], TrainedModel]
) -> TrainedModel:
    """A variational model of the good table."""
    intake = Intake(tmp_path_factory.mktemp("tabular"), params)
    return untrained_on("variational", intake.load(intake.file("good.csv", csv(columns()))))


@pytest.fixture(scope="session")
def pictorial(
    tmp_path_factory: pytest.TempPathFactory, params: Params, untrained_on: Callable[[str, Prepared], TrainedModel]
) -> TrainedModel:
    """An undercomplete model of 6 x 5 images in colour."""
    intake = Intake(tmp_path_factory.mktemp("pictorial"), params)
    images = np.random.default_rng(0).integers(0, 256, (60, 6, 5, 3), np.uint8)
    return untrained_on("undercomplete", intake.load(intake.array("images.npy", images)))
