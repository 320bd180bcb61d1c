"""Shared by the benchmarks: digits as params.yaml prepares them, a stand-in for MLflow, results."""

import json
import multiprocessing
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
MODEL_TYPE = "undercomplete"
RESULTS = ROOT / "benchmarks/results.json"


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """The function's result, computed in a process of its own.

    A child's largest resident set begins with its parent's.
    """
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()


def record(results: list[dict[str, Any]], path: Path | None = None) -> None:
    """Adds the results to a file, or to RESULTS, with the processor.

    They take the place of earlier ones of the same names on the same kind of processor.
    """
    from autoencoders.training.processors import this_processor

    path = path or RESULTS
    processor = this_processor()
    own = {"processor_kind": processor.kind.name, "processor": processor.name}
    earlier = json.loads(path.read_text()) if path.exists() else []
    named = {}
    for result in [*earlier, *({**result, **own} for result in results)]:
        named[result["name"], result.get("processor_kind")] = result
    path.write_text(json.dumps(list(named.values()), indent=2) + "\n")


def digits(params: Any, folder: Path) -> Any:
    """Prepared digits in a scratch folder; one thread for all that follows."""
    import torch

    from autoencoders.data.preparation.prepare import prepare
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.data.sources.source import download

    torch.set_num_threads(1)
    download(params.data, folder / "raw")
    prepare(folder / "raw", folder / "prepared", params.data)
    return load_prepared(folder / "prepared")


class Unlogged:
    """Takes the place of MLflow's runs and of a run."""

    @contextmanager
    def trial(self, *_: Any) -> Iterator["Unlogged"]:
        """Yields itself as the trial's run."""
        yield self

    def epoch(self, *_: Any, **__: Any) -> None:
        """Logs nothing."""

    metrics = tag = trial_run = epoch
