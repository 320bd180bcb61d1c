"""The progress of a study in the terminal: each finished trial, and the best so far."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from optuna import Study
from optuna.trial import FrozenTrial
from tqdm import tqdm

from autoencoders.params.sections import FixedTune, Tune
from autoencoders.tuning.trials import (
    MODEL_TYPE,
    REASON,
    RESULT,
    SAME_AS,
    TRIAL,
    best_trial,
    complete,
    finished,
    last_epoch,
    state,
    stopped_and_failed,
)

REASON_LENGTH = 100  # characters: the table of trials has the whole one


@contextmanager
def progress(study: Study, tune: FixedTune) -> Iterator[Callable[[], None]]:
    """Yields a function that reports newly finished trials.

    These are a progress bar in a terminal, and one line for each in a log. tune: as trials are
    judged, see `Forecast.judge`.
    """
    name = study.study_name
    n_trials = tune.n_trials
    shown = {trial.number for trial in finished(study, n_trials)}
    if shown:
        print(f"{name}: goes on after {len(shown)} of {n_trials} trials", flush=True)
    in_log = not sys.stderr.isatty()
    with tqdm(total=n_trials, initial=len(shown), desc=name, unit="trial", disable=in_log) as bar:

        def show() -> None:
            trials = finished(study, n_trials)
            for trial in trials:
                if trial.number in shown:
                    continue
                shown.add(trial.number)
                if in_log:
                    number = trial.user_attrs.get(TRIAL, trial.number)
                    model_type = trial.user_attrs.get(MODEL_TYPE, name)
                    count = f"trial {number} ({len(shown)}/{n_trials})"
                    line = f"{model_type}: {count}: {outcome(trial, tune)}"
                    print(f"{line}; {summary(trials, tune)}", flush=True)
            bar.n = len(shown)
            bar.set_postfix_str(summary(trials, tune))

        yield show
        show()  # what other workers have finished since


def outcome(trial: FrozenTrial, tune: Tune) -> str:
    """A finished trial's achievement with its layers, or why it has none."""
    if state(trial) == "stopped":
        return _stopped(trial, tune)
    if state(trial) == "fail":
        reason = str(trial.user_attrs.get(REASON))
        return f"failed, {reason.splitlines()[0][:REASON_LENGTH]}"
    text = achievement(trial, tune)
    layers = _layers(trial)
    if layers:
        text += f", {layers}"
    if SAME_AS in trial.user_attrs:
        text += f", like trial {trial.user_attrs[SAME_AS]}"
    return text


def _stopped(trial: FrozenTrial, tune: Tune) -> str:
    """When a trial was stopped, and its code size, by which it was far from the share."""
    text = f"stopped after {_epochs(last_epoch(trial) or 0)}"
    code_size = trial.params.get("network.code_size")
    if tune.objective == "smallest_error" or code_size is None:
        return text
    return f"code {code_size} {text}, far from {tune.asked_share}"


def _epochs(n: int) -> str:
    return "1 epoch" if n == 1 else f"{n} epochs"


def achievement(trial: FrozenTrial, tune: Tune) -> str:
    """A complete trial's result in view of the objective."""
    result = trial.user_attrs[RESULT]
    if tune.objective == "smallest_code":
        kept = f"{result['explained_variance']:.1%}".replace("%", " %")
        return f"code {result['code_size']} keeps {kept} (needs {tune.asked_share})"
    return f"squared error {result['squared_error']:.4f}"


def _layers(trial: FrozenTrial) -> str:
    """A trial's hidden layers, as far as the study varies them; empty where it does not."""
    n_layers = trial.params.get("network.n_layers")
    nodes = trial.params.get("network.nodes_per_layer")
    text = ""
    if n_layers is not None:
        text = "1 layer" if n_layers == 1 else f"{n_layers} layers"
    if nodes is not None and n_layers != 0:
        text = f"{text or 'layers'} of {nodes}"
    return text


def summary(trials: Sequence[FrozenTrial], tune: Tune) -> str:
    """The best of the finished trials, and how many were pruned and failed."""
    counts = stopped_and_failed(trials)
    if not complete(trials):
        return f"none complete, {counts}"
    return f"best: {achievement(best_trial(trials, tune), tune)}, {counts}"
