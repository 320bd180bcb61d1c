"""The digits, on which the trainings of these tests run."""

from pathlib import Path

import pytest

from autoencoders.data.prepared.prepared import Prepared, load_prepared


@pytest.fixture
def data(digits: Path) -> Prepared:
    """The prepared digits."""
    return load_prepared(digits)
