"""Data to track runs of."""

import pytest

from autoencoders.data.prepared import Description
from autoencoders.data.schema import Schema


@pytest.fixture
def description() -> Description:
    """Of data that nobody reads."""
    return Description(
        name="digits",
        schema=Schema((8, 8)),
        rows={"train": 10, "validation": 5, "test": 5},
        minimum=0.0,
        maximum=16.0,
        unit_interval=True,
        scaling="pixels",
        protocol="split",
        labels=("0", "1"),
        anomaly_labels=False,
        split_sha256="a" * 64,
        content_sha256="b" * 64,
        source="digits",
        source_sha256="c" * 64,
    )
