"""The progress of a study in the terminal: each finished trial, and the best so far."""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from optuna import Study
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from autoencoders.params.sections import Tune
from autoencoders.tuning.trials import (
    REASON,
    RESULT,
    best_trial,
    complete,
    finished,
    pruned_and_failed,
)

REASON_LENGTH = 100  # characters: the table of trials has the whole one


@contextmanager
def progress(study: Study, tune: Tune) -> Iterator[Callable[[], None]]:
    """Yields a function that reports newly finished trials.

    These are a progress bar in a terminal, and one line for each in a log.
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
                    line = f"trial {len(shown)}/{n_trials}: {outcome(trial, tune)}"
                    print(f"{line}; {state(trials, tune)}", flush=True)
            bar.n = len(shown)
            bar.set_postfix_str(state(trials, tune))

        yield show
        show()  # what other workers have finished since


def outcome(trial: FrozenTrial, tune: Tune) -> str:
    """A finished trial's achievement with its layers, or why it has none."""
    if trial.state == TrialState.PRUNED:
        return f"pruned after {_epochs(len(trial.intermediate_values))}"
    if trial.state == TrialState.FAIL:
        reason = str(trial.user_attrs.get(REASON))
        return f"failed, {reason.splitlines()[0][:REASON_LENGTH]}"
    layers = _layers(trial)
    if layers:
        return f"{achievement(trial, tune)}, {layers}"
    return achievement(trial, tune)


def _epochs(n: int) -> str:
    return "1 epoch" if n == 1 else f"{n} epochs"


def achievement(trial: FrozenTrial, tune: Tune) -> str:
    """A complete trial's result in view of the objective."""
    result = trial.user_attrs[RESULT]
    if tune.objective == "smallest_code":
        kept = f"{result['explained_variance']:.1%}".replace("%", " %")
        return f"code {result['code_size']} keeps {kept} (asked {tune.asked_share})"
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


def state(trials: Sequence[FrozenTrial], tune: Tune) -> str:
    """The best of the finished trials, and how many were pruned and failed."""
    counts = pruned_and_failed(trials)
    if not complete(trials):
        return f"none complete, {counts}"
    return f"best: {achievement(best_trial(trials, tune), tune)}, {counts}"
