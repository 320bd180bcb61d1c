"""Data to track runs of."""

import pytest

from autoencoders.data.prepared import Description


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
