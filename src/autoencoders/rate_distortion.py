"""The rate-distortion curve: error by code size, each type beside PCA, over several seeds, with the knee marked."""

import csv
import gc
import io
import json
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from autoencoders.data.prepared import Prepared, load_prepared
from autoencoders.evaluation.baselines import PrincipalComponents
from autoencoders.evaluation.metrics import squared_error
from autoencoders.files import read_json, sha256, write_json, write_text
from autoencoders.params import Params
from autoencoders.stage import DATA, REPORTS, RESUME, code_sha256, repository
from autoencoders.tracking.runs import Run, Runs
from autoencoders.training import fit

SPLITS = ("validation", "test")
CURVE, PICTURE = REPORTS / "rate_distortion.csv", REPORTS / "rate_distortion.png"
Errors = dict[str, float]  # squared error by split: sum over features, mean over rows, model scale


class Point(NamedTuple):
    """One training."""

    kind: str
    code_size: int
    seed: int


def rate_distortion(params: Params) -> None:
    """Trains every type at every code size and seed, and writes table and picture; each point is kept once it is there.

    The knee is the code size at which a type's curve lies farthest below the straight line between its ends, code size
    (logarithm) and mean error both scaled to [0, 1]. Satopaa et al. 2011. It is found on the validation split, as a
    choice that may be taken from it; the test split stands beside. Raises ParameterError before anything is trained.
    """
    data, sizes = load_prepared(DATA), sorted(set(params.rate_distortion.code_sizes))
    for kind in params.kinds:
        for size in sizes:
            params.tuned(kind, {"network.code_size": size}).architecture(kind, data.description.facts)
    seeds = params.rate_distortion.seeds
    points = [Point(kind, size, seed) for seed in seeds for kind in params.kinds for size in sizes]
    errors = _trained(params, points, code_sha256("tune"))
    x = {s: (np.asarray(data.rows[s], np.float32) - data.shift) / data.scale for s in ("train", *SPLITS)}
    pca = PrincipalComponents(x["train"])
    for size in sizes:
        rebuilt = {s: pca.at(size).reconstruct(x[s]) for s in SPLITS}
        errors[Point("pca", size, 0)] = {s: float(squared_error(x[s], rebuilt[s]).mean()) for s in SPLITS}
    curves = {name: _curve(errors, name, sizes) for name in (*params.kinds, "pca")}
    write_text(CURVE, table(curves, sizes))
    _draw(curves, sizes, data)
    runs = Runs(data.description)
    Run(runs.client, runs.parent()).artifacts([CURVE, PICTURE], "rate_distortion")
    for name, curve in curves.items():
        test = " ".join(f"{size}: {error:.3f}" for size, error in zip(sizes, curve["test"].mean(1), strict=True))
        print(f"{name:14} knee at {knee(sizes, curve['validation'].mean(1)):3}; test error by code size: {test}")
    print(f"{PICTURE} and {CURVE}; `dvc plots show` draws it too, the MLflow UI has it under the parent run")


def _trained(params: Params, points: Sequence[Point], code: str) -> dict[Point, Errors]:
    """Each point's errors: kept ones at once, the others by worker processes of one thread each."""
    workers, spawn = params.rate_distortion.workers, multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, torch.set_num_threads, (1,)) as pool:
        futures = {pool.submit(partial(_point, params, code), point): point for point in points}
        try:
            done = tqdm(as_completed(futures), total=len(futures), desc="rate-distortion", unit="training")
            return {futures[future]: future.result() for future in done}
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _point(params: Params, code: str, point: Point) -> Errors:
    """A point's errors, trained where they are not kept."""
    data = load_prepared(DATA)
    changed = params.tuned(point.kind, {"network.code_size": point.code_size}).model_copy(update={"seed": point.seed})
    values = [changed.flatten(point.kind, data.description.facts), data.description.content_sha256, code]
    path = repository() / RESUME / "rate_distortion" / f"{sha256(json.dumps(values).encode())[:32]}.json"
    if not path.exists():
        model = fit(point.kind, changed, data).model
        raw = {s: np.asarray(data.rows[s], np.float32) for s in SPLITS}
        rebuilt = {s: model.reconstruct(raw[s]) for s in SPLITS}
        errors = {s: squared_error(raw[s] / data.scale, rebuilt[s] / data.scale).mean() for s in SPLITS}
        write_json(path, {s: float(error) for s, error in errors.items()})
        gc.collect()  # the trainer's cycles hold the rows
    return dict(read_json(path))


def _curve(errors: dict[Point, Errors], name: str, sizes: Sequence[int]) -> dict[str, np.ndarray]:
    """Errors by split: (code sizes, seeds)."""
    rows = [[e for point, e in sorted(errors.items()) if point[:2] == (name, size)] for size in sizes]
    return {split: np.array([[error[split] for error in row] for row in rows]) for split in SPLITS}


def knee(sizes: Sequence[int], errors: np.ndarray) -> int:
    """The code size of the knee. errors: mean error at each size."""
    x = np.log(sizes) - np.log(sizes[0])
    y = (errors - errors.min()) / max(np.ptp(errors), np.finfo(float).tiny)
    chord = y[0] + (y[-1] - y[0]) * x / x[-1]
    return sizes[int(np.argmax(chord - y))]


def table(curves: dict[str, dict[str, np.ndarray]], sizes: Sequence[int]) -> str:
    """One line a code size: mean test error of each model, and validation, lowest and highest over seeds beside it."""
    rows = []
    for i, size in enumerate(sizes):
        row: dict[str, float] = {"code_size": size}
        for name, curve in curves.items():
            test, validation = curve["test"][i], curve["validation"][i]
            row |= {name: float(test.mean()), f"{name}_low": float(test.min()), f"{name}_high": float(test.max())}
            row[f"{name}_validation"] = float(validation.mean())
        rows.append(row)
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _draw(curves: dict[str, dict[str, np.ndarray]], sizes: Sequence[int], data: Prepared) -> Path:
    """Test error by code size; a band from the lowest to the highest seed, a ring at the knee."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for name, curve in curves.items():
        test = curve["test"]
        style: dict[str, Any] = {"color": "black", "linestyle": "--"} if name == "pca" else {}
        line = axes.plot(sizes, test.mean(1), marker=".", label=name, **style)[0]
        axes.fill_between(sizes, test.min(1), test.max(1), alpha=0.2, color=line.get_color())
        at = sizes.index(knee(sizes, curve["validation"].mean(1)))
        axes.plot(sizes[at], test.mean(1)[at], "o", markersize=11, fillstyle="none", color=line.get_color())
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(sizes), [str(size) for size in sizes])
    axes.set(xlabel="code size", ylabel="squared error, sum over features", yscale="log")
    axes.set_title(f"{data.description.name}: test error by code size (ring: knee, found on validation)", loc="left")
    axes.legend()
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
    return PICTURE
