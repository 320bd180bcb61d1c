"""What the benchmarks share: the digits as params.yaml prepares them, and a stand-in where MLflow is left out."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
KIND = "undercomplete"


def digits(params: Any, folder: Path) -> Any:
    """Prepared digits in a scratch folder; one thread for all that follows."""
    import torch

    from autoencoders.data.prepared import load_prepared, prepare
    from autoencoders.data.sources import download

    torch.set_num_threads(1)
    download("digits", folder / "raw")
    prepare(folder / "raw", folder / "prepared", params.data)
    return load_prepared(folder / "prepared")


class Unlogged:
    """Takes the place of MLflow's runs and of a run."""

    @contextmanager
    def trial(self, *_: Any) -> Iterator["Unlogged"]:
        yield self

    def epoch(self, *_: Any, **__: Any) -> None:
        """Nothing."""

    metrics = tag = epoch
