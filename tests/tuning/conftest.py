"""Studies in a real journal file, as a stage opens them."""

from pathlib import Path

import pytest
from optuna.exceptions import ExperimentalWarning
from optuna.storages import BaseStorage

from autoencoders.tuning.storage import open_storage


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`open_storage` switches Optuna's ExperimentalWarning off for its process.

    Pytest switches it on again.
    """
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(
                pytest.mark.filterwarnings(
                    f"ignore::{ExperimentalWarning.__module__}.ExperimentalWarning"
                )
            )


@pytest.fixture
def journal(store_root: Path) -> BaseStorage:
    """The journal of a repository of its own."""
    return open_storage("journal")
