"""A worker: takes trial after trial until its study has all; none is lost or counted twice.

How a trial can end, whether it counts towards tune.n_trials, and whether it is done again:

- It is complete or pruned: it counts.
- It fails by an error of its own, or its loss diverges: it counts, with its reason, and the worker
  goes on. Where the first HOPELESS_AFTER trials all fail, the worker gives up.
- The machine fails, such as a full disk: the worker ends; the trial does not count, and another one
  takes its place and its values.
- Its worker is interrupted or killed: the next look at the study queues its values again.
- It is surplus, as another worker was quicker: it does not count.
"""

import gc
import os
import socket
import time
from collections import Counter
from collections.abc import Callable
from datetime import datetime

import numpy as np
import psutil
from optuna import Study, Trial, TrialPruned, storages
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from autoencoders.core import faults
from autoencoders.core.errors import DivergedError, UserError
from autoencoders.core.machine import has_ended, machine
from autoencoders.core.paths import STUDIES
from autoencoders.core.process import ParentDvc
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.params.plan import Plan
from autoencoders.params.sections import FixedTune
from autoencoders.tracking.recorder import Recorder
from autoencoders.tracking.records import Begin
from autoencoders.tuning.budget import are_over
from autoencoders.tuning.forecast import Forecast
from autoencoders.tuning.journal import JOURNAL
from autoencoders.tuning.objective import Objective
from autoencoders.tuning.progress import progress
from autoencoders.tuning.storage import GRACE, queue_again
from autoencoders.tuning.study import trial_plan
from autoencoders.tuning.trials import REASON, WORKER, attempts, rank

HOPELESS_AFTER = 10  # failed trials, if they are the first: by then the cause lies in the study
POLL_SECONDS = 0.5  # between two looks at other workers' trials: a trial takes seconds
ALREADY_FINISHED = "Cannot tell"  # begins Optuna's ValueError about a trial that was finished
REASON_LENGTH = 1000  # characters: an error may hold a whole tensor


def search(
    study: Study,
    plan: Plan,
    tune: FixedTune,
    forecast: Forecast,
    data: Prepared,
    recorder: Recorder,
    study_run: Begin,
    after: Callable[[], None] = lambda: None,
) -> None:
    """Works on a study until it has all its trials, or its minutes are over; shows its progress.

    forecast: of a training by its trial. after: called after each trial and each wait.
    """
    each_epoch = ParentDvc().stop_if_gone
    objective = Objective(
        trial_plan(plan, tune), tune, forecast, data, recorder, study_run, each_epoch
    )
    with progress(study, forecast.judge(tune)) as show:

        def look() -> None:
            show()
            after()

        work(study, objective, tune.n_trials, look, minutes=tune.minutes)


def work(
    study: Study,
    objective: Callable[[Trial], float],
    n_trials: int,
    after: Callable[[], None],
    *,
    minutes: float = 0,
) -> None:
    """Takes trial after trial until `n_trials` are finished.

    minutes: after which no new trial begins, while those that were begun are finished; 0: no limit.
    Waits for the trials of other workers, which may die. after: called after each trial and each
    wait. Raises UserError where the study is hopeless.
    """
    named = set[int]()
    while True:
        retry_the_dead(study)
        trials = attempts(study)
        done = [trial for trial in trials if trial.state.is_finished()]
        _stop_if_hopeless(study, done[:HOPELESS_AFTER])
        if len(done) >= n_trials:
            return
        is_over = are_over(minutes, done)
        if is_over and len(done) == len(trials):
            return
        begins_new = len(trials) < n_trials and not is_over
        if begins_new or any(trial.state == TrialState.WAITING for trial in trials):
            _run_trial(study, objective, n_trials)
        else:
            _name_invisible_workers(study, named)
            time.sleep(POLL_SECONDS)
        after()


def _identity() -> list[str | int | float]:
    """This worker: host, process, when that began, and machine, as host names may be shared."""
    return [socket.gethostname(), os.getpid(), psutil.Process().create_time(), machine()]


def _is_elsewhere(trial: FrozenTrial) -> bool:
    """Whether a trial's worker runs where its process can't be seen.

    Trials of earlier versions know only the host.
    """
    host, _, _, *machines = trial.user_attrs.get(WORKER, _identity())
    if machines:
        return bool(machines != [machine()])
    return bool(host != socket.gethostname())


def _name_invisible_workers(study: Study, named: set[int]) -> None:
    """Prints which workers on other machines a journal's study waits for, once for each trial.

    Whether these live can't be seen from here.
    """
    if _in_database(study):
        return
    for trial in _running(study):
        if not _is_elsewhere(trial) or trial.number in named:
            continue
        named.add(trial.number)
        host, process, *_ = trial.user_attrs[WORKER]
        command = (
            f"optuna tell --storage {STUDIES}/{JOURNAL} --study-name {study.study_name} "
            f"--trial-number {trial.number} --state fail"
        )
        print(f"waiting for process {process} on {host}; if it is dead: `{command}`", flush=True)


def _in_database(study: Study) -> bool:
    """Whether a study is kept in a database, whose storage Optuna wraps with a cache."""
    return isinstance(study._storage, storages._CachedStorage)


def _running(study: Study) -> list[FrozenTrial]:
    return study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))


class Surplus(Exception):  # noqa: N818  (no error)
    """Raised in a trial that does not count: other workers began the last ones a moment earlier."""


class Failed(Exception):  # noqa: N818  (Optuna's word)
    """Raised by a trial's own error.

    An error of the machine, such as a full disk, ends the worker, and its trial is repeated.
    """


def _run_trial(study: Study, objective: Callable[[Trial], float], n_trials: int) -> None:
    """Runs one trial, which notes its worker and why it failed, and fails where it is surplus."""

    def run(trial: Trial) -> float:
        trial.set_user_attr(WORKER, _identity())
        if rank(study, trial.number) >= n_trials:
            raise Surplus
        return _value(objective, trial)

    # collecting a trainer's cycles, which hold the rows, takes a millisecond without what is loaded
    gc.freeze()
    try:
        study.optimize(run, n_trials=1, catch=(Failed, Surplus), gc_after_trial=True)
    except (UpdateFinishedTrialError, ValueError) as error:
        if isinstance(error, ValueError) and ALREADY_FINISHED not in str(error):
            raise
        print(
            f"this worker was silent for {GRACE} s and taken for dead: its trial is repeated",
            flush=True,
        )


def _value(objective: Callable[[Trial], float], trial: Trial) -> float:
    """The objective of a trial, which notes why it failed.

    Raises Failed, TrialPruned, and faults of the machine.
    """
    try:
        values = objective(trial)
        if not np.isfinite(values).all():
            raise DivergedError(f"the trial's value is {values}")
    except TrialPruned:
        raise
    except Exception as error:
        if faults.message(error):
            raise
        trial.set_user_attr(REASON, f"{type(error).__name__}: {error}"[:REASON_LENGTH])
        raise Failed from error
    return values


def retry_the_dead(study: Study) -> None:
    """Queues the trials of dead workers again.

    A database knows them by their silence; for a journal, their processes have ended.
    """
    in_database = _in_database(study)
    if in_database:
        storages.fail_stale_trials(study)
    for trial in _running(study):
        if _is_dead(trial, in_database=in_database):
            try:
                study.tell(trial.number, state=TrialState.FAIL)
            except (UpdateFinishedTrialError, ValueError):  # another worker was faster
                continue
            queue_again(study, trial)


def _is_dead(trial: FrozenTrial, *, in_database: bool) -> bool:
    if WORKER not in trial.user_attrs:  # killed before it could note it, or just beginning
        began = trial.datetime_start
        return began is not None and (datetime.now() - began).total_seconds() > GRACE
    if in_database or _is_elsewhere(trial):
        return False
    _, process, started, *_ = trial.user_attrs[WORKER]
    return has_ended(process, started)


def _stop_if_hopeless(study: Study, first: list[FrozenTrial]) -> None:
    """Raises UserError, with the reasons, where the first trials have all failed."""
    if len(first) < HOPELESS_AFTER or any(trial.state != TrialState.FAIL for trial in first):
        return
    reasons = Counter(trial.user_attrs.get(REASON) for trial in first)
    counts = "\n".join(f"  {n} x {reason}" for reason, n in reasons.items())
    raise UserError(
        f"{study.study_name}: the first {HOPELESS_AFTER} trials have all failed, "
        f"so the study stops:\n{counts}\n"
        "mend tune.space or the parameters; a changed space starts a new study"
    )
