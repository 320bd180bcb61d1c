"""Rows against columns: time and memory of the stages on tables of as many cells, and one wide row.

`make bench-wide`, some minutes. Each table is a CSV of SHAPES, whose columns are a few signals in
noise, with a column of classes. The stages' own scripts run on it as in memory.py: one type, one
epoch, no study. Beside it, one row of COLUMNS columns is encoded as a table and as an array, in
turn; the ratio of the median times must not exceed MOST_RATIO.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from common import MODEL_TYPE, ROOT, alone, record
from memory import SCRIPTS, SHRUNK, SIGNALS, Stage, _measured

if TYPE_CHECKING:
    import pyarrow as pa

SHAPES = ((1_000, 20_000), (20_000, 1_000), (100_000, 200))  # rows and columns, 20 million cells
CLASSES = ("a", "b", "c")
COLUMNS = 4_000  # of the row that is encoded
PAIRS = 100  # encodings of the row as a table, and as an array
MOST_RATIO = 10


def main() -> None:
    """Measures the stages on every shape and the ratios of one row, records and prints them."""
    runs = {shape: _run(*shape) for shape in SHAPES}
    ratios = _encoding_ratios()
    results = []
    for shape, stages in runs.items():
        results += _results(shape, stages)
    for name, ratio in ratios.items():
        results.append({"name": f"encode_{name}", "ratio": ratio, "unit": "times an array's time"})
    record(results)
    _print_table(runs)
    for name, ratio in ratios.items():
        print(f"one row of {COLUMNS:,} columns, {name}: {ratio:.1f} times the time of an array")
    if ratios["numbers"] > MOST_RATIO:
        sys.exit(f"above {MOST_RATIO}")


def _run(rows: int, columns: int) -> dict[str, Stage]:
    """Each stage's time and memory on a table, in a folder that is deleted afterwards."""
    sys.path.append(str(ROOT / "tests/support"))
    from repository import Repository

    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="wide-") as scratch:
        path, copy = Path(scratch, "rows.csv"), Path(scratch, "copy")
        alone(_write, path, rows, columns)  # whose memory no stage begins with
        copy.mkdir()
        values = {"data.path": str(path), "data.label": "class", **SHRUNK}
        repository = Repository(copy, values, [MODEL_TYPE])
        environment = {**repository.environment, "PYTHONPATH": "src"}
        progress = tqdm(SCRIPTS.items(), desc=f"{rows:,} x {columns:,}", unit="stage")
        return {name: _measured(command, copy, environment) for name, command in progress}


def _write(path: Path, rows: int, columns: int) -> None:
    """Writes a few signals in many noisy columns, and the class that they depend on."""
    import pyarrow as pa
    from pyarrow import csv

    rng = np.random.default_rng(0)
    classes = rng.integers(0, len(CLASSES), rows)
    signals = rng.standard_normal((rows, SIGNALS)) + 2 * np.eye(len(CLASSES), SIGNALS)[classes]
    noise = rng.standard_normal((rows, columns)) / 2
    values = (signals @ rng.standard_normal((SIGNALS, columns)) + noise).round(4)
    table = _table(values).append_column("class", pa.array(np.array(CLASSES)[classes]))
    csv.write_csv(table, path)


def _table(values: np.ndarray) -> "pa.Table":
    """A table of the values (rows, columns)."""
    import pyarrow as pa

    names = [f"x{i}" for i in range(values.shape[1])]
    return pa.table([pa.array(column) for column in values.T], names=names)


def _encoding_ratios() -> dict[str, float]:
    """The time that a row takes as a table, relative to that of the same numbers as an array."""
    import pyarrow as pa

    from autoencoders.data.prepared.features import encode
    from autoencoders.data.prepared.schema import Column, Schema

    row = np.random.default_rng(0).standard_normal((1, COLUMNS))
    numbers = Schema((), tuple(Column(f"x{i}") for i in range(COLUMNS)))
    filled = (replace(column, fill=0.0) for column in numbers.columns)
    mixed = Schema((), (*filled, Column("class", CLASSES)))
    table = _table(row)
    with_gap = table.set_column(0, "x0", pa.array([None], pa.float64()))
    with_text = with_gap.append_column("class", pa.array([CLASSES[0]]))

    def encoded_array() -> object:
        return encode(numbers, row)

    return {
        "numbers": _ratio(lambda: encode(numbers, table), encoded_array),
        "numbers, one missing, and text": _ratio(lambda: encode(mixed, with_text), encoded_array),
    }


def _ratio(function: Callable[[], object], other: Callable[[], object]) -> float:
    """The function's median time relative to the other's, called in turn."""
    times: dict[Callable[[], object], list[float]] = {function: [], other: []}
    for _ in range(PAIRS):
        for each, taken in times.items():
            began = time.process_time()
            each()
            taken.append(time.process_time() - began)
    return statistics.median(times[function]) / statistics.median(times[other])


def _results(shape: tuple[int, int], stages: dict[str, Stage]) -> list[dict[str, Any]]:
    """The entries of results.json."""
    rows, columns = shape
    results = []
    for name, stage in stages.items():
        results.append(
            {
                "name": f"wide_{rows}x{columns}_{name}",
                "value": stage.seconds,
                "megabytes": stage.megabytes,
                "unit": "seconds",
            }
        )
    return results


def _print_table(runs: dict[tuple[int, int], dict[str, Stage]]) -> None:
    """Seconds and megabytes of each stage by shape."""
    table = Table(title="CSV of 20 million cells", title_justify="left")
    table.add_column("stage")
    for rows, columns in runs:
        table.add_column(f"{rows:,} x {columns:,}: s", justify="right")
        table.add_column("MB", justify="right")
    for name in SCRIPTS:
        cells = []
        for stages in runs.values():
            cells += [f"{stages[name].seconds:.1f}", f"{stages[name].megabytes:.0f}"]
        table.add_row(name, *cells)
    Console(width=120).print(table)


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
