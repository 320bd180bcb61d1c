"""The default main job against an MLflow server on localhost beside the local store.

`make bench-server`: each pair runs `make repro` twice in fresh copies of the repository, one after
the other, in turn: with the local store, and with a server on PostgreSQL. 20 minutes on two cores.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import ROOT, record

sys.path.insert(0, str(ROOT / "tests/support"))
from mlflow_server import server
from repository import Repository

PAIRS = int(os.environ.get("PAIRS", "3"))
NAME = "main_job_server_vs_local"


def main() -> None:
    """Measures the pairs, records the ratio and prints it."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "server").mkdir()
        with server(folder / "server") as started:
            ratios = [_pair(folder / str(number), started.url, number) for number in range(PAIRS)]
    low, high = min(ratios), max(ratios)
    ratio = statistics.median(ratios)
    record([{"name": NAME, "ratio": ratio, "low": low, "high": high, "unit": "times as long"}])
    print(f"{NAME}: {ratio:.3f} ({low:.3f} to {high:.3f}) times as long")


def _pair(folder: Path, url: str, number: int) -> float:
    """The ratio of the times with the server and with the local store.

    Their order changes from pair to pair.
    """
    stores = {"local": "", "server": url}
    order = sorted(stores, reverse=bool(number % 2))
    seconds = {name: _seconds(folder / name, stores[name]) for name in order}
    print(
        f"pair {number + 1}/{PAIRS}: "
        f"{seconds['local']:.1f} s local, {seconds['server']:.1f} s server",
        flush=True,
    )
    return seconds["server"] / seconds["local"]


def _seconds(folder: Path, url: str) -> float:
    """The time of a main job in a fresh copy."""
    folder.mkdir(parents=True)
    repository = Repository(folder, {})
    environment = {"MLFLOW_TRACKING_URI": url} if url else {}
    began = time.perf_counter()
    done: subprocess.CompletedProcess[str] = repository.run(
        "make", "-o", ".venv/.ready", "repro", check=True, **environment
    )
    assert "champion" in done.stdout, done.stdout
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
