"""The rate-distortion curve: error by code size, over several seeds, of each type and of PCA."""

import gc
import json
import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from autoencoders.core.files import read_json, sha256, write_json, write_text
from autoencoders.core.identity import FINGERPRINT_LENGTH, code_sha256
from autoencoders.core.paths import DATA, REPORTS, RESUME, repository
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.evaluation.baselines import PCA
from autoencoders.models.pca import PrincipalComponents
from autoencoders.models.trained.fidelity import fidelity, squared_error
from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.training.fit import fit

MEASURED_SPLITS = ("validation", "test")
CURVE = REPORTS / "rate_distortion.csv"
PICTURE = REPORTS / "rate_distortion.png"
PICTURE_SIZE = (8, 5)  # inches
DPI = 110  # dots per inch of the picture
# model, code size, and by split the squared error: sum over features, mean over rows, model scale
Point = dict[str, Any]
# by model, a line for each code size: error on test, its range over the seeds, and on validation
Curves = Mapping[str, pd.DataFrame]


def rate_distortion(params: Params) -> None:
    """Trains every type at every code size and seed, and writes table and picture.

    Each point is kept in a file as soon as it is trained. The knee is the code size at which a
    type's curve lies farthest below the straight line between its ends, code size (logarithm) and
    mean error both scaled to [0, 1] (Satopaa et al. 2011). It is found on the validation split, as
    a choice may be made by it; the errors beside it are on the test split. Raises ParameterError
    before anything is trained.
    """
    # the worker processes, which import this module, don't need it
    from autoencoders.tracking.recorder import Recorder

    data = load_prepared(DATA)
    sizes = sorted(set(params.rate_distortion.code_sizes))
    for model_type, size in product(params.model_types, sizes):
        _plan(params, data, model_type, size)
    by_model = curves([*_trained(params, sizes), *_pca(data, sizes)])
    write_text(CURVE, table(by_model))
    _draw(by_model, data)
    with Recorder(data.description) as recorder, recorder.pipeline() as run:
        run.artifacts([CURVE, PICTURE], "rate_distortion")
    for name, curve in by_model.items():
        errors = " ".join(f"{size}: {error:.3f}" for size, error in curve["test"].items())
        print(f"{name:14} knee at {_knee_of(curve):3}; test error by code size: {errors}")
    print(
        f"{PICTURE} and {CURVE}; `dvc plots show` draws it too, "
        "the MLflow UI has it under the parent run"
    )


def _plan(params: Params, data: Prepared, model_type: str, code_size: int) -> Plan:
    """The plan of one training. Raises ParameterError."""
    changed = params.with_tuned(model_type, {"network.code_size": code_size})
    return changed.plan(model_type, data.description.facts)


def _trained(params: Params, sizes: Sequence[int]) -> list[Point]:
    """The types' points, trained by worker processes of one thread each."""
    seeds = sorted(set(params.rate_distortion.seeds))
    points = list(product(seeds, params.model_types, sizes))
    workers = params.rate_distortion.workers
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _begin_worker) as pool:
        results = pool.map(partial(_point, params, code_sha256("tune")), points)
        try:
            return list(tqdm(results, total=len(points), desc="rate-distortion", unit="training"))
        finally:
            # an interrupted curve finishes only the points that have begun
            pool.shutdown(cancel_futures=True)


def _begin_worker() -> None:
    """Takes one thread, and ends the worker with its parent, for whom it would wait for ever."""
    torch.set_num_threads(1)

    def follow() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _point(params: Params, code: str, point: tuple[int, str, int]) -> Point:
    """The errors of a type at a code size and a seed, trained if there is no file of them.

    code: the hash of the code; point: seed, model type, code size.
    """
    seed, model_type, code_size = point
    data = load_prepared(DATA)
    plan = _plan(params.model_copy(update={"seed": seed}), data, model_type, code_size)
    path = _point_file([plan.flat(), data.description.content_sha256, code])
    if not path.exists():
        model = fit(plan, data, trial=True).model
        errors: dict[str, float] = {}
        for split in MEASURED_SPLITS:
            squared_errors, _ = fidelity(model.reconstruct, data, split)
            errors[split] = float(squared_errors.mean())
        write_json(path, errors)
        gc.collect()  # the trainer's cycles hold the rows
    return {"model": model_type, "code_size": code_size, **read_json(path)}


def _point_file(identity: list[object]) -> Path:
    """The file of a point, named by a hash of the values, the data and the code of its training."""
    digits = sha256(json.dumps(identity).encode())[:FINGERPRINT_LENGTH]
    return repository() / RESUME / "rate_distortion" / f"{digits}.json"


def _pca(data: Prepared, sizes: Sequence[int]) -> list[Point]:
    fitted = PrincipalComponents(map(data.scaled, data.rows["train"]))
    rows = {split: data.scaled(data.sample(split)) for split in MEASURED_SPLITS}
    points: list[Point] = []
    for size in sizes:
        pca = fitted.at(size)
        point: Point = {"model": PCA, "code_size": size}
        for split, x in rows.items():
            point[split] = squared_error(x, pca.reconstruct(x)).mean()
        points.append(point)
    return points


def curves(points: Sequence[Point]) -> Curves:
    """Each model's curve over the seeds.

    Its columns are the mean test error, the lowest and the highest, and the mean validation error.
    """
    columns = {
        "test": ("test", "mean"),
        "low": ("test", "min"),
        "high": ("test", "max"),
        "validation": ("validation", "mean"),
    }
    models = pd.DataFrame(points).groupby("model", sort=False)
    return {str(model): rows.groupby("code_size").agg(**columns) for model, rows in models}


def knee(sizes: Sequence[int], errors: np.ndarray) -> int:
    """The code size of the knee. errors: mean error at each size."""
    x = np.log(sizes) - np.log(sizes[0])
    y = (errors - errors.min()) / max(np.ptp(errors), np.finfo(float).tiny)
    chord = y[0] + (y[-1] - y[0]) * x / x[-1]
    return sizes[int(np.argmax(chord - y))]


def _knee_of(curve: pd.DataFrame) -> int:
    return knee(list(curve.index), curve["validation"].to_numpy())


def table(by_model: Curves) -> str:
    """CSV with a line for each code size: mean test error of each model, and its other columns."""
    columns = [curve.add_prefix(f"{name}_") for name, curve in by_model.items()]
    wide = pd.concat(columns, axis="columns")
    return str(wide.rename(columns=lambda column: column.removesuffix("_test")).to_csv())


def _draw(by_model: Curves, data: Prepared) -> None:
    """Test error by code size, with a band over the seeds and a ring at the knee."""
    from autoencoders.evaluation.drawing import drawing

    title = f"{data.description.name}: test error by code size (ring: knee, found on validation)"
    figure, axes = drawing(
        PICTURE_SIZE,
        title,
        xlabel="code size",
        ylabel="squared error, sum over features",
        yscale="log",
    )
    for name, curve in by_model.items():
        style: dict[str, Any] = {}
        if name == PCA:
            style = {"color": "black", "linestyle": "--"}
        line = axes.plot(curve["test"], marker=".", label=name, **style)[0]
        color = line.get_color()
        axes.fill_between(curve.index, curve["low"], curve["high"], alpha=0.2, color=color)
        size = _knee_of(curve)
        error = curve["test"][size]
        axes.plot(size, error, "o", markersize=11, fillstyle="none", color=color)
    axes.set_xscale("log", base=2)
    axes.set_xticks(curve.index, curve.index.astype(str))
    axes.legend()
    figure.savefig(PICTURE, dpi=DPI, metadata={"Software": None})
