"""The choice of the score and the training for anomalies, and the order of types.

`make bench-anomaly-choice`, an hour on one core. Candidates are judged on each real set of
anomaly_sets.py, without labels (`data.protocol: transductive`), on one seed. What would have been
chosen on all sets but one, by the sum of the mean AUROC and the mean average precision, is judged
on that one: leave-one-set-out. Isolation Forest with scikit-learn's defaults stands beside it.
"""

import argparse
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from anomaly_sets import real_sets
from common import ROOT
from keel_sets import Table

FOREST = "Isolation Forest"
BETAS = (0.5, 1.0, 2.0, 4.0)
TYPES = ("undercomplete", "contractive", "denoising", "sparse")  # beside variational


class Quality(NamedTuple):
    """AUROC and average precision, in points of 100."""

    auroc: float
    precision: float


def main() -> None:
    """Judges the candidates and prints their means, and the leave-one-set-out result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--adbench", default=os.environ.get("AUTOENCODERS_ADBENCH"))
    folder = parser.parse_args().adbench
    warnings.filterwarnings("ignore")
    judged: dict[str, dict[str, Quality]] = {}  # by set and candidate
    for name, table in tqdm(real_sets(Path(folder) if folder else None).items(), unit="set"):
        judged[name] = dict(_qualities(table))
    names = list(next(iter(judged.values())))
    values = np.array([[row[name] for name in names] for row in judged.values()])
    print(f"{len(judged)} real sets: mean AUROC and average precision, in %")
    for name, (auroc, precision) in zip(names, values.mean(0), strict=True):
        print(f"  {name:<45} {auroc:5.1f} {precision:5.1f}")
    candidates = [i for i, name in enumerate(names) if name.startswith("variational")]
    chosen, quality = left_out(values[:, candidates])
    print("chosen on all sets but one, judged on that one: {:.1f} {:.1f}".format(*quality))
    for i, n in Counter(chosen.tolist()).most_common():
        print(f"  {n} times {names[candidates[i]]}")


def left_out(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The candidate chosen without each set (sets,), and the mean quality (2,) of these there.

    values: (sets, candidates, 2).
    """
    others = values.sum(0) - values  # over all sets but this one
    chosen = others.sum(2).argmax(1)
    return chosen, values[np.arange(len(values)), chosen].mean(0)


def _qualities(table: Table) -> Iterator[tuple[str, Quality]]:
    """Yields each candidate and its quality on a set."""
    from sklearn.ensemble import IsolationForest

    x, y = table
    forest = IsolationForest(random_state=1).fit(x)
    yield FOREST, _quality(y, -forest.score_samples(x))
    with tempfile.TemporaryDirectory() as scratch:
        params, data = _prepared(table, Path(scratch))
        for beta in BETAS:
            tried = params.override({"models.variational.beta": beta})
            model = _trained(tried, data, "variational")
            yield f"variational, beta {beta:g}", _quality(y, _scores(model, data))
            model.marginals = None
            before = _quality(y, _scores(model, data))
            yield f"variational, beta {beta:g}, errors and divergence", before
        for model_type in TYPES:
            model = _trained(params, data, model_type)
            yield model_type, _quality(y, _scores(model, data))


def _prepared(table: Table, folder: Path) -> tuple[Any, Any]:
    """The parameters of params.yaml for a table, and its prepared rows."""
    from autoencoders.data.preparation.prepare import prepare
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.data.sources.source import download
    from autoencoders.params.params import load_params

    path = folder / "table.npz"
    np.savez(path, X=table[0], y=table[1])
    values = {"data.path": str(path), "data.protocol": "transductive"}
    params = load_params(ROOT / "params.yaml").override(values)
    download(params.data, folder / "raw")
    prepare(folder / "raw", folder / "prepared", params.data)
    return params, load_prepared(folder / "prepared")


def _trained(params: Any, data: Any, model_type: str) -> Any:
    """A trained model of a type, as the stages train it."""
    from autoencoders.training.fit import fit

    return fit(params.plan(model_type, data.description.facts), data).model


def _scores(model: Any, data: Any) -> np.ndarray:
    """The scores of all rows."""
    return np.concatenate([model.score(rows).score for rows in data.rows["test"].in_full()])


def _quality(y: np.ndarray, scores: np.ndarray) -> Quality:
    """The quality of scores; y: 1 for anomalies."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    auroc, precision = roc_auc_score(y, scores), average_precision_score(y, scores)
    return Quality(100 * auroc, 100 * precision)


if __name__ == "__main__":
    main()
