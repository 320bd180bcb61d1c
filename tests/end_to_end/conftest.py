"""Copies of the repository in which the whole pipeline ran."""

import pytest

from repository import QUICK, Repository


@pytest.fixture(scope="session")
def five_types(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """All five types, on shrunk parameters, by the README's command, two at a time.

    Tests only look at it.
    """
    space = [
        {"param": "train.learning_rate", "low": 1.0e-3, "high": 1.0e-2, "log": True}
    ]  # the code size stays 8
    study = {"tune.n_trials": 2, "tune.epochs": 2, "tune.space": space}
    repository = Repository(tmp_path_factory.mktemp("five"), {**QUICK, **study})
    repository.run("make", "-o", ".venv/.ready", "repro")
    return repository


@pytest.fixture(scope="module")
def two_types(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """Two types, with the lock committed and the outputs pushed to a remote.

    A module's tests change it in order.
    """
    folder = tmp_path_factory.mktemp("two") / "repository"
    folder.mkdir()
    repository = Repository(folder, QUICK, ["undercomplete", "sparse"])
    repository.repro()
    repository.run("dvc", "remote", "add", "-d", "here", str(folder.with_name("remote")))
    repository.run("dvc", "push")
    repository.commit("lock")
    return repository
