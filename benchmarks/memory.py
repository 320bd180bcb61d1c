"""Peak memory, seconds and disk of each stage on an array of 4 GB, beside one of 200 MB.

`make bench-memory`. The stages' own scripts run in a copy of the repository, each in a process of
its own, on a .npy file of float32 rows: one type, one epoch, no study; all else as in params.yaml.
Memory is the largest resident set of a stage's process, code and mapped files included; a process
that needs less than this script's own 80 MB counts as that. Takes three times the array's size of
disk, in `build`, while it runs.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from common import MODEL_TYPE, ROOT, record

FEATURES, SIGNALS, CHUNK = 64, 8, 2**15
SMALL = 0.2  # gigabytes of the array that throughput is compared with
LIMIT = 1000  # MB of memory
SCRIPTS = {
    "check": ("python", "pipeline/check.py"),
    "download": ("python", "pipeline/download.py"),
    "preprocess": ("python", "pipeline/preprocess.py"),
    "tune": ("python", "pipeline/tune.py", MODEL_TYPE),
    "train": ("python", "pipeline/train.py", MODEL_TYPE),
    "evaluate": ("python", "pipeline/evaluate.py"),
}
STAGES = [
    f"{name}@{MODEL_TYPE}" if name in ("tune", "train") else name for name in SCRIPTS
]  # as DVC calls them
COMMANDS = {**SCRIPTS, "dvc commit": ("dvc", "commit", "--force", *STAGES)}
SHRUNK = {"tune.n_trials": 0, "train.epochs": 1}


class Stage(NamedTuple):
    """The memory and the time of one process."""

    megabytes: float  # resident at most
    seconds: float


class Run(NamedTuple):
    """The memory and the time of all stages on one array, and its disk."""

    rows: int
    stages: dict[str, Stage]
    disk: dict[str, float]  # MB


def main() -> None:
    """Measures every stage on both arrays, and fails where one takes more than LIMIT."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--gigabytes",
        type=float,
        default=4.0,
        help="size of the large array (default: %(default)s)",
    )
    large = parser.parse_args().gigabytes
    runs = {size: _run(size) for size in (SMALL, large)}
    record([result for size, run in runs.items() for result in _results(size, run)])
    _print_tables(runs[SMALL], runs[large], large)
    above = [
        name
        for run in runs.values()
        for name, stage in run.stages.items()
        if stage.megabytes > LIMIT
    ]
    if above:
        sys.exit(f"above {LIMIT} MB: {', '.join(above)}")


def _run(gigabytes: float) -> Run:
    """Writes the array and runs every stage on it, in a folder that is deleted afterwards."""
    sys.path.append(str(ROOT / "tests/support"))
    from repository import Repository

    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="memory-") as scratch:
        array, copy = Path(scratch, "rows.npy"), Path(scratch, "copy")
        rows = _write(array, gigabytes)
        copy.mkdir()
        repository = Repository(copy, {"data.path": str(array), **SHRUNK}, [MODEL_TYPE])
        environment = {**repository.environment, "PYTHONPATH": "src"}
        progress = tqdm(COMMANDS.items(), desc=f"{gigabytes:g} GB", unit="stage")
        stages = {name: _measured(command, copy, environment) for name, command in progress}
        disk = {
            "source": array,
            "data/prepared": copy / "data/prepared",
            "DVC's cache": copy / ".dvc/cache",
        }
        return Run(rows, stages, {name: _megabytes(path) for name, path in disk.items()})


def _write(path: Path, gigabytes: float) -> int:
    """Writes a few signals in many noisy columns, float32; returns the number of rows."""
    from autoencoders.data.prepared.blocks import Writer

    rng = np.random.default_rng(0)
    mixing = rng.standard_normal((SIGNALS, FEATURES), np.float32)
    rows = round(gigabytes * 1e9 / (4 * FEATURES))
    writer = Writer(path, np.float32, (rows, FEATURES))
    for start in tqdm(range(0, rows, CHUNK), desc=f"writing {gigabytes:g} GB", unit="chunk"):
        n = min(CHUNK, rows - start)
        noise = rng.standard_normal((n, FEATURES), np.float32)
        writer.add(rng.standard_normal((n, SIGNALS), np.float32) @ mixing + noise / 2)
    writer.close()
    return rows


def _measured(command: tuple[str, ...], folder: Path, environment: dict[str, str]) -> Stage:
    """Runs a command to its end; what it prints is shown where it fails."""
    with tempfile.TemporaryFile("w+") as output:
        began = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            output.seek(0)
            sys.exit(f"{' '.join(command)} ended with {process.returncode}:\n{output.read()}")
        kilobytes = usage.ru_maxrss / (1024 if sys.platform == "darwin" else 1)
        return Stage(kilobytes * 1024 / 1e6, time.perf_counter() - began)


def _megabytes(path: Path) -> float:
    """The size of a file or a folder on disk."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return sum({file.stat().st_ino: file.stat().st_blocks * 512 for file in files}.values()) / 1e6


def _results(gigabytes: float, run: Run) -> list[dict[str, Any]]:
    """The entries of results.json."""
    stages = [
        {
            "name": f"memory_{gigabytes:g}GB_{name}",
            "value": stage.megabytes,
            "seconds": stage.seconds,
            "unit": "MB resident",
        }
        for name, stage in run.stages.items()
    ]
    disk = {
        "name": f"disk_{gigabytes:g}GB",
        "value": sum(run.disk.values()),
        **run.disk,
        "unit": "MB on disk",
    }
    return [*stages, disk]


def _print_tables(small: Run, large: Run, gigabytes: float) -> None:
    """Memory, time and rows a second by stage, and the disk."""
    table = Table(
        title=f"{large.rows:,} rows of {FEATURES} float32 values, beside {small.rows:,}",
        title_justify="left",
    )
    names = (
        f"{size:g} GB: {unit}" for size in (SMALL, gigabytes) for unit in ("MB", "s", "rows/s")
    )
    for name in ("stage", *names, "ratio of rows/s"):
        table.add_column(name, justify="left" if name == "stage" else "right")
    for name in COMMANDS:
        speeds = [run.rows / run.stages[name].seconds for run in (small, large)]
        cells = [
            cell
            for run, speed in zip((small, large), speeds, strict=True)
            for cell in (
                f"{run.stages[name].megabytes:.0f}",
                f"{run.stages[name].seconds:.1f}",
                f"{speed:,.0f}",
            )
        ]
        table.add_row(name, *cells, f"{speeds[1] / speeds[0]:.2f}")
    Console(width=120).print(table)
    disk = ", ".join(f"{name} {size:,.0f} MB" for name, size in large.disk.items())
    print(
        f"disk: {disk}; together {sum(large.disk.values()) / 1000 / gigabytes:.1f} times the array"
    )


if __name__ == "__main__":
    main()
