"""Anomaly detection with params.yaml as it is, beside PyOD's detectors with their defaults.

These are PCA, AutoEncoder and Isolation Forest. `make bench-anomalies`, some minutes on one core:
every detector is fitted on all rows of a table, without labels, and judged on them
(`data.protocol: transductive`), on five seeds. The tables: anomaly_sets.py. ADBench's are read from
--adbench or the folder in AUTOENCODERS_ADBENCH, and left out where there is none.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from anomaly_sets import ADBENCH, tables
from common import ROOT, record

TYPES = ("variational", "undercomplete")
PEERS = ("PCA", "AutoEncoder", "IForest")
SEEDS = (1, 2, 3, 4, 5)
FOLDER = "AUTOENCODERS_ADBENCH"
PEERS_PYTHON = ROOT / ".venv-peers/bin/python"
# AUROC points that `variational` has to lie above each
REQUIRED = {"PCA": -0.5, "AutoEncoder": 4.0, "IForest": None}


class Judged(NamedTuple):
    """A detector's results on one table, in points of 100."""

    auroc: float  # mean over seeds
    deviation: float  # of the AUROC over seeds
    precision: float  # average precision, mean over seeds


Results = dict[str, dict[str, Judged]]  # by table and detector


def main() -> None:
    """Judges every detector on every table, records the results and prints them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--adbench",
        metavar="FOLDER",
        default=os.environ.get(FOLDER),
        help="default: the variable's",
    )
    folder = parser.parse_args().adbench
    sets = tables(Path(folder) if folder else None)
    lacking = [name for name in ADBENCH if name.lower() not in sets]
    if lacking:
        print(
            f"left out, as --adbench and {FOLDER} name no folder that has them: "
            f"{', '.join(lacking)}"
        )
    warnings.filterwarnings("ignore")
    with tempfile.TemporaryDirectory() as scratch:
        for name, (x, y) in sets.items():
            np.savez(Path(scratch, f"{name}.npz"), X=x, y=y)
        peers = _peers(Path(scratch))
        ours = {
            name: _ours(Path(scratch, f"{name}.npz"))
            for name in tqdm(sets, desc="this pipeline", unit="set")
        }
    results = {
        name: {
            detector: _judged(y, scores)
            for detector, scores in {**ours[name], **peers[name]}.items()
        }
        for name, (_, y) in sets.items()
    }
    record([*_entries(results), *_margin_entries(results)])
    _print_table(results)
    _print_margins(results)


def _ours(path: Path) -> dict[str, list[np.ndarray]]:
    """Scores of all rows by type, for each seed, as the stages compute them."""
    from autoencoders.data.preparation.prepare import prepare
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.data.sources.source import download
    from autoencoders.params.params import load_params
    from autoencoders.training.fit import fit

    params = load_params(ROOT / "params.yaml").override(
        {"data.path": str(path), "data.protocol": "transductive"}
    )
    with tempfile.TemporaryDirectory() as scratch:
        raw, prepared = Path(scratch, "raw"), Path(scratch, "prepared")
        download(params.data, raw)
        prepare(raw, prepared, params.data)
        data = load_prepared(prepared)

        def scores(model_type: str, seed: int) -> np.ndarray:
            model = fit(
                params.model_copy(update={"seed": seed}).plan(model_type, data.description.facts),
                data,
            ).model
            return np.concatenate([model.score(rows).score for rows in data.rows["test"]])

        return {model_type: [scores(model_type, seed) for seed in SEEDS] for model_type in TYPES}


def _peers(folder: Path) -> dict[str, dict[str, list[np.ndarray]]]:
    """PyOD's scores by table and detector."""
    if not PEERS_PYTHON.exists():
        sys.exit(f"{PEERS_PYTHON}: no such file; `make bench-anomalies` makes it")
    script = ROOT / "benchmarks/pyod_peers.py"
    command: list[str | Path] = [PEERS_PYTHON, script, folder, *map(str, SEEDS)]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    return json.loads(
        subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
    )


def _judged(y: np.ndarray, scores: Sequence[Any]) -> Judged:
    """AUROC and average precision of a detector's scores."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    auroc = [100 * roc_auc_score(y, score) for score in scores]
    precision = [100 * average_precision_score(y, score) for score in scores]
    return Judged(statistics.mean(auroc), statistics.stdev(auroc), statistics.mean(precision))


def _means(results: Results) -> dict[str, Judged]:
    """Each detector's means over tables."""
    rows = list(results.values())
    return {
        name: Judged(*map(statistics.mean, zip(*(row[name] for row in rows), strict=True)))
        for name in rows[0]
    }


def _without(results: Results, left_out: str = "manifold") -> Results:
    """The results without a table's."""
    return {name: row for name, row in results.items() if name != left_out}


def _margins(results: Results) -> dict[str, tuple[float, str, float]]:
    """The variational type's lead over each peer, in points of AUROC.

    By peer: the lead of the means over tables, the table with the smallest lead, and that lead.
    """
    means, margins = _means(results), {}
    for peer in REQUIRED:
        by_table = {
            name: row["variational"].auroc - row[peer].auroc for name, row in results.items()
        }
        worst = min(by_table, key=lambda name: by_table[name])
        margins[peer] = (means["variational"].auroc - means[peer].auroc, worst, by_table[worst])
    return margins


def _entries(results: Results) -> list[dict[str, Any]]:
    """The entries of results.json: each table's and the means."""
    rows = {**results, "mean": _means(results), "mean_without_manifold": _means(_without(results))}
    return [
        {
            "name": f"anomalies_{name}_{detector.lower()}",
            "value": judged.auroc,
            "deviation": judged.deviation,
            "average_precision": judged.precision,
            "unit": "AUROC points",
        }
        for name, row in rows.items()
        for detector, judged in row.items()
    ]


def _margin_entries(results: Results) -> list[dict[str, Any]]:
    """The entries of results.json on the required leads."""
    return [
        {
            "name": f"anomalies_variational_above_{peer.lower()}{suffix}",
            "value": margin,
            "required": REQUIRED[peer],
            "sets": len(chosen),
            "unit": "AUROC points",
        }
        for suffix, chosen in (("", results), ("_without_manifold", _without(results)))
        for peer, (margin, _, _) in _margins(chosen).items()
    ]


def _print_table(results: Results) -> None:
    """AUROC and average precision by table and detector, and their means."""
    table = Table(
        title=f"AUROC (deviation over {len(SEEDS)} seeds), average precision; in %",
        title_justify="left",
    )
    table.add_column("set")
    for name in (*TYPES, *PEERS):
        table.add_column(name if name in TYPES else f"PyOD {name}", justify="right")
    for name, row in results.items():
        table.add_row(
            name, *(f"{f.auroc:.1f} ({f.deviation:.1f}) {f.precision:5.1f}" for f in row.values())
        )
    table.add_section()
    for name, chosen in (("mean", results), ("without manifold", _without(results))):
        means = _means(chosen).values()
        table.add_row(
            name, *(f"{judged.auroc:.1f}       {judged.precision:5.1f}" for judged in means)
        )
    Console(width=120).print(table)


def _print_margins(results: Results) -> None:
    """Prints the required and the actual leads of the variational type.

    With all tables, and without the one that much depends on.
    """
    for title, chosen in (
        ("all sets", results),
        ("without manifold, on which the lead depends", _without(results)),
    ):
        print(f"{title} ({len(chosen)}):")
        for peer, (margin, worst, there) in _margins(chosen).items():
            required = REQUIRED[peer]
            verdict = (
                ""
                if required is None
                else f", required {required:+.1f}: {'met' if margin >= required else 'MISSED'}"
            )
            print(
                f"  variational {margin:+.1f} points from PyOD's {peer}{verdict} "
                f"(least on {worst}: {there:+.1f})"
            )


if __name__ == "__main__":
    main()
