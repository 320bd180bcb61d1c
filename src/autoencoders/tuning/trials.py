"""The trials of a study: which of them count, the best one, and their attributes."""

from collections.abc import Sequence
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from autoencoders.core.errors import UserError
from autoencoders.params.sections import Tune

MADE_OF = "made_of"  # a study's attribute: hashes of what its trials depend on
# a trial's attributes
WORKER = "worker"  # host, process, when that began, and machine
REASON = "reason"  # of a failed trial
RESULT = "result"  # of a complete trial
SAME_AS = "same values as trial"  # of a trial that repeats the values of an earlier one
STOPPED = "stopped after epoch"  # of a trial of smallest_code that was far from the share
UNTUNED = "untuned"  # of the first trial, if it has the values of params.yaml
TRIAL = "trial"  # its number without gaps, where Optuna's own also counts trials of dead workers
MODEL_TYPE = "type"
DATA_SET = "data set"
ERROR = "squared error"  # of a complete trial
KEPT = "variance kept"  # of a complete trial: the share of the validation rows' variance
VARIANCE = "variance"  # a constraint: the share that a training misses by, as forecast; at most 0
RETRIES = "retry_history"  # Optuna's own: the trials of dead workers that a trial repeats
RANKED = ("code_size", "squared_error", "explained_variance")  # as `Tune.rank` takes them


def attempts(study: Study) -> list[FrozenTrial]:
    """The trials that count towards `n_trials`, in order: not those whose worker died, nor surplus.

    A trial that failed counts, and has its reason; one whose worker was killed has none, or was
    retried. A retried trial stands at the place of the one that it repeats.
    """
    trials = study.get_trials(deepcopy=False)
    uncounted: set[int] = set()
    for trial in trials:
        uncounted.update(trial.system_attrs.get(RETRIES, ()))
        if trial.state == TrialState.FAIL and REASON not in trial.user_attrs:
            uncounted.add(trial.number)
    counted = [trial for trial in trials if trial.number not in uncounted]
    return sorted(counted, key=_place)


def _place(trial: FrozenTrial) -> int:
    """Optuna's number of the first trial with these values, of which this one may be a retry."""
    retried: list[int] = trial.system_attrs.get(RETRIES, [])
    return min([*retried, trial.number])


def finished(study: Study, n_trials: int) -> list[FrozenTrial]:
    """The first `n_trials` that are complete, pruned or failed."""
    ended = [trial for trial in attempts(study) if trial.state.is_finished()]
    return ended[:n_trials]


def rank(study: Study, number: int) -> int:
    """A trial's number without gaps: how many trials count and come before it.

    number: Optuna's own.
    """
    place = _place(study.get_trials(deepcopy=False)[number])
    return sum(_place(trial) < place for trial in attempts(study))


def state(trial: FrozenTrial) -> str:
    """How a trial ended: complete, stopped or fail; running or waiting where it has not.

    Optuna calls a trial pruned whose samplers learn little from it. One of smallest_code is
    complete for Optuna, as its value and its constraint are forecast where it stops.
    """
    if trial.state == TrialState.PRUNED or STOPPED in trial.user_attrs:
        return "stopped"
    return trial.state.name.lower()


def stopped_and_failed(trials: Sequence[FrozenTrial]) -> str:
    """The numbers of trials that were stopped and that failed, for a message."""
    states = [state(trial) for trial in trials]
    return f"{states.count('stopped')} stopped, {states.count('fail')} failed"


def last_epoch(trial: FrozenTrial) -> int | None:
    """The epoch in which a trial was stopped, or the last one that it reported."""
    epoch: int | None = trial.user_attrs.get(STOPPED, trial.last_step)
    return epoch


def best_trial(trials: Sequence[FrozenTrial], tune: Tune) -> FrozenTrial:
    """The first of the complete trials by `Tune.rank`.

    tune: as trials are judged, see `Forecast.judge`. Raises UserError where no trial is complete.
    """
    candidates = complete(trials)
    if not candidates:
        reasons = {str(trial.user_attrs.get(REASON, state(trial))) for trial in trials}
        raise UserError(
            f"none of {len(trials)} trials is complete: {'; '.join(sorted(reasons))}; "
            "raise tune.n_trials or mend it"
        )
    return min(candidates, key=lambda trial: tune.rank(*ranked(trial)))


def complete(trials: Sequence[FrozenTrial]) -> list[FrozenTrial]:
    """The trials that have a result."""
    return [trial for trial in trials if RESULT in trial.user_attrs and state(trial) == "complete"]


def ranked(trial: FrozenTrial) -> tuple[Any, ...]:
    """A trial's code size, squared error and share of the variance that it explains."""
    return tuple(trial.user_attrs[RESULT][name] for name in RANKED)
