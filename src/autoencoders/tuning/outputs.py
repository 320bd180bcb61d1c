"""A study's results as files without a time in them: best values, a table of trials, figures."""

import csv
import io
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import optuna
from matplotlib import pyplot as plt
from optuna.trial import FrozenTrial

from autoencoders.core.files import atomic_folder, write_text
from autoencoders.core.paths import TRIALS
from autoencoders.params.sections import Tune
from autoencoders.params.tuned import write_tuned
from autoencoders.tuning.trials import (
    REASON,
    RESULT,
    UNTUNED,
    best_trial,
    complete,
    pruned_and_failed,
    ranked,
)

ENOUGH_FOR_IMPORTANCES = 20  # complete trials: importances of fewer are noise
# inches, dots per inch, points
FIGURE_STYLE: dict[str, Any] = {"figure.figsize": (8, 4.5), "figure.dpi": 80, "font.size": 9}
RESULTS = ("squared_error", "explained_variance", "code_size", "epochs")


def write_study(folder: Path, name: str, trials: Sequence[FrozenTrial], tune: Tune) -> FrozenTrial:
    """Writes the folder as a whole and returns the best trial."""
    best = best_trial(trials, tune)
    with atomic_folder(folder) as new:
        write_tuned(new, best.params)
        write_text(new / TRIALS, table(trials))
        (new / "figures").mkdir()
        _draw(new / "figures", name, trials, best, tune)
    return best


def table(trials: Sequence[FrozenTrial]) -> str:
    """CSV with a line for each trial, numbered without gaps."""
    rows: list[dict[str, Any]] = []
    names: dict[str, None] = {}  # of the values, in the order in which trials have them
    for number, trial in enumerate(trials):
        row = {
            "trial": number,
            "state": trial.state.name.lower(),
            "epochs": max(trial.intermediate_values, default=None),
            "reason": trial.user_attrs.get(REASON),
        }
        rows.append({**row, **trial.user_attrs.get(RESULT, {}), **trial.params})
        names.update(dict.fromkeys(trial.params))
    columns = ["trial", "state", *RESULTS, *names, "reason"]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def summary(trials: Sequence[FrozenTrial], best: FrozenTrial, tune: Tune) -> str:
    """The best trial, and what it gains against the untuned parameters.

    Both errors are on validation, after a trial's epochs.
    """
    number = trials.index(best)
    line = f"taken: trial {number} of {len(trials)} ({pruned_and_failed(trials)}): "
    line += _achievement(best)
    if tune.objective == "smallest_code":
        line += f"; {_compression(best, tune)}"
    return f"{line}\n{_gain(trials, best)}"


def _compression(best: FrozenTrial, tune: Tune) -> str:
    """Whether the best trial explains as much of the variance as tune.explained_variance asks."""
    share = f"{tune.explained_variance:.0%} of the variance"
    if tune.keeps(best.user_attrs[RESULT]["explained_variance"]):
        return f"the smallest code that keeps {share}"
    return f"none keeps {share}: the least error"


def _gain(trials: Sequence[FrozenTrial], best: FrozenTrial) -> str:
    """The best trial's error against that of the untuned parameters."""
    for trial in trials:
        if trial.user_attrs.get(UNTUNED) and RESULT in trial.user_attrs:
            before = trial.user_attrs[RESULT]["squared_error"]
            after = best.user_attrs[RESULT]["squared_error"]
            change = f"tuning changes the error by {after / before - 1:+.1%}"
            return f"untuned: {_achievement(trial)}; {change}"
    return "untuned: outside of tune.space or failed, so there is nothing to compare with"


def _achievement(trial: FrozenTrial) -> str:
    code_size, error, explained_variance = ranked(trial)
    return f"code size {code_size} keeps {explained_variance:.1%}, squared error {error:.4f}"


def _draw(
    folder: Path, name: str, trials: Sequence[FrozenTrial], best: FrozenTrial, tune: Tune
) -> None:
    """Saves each figure as PNG."""
    study = optuna.create_study(directions=["minimize"] * len(best.values))
    study.add_trials(complete(trials))
    plt.switch_backend("agg")
    style: dict[Any, Any] = {**mpl.rcParamsDefault, **FIGURE_STYLE}
    with mpl.rc_context(style), warnings.catch_warnings():
        # where all trials have the same value
        warnings.filterwarnings("ignore", message="Attempting to set identical low and high")
        for figure in _figures(study, best, tune):
            plt.suptitle(name)
            path = folder / f"{figure}.png"
            # plt.savefig would draw once more, for a window
            plt.gcf().savefig(path, metadata={"Software": None}, bbox_inches="tight")
            plt.close()


def _figures(study: optuna.Study, best: FrozenTrial, tune: Tune) -> Iterator[str]:
    """Draws one figure after another and yields its name.

    These are history, slice, importances if there are enough trials, and for `smallest_code` the
    Pareto front.
    """
    drawn = optuna.visualization.matplotlib
    error: dict[str, Any] = {
        "target": lambda trial: trial.values[0],
        "target_name": "squared error",
    }
    drawn.plot_optimization_history(study, **error)
    yield "history"
    drawn.plot_slice(study, **error)
    yield "slice"
    distinct_errors = {trial.values[0] for trial in study.trials}
    if len(study.trials) >= ENOUGH_FOR_IMPORTANCES and len(distinct_errors) > 1:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        drawn.plot_param_importances(study, evaluator=evaluator, **error)
        yield "importances"
    if tune.objective == "smallest_code":
        axes = drawn.plot_pareto_front(study, target_names=["squared error", "code size"])
        squared_error, code_size = best.values
        axes.scatter(squared_error, code_size, marker="*", s=150, color="black", label="taken")
        axes.legend()
        yield "pareto"
