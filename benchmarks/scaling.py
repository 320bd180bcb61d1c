"""Seconds and memory of an epoch against rows, features, code size and layers.

`make bench-scaling`, some minutes. Each point is one epoch of `fit` in a process of its own, one
thread, fp32: seconds without the process's start, but with torch's first uses (about one); the
largest resident set with all. The exponent is the slope through the three largest points of a
curve, in logarithms: 1 is linear. Rows above `batches.IN_MEMORY` are streamed from disk.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from common import MODEL_TYPE, ROOT, alone, record

PICTURE = ROOT / "docs/scaling.png"
LARGEST = 3  # points of a curve that the exponent is fitted to


class Point(NamedTuple):
    """One training's size."""

    rows: int = 10_000
    shape: tuple[int, ...] = (16, 16)  # of an image; its values are the features
    code_size: int = 16
    layers: int = 2
    batch: int = 256


CURVES = {
    "rows": [(10**n, Point(rows=10**n, shape=(8, 8), batch=1024)) for n in range(3, 8)],
    "features": [
        (int(np.prod(shape)), Point(rows=4000, shape=shape))
        for shape in ((8, 8), (16, 16), (32, 32), (64, 64), (64, 64, 3))
    ],
    "code size": [(size, Point(code_size=size)) for size in (2, 8, 32, 64, 128, 255)],
    "layers": [(n, Point(layers=n)) for n in (1, 2, 4, 8, 16)],
}


def main() -> None:
    """Measures every curve, records and prints the exponents, and draws the picture."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--point", help=argparse.SUPPRESS)  # for a process of its own
    arguments = parser.parse_args()
    if arguments.point:
        _train(*json.loads(arguments.point))
        return
    curves = {
        name: [(x, _measured(point)) for x, point in tqdm(points, desc=name)]
        for name, points in CURVES.items()
    }
    results = []
    for name, points in curves.items():
        x, measured = zip(*points, strict=True)
        for part, unit in enumerate(("seconds an epoch", "MB resident")):
            values = [each[part] for each in measured]
            exponent = float(np.polyfit(np.log(x[-LARGEST:]), np.log(values[-LARGEST:]), 1)[0])
            entry = {
                "name": f"scaling_{name.replace(' ', '_')}_{unit.split()[0]}",
                "exponent": exponent,
            }
            results.append({**entry, "x": list(x), "values": values, "unit": unit})
            listing = ", ".join(f"{at:,}: {value:.3g}" for at, value in zip(x, values, strict=True))
            print(f"{name:10} {unit:17} exponent {exponent:5.2f}   {listing}")
    record(results)
    _draw(results)


def _measured(point: Point) -> tuple[float, float]:
    """Seconds and megabytes of one epoch, in a process of its own."""
    (ROOT / "build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=ROOT / "build", prefix="scaling-") as scratch:
        values = {
            "data.path": str(Path(scratch, "rows.npy")),
            "network.code_size": point.code_size,
            "network.n_layers": point.layers,
            "network.nodes_per_layer": [256] * point.layers,
            "train.epochs": 1,
            "train.batch_size": point.batch,
            "train.precision": "32-true",
        }
        folder = alone(_prepared, point, values, Path(scratch))
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT / "src")}
        command = [sys.executable, __file__, "--point", json.dumps([folder, values])]
        done = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        seconds, megabytes = json.loads(done.stdout.splitlines()[-1])
        return seconds, megabytes


def _prepared(point: Point, values: dict[str, Any], folder: Path) -> str:
    """Random images, as `data/prepared` has them."""
    from autoencoders.data.preparation.prepare import prepare
    from autoencoders.data.prepared.blocks import Writer
    from autoencoders.data.sources.source import download
    from autoencoders.params.params import load_params

    rng = np.random.default_rng(0)
    writer = Writer(folder / "rows.npy", np.uint8, (point.rows, *point.shape))
    for start in range(0, point.rows, 100_000):
        writer.add(rng.integers(0, 256, (min(100_000, point.rows - start), *point.shape), np.uint8))
    writer.close()
    os.chdir(ROOT)
    params = load_params(ROOT / "params.yaml").override(values)
    download(params.data, folder / "raw")
    prepare(folder / "raw", folder / "prepared", params.data)
    return str(folder / "prepared")


def _train(folder: str, values: dict[str, Any]) -> None:
    """One epoch; prints seconds and megabytes."""
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.params.params import load_params
    from autoencoders.training.fit import fit

    data, params = load_prepared(Path(folder)), load_params(ROOT / "params.yaml").override(values)
    began = time.perf_counter()
    fit(params.plan(MODEL_TYPE, data.description.facts), data, trial=True)
    kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1024 if sys.platform == "darwin" else 1
    )
    print(json.dumps([time.perf_counter() - began, kilobytes * 1024 / 1e6]))


def _draw(results: list[dict[str, Any]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(13, 6), layout="constrained")
    panels = figure.subplots(2, len(CURVES))
    for i, result in enumerate(results):
        axes = panels[i % 2, i // 2]
        axes.loglog(result["x"], result["values"], marker="o")
        axes.set(xlabel=list(CURVES)[i // 2], ylabel=result["unit"])
        axes.set_title(f"exponent {result['exponent']:.2f}", loc="left")
        axes.set_ylim(bottom=min(result["values"]) / 3, top=max(result["values"]) * 3)
    figure.savefig(PICTURE, dpi=80, metadata={"Software": None})


if __name__ == "__main__":
    main()
