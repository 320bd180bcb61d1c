"""Each type against the paper that founded it: experiments held against published figures.

`make anchors`, 70 minutes on two cores with bf16: anchors/results.json and a figure each. An
experiment that was run before and has not changed is not run again.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd
from pydantic import Field
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from autoencoders.core.errors import UserError
from autoencoders.core.files import read_json, write_json
from autoencoders.core.paths import LEADERBOARD, MODELS, repository
from autoencoders.core.reporting import reporting
from autoencoders.experiments.workspace import STAGES, WORKSPACES, run
from autoencoders.models.trained.saved import load_description
from autoencoders.params.params import load_tree
from autoencoders.params.reading import likely, validated
from autoencoders.params.section import Section
from autoencoders.tracking import store
from autoencoders.tracking.recorder import experiment_name
from autoencoders.tracking.stored_runs import FINGERPRINT
from common import ROOT

ANCHORS, FOLDER = Path("anchors.yaml"), Path("anchors")
RESULTS = FOLDER / "results.json"
Rows = Mapping[str, Mapping[str, Any]]  # of a leaderboard, by model


def main() -> None:
    """Runs the anchors, and prints their table, its sources and how many meet their target."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--only",
        action="append",
        default=[],
        metavar="NAME",
        help="one of anchors.yaml; may be repeated",
    )
    parser.add_argument(
        "--seeds", default="1", help="one training each, separated by commas (default: %(default)s)"
    )
    parser.add_argument(
        "--jobs",
        type=int,
        default=2,
        help="experiments side by side, one thread each (default: %(default)s)",
    )
    arguments = parser.parse_args()
    os.chdir(ROOT)
    with reporting():
        if not all(seed.strip().isdigit() for seed in arguments.seeds.split(",")):
            raise UserError(
                f"--seeds {arguments.seeds}: must be whole numbers, separated by commas"
            )
        entries = anchors(
            arguments.only, [int(seed) for seed in arguments.seeds.split(",")], arguments.jobs
        )
    Console(width=None if sys.stdout.isatty() else 100).print(table(entries))
    print(f"\n{sources(entries)}\n")
    missed = sum(not entry["pass"] for entry in entries)
    print(
        f"{len(entries) - missed} of {len(entries)} meet their target; "
        f"{RESULTS} has the table, a figure each beside it"
    )


class Anchor(Section):
    """One entry of anchors.yaml."""

    about: str
    better: Literal["lower", "higher"]
    published: float
    target: float
    unit: str
    source: str
    protocol: str
    # other figures, by name: numbers, or `row.number`s of the leaderboard
    beside: dict[str, float | str]
    ours: str = ""  # `row.number` of the leaderboard
    less: str = ""  # another one, which is subtracted
    error: str = ""  # of ours: a standard error that is shown
    measure: Literal["number", "matched_jacobian", "least_below_pca"] = "number"
    commands: list[str] = Field(default=[STAGES])
    # values by dotted key, over the experiment's; all are run
    variants: list[dict[str, Any]] = Field(default=[{}])
    at: int = 0  # matched_jacobian: number of the variant whose ratio is ours, from 0

    def reaches(self, ours: float, reference: float) -> bool:
        """Whether ours is as good as a reference, or better."""
        return ours <= reference if self.better == "lower" else ours >= reference


class Measured(NamedTuple):
    """The figures of one seed of an experiment."""

    ours: float
    beside: dict[str, float]
    curve: pd.DataFrame | None = None  # to be drawn: columns x, y, group


def anchors(only: Sequence[str], seeds: Sequence[int], jobs: int) -> list[dict[str, Any]]:
    """Runs experiments, so many side by side, one thread each, and writes results and figures.

    only: their names; none: all. An experiment that was run before and has not changed is not run
    again. Raises UserError.
    """
    known = {
        name: validated(Anchor, entry, f"{ANCHORS}: {name}")
        for name, entry in load_tree(ANCHORS).items()
    }
    if unknown := set(only) - set(known):
        raise UserError(
            f"no anchor {', '.join(sorted(unknown))}: {likely(min(unknown), list(known))}"
        )
    chosen = {name: anchor for name, anchor in known.items() if name in (only or known)}
    seeds = list(dict.fromkeys(seeds))
    tasks = [
        (name, seed, i)
        for seed in seeds
        for name, anchor in chosen.items()
        for i in range(len(anchor.variants))
    ]
    with (
        ThreadPoolExecutor(jobs) as pool,
        tqdm(total=len(tasks), desc="anchors", unit="run") as bar,
    ):
        ran = {task: pool.submit(_run, known[task[0]], *task, bar=bar) for task in tasks}
        try:
            wait(ran.values(), return_when=FIRST_EXCEPTION)
        finally:
            # of an interrupted or failed run: no further experiment
            pool.shutdown(wait=False, cancel_futures=True)
    results = {
        entry["experiment"]: entry for entry in (read_json(RESULTS) if RESULTS.exists() else [])
    }
    for name, anchor in chosen.items():
        runs = [
            [ran[name, seed, i].result() for i in range(len(anchor.variants))] for seed in seeds
        ]
        measured = [
            MEASURES[anchor.measure](anchor, [folder for folder, _ in variants])
            for variants in runs
        ]
        seconds = float(np.mean([sum(seconds for _, seconds in variants) for variants in runs]))
        results[name] = result(name, anchor, [each.ours for each in measured], seconds)
        _draw(name, anchor, results[name], measured[0])
    ordered = [results[name] for name in known if name in results]
    write_json(RESULTS, ordered)
    return [entry for entry in ordered if entry["experiment"] in chosen]


def _run(anchor: Anchor, name: str, seed: int, number: int, bar: Any) -> tuple[Path, float]:
    """Runs a variant; gives its workspace, and the seconds that its trainings took."""
    variant = f"-{seed}" + (f"-{number}" if len(anchor.variants) > 1 else "")
    log, began = repository() / WORKSPACES / f"{name}{variant}.log", time.monotonic()
    log.parent.mkdir(exist_ok=True)
    log.unlink(missing_ok=True)
    values = {**anchor.variants[number], "seed": seed}
    folder = run(name, values, variant=variant, commands=anchor.commands, log=log, threads=1)
    trained = (
        sum(map(_training_seconds, (folder / MODELS).glob("[!.]*"))) or time.monotonic() - began
    )
    bar.update()
    bar.write(f"{name}{variant}: trained {trained:.0f} s, {time.monotonic() - began:.0f} s in all")
    return folder, trained


def _training_seconds(model: Path) -> float:
    """Seconds of the run that trained a model."""
    description, client = load_description(model), store.open_store()
    experiment = store.experiment(client, experiment_name(description.data))
    runs = client.search_runs(
        [experiment], f"tags.{FINGERPRINT} = '{description.fingerprint}'", max_results=1
    )
    return (runs[0].info.end_time - runs[0].info.start_time) / 1000 if runs else 0.0


def result(name: str, anchor: Anchor, ours: Sequence[float], seconds: float) -> dict[str, Any]:
    """An entry of results.json: mean over seeds, lowest, highest, and whether it is good enough."""
    mean = float(np.mean(ours))
    return {
        "experiment": name,
        "ours": mean,
        "published": anchor.published,
        "target": anchor.target,
        "unit": anchor.unit,
        "seconds": seconds,
        "pass": anchor.reaches(mean, anchor.target),
        "beats_published": anchor.reaches(mean, anchor.published),
        "low": min(ours),
        "high": max(ours),
        "seeds": len(ours),
        **anchor.model_dump(include={"about", "source", "protocol"}),
    }


def _rows(folder: Path) -> Rows:
    return {row["model"]: row for row in read_json(folder / LEADERBOARD)}


def _number(rows: Rows, key: float | str) -> float:
    if not isinstance(key, str):
        return float(key)
    row, _, name = key.partition(".")
    return float(rows[row][name])


def _one_number(anchor: Anchor, folders: Sequence[Path]) -> Measured:
    """A number of the leaderboard, less another one."""
    rows = _rows(folders[0])
    ours = _number(rows, anchor.ours) - (_number(rows, anchor.less) if anchor.less else 0.0)
    beside = {"standard error": _number(rows, anchor.error)} if anchor.error else {}
    return Measured(
        ours, {**{name: _number(rows, key) for name, key in anchor.beside.items()}, **beside}
    )


def _matched_jacobian(anchor: Anchor, folders: Sequence[Path]) -> Measured:
    """The scaled Jacobian norm as a share of the norm without a penalty at the same test error.

    The latter is that of the variants without a penalty. Between their errors, logarithms are
    interpolated linearly: the curve is convex, and chords would lie above it.
    """
    key, rows = "models.contractive.weight", [_rows(folder)["contractive"] for folder in folders]
    curve = pd.DataFrame(
        {
            "x": [row["test_squared_error"] for row in rows],
            "y": [row["scaled_jacobian_norm"] for row in rows],
            "group": [
                "with penalty" if key in variant else "without" for variant in anchor.variants
            ],
        }
    )
    plain = curve[curve.group == "without"].sort_values("x")
    x, plain_x, plain_y = map(np.log, (curve.x, plain.x, plain.y))
    share: pd.Series = curve.y / np.exp(np.interp(x, plain_x, plain_y, left=np.nan, right=np.nan))
    beside = {
        f"penalty {variant[key]}": float(share[i])
        for i, variant in enumerate(anchor.variants)
        if key in variant
    }
    if not np.isfinite(share[anchor.at]):
        raise UserError(
            f"{ANCHORS}: no variant without penalty has the error of variant {anchor.at}: "
            f"{curve.x.tolist()}"
        )
    return Measured(float(share[anchor.at]), beside, curve)


def _least_below_pca(anchor: Anchor, folders: Sequence[Path]) -> Measured:
    """The percentage by which the worst type at the worst code size lies below PCA."""
    from autoencoders.experiments.rate_distortion import CURVE
    from autoencoders.params.types import Models

    errors = pd.read_csv(folders[0] / CURVE, index_col="code_size")
    below = {
        model_type: 100 * (1 - errors[model_type] / errors["pca"])
        for model_type in Models.model_fields
        if model_type in errors
    }
    curve = [
        pd.DataFrame({"x": values.index, "y": values, "group": model_type})
        for model_type, values in below.items()
    ]
    worst = {model_type: float(values.min()) for model_type, values in below.items()}
    return Measured(min(worst.values()), worst, pd.concat(curve, ignore_index=True))


MEASURES: dict[str, Callable[[Anchor, Sequence[Path]], Measured]] = {
    "number": _one_number,
    "matched_jacobian": _matched_jacobian,
    "least_below_pca": _least_below_pca,
}
AXES = {
    "matched_jacobian": {"xlabel": "test squared error", "ylabel": "scaled Jacobian norm"},
    "least_below_pca": {
        "xlabel": "code size",
        "ylabel": "test error below PCA, %",
        "xscale": "log",
    },
}


def _draw(name: str, anchor: Anchor, entry: Mapping[str, Any], measured: Measured) -> None:
    """The curve where there is one, else bars: ours, target, published, and what stands beside."""
    from autoencoders.evaluation.drawing import drawing

    title = f"{name}: {entry['ours']:.4g} {anchor.unit} ({anchor.better} is better)"
    if measured.curve is not None:
        figure, axes = drawing((7, 4.5), title, **AXES[anchor.measure])
        for group, points in measured.curve.sort_values("x").groupby("group", sort=False):
            axes.plot(points.x, points.y, marker="o", label=str(group))
        axes.legend()
    else:
        bars = {
            "ours": entry["ours"],
            "target": anchor.target,
            "published": anchor.published,
            **measured.beside,
        }
        figure, axes = drawing((7, 1 + 0.4 * len(bars)), title, xlabel=anchor.unit)
        colours = ["tab:blue", *["tab:gray"] * (len(bars) - 1)]
        axes.bar_label(
            axes.barh(list(bars), list(bars.values()), color=colours), fmt="%.4g", padding=3
        )
        axes.invert_yaxis()
        axes.margins(x=0.15)
    FOLDER.mkdir(exist_ok=True)
    figure.savefig(FOLDER / f"{name}.png", dpi=100, metadata={"Software": None})


def table(results: Sequence[Mapping[str, Any]]) -> Table:
    """Ours, published and target, time, and whether each is reached.

    Of several seeds, a second line has their range.
    """
    printed = Table(title="anchors", title_justify="left", box=None, padding=(0, 1, 0, 0))
    for column in (
        "experiment",
        "ours",
        "published",
        "target",
        "unit",
        "training",
        "meets",
        "beats",
    ):
        # folded where the terminal is narrow; no number is cut
        words = column in ("experiment", "unit")
        printed.add_column(
            column, justify="left" if words else "right", no_wrap=not words, overflow="fold"
        )
    for entry in results:
        printed.add_row(
            entry["experiment"],
            f"{entry['ours']:#.4g}",
            f"{entry['published']:g}",
            f"{entry['target']:g}",
            entry["unit"],
            f"{entry['seconds']:.0f} s",
            "yes" if entry["pass"] else "NO",
            "yes" if entry["beats_published"] else "no",
        )
        if entry["seeds"] > 1:
            printed.add_row(
                "",
                f"{entry['low']:#.4g} to",
                f"{entry['high']:#.4g}",
                "",
                f"{entry['seeds']} seeds",
            )
    return printed


def sources(results: Sequence[Mapping[str, Any]]) -> str:
    """The source of each published figure, and the protocol."""
    return "\n".join(
        f"{entry['experiment']}: {entry['source']}; {entry['protocol']}" for entry in results
    )


if __name__ == "__main__":
    main()
