"""Which trials of a study count, and their attributes."""

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

MADE_OF = "made_of"  # a study's attribute: what its trials depend on
WORKER = "worker"  # a trial's attributes: host, process, when that began, and machine
REASON, RESULT, UNTUNED = (
    "reason",
    "result",
    "untuned",
)  # of a failed, of a complete, and of the first trial
RETRIES = "retry_history"  # Optuna's own attribute of a trial


def attempts(study: Study) -> list[FrozenTrial]:
    """The trials that count towards `n_trials`, in order: not those whose worker died, nor surplus ones.

    A trial that failed counts, and has its reason; one whose worker was killed has none, or was retried.
    """
    trials = study.get_trials(deepcopy=False)
    retried = {number for trial in trials for number in trial.system_attrs.get(RETRIES, ())}
    dead = {t.number for t in trials if t.state == TrialState.FAIL and REASON not in t.user_attrs}
    return [trial for trial in trials if trial.number not in retried | dead]


def rank(study: Study, number: int) -> int:
    """How many of the trials that count come before one."""
    return sum(trial.number < number for trial in attempts(study))
