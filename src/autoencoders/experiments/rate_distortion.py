"""The rate-distortion curve: error by code size, each type beside PCA, over several seeds, with the knee marked."""

import gc
import json
import multiprocessing
import os
import threading
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from autoencoders.core.files import read_json, sha256, write_json, write_text
from autoencoders.core.identity import code_sha256
from autoencoders.core.paths import DATA, REPORTS, RESUME, repository
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.evaluation.baselines import PrincipalComponents
from autoencoders.models.trained.fidelity import fidelity, squared_error
from autoencoders.params.params import Params
from autoencoders.training.fit import fit

SPLITS = ("validation", "test")
CURVE, PICTURE = REPORTS / "rate_distortion.csv", REPORTS / "rate_distortion.png"
Point = dict[
    str, Any
]  # model, code_size and error by split: sum over features, mean over rows, model scale
Curves = Mapping[
    str, pd.DataFrame
]  # by model: test, low, high and validation error, one line a code size


def rate_distortion(params: Params) -> None:
    """Trains every type at every code size and seed, and writes table and picture; each point is kept once it is there.

    The knee is the code size at which a type's curve lies farthest below the straight line between its ends, code size
    (logarithm) and mean error both scaled to [0, 1]. Satopaa et al. 2011. It is found on the validation split, as a
    choice that may be taken from it; the test split stands beside. Raises ParameterError before anything is trained.
    """
    from autoencoders.tracking.recorder import Recorder  # here, as the workers have no use for it

    data, sizes = load_prepared(DATA), sorted(set(params.rate_distortion.code_sizes))
    for kind, size in product(params.kinds, sizes):
        params.tuned(kind, {"network.code_size": size}).plan(kind, data.description.facts)
    found = curves([*_trained(params, sizes), *_pca(data, sizes)])
    write_text(CURVE, table(found))
    _draw(found, data)
    with Recorder(data.description) as recorder, recorder.pipeline() as run:
        run.artifacts([CURVE, PICTURE], "rate_distortion")
    for name, curve in found.items():
        test = " ".join(f"{size}: {error:.3f}" for size, error in curve["test"].items())
        print(
            f"{name:14} knee at {knee(sizes, curve['validation'].to_numpy()):3}; test error by code size: {test}"
        )
    print(
        f"{PICTURE} and {CURVE}; `dvc plots show` draws it too, the MLflow UI has it under the parent run"
    )


def _trained(params: Params, sizes: Sequence[int]) -> list[Point]:
    """The types' points: those that are kept at once, the others by worker processes of one thread each."""
    points = list(product(sorted(set(params.rate_distortion.seeds)), params.kinds, sizes))
    workers, spawn = params.rate_distortion.workers, multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, spawn, _begin_worker) as pool:
        results = pool.map(partial(_point, params, code_sha256("tune")), points)
        try:
            return list(tqdm(results, total=len(points), desc="rate-distortion", unit="training"))
        finally:
            pool.shutdown(
                cancel_futures=True
            )  # an interrupted curve ends with the points that have begun


def _begin_worker() -> None:
    """One thread; and an end where the parent was killed, for whose work a worker would wait for ever."""
    torch.set_num_threads(1)

    def follow() -> None:
        if parent := multiprocessing.parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


def _point(params: Params, code: str, point: tuple[int, str, int]) -> Point:
    """The errors of a type at a code size and a seed, trained where they are not kept."""
    data, (seed, kind, code_size) = load_prepared(DATA), point
    changed = params.tuned(kind, {"network.code_size": code_size}).model_copy(update={"seed": seed})
    plan = changed.plan(kind, data.description.facts)
    values = [plan.flat(), data.description.content_sha256, code]
    path = (
        repository()
        / RESUME
        / "rate_distortion"
        / f"{sha256(json.dumps(values).encode())[:32]}.json"
    )
    if not path.exists():
        model = fit(plan, data, trial=True).model
        write_json(path, {s: float(fidelity(model.reconstruct, data, s)[0].mean()) for s in SPLITS})
        gc.collect()  # the trainer's cycles hold the rows
    return {"model": kind, "code_size": code_size, **read_json(path)}


def _pca(data: Prepared, sizes: Sequence[int]) -> list[Point]:
    x = {s: data.scaled(data.sample(s)) for s in SPLITS}
    fitted = PrincipalComponents(map(data.scaled, data.rows["train"]))
    best = {n: fitted.at(n) for n in sizes}
    errors = {
        n: {s: squared_error(x[s], best[n].reconstruct(x[s])).mean() for s in SPLITS} for n in sizes
    }
    return [{"model": "pca", "code_size": n, **errors[n]} for n in sizes]


def curves(points: Sequence[Point]) -> Curves:
    """Each model's curve over the seeds: mean test error, the lowest and highest, and mean validation error."""
    columns = {"test": ("test", "mean"), "low": ("test", "min"), "high": ("test", "max")}
    columns["validation"] = ("validation", "mean")
    models = pd.DataFrame(points).groupby("model", sort=False)
    return {str(model): rows.groupby("code_size").agg(**columns) for model, rows in models}


def knee(sizes: Sequence[int], errors: np.ndarray) -> int:
    """The code size of the knee. errors: mean error at each size."""
    x = np.log(sizes) - np.log(sizes[0])
    y = (errors - errors.min()) / max(np.ptp(errors), np.finfo(float).tiny)
    chord = y[0] + (y[-1] - y[0]) * x / x[-1]
    return sizes[int(np.argmax(chord - y))]


def table(found: Curves) -> str:
    """One line a code size: mean test error of each model, and validation, lowest and highest over seeds beside it."""
    wide = pd.concat(
        [curve.add_prefix(f"{name}_") for name, curve in found.items()], axis="columns"
    )
    return str(wide.rename(columns=lambda column: column.removesuffix("_test")).to_csv())


def _draw(found: Curves, data: Prepared) -> None:
    """Test error by code size; a band from the lowest to the highest seed, a ring at the knee."""
    from autoencoders.evaluation.figures import drawing

    title = f"{data.description.name}: test error by code size (ring: knee, found on validation)"
    figure, axes = drawing(
        (8, 5), title, xlabel="code size", ylabel="squared error, sum over features", yscale="log"
    )
    for name, curve in found.items():
        style: dict[str, Any] = {"color": "black", "linestyle": "--"} if name == "pca" else {}
        line = axes.plot(curve["test"], marker=".", label=name, **style)[0]
        axes.fill_between(
            curve.index, curve["low"], curve["high"], alpha=0.2, color=line.get_color()
        )
        at = knee(list(curve.index), curve["validation"].to_numpy())
        axes.plot(
            at, curve["test"][at], "o", markersize=11, fillstyle="none", color=line.get_color()
        )
    axes.set_xscale("log", base=2)
    axes.set_xticks(curve.index, curve.index.astype(str))
    axes.legend()
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
