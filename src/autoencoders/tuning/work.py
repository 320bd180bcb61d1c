"""What a worker does until its study has all its trials: none lost, none counted twice, whoever dies."""

import gc
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import psutil
from optuna import Study, Trial, TrialPruned
from optuna.distributions import BaseDistribution
from optuna.exceptions import UpdateFinishedTrialError
from optuna.samplers import BaseSampler, RandomSampler, TPESampler
from optuna.storages import RDBStorage, fail_stale_trials
from optuna.trial import FrozenTrial, TrialState
from tqdm import tqdm

from autoencoders.errors import DivergedError, UserError
from autoencoders.tuning.storage import GRACE, REASON, WORKER, queue_again

RETRIES = "retry_history"  # Optuna's own attribute of a trial
HOPELESS = 10  # trials that fail, from the first on, before a study gives up
STARTUP = 5  # random trials before TPE learns from them: short studies gain from few
POLL_SECONDS = 0.5
CLOCK = 60  # seconds by which the machine's clock may be set while a study runs
Objective = Callable[[Trial], Any]


class Surplus(Exception):  # noqa: N818  (no error)
    """Other workers began the last trials a moment earlier: this one does not count."""


def attempts(study: Study) -> list[FrozenTrial]:
    """The trials that count towards `n_trials`, in order: not those whose worker died, nor surplus ones.

    A trial that failed counts, and has its reason; one whose worker was killed has none, or was retried.
    """
    trials = study.get_trials(deepcopy=False)
    retried = {number for trial in trials for number in trial.system_attrs.get(RETRIES, ())}
    dead = {t.number for t in trials if t.state == TrialState.FAIL and REASON not in t.user_attrs}
    return [trial for trial in trials if trial.number not in retried | dead]


def finished(study: Study, n_trials: int) -> list[FrozenTrial]:
    """The first `n_trials` that are complete, pruned or failed."""
    return [trial for trial in attempts(study) if trial.state.is_finished()][:n_trials]


def work(study: Study, objective: Objective, n_trials: int, after: Callable[[], None]) -> None:
    """Takes trial after trial until `n_trials` are finished, and waits for those of other workers, which may die.

    after: called after each trial and each wait. Raises UserError where the study is hopeless.
    """
    while True:
        retry_the_dead(study)
        counted = attempts(study)
        done = [trial for trial in counted if trial.state.is_finished()]
        _stop_if_hopeless(study, done)
        if len(done) >= n_trials:
            return
        if len(counted) < n_trials or any(trial.state == TrialState.WAITING for trial in counted):
            _try(study, _begun(objective, n_trials))
        else:
            time.sleep(POLL_SECONDS)
        after()


def _try(study: Study, objective: Objective) -> None:
    """One trial, whose failure is its own."""
    gc.freeze()  # what is loaded stays: collecting a trainer's cycles, which hold the rows, then takes a millisecond
    try:
        study.optimize(objective, n_trials=1, catch=(Exception,), gc_after_trial=True)
    except (UpdateFinishedTrialError, ValueError) as error:
        if isinstance(error, ValueError) and "Cannot tell" not in str(error):
            raise
        print(f"this worker was silent for {GRACE} s and taken for dead: its trial is repeated", flush=True)


def _begun(objective: Objective, n_trials: int) -> Objective:
    """The objective of a trial that says who works on it and why it failed, and notices when it is one too many."""

    def run(trial: Trial) -> Any:
        trial.set_user_attr(WORKER, [socket.gethostname(), os.getpid(), psutil.Process().create_time()])
        if sum(other.number < trial.number for other in attempts(trial.study)) >= n_trials:
            raise Surplus
        try:
            values = objective(trial)
            if not np.isfinite(values).all():
                raise DivergedError(f"the trial's value is {values}")
        except TrialPruned:
            raise
        except Exception as error:
            trial.set_user_attr(REASON, f"{type(error).__name__}: {error}"[:1000])
            raise
        return values

    return run


def retry_the_dead(study: Study) -> None:
    """Queues the trials of dead workers again: known by their silence in a database, by their process in a journal."""
    in_database = isinstance(study._storage, RDBStorage)
    if in_database:
        fail_stale_trials(study)
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
    host, pid, created = trial.user_attrs[WORKER]
    if in_database or host != socket.gethostname():
        return False
    try:
        return abs(psutil.Process(pid).create_time() - created) > CLOCK
    except psutil.NoSuchProcess:
        return True


def _stop_if_hopeless(study: Study, done: list[FrozenTrial]) -> None:
    first = done[:HOPELESS]
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


class Bar:
    """A study's progress: a bar in a terminal, one line a finished trial in a log."""

    def __init__(self, study: Study, n_trials: int) -> None:
        self.study, self.n_trials, self.name = study, n_trials, study.study_name
        self.told = len(finished(study, n_trials))
        log = not sys.stderr.isatty()
        self.bar = tqdm(total=n_trials, initial=self.told, desc=self.name, unit="trial", disable=log)

    def __enter__(self) -> "Bar":
        if self.told:
            print(f"{self.name}: goes on after {self.told} of {self.n_trials} trials", flush=True)
        return self

    def __exit__(self, *error: object) -> None:
        self.bar.close()

    def update(self) -> None:
        """Tells the trials that were finished since."""
        trials = finished(self.study, self.n_trials)
        best = min((t.values[0] for t in trials if t.state == TrialState.COMPLETE), default=float("nan"))
        told = f"best error {best:.4f}, {lost(trials)}"
        if self.bar.disable and len(trials) > self.told:
            print(f"trial {len(trials)}/{self.n_trials} {self.name}: {told}", flush=True)
        self.bar.set_postfix_str(told, refresh=False)
        self.bar.update(len(trials) - self.told)
        self.told = len(trials)


class Repeatable(BaseSampler):
    """Draws a trial's values from the seed, the number of trials before it that count, and their results.

    So one worker repeats its study, a study that was killed or is given more trials goes on as if it had never stopped,
    and several workers draw the same first trials, before which TPE has nothing to learn from.
    """

    def __init__(self, name: str, seed: int, study: Study) -> None:
        """name: tpe or random. study: with all its trials; Hyperband shows a sampler those of one bracket alone."""
        self.name, self.seed, self.study = name, seed, study

    def _sampler(self, trial: FrozenTrial, drawn: str) -> BaseSampler:
        """A sampler for what is drawn: of each value its own, as a retried trial has some of them already."""
        rank = sum(other.number < trial.number for other in attempts(self.study))
        seed = int(np.random.SeedSequence([self.seed, rank, *drawn.encode()]).generate_state(1)[0])
        return TPESampler(seed=seed, n_startup_trials=STARTUP) if self.name == "tpe" else RandomSampler(seed=seed)

    def infer_relative_search_space(self, study: Study, trial: FrozenTrial) -> dict[str, BaseDistribution]:
        """As the trial's own sampler says."""
        return self._sampler(trial, "").infer_relative_search_space(study, trial)

    def sample_relative(self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]) -> Any:
        """As the trial's own sampler says."""
        return self._sampler(trial, "").sample_relative(study, trial, search_space)

    def sample_independent(self, study: Study, trial: FrozenTrial, param_name: str, dist: BaseDistribution) -> Any:
        """As the value's own sampler says."""
        return self._sampler(trial, param_name).sample_independent(study, trial, param_name, dist)
