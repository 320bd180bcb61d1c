"""A copy of the repository in which stages run."""

from pathlib import Path

import pytest

from repository import QUICK, Repository


@pytest.fixture(scope="session")
def shrunk_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its folder."""
    return Repository(
        tmp_path_factory.mktemp("stages"), {**QUICK, "tune.n_trials": 2, "tune.epochs": 1}
    ).folder
