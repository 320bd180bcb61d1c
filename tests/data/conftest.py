"""Shared by the data layer's tests: a user's folder, and models for new data."""

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.params import Params
from intake import Intake, columns, csv


@pytest.fixture
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files."""
    (tmp_path / "scratch").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "scratch"))
    return tmp_path / "scratch"


@pytest.fixture
def intake(tmp_path: Path, scratch: Path, params: Params) -> Intake:
    """A user's folder, empty."""
    return Intake(tmp_path, params)


@pytest.fixture(scope="session")
def tabular(
    tmp_path_factory: pytest.TempPathFactory,
    params: Params,
    untrained_on: Callable[[str, Prepared], TrainedModel],
) -> TrainedModel:
    """A variational model of the good table."""
    intake = Intake(tmp_path_factory.mktemp("tabular"), params)
    return untrained_on("variational", intake.load(intake.file("good.csv", csv(columns()))))


@pytest.fixture(scope="session")
def pictorial(
    tmp_path_factory: pytest.TempPathFactory,
    params: Params,
    untrained_on: Callable[[str, Prepared], TrainedModel],
) -> TrainedModel:
    """An undercomplete model of 6 x 5 images in colour."""
    intake = Intake(tmp_path_factory.mktemp("pictorial"), params)
    images = np.random.default_rng(0).integers(0, 256, (60, 6, 5, 3), np.uint8)
    return untrained_on("undercomplete", intake.load(intake.array("images.npy", images)))
