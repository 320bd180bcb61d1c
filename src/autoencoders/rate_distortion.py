"""The rate-distortion curve: error by code size, each type beside PCA, over several seeds, with the knee marked."""

import gc
import json
import multiprocessing
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from tqdm import tqdm

from autoencoders.data.prepared import Prepared, load_prepared
from autoencoders.evaluation.baselines import PrincipalComponents
from autoencoders.evaluation.metrics import fidelity, squared_error
from autoencoders.files import read_json, sha256, write_json, write_text
from autoencoders.params import Params
from autoencoders.stage import DATA, REPORTS, RESUME, code_sha256, repository
from autoencoders.training import fit

SPLITS = ("validation", "test")
CURVE, PICTURE = REPORTS / "rate_distortion.csv", REPORTS / "rate_distortion.png"
Point = tuple[str, int, int]  # one training: type, code size, seed
Errors = dict[str, float]  # squared error by split: sum over features, mean over rows, model scale
Curve = Mapping[str, np.ndarray]  # errors by split: (code sizes, seeds)


def rate_distortion(params: Params) -> None:
    """Trains every type at every code size and seed, and writes table and picture; each point is kept once it is there.

    The knee is the code size at which a type's curve lies farthest below the straight line between its ends, code size
    (logarithm) and mean error both scaled to [0, 1]. Satopaa et al. 2011. It is found on the validation split, as a
    choice that may be taken from it; the test split stands beside. Raises ParameterError before anything is trained.
    """
    from autoencoders.tracking.runs import Runs  # here, as the workers have no use for mlflow

    data, sizes = load_prepared(DATA), sorted(set(params.rate_distortion.code_sizes))
    for kind in params.kinds:
        for size in sizes:
            params.tuned(kind, {"network.code_size": size}).architecture(kind, data.description.facts)
    curves = {**_trained(params, sizes), "pca": _pca(data, sizes)}
    write_text(CURVE, table(curves, sizes))
    _draw(curves, sizes, data)
    Runs(data.description).pipeline().artifacts([CURVE, PICTURE], "rate_distortion")
    for name, curve in curves.items():
        test = " ".join(f"{size}: {error:.3f}" for size, error in zip(sizes, curve["test"].mean(1), strict=True))
        print(f"{name:14} knee at {knee(sizes, curve['validation'].mean(1)):3}; test error by code size: {test}")
    print(f"{PICTURE} and {CURVE}; `dvc plots show` draws it too, the MLflow UI has it under the parent run")


def _trained(params: Params, sizes: Sequence[int]) -> dict[str, Curve]:
    """Each type's curve: points that are kept at once, the others by worker processes of one thread each."""
    seeds, spawn = sorted(set(params.rate_distortion.seeds)), multiprocessing.get_context("spawn")
    points = [(kind, size, seed) for seed in seeds for kind in params.kinds for size in sizes]
    with ProcessPoolExecutor(params.rate_distortion.workers, spawn, torch.set_num_threads, (1,)) as pool:
        results = pool.map(partial(_errors, params, code_sha256("tune")), points)
        done = list(tqdm(results, total=len(points), desc="rate-distortion", unit="training"))
    curves = {split: np.reshape([e[split] for e in done], (len(seeds), -1, len(sizes))).T for split in SPLITS}
    return {kind: {split: curves[split][:, i] for split in SPLITS} for i, kind in enumerate(params.kinds)}


def _errors(params: Params, code: str, point: Point) -> Errors:
    """A point's errors, trained where they are not kept."""
    data, (kind, code_size, seed) = load_prepared(DATA), point
    changed = params.tuned(kind, {"network.code_size": code_size}).model_copy(update={"seed": seed})
    values = [changed.flatten(kind, data.description.facts), data.description.content_sha256, code]
    path = repository() / RESUME / "rate_distortion" / f"{sha256(json.dumps(values).encode())[:32]}.json"
    if not path.exists():
        model = fit(kind, changed, data, calibrate=False).model
        write_json(path, {s: float(fidelity(model.reconstruct, data, s)[0].mean()) for s in SPLITS})
        gc.collect()  # the trainer's cycles hold the rows
    return dict(read_json(path))


def _pca(data: Prepared, sizes: Sequence[int]) -> Curve:
    x = {s: data.scaled(data.sample(s)) for s in SPLITS}
    fitted = PrincipalComponents(map(data.scaled, data.rows["train"]))
    best = [fitted.at(size) for size in sizes]
    return {s: np.array([[squared_error(x[s], linear.reconstruct(x[s])).mean()] for linear in best]) for s in SPLITS}


def knee(sizes: Sequence[int], errors: np.ndarray) -> int:
    """The code size of the knee. errors: mean error at each size."""
    x = np.log(sizes) - np.log(sizes[0])
    y = (errors - errors.min()) / max(np.ptp(errors), np.finfo(float).tiny)
    chord = y[0] + (y[-1] - y[0]) * x / x[-1]
    return sizes[int(np.argmax(chord - y))]


def table(curves: Mapping[str, Curve], sizes: Sequence[int]) -> str:
    """One line a code size: mean test error of each model, and validation, lowest and highest over seeds beside it."""
    columns = {"code_size": np.array(sizes)}
    for name, curve in curves.items():
        test, validation = curve["test"], curve["validation"]
        columns |= {name: test.mean(1), f"{name}_low": test.min(1), f"{name}_high": test.max(1)}
        columns[f"{name}_validation"] = validation.mean(1)
    return str(pd.DataFrame(columns).to_csv(index=False))


def _draw(curves: Mapping[str, Curve], sizes: Sequence[int], data: Prepared) -> None:
    """Test error by code size; a band from the lowest to the highest seed, a ring at the knee."""
    from autoencoders.evaluation.figures import drawing

    title = f"{data.description.name}: test error by code size (ring: knee, found on validation)"
    figure, axes = drawing((8, 5), title, xlabel="code size", ylabel="squared error, sum over features", yscale="log")
    for name, curve in curves.items():
        test = curve["test"]
        style: dict[str, Any] = {"color": "black", "linestyle": "--"} if name == "pca" else {}
        line = axes.plot(sizes, test.mean(1), marker=".", label=name, **style)[0]
        axes.fill_between(sizes, test.min(1), test.max(1), alpha=0.2, color=line.get_color())
        at = sizes.index(knee(sizes, curve["validation"].mean(1)))
        axes.plot(sizes[at], test.mean(1)[at], "o", markersize=11, fillstyle="none", color=line.get_color())
    axes.set_xscale("log", base=2)
    axes.set_xticks(list(sizes), [str(size) for size in sizes])
    axes.legend()
    figure.savefig(PICTURE, dpi=110, metadata={"Software": None})
