"""Anomaly detection with params.yaml as it is, beside PyOD's detectors with their defaults.

These are PCA, AutoEncoder and Isolation Forest. `make bench-anomalies`, an hour on one core: every
detector is fitted on all rows of a table, without labels, and judged on them
(`data.protocol: transductive`), on five seeds. Real tables are judged apart from generated ones:
anomaly_sets.py. Every .npz file of ADBench in the folder --adbench or AUTOENCODERS_ADBENCH counts.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table as Printed
from tqdm import tqdm

from anomaly_sets import KEEL, generated_sets, real_sets
from common import ROOT, record
from keel_sets import Table

TYPES = ("variational", "undercomplete")
PEERS = ("PCA", "AutoEncoder", "IForest")
SEEDS = (1, 2, 3, 4, 5)
FOLDER = "AUTOENCODERS_ADBENCH"
PEERS_PYTHON = ROOT / ".venv-peers/bin/python"
REQUIRED = {"PCA": 0.0, "AutoEncoder": 4.0, "IForest": 0.0}  # AUROC points above, on real tables


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
    if not folder:
        print(f"ADBench's sets are left out: neither --adbench nor {FOLDER} names their folder")
    if not KEEL.exists():
        print(f"KEEL's sets are left out: {KEEL} does not exist; `make bench-anomalies` makes it")
    warnings.filterwarnings("ignore")
    groups = {
        "real": _results(real_sets(Path(folder) if folder else None)),
        "generated": _results(generated_sets()),
    }
    for title, results in groups.items():
        record([*_entries(results, title), *_margin_entries(results, title)])
        _print_table(results, title)
        _print_margins(results, title)


def _results(sets: Mapping[str, Table]) -> Results:
    """Every detector judged on every table."""
    with tempfile.TemporaryDirectory() as scratch:
        for name, (x, y) in sets.items():
            np.savez(Path(scratch, f"{name}.npz"), X=x, y=y)
        peers = _peers(Path(scratch))
        ours = {
            name: _ours(Path(scratch, f"{name}.npz"))
            for name in tqdm(sets, desc="this pipeline", unit="set")
        }
    results = {}
    for name, (_, y) in sets.items():
        detectors = {**ours[name], **peers[name]}
        results[name] = {detector: _judged(y, scores) for detector, scores in detectors.items()}
    return results


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
            rows_in_full = data.rows["test"].in_full()
            return np.concatenate([model.score(rows).score for rows in rows_in_full])

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
    """AUROC and average precision of a detector's scores.

    Of their ranks, as PyOD's PCA scores some rows of tables without full rank as infinite.
    """
    from scipy.stats import rankdata
    from sklearn.metrics import average_precision_score, roc_auc_score

    ranks = [rankdata(score) for score in scores]
    auroc = [100 * roc_auc_score(y, rank) for rank in ranks]
    precision = [100 * average_precision_score(y, rank) for rank in ranks]
    return Judged(statistics.mean(auroc), statistics.stdev(auroc), statistics.mean(precision))


def _means(results: Results) -> dict[str, Judged]:
    """Each detector's means over tables."""
    rows = list(results.values())
    return {
        name: Judged(*map(statistics.mean, zip(*(row[name] for row in rows), strict=True)))
        for name in rows[0]
    }


def _margins(results: Results) -> dict[str, tuple[Judged, str, float]]:
    """The variational type's lead over each peer, in points.

    By peer: the lead of the means over tables, the table with the smallest lead in AUROC, and that
    lead.
    """
    means = _means(results)
    margins = {}
    for peer in REQUIRED:
        by_table = {
            name: row["variational"].auroc - row[peer].auroc for name, row in results.items()
        }
        worst = min(by_table, key=lambda name: by_table[name])
        pairs = zip(means["variational"], means[peer], strict=True)
        lead = Judged(*(ours - theirs for ours, theirs in pairs))
        margins[peer] = (lead, worst, by_table[worst])
    return margins


def _entries(results: Results, title: str) -> list[dict[str, Any]]:
    """The entries of results.json: each table's and the means."""
    rows = {**results, f"mean_{title}": _means(results)}
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


def _margin_entries(results: Results, title: str) -> list[dict[str, Any]]:
    """The entries of results.json on the leads, which are required on real tables."""
    return [
        {
            "name": f"anomalies_variational_above_{peer.lower()}_{title}",
            "value": lead.auroc,
            "average_precision": lead.precision,
            "required": REQUIRED[peer] if title == "real" else None,
            "sets": len(results),
            "unit": "AUROC points",
        }
        for peer, (lead, _, _) in _margins(results).items()
    ]


def _print_table(results: Results, title: str) -> None:
    """AUROC and average precision by table and detector, and their means."""
    table = Printed(
        title=f"{title}: AUROC (deviation over {len(SEEDS)} seeds), average precision; in %",
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
    means = _means(results).values()
    table.add_row("mean", *(f"{mean.auroc:.1f}       {mean.precision:5.1f}" for mean in means))
    Console(width=140).print(table)


def _print_margins(results: Results, title: str) -> None:
    """Prints the actual leads of the variational type, and the required ones on real tables."""
    print(f"{title} ({len(results)} sets):")
    for peer, (lead, worst, there) in _margins(results).items():
        required = REQUIRED[peer]
        verdict = ""
        if title == "real":
            met = "met" if lead.auroc >= required else "MISSED"
            verdict = f", required {required:+.1f}: {met}"
        print(
            f"  variational {lead.auroc:+.1f} points of AUROC from PyOD's {peer}{verdict} "
            f"(least on {worst}: {there:+.1f}), {lead.precision:+.1f} of average precision"
        )


if __name__ == "__main__":
    main()
