"""Errors against PCA on anyone's data, with params.yaml as it is and no study.

`make bench-tables`, half an hour on one core: every type is trained on the tables and small sets of
pictures of table_sets.py, on three seeds, by the stages' own functions. The folders in
AUTOENCODERS_TABLES, separated as in PATH, add their CSVs.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.table import Table
from tqdm import tqdm

from common import ROOT, record
from public_tables import missing_packages

SEEDS = (1, 2, 3)
FOLDERS = "AUTOENCODERS_TABLES"
FIRST = "undercomplete"  # the type that is to beat PCA everywhere
SMALL = 1000  # rows, of all splits, below which more is allowed
# per cent of PCA's test error
MOST_ABOVE = 0.5
MOST_ABOVE_SMALL = 3.0
MEAN_BELOW = -30.0
MOST_ABOVE_OTHERS = 10.0


class Result(NamedTuple):
    """The errors on one data set."""

    name: str
    rows: int  # of all splits
    features: int
    code_size: int
    is_image: bool
    errors: dict[str, list[float]]  # against PCA's in per cent, by type, one a seed
    seconds: float  # of one training, the slowest type's mean

    @property
    def is_small(self) -> bool:
        """Whether the targets of small data sets apply."""
        return self.rows < SMALL

    def mean(self, model_type: str) -> float:
        """A type's mean over the seeds."""
        return statistics.mean(self.errors[model_type])


class Target(NamedTuple):
    """A target, and what came out."""

    name: str
    about: str
    value: float
    most: float

    @property
    def is_met(self) -> bool:
        """Whether the value is at most what is allowed."""
        return self.value <= self.most


def main() -> None:
    """Trains on every data set and prints the results; fails if a target is missed."""
    arguments = _arguments()
    missing = missing_packages()
    if missing:
        print(f"not installed: {', '.join(missing)}; `make bench-tables` installs them")
    warnings.filterwarnings("ignore")
    folders = [Path(folder) for folder in arguments.tables.split(os.pathsep) if folder]
    results = _results(folders, arguments.seeds, arguments.only)
    print_results(results)
    reached = list(targets(results))
    print_targets(reached)
    if not all(target.is_met for target in reached):
        sys.exit(1)


def _arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--tables",
        metavar="FOLDERS",
        default=os.environ.get(FOLDERS, ""),
        help=f"folders of CSVs, separated by {os.pathsep}; default: the variable's",
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=SEEDS)
    parser.add_argument("--only", nargs="+", default=(), help="names of data sets")
    return parser.parse_args()


def _results(folders: list[Path], seeds: Sequence[int], only: Sequence[str]) -> list[Result]:
    """The errors on each data set, recorded one by one; a bar shows what is done."""
    from autoencoders.params.params import load_params
    from table_sets import data_sets

    params = load_params(ROOT / "params.yaml").override({"tune.n_trials": 0})
    results = []
    with tempfile.TemporaryDirectory() as scratch:
        sets = data_sets(folders, Path(scratch), params.data)
        sets = [data_set for data_set in sets if not only or data_set.name in only]
        if not sets:
            sys.exit(f"no data set of these names: {', '.join(only)}")
        bar = tqdm(sets, desc="tables", unit="set")
        for data_set in bar:
            bar.set_postfix_str(data_set.name)
            result = _result(data_set, params, seeds)
            record(list(entries([result])))
            results.append(result)
    return results


def _result(data_set: Any, params: Any, seeds: Sequence[int]) -> Result:
    """The errors on one data set, as the stages measure them."""
    import torch

    from autoencoders.data.preparation.prepare import prepare
    from autoencoders.data.prepared.prepared import load_prepared
    from autoencoders.data.sources.source import download
    from autoencoders.models.pca import PrincipalComponents

    torch.set_num_threads(1)
    values = {f"data.{name}": value for name, value in data_set.values.items()}
    own = params.override({"data.path": str(data_set.path), **values})
    with tempfile.TemporaryDirectory() as scratch:
        raw, prepared = Path(scratch, "raw"), Path(scratch, "prepared")
        download(own.data, raw)
        prepare(raw, prepared, own.data)
        data = load_prepared(prepared)
        pca = PrincipalComponents(map(data.scaled, data.rows["train"]))
        errors: dict[str, list[float]] = {}
        slowest = 0.0
        for model_type in own.model_types:
            start = time.perf_counter()
            errors[model_type] = [_error(own, model_type, seed, data, pca) for seed in seeds]
            slowest = max(slowest, (time.perf_counter() - start) / len(seeds))
        facts = data.description.facts
        return Result(
            name=data_set.name,
            rows=sum(data.description.rows.values()),
            features=facts.n_features,
            code_size=own.plan(FIRST, facts).network.code_size,
            is_image=bool(facts.shape),
            errors=errors,
            seconds=slowest,
        )


def _error(params: Any, model_type: str, seed: int, data: Any, pca: Any) -> float:
    """A training's test error against PCA's at the same code size, in per cent."""
    from autoencoders.evaluation import catalogue
    from autoencoders.evaluation.reconstructions import Reconstructions
    from autoencoders.training.fit import fit

    seeded = params.model_copy(update={"seed": seed})
    plan = seeded.plan(model_type, data.description.facts)
    model = fit(plan, data).model
    judged = Reconstructions(data, pca, params.evaluate)
    estimates = judged.estimates(
        plan.network.code_size, lambda raw: data.scaled(model.reconstruct(raw))
    )
    ours = estimates[catalogue.SQUARED_ERROR.key].value
    return 100 * (ours / estimates[catalogue.PCA_SQUARED_ERROR.key].value - 1)


def targets(results: Sequence[Result]) -> Iterable[Target]:
    """Yields each target with the worst value or the mean."""
    large = [result for result in results if not result.is_small]
    small = [result for result in results if result.is_small]
    for name, chosen, most in (
        (f"{FIRST}, {SMALL:,} rows and more", large, MOST_ABOVE),
        (f"{FIRST}, fewer rows", small, MOST_ABOVE_SMALL),
    ):
        if chosen:
            worst = max(chosen, key=lambda result: result.mean(FIRST))
            yield Target(name, f"worst: {worst.name}", worst.mean(FIRST), most)
    mean = statistics.mean(result.mean(FIRST) for result in results)
    yield Target(f"{FIRST}, mean", f"{len(results)} sets", mean, MEAN_BELOW)
    for model_type in results[0].errors:
        if model_type != FIRST and large:
            worst = max(large, key=lambda result: result.mean(model_type))
            name = f"{model_type}, {SMALL:,} rows and more"
            yield Target(name, f"worst: {worst.name}", worst.mean(model_type), MOST_ABOVE_OTHERS)


def entries(results: Sequence[Result]) -> Iterable[dict[str, Any]]:
    """Yields the entries of results.json."""
    for result in results:
        for model_type, errors in result.errors.items():
            yield {
                "name": f"tables_{result.name}_{model_type}",
                "value": result.mean(model_type),
                "worst": max(errors),
                "rows": result.rows,
                "features": result.features,
                "code_size": result.code_size,
                "unit": "% of PCA's test error",
            }


def print_results(results: Sequence[Result]) -> None:
    """Prints each data set's size and each type's mean error against PCA."""
    table = Table(
        title="test error against PCA at the same code size, mean over seeds", title_justify="left"
    )
    table.add_column("set")
    for column in ("rows", "features", "code", *results[0].errors, "seconds"):
        table.add_column(column, justify="right")
    for result in results:
        sizes = (f"{result.rows:,}", str(result.features), str(result.code_size))
        shown = (per_cent(result.mean(model_type)) for model_type in result.errors)
        table.add_row(result.name, *sizes, *shown, f"{result.seconds:.1f}")
    table.add_section()
    means = (
        per_cent(statistics.mean(result.mean(model_type) for result in results))
        for model_type in results[0].errors
    )
    table.add_row("mean", "", "", "", *means, "")
    Console(width=120).print(table)


def print_targets(reached: Sequence[Target]) -> None:
    """Prints what was required, what came out, and whether it is met."""
    for target in reached:
        verdict = "met" if target.is_met else "MISSED"
        print(
            f"{target.name}: {per_cent(target.value)} ({target.about}), "
            f"required at most {per_cent(target.most)}: {verdict}"
        )


def per_cent(value: float) -> str:
    """A signed share of PCA's error."""
    return f"{value:+.1f} %"


if __name__ == "__main__":
    main()
