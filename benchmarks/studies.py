"""Studies on digits beside a grid of trainings in full, and samplers beside each other.

`make bench-studies`, half an hour on two cores; `--grid` and `--seeds` run one part alone.

- Grid: the share of the validation rows' variance that each code size keeps with each architecture.
  Where a smaller code keeps the asked share, larger ones are left out.
- Seeds: whole studies as the `tune` stage runs them, without MLflow and the gain, with each sampler
  on the same study seeds, and the paired differences between the samplers.
"""

import argparse
import contextlib
import io
import os
import statistics
import tempfile
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import t

from common import ROOT, Unlogged, digits, record

RESULTS = ROOT / "benchmarks/studies.json"
PROCESSES = 2
CODE_SIZES = range(7, 13)
ARCHITECTURES = ((1, 128), (2, 64), (2, 128), (2, 256), (3, 128))  # layers, nodes of the first
STUDIED_TYPES = ("undercomplete", "variational")
SAMPLERS = ("auto", "tpe", "random")
STUDY_SEEDS = (1, 2, 3, 4, 5)
TRIALS = 20
LEVEL = 0.95  # of the intervals


class Cell(NamedTuple):
    """An architecture of the grid."""

    model_type: str
    n_layers: int
    nodes: int  # of the first layer

    @property
    def architecture(self) -> str:
        """The architecture in short."""
        return f"{self.n_layers}x{self.nodes}"


class Job(NamedTuple):
    """A study to run."""

    model_type: str
    sampler: str
    seed: int  # of the study


class Outcome(NamedTuple):
    """The outcome of a study."""

    best_code: int  # of the best trial
    is_feasible: bool  # whether a training with its values keeps the share, as forecast
    taken_code: int  # of the training in full that is taken
    kept: float  # by that training, a share of the validation variance
    squared_error: float  # of that training, on validation
    taken: str  # whose values are taken
    epochs: int  # of all trials and trainings

    @property
    def feasible_code(self) -> int | None:
        """The code size of the best trial; None where no trial is feasible."""
        return self.best_code if self.is_feasible else None


class Interval(NamedTuple):
    """The mean of paired differences with its interval."""

    mean: float
    low: float
    high: float
    pairs: int


def main() -> None:
    """Runs both parts, or the one that is asked for, and prints and records the results."""
    arguments = _arguments()
    are_both = arguments.grid == arguments.seeds
    with ProcessPoolExecutor(PROCESSES, get_context("spawn")) as pool:
        if arguments.grid or are_both:
            _run_grid(pool, arguments.types or _all_types())
        if arguments.seeds or are_both:
            _run_seeds(pool, arguments.types or STUDIED_TYPES)


def _arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--grid", action="store_true", help="the grid alone")
    parser.add_argument("--seeds", action="store_true", help="the studies alone")
    parser.add_argument(
        "--types",
        nargs="+",
        default=(),
        help=f"default: all for the grid, {' and '.join(STUDIED_TYPES)} for the studies",
    )
    return parser.parse_args()


def _run_grid(pool: ProcessPoolExecutor, types: Sequence[str]) -> None:
    """Trains the grid and prints a table for each type."""
    cells = [Cell(model_type, *shape) for model_type in types for shape in ARCHITECTURES]
    asked = _params().tune.explained_variance
    grid: dict[Cell, dict[int, float]] = {}
    for cell, kept in _results(pool, shares_kept, cells):
        grid[cell] = kept
        record([grid_entry(cell, kept, asked)], RESULTS)
        print(f"{cell.model_type} {cell.architecture}: {_listed(kept)}", flush=True)
    for model_type in types:
        of_type = {cell: grid[cell] for cell in cells if cell.model_type == model_type}
        print_grid(model_type, of_type, asked)


def _run_seeds(pool: ProcessPoolExecutor, types: Sequence[str]) -> None:
    """Runs the studies and prints a table for each type."""
    jobs = [
        Job(model_type, sampler, seed)
        for model_type in types
        for seed in STUDY_SEEDS
        for sampler in SAMPLERS
    ]
    outcomes: dict[Job, Outcome] = {}
    for job, outcome in _results(pool, study, jobs):
        outcomes[job] = outcome
        record([study_entry(job, outcome)], RESULTS)
        print(*job, _listed(outcome._asdict()), flush=True)
    for model_type in types:
        of_type = {job: outcomes[job] for job in jobs if job.model_type == model_type}
        print_studies(model_type, of_type)
        found = differences(of_type)
        print_differences(model_type, of_type, found)
        record(list(difference_entries(model_type, found)), RESULTS)


def _results(
    pool: ProcessPoolExecutor, function: Callable[[Any], Any], jobs: Sequence[Any]
) -> Iterable[tuple[Any, Any]]:
    """Yields each job with its result, in the order in which they end."""
    futures = {pool.submit(function, job): job for job in jobs}
    for future in as_completed(futures):
        yield futures[future], future.result()


def _params() -> Any:
    """params.yaml, with digits."""
    from autoencoders.params.params import load_params

    return load_params(ROOT / "params.yaml").override({"data.name": "digits"})


def _all_types() -> Sequence[str]:
    """The types of params.yaml."""
    types: Sequence[str] = _params().model_types
    return types


@contextlib.contextmanager
def _scratch() -> Any:
    """Yields a folder that takes the repository's place; what is printed meanwhile is dropped."""
    warnings.filterwarnings("ignore")
    os.chdir(ROOT)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        os.environ["DVC_ROOT"] = folder
        yield Path(folder)


def shares_kept(cell: Cell) -> dict[int, float]:
    """Shares of the validation variance by code size, up to the first that is enough."""
    from autoencoders.models.trained.fidelity import fidelity
    from autoencoders.training.fit import fit

    params = _params()
    kept: dict[int, float] = {}
    with _scratch() as folder:
        data = digits(params, folder)
        untuned = params.plan(cell.model_type, data.description.facts)
        for code_size in CODE_SIZES:
            values = {
                "network.n_layers": cell.n_layers,
                "network.nodes_per_layer": cell.nodes,
                "network.code_size": code_size,
            }
            model = fit(untuned.with_values(values), data, trial=True).model
            _, kept[code_size] = fidelity(model.reconstruct, data, "validation")
            if params.tune.keeps(kept[code_size]):
                break
    return kept


def study(job: Job) -> Outcome:
    """The outcome of a study, as the `tune` stage runs it, but for MLflow and the gain."""
    from autoencoders.tuning.acts import run_study
    from autoencoders.tuning.full import FullTrainings
    from autoencoders.tuning.storage import open_storage
    from autoencoders.tuning.study import open_study

    values = {"sampler": job.sampler, "seed": job.seed, "n_trials": TRIALS, "gain_seeds": 0}
    params = _params().override({f"tune.{name}": value for name, value in values.items()})
    with _scratch() as folder:
        data = digits(params, folder)
        tune = params.study(data.description.facts)
        plan = params.plan(job.model_type, data.description.facts)
        opened = open_study(open_storage(tune.storage), plan, tune, data.description)
        trainings = FullTrainings(opened, plan, data, lambda: None)
        unlogged: Any = Unlogged()  # in the place of a recorder, and of the run above the trials
        return _outcome(run_study(tune, trainings, unlogged, unlogged, unlogged), opened)


def _outcome(findings: Any, opened: Any) -> Outcome:
    """A study's outcome by its findings."""
    from autoencoders.tuning.finals import title
    from autoencoders.tuning.trials import best_trial, ranked

    judged = findings.first.forecast.judge(findings.tune)
    best_code, _, kept = ranked(best_trial(findings.trials, judged))
    taken = findings.decision.taken
    return Outcome(
        best_code=best_code,
        is_feasible=judged.keeps(kept),
        taken_code=taken.result.code_size,
        kept=taken.result.explained_variance,
        squared_error=taken.result.squared_error,
        taken=title(taken.number),
        epochs=_epochs(findings.trials, opened),
    )


def _epochs(trials: Sequence[Any], opened: Any) -> int:
    """Epochs of a study's trials, but for those that repeat another, and of its trainings."""
    from autoencoders.tuning.full import TRAINED_IN_FULL
    from autoencoders.tuning.trials import RESULT, SAME_AS, last_epoch

    epochs = sum(result["epochs"] for result in opened.user_attrs[TRAINED_IN_FULL].values())
    for trial in trials:
        if SAME_AS in trial.user_attrs:
            continue
        if RESULT in trial.user_attrs:
            epochs += trial.user_attrs[RESULT]["epochs"]
        else:
            epochs += last_epoch(trial) or 0
    return int(epochs)


def smallest_code(kept: Mapping[int, float], asked: float) -> int | None:
    """The smallest code size that keeps the asked share; None where none does."""
    return min((size for size, share in kept.items() if share >= asked), default=None)


def paired_interval(pairs: Sequence[tuple[float, float]]) -> Interval:
    """The mean of the differences, first less second, and its interval by Student's t.

    The interval is NaN for fewer than two pairs.
    """
    values = np.array([first - second for first, second in pairs], float)
    if len(values) < 2:
        mean = float(values.mean()) if len(values) else float("nan")
        return Interval(mean, float("nan"), float("nan"), len(values))
    half = t.ppf((1 + LEVEL) / 2, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    mean = float(values.mean())
    return Interval(mean, mean - float(half), mean + float(half), len(values))


def differences(outcomes: Mapping[Job, Outcome]) -> dict[tuple[str, str], Interval]:
    """Differences of the first sampler and each other one, by the other and the code that is meant.

    Seeds on which one of the two has no feasible trial are left out of the best trials' codes.
    outcomes: of one type.
    """
    found = {}
    for other in SAMPLERS[1:]:
        for code in ("feasible_code", "taken_code"):
            ours = _by_seed(outcomes, SAMPLERS[0], code)
            theirs = _by_seed(outcomes, other, code)
            both = sorted(ours.keys() & theirs.keys())
            found[other, code] = paired_interval([(ours[seed], theirs[seed]) for seed in both])
    return found


def _by_seed(outcomes: Mapping[Job, Outcome], sampler: str, code: str) -> dict[int, int]:
    """A sampler's code sizes by study seed, where there are any."""
    sizes = {}
    for job, outcome in outcomes.items():
        size = getattr(outcome, code)
        if job.sampler == sampler and size is not None:
            sizes[job.seed] = size
    return sizes


def grid_entry(cell: Cell, kept: Mapping[int, float], asked: float) -> dict[str, Any]:
    """The entry of an architecture in studies.json."""
    return {
        "name": f"grid_{cell.model_type}_{cell.architecture}",
        "smallest_code": smallest_code(kept, asked),
        "kept": {str(size): share for size, share in kept.items()},
        "unit": "share of the validation variance by code size",
    }


def study_entry(job: Job, outcome: Outcome) -> dict[str, Any]:
    """The entry of a study in studies.json."""
    return {"name": f"study_{job.model_type}_{job.sampler}_{job.seed}", **outcome._asdict()}


def difference_entries(
    model_type: str, found: Mapping[tuple[str, str], Interval]
) -> Iterable[dict[str, Any]]:
    """Yields the entries of the differences in studies.json."""
    for (other, code), interval in found.items():
        name = f"{model_type}_{SAMPLERS[0]}_less_{other}_{code}"
        yield {"name": name, **interval._asdict(), "unit": "code size"}


def print_grid(model_type: str, grid: Mapping[Cell, Mapping[int, float]], asked: float) -> None:
    """Prints a type's shares and smallest codes; `>`: a smaller code has kept enough."""
    title = f"{model_type}: % of the validation variance, by layers x nodes"
    table = _table(title, "code size", [cell.architecture for cell in grid])
    for size in CODE_SIZES:
        table.add_row(str(size), *(_share(kept, size) for kept in grid.values()))
    table.add_section()
    smallest = (smallest_code(kept, asked) for kept in grid.values())
    shown = (f"> {CODE_SIZES[-1]}" if size is None else str(size) for size in smallest)
    table.add_row(f"smallest that keeps {100 * asked:g} %", *shown)
    Console(width=120).print(table)


def _share(kept: Mapping[int, float], size: int) -> str:
    """A share in per cent; `>` where it was left out."""
    return f"{100 * kept[size]:.2f}" if size in kept else ">"


def print_studies(model_type: str, outcomes: Mapping[Job, Outcome]) -> None:
    """Prints each study of a type."""
    title = f"{model_type}: studies of {TRIALS} trials"
    columns = ("seed", "best trial", "feasible", "taken", "kept, %", "error", "of", "epochs")
    table = _table(title, "sampler", columns)
    for sampler in SAMPLERS:
        table.add_section()
        for job, outcome in outcomes.items():
            if job.sampler == sampler:
                table.add_row(
                    sampler,
                    str(job.seed),
                    str(outcome.best_code),
                    "yes" if outcome.is_feasible else "no",
                    str(outcome.taken_code),
                    f"{100 * outcome.kept:.2f}",
                    f"{outcome.squared_error:.4f}",
                    outcome.taken,
                    f"{outcome.epochs:,}",
                )
    Console(width=120).print(table)


def print_differences(
    model_type: str, outcomes: Mapping[Job, Outcome], found: Mapping[tuple[str, str], Interval]
) -> None:
    """Prints each sampler's ranges and epochs, and the paired differences."""
    for sampler in SAMPLERS:
        best = _by_seed(outcomes, sampler, "feasible_code").values()
        taken = _by_seed(outcomes, sampler, "taken_code").values()
        epochs = [outcome.epochs for job, outcome in outcomes.items() if job.sampler == sampler]
        print(
            f"{model_type}, {sampler}: best feasible trials' code sizes {_range(best)}, "
            f"taken {_range(taken)}; {statistics.mean(epochs):,.0f} epochs a study"
        )
    meanings = {"feasible_code": "best feasible trial's code", "taken_code": "code that is taken"}
    for (other, code), interval in found.items():
        print(
            f"{model_type}, {SAMPLERS[0]} less {other}: {meanings[code]} {interval.mean:+.2f} "
            f"({interval.low:+.2f} to {interval.high:+.2f}, {interval.pairs} pairs)"
        )


def _range(values: Iterable[int]) -> str:
    """The range of numbers, and all of them in order."""
    ordered = sorted(values)
    if not ordered:
        return "none"
    return f"{ordered[0]} to {ordered[-1]} ({', '.join(map(str, ordered))})"


def _table(title: str, first: str, others: Sequence[str]) -> Table:
    """An empty table."""
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    for column in others:
        table.add_column(column, justify="right")
    return table


def _listed(values: Mapping[Any, Any]) -> str:
    """Values with their names, in one line."""
    shown = (
        f"{name} {value:.4f}" if isinstance(value, float) else f"{name} {value}"
        for name, value in values.items()
    )
    return ", ".join(shown)


if __name__ == "__main__":
    main()
