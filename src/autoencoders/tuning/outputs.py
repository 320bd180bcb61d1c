"""What a study found, as files: the values that the training takes, every trial, pictures. Nothing timed is in them."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import optuna
import pandas as pd
from matplotlib import pyplot as plt
from optuna.trial import FrozenTrial, TrialState

from autoencoders.core.errors import UserError
from autoencoders.core.files import atomic_folder, write_text
from autoencoders.core.paths import TRIALS
from autoencoders.params.sections import Tune
from autoencoders.params.tuned import write_tuned
from autoencoders.tuning.trials import REASON, RESULT, UNTUNED
from autoencoders.tuning.worker import lost

ENOUGH = 20  # complete trials: of fewer, importances are noise
RANKED = ("code_size", "squared_error", "explained_variance")
RESULTS = ("squared_error", "explained_variance", "code_size", "epochs")


def taken(trials: Sequence[FrozenTrial], tune: Tune) -> FrozenTrial:
    """The trial whose values the training takes, by `Tune.rank`. Raises UserError where none is complete."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not complete:
        reasons = "; ".join(
            sorted({str(trial.user_attrs.get(REASON, "pruned")) for trial in trials})
        )
        raise UserError(
            f"none of {len(trials)} trials is complete: {reasons}; raise tune.n_trials or mend it"
        )
    return min(
        complete, key=lambda trial: tune.rank(*(trial.user_attrs[RESULT][name] for name in RANKED))
    )


def write_study(folder: Path, name: str, trials: Sequence[FrozenTrial], tune: Tune) -> FrozenTrial:
    """Writes the folder as a whole and gives the trial that was taken."""
    best = taken(trials, tune)
    with atomic_folder(folder) as new:
        write_tuned(new, best.params)
        write_text(new / TRIALS, table(trials))
        (new / "figures").mkdir()
        _draw(new / "figures", name, trials, best, tune)
    return best


def table(trials: Sequence[FrozenTrial]) -> str:
    """One line a trial, numbered without gaps."""
    rows: list[dict[str, Any]] = []
    for number, trial in enumerate(trials):
        state, reason = trial.state.name.lower(), trial.user_attrs.get(REASON)
        found = {
            "epochs": max(trial.intermediate_values, default=None),
            **trial.user_attrs.get(RESULT, {}),
        }
        rows.append({"trial": number, "state": state, **found, **trial.params, "reason": reason})
    names = dict.fromkeys(name for trial in trials for name in trial.params)
    frame = pd.DataFrame(rows, columns=["trial", "state", *RESULTS, *names, "reason"], dtype=object)
    return str(frame.to_csv(index=False, lineterminator="\n"))


def summary(trials: Sequence[FrozenTrial], best: FrozenTrial, tune: Tune) -> str:
    """What was taken and what it gains against the untuned parameters, on validation, after a trial's epochs."""
    lines = [f"taken: trial {trials.index(best)} of {len(trials)} ({lost(trials)}): {_told(best)}"]
    if tune.goal == "compress":
        share = f"{tune.explained_variance:.0%} of the variance"
        kept = tune.keeps(best.user_attrs[RESULT]["explained_variance"])
        lines[0] += (
            f"; the smallest code that keeps {share}"
            if kept
            else f"; none keeps {share}: the least error"
        )
    untuned = next(
        (t for t in trials if t.user_attrs.get(UNTUNED) and RESULT in t.user_attrs), None
    )
    if untuned is None:
        lines.append(
            "untuned: outside of tune.space or failed, so there is nothing to compare with"
        )
    else:
        before, after = (trial.user_attrs[RESULT]["squared_error"] for trial in (untuned, best))
        lines.append(
            f"untuned: {_told(untuned)}; tuning changes the error by {after / before - 1:+.1%}"
        )
    return "\n".join(lines)


def _told(trial: FrozenTrial) -> str:
    code_size, error, kept = (trial.user_attrs[RESULT][name] for name in RANKED)
    return f"code size {code_size} keeps {kept:.1%}, squared error {error:.4f}"


def _draw(
    folder: Path, name: str, trials: Sequence[FrozenTrial], best: FrozenTrial, tune: Tune
) -> None:
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    study = optuna.create_study(directions=["minimize"] * len(best.values))
    study.add_trials(complete)
    plt.switch_backend("agg")
    style = {**mpl.rcParamsDefault, "figure.figsize": (8, 4.5), "figure.dpi": 80, "font.size": 9}
    with mpl.rc_context(style), warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message="Attempting to set identical low and high"
        )  # one value in all trials
        for picture in _pictures(study, best, tune):
            plt.suptitle(name)
            plt.savefig(folder / f"{picture}.png", metadata={"Software": None}, bbox_inches="tight")
            plt.close()


def _pictures(study: optuna.Study, best: FrozenTrial, tune: Tune) -> Iterator[str]:
    """History, slices, importances, and for `compress` the Pareto front; where there are too few trials, fewer."""
    drawn = optuna.visualization.matplotlib
    error: dict[str, Any] = {
        "target": lambda trial: trial.values[0],
        "target_name": "squared error",
    }
    drawn.plot_optimization_history(study, **error)
    yield "history"
    drawn.plot_slice(study, **error)
    yield "slice"
    if len(study.trials) >= ENOUGH and len({trial.values[0] for trial in study.trials}) > 1:
        evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
        drawn.plot_param_importances(study, evaluator=evaluator, **error)
        yield "importances"
    if tune.goal == "compress":
        axes = drawn.plot_pareto_front(study, target_names=["squared error", "code size"])
        axes.scatter(
            best.values[0], best.values[1], marker="*", s=150, color="black", label="taken"
        )
        axes.legend()
        yield "pareto"
