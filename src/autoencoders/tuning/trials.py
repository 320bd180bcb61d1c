"""The trials of a study: which of them count, and their attributes."""

from collections.abc import Sequence

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

MADE_OF = "made_of"  # a study's attribute: hashes of what its trials depend on
# a trial's attributes
WORKER = "worker"  # host, process, when that began, and machine
REASON = "reason"  # of a failed trial
RESULT = "result"  # of a complete trial
UNTUNED = "untuned"  # of the first trial, if it has the values of params.yaml
RETRIES = "retry_history"  # Optuna's own: the trials of dead workers that a trial repeats


def attempts(study: Study) -> list[FrozenTrial]:
    """The trials that count towards `n_trials`, in order: not those whose worker died, nor surplus.

    A trial that failed counts, and has its reason; one whose worker was killed has none, or was
    retried.
    """
    trials = study.get_trials(deepcopy=False)
    uncounted: set[int] = set()
    for trial in trials:
        uncounted.update(trial.system_attrs.get(RETRIES, ()))
        if trial.state == TrialState.FAIL and REASON not in trial.user_attrs:
            uncounted.add(trial.number)
    return [trial for trial in trials if trial.number not in uncounted]


def rank(study: Study, number: int) -> int:
    """The number of trials that count and come before the one with this number."""
    return sum(trial.number < number for trial in attempts(study))


def pruned_and_failed(trials: Sequence[FrozenTrial]) -> str:
    """The numbers of trials that were pruned and that failed, for a message."""
    states = [trial.state for trial in trials]
    return f"{states.count(TrialState.PRUNED)} pruned, {states.count(TrialState.FAIL)} failed"
