"""What a worker does until its study has all its trials: none lost, none counted twice, whoever dies."""

import gc
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import numpy as np
import psutil
from optuna import Study, Trial, TrialPruned, storages
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from autoencoders.core import faults
from autoencoders.core.errors import DivergedError, UserError
from autoencoders.core.machine import has_ended, machine
from autoencoders.core.paths import STUDIES
from autoencoders.core.process import ParentDvc
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.params.plan import Plan
from autoencoders.params.sections import Tune
from autoencoders.tracking.recorder import Recorder
from autoencoders.tracking.records import Begin
from autoencoders.tuning.journal import JOURNAL
from autoencoders.tuning.objective import Objective
from autoencoders.tuning.storage import GRACE, queue_again
from autoencoders.tuning.study import trial_plan
from autoencoders.tuning.trials import REASON, WORKER, attempts, rank

HOPELESS = 10  # trials that fail, from the first on, before a study gives up
POLL_SECONDS = 0.5


def search(
    study: Study, plan: Plan, tune: Tune, data: Prepared, recorder: Recorder, study_run: Begin
) -> None:
    """Works on a study until it has all its trials, and shows its progress."""
    objective = Objective(
        trial_plan(plan, tune), tune, data, recorder, study_run, ParentDvc().stop_if_gone
    )
    with progress(study, tune.n_trials) as show:
        work(study, objective, tune.n_trials, show)


def finished(study: Study, n_trials: int) -> list[FrozenTrial]:
    """The first `n_trials` that are complete, pruned or failed."""
    return [trial for trial in attempts(study) if trial.state.is_finished()][:n_trials]


def work(
    study: Study, objective: Callable[[Trial], Any], n_trials: int, after: Callable[[], None]
) -> None:
    """Takes trial after trial until `n_trials` are finished, and waits for those of other workers, which may die.

    after: called after each trial and each wait. Raises UserError where the study is hopeless.
    """
    awaited = set[int]()
    while True:
        retry_the_dead(study)
        counted = attempts(study)
        done = [trial for trial in counted if trial.state.is_finished()]
        _stop_if_hopeless(study, done[:HOPELESS])
        if len(done) >= n_trials:
            return
        if len(counted) < n_trials or any(trial.state == TrialState.WAITING for trial in counted):
            _try(study, objective, n_trials)
        else:
            _tell_of_strangers(study, awaited)
            time.sleep(POLL_SECONDS)
        after()


def worker() -> list[Any]:
    """Who works on a trial: host, process, when that began, and machine or container, as host names may be shared."""
    return [socket.gethostname(), os.getpid(), psutil.Process().create_time(), machine()]


def _is_elsewhere(trial: FrozenTrial) -> bool:
    """Whether a trial's worker runs where its process can't be seen; trials of earlier versions know only the host."""
    host, _, _, *known = trial.user_attrs.get(WORKER, worker())
    return bool(known != [machine()] if known else host != socket.gethostname())


def _tell_of_strangers(study: Study, told: set[int]) -> None:
    """Names, once each, the trials of other machines' workers in a journal: whether these live can't be seen."""
    running = (
        []
        if _in_database(study)
        else study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    )
    for trial in running:
        host, pid, *_ = trial.user_attrs.get(WORKER, worker())
        if _is_elsewhere(trial) and trial.number not in told:
            told.add(trial.number)
            tell = f"optuna tell --storage {STUDIES}/{JOURNAL} --study-name {study.study_name}"
            tell += f" --trial-number {trial.number} --state fail"
            print(f"waiting for process {pid} on {host}; if it is dead: `{tell}`", flush=True)


def _in_database(study: Study) -> bool:
    return isinstance(study._storage, storages.RDBStorage)


class Surplus(Exception):  # noqa: N818  (no error)
    """Other workers began the last trials a moment earlier: this one does not count."""


class Failed(Exception):  # noqa: N818  (Optuna's word)
    """A trial's own error; one of the machine, such as a full disk, ends the worker, and its trial is repeated."""


def _try(study: Study, objective: Callable[[Trial], Any], n_trials: int) -> None:
    """One trial, whose failure is its own: it says who works on it and why it failed, and notices if it is surplus."""

    def run(trial: Trial) -> Any:
        trial.set_user_attr(WORKER, worker())
        if rank(study, trial.number) >= n_trials:
            raise Surplus
        return _value(objective, trial)

    gc.freeze()  # what is loaded stays: collecting a trainer's cycles, which hold the rows, then takes a millisecond
    try:
        study.optimize(run, n_trials=1, catch=(Failed, Surplus), gc_after_trial=True)
    except (UpdateFinishedTrialError, ValueError) as error:
        if isinstance(error, ValueError) and "Cannot tell" not in str(error):
            raise
        print(
            f"this worker was silent for {GRACE} s and taken for dead: its trial is repeated",
            flush=True,
        )


def _value(objective: Callable[[Trial], Any], trial: Trial) -> Any:
    """The objective of a trial, which notes why it failed. Raises Failed, TrialPruned, and faults of the machine."""
    try:
        values = objective(trial)
        if not np.isfinite(values).all():
            raise DivergedError(f"the trial's value is {values}")
    except TrialPruned:
        raise
    except Exception as error:
        if faults.message(error):
            raise
        trial.set_user_attr(REASON, f"{type(error).__name__}: {error}"[:1000])
        raise Failed from error
    return values


def retry_the_dead(study: Study) -> None:
    """Queues the trials of dead workers again: known by their silence in a database, by their process in a journal."""
    in_database = _in_database(study)
    if in_database:
        storages.fail_stale_trials(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if _is_dead(trial, in_database=in_database):
            try:
                study.tell(trial.number, state=TrialState.FAIL)
            except (UpdateFinishedTrialError, ValueError):  # another worker has told it
                continue
            queue_again(study, trial)


def _is_dead(trial: FrozenTrial, *, in_database: bool) -> bool:
    if WORKER not in trial.user_attrs:  # killed before it could say so, or just beginning
        began = trial.datetime_start
        return began is not None and (datetime.now() - began).total_seconds() > GRACE
    _, pid, created, *_ = trial.user_attrs[WORKER]
    if in_database or _is_elsewhere(trial):
        return False
    return has_ended(pid, created)


def _stop_if_hopeless(study: Study, first: list[FrozenTrial]) -> None:
    if len(first) == HOPELESS and all(trial.state == TrialState.FAIL for trial in first):
        reasons = Counter(trial.user_attrs.get(REASON) for trial in first)
        told = "\n".join(f"  {n} x {reason}" for reason, n in reasons.items())
        raise UserError(
            f"{study.study_name}: the first {HOPELESS} trials have all failed, so the study stops:\n{told}\n"
            "mend tune.space or the parameters; a changed space starts a new study"
        )


def lost(trials: Sequence[FrozenTrial]) -> str:
    """How many of the trials gave no result."""
    states = [trial.state for trial in trials]
    return f"{states.count(TrialState.PRUNED)} pruned, {states.count(TrialState.FAIL)} failed"


@contextmanager
def progress(study: Study, n_trials: int) -> Iterator[Callable[[], None]]:
    """What shows the trials that were finished since: as a bar in a terminal, one line a trial in a log."""
    name, before = study.study_name, len(finished(study, n_trials))
    if before:
        print(f"{name}: goes on after {before} of {n_trials} trials", flush=True)
    with tqdm(
        total=n_trials, initial=before, desc=name, unit="trial", disable=not sys.stderr.isatty()
    ) as bar:

        def show() -> None:
            trials = finished(study, n_trials)
            best = min(
                (t.values[0] for t in trials if t.state == TrialState.COMPLETE),
                default=float("nan"),
            )
            told = f"best error {best:.4f}, {lost(trials)}"
            if bar.disable and len(trials) > bar.n:
                print(f"trial {len(trials)}/{n_trials} {name}: {told}", flush=True)
            bar.n = len(trials)
            bar.set_postfix_str(told)

        yield show
