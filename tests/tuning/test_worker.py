"""Workers: exactly `n_trials` count, whoever dies.

A study that was stopped goes on as if it had not been.
"""

import math
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import optuna
import psutil
import pytest
from optuna import Study, Trial
from optuna.storages import BaseStorage, InMemoryStorage, RDBStorage
from optuna.trial import FrozenTrial, TrialState, create_trial
from sqlalchemy import text

from autoencoders.core.errors import UserError
from autoencoders.params.params import load_params
from autoencoders.params.sections import Tune
from autoencoders.tuning import worker as module
from autoencoders.tuning.budget import minutes_worked
from autoencoders.tuning.sampler import STARTUP, Repeatable
from autoencoders.tuning.storage import GRACE, HEARTBEAT, open_storage, queue_again
from autoencoders.tuning.trials import REASON, RESULT, WORKER, attempts, finished, rank
from autoencoders.tuning.worker import HOPELESS_AFTER, retry_the_dead, work

N_TRIALS = 2 * STARTUP  # TPE learns in the second half
SCRIPT = """
import os, signal, sys
sys.path[:0] = [sys.argv[1]]
from autoencoders.tuning.storage import open_storage
from autoencoders.tuning.worker import work
from test_worker import opened, squares

n_trials, held, stop = int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
begun = 0

def objective(trial):
    # waits for a line in the first `held` trials; stops its process, in the fourth, before the
    # parameter `stop`
    global begun
    begun += 1
    print("begun", flush=True)
    if begun <= held:
        sys.stdin.readline()

    def kill(name):
        if begun == 4 and name == stop:
            os.kill(os.getpid(), signal.SIGKILL)

    return squares(trial, kill)

work(opened(open_storage("journal")), objective, n_trials, lambda: None)
"""


@cache
def settings() -> Tune:
    """The settings of params.yaml, which the processes of these tests read, too."""
    return load_params(Path(__file__).parents[2] / "params.yaml").tune


def opened(storage: BaseStorage, name: str = "tpe", seed: int = 1) -> Study:
    """The study `s` in a storage, with a sampler of its own, as each process has one."""
    study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
    tune = settings().model_copy(update={"sampler": name, "seed": seed})
    study.sampler = Repeatable(tune, "sparse", study)
    return study


def squares(trial: Trial, before: Callable[[str], object] = lambda _: None) -> float:
    """A function of three values; before: called with the name of what is drawn next."""
    before("x")
    x = trial.suggest_float("x", -1.0, 1.0)
    before("n")
    n = trial.suggest_int("n", 1, 1000, log=True)
    before("c")
    c = trial.suggest_categorical("c", ["a", "b", "c"])
    trial.set_user_attr(RESULT, {})
    before("end")
    return x**2 + abs(math.log(n) - 3) + (c == "b")


def outcomes(trials: list[FrozenTrial]) -> list[Any]:
    """The results, which must not depend on who worked when."""
    return [(trial.state.name, trial.params, trial.values) for trial in trials]


def worked(
    study: Study,
    n_trials: int,
    objective: Callable[[Trial], Any] = squares,
    *,
    minutes: float = 0,
) -> list[Any]:
    work(study, objective, n_trials, lambda: None, minutes=minutes)
    return outcomes(finished(study, n_trials))


def failing(trial: Trial) -> float:
    raise ArithmeticError("it diverged")


def gone() -> list[Any]:
    """The attribute of a worker whose process has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    created = psutil.Process(process.pid).create_time()
    process.wait()
    return [socket.gethostname(), process.pid, created]


@pytest.fixture
def study() -> Study:
    return opened(InMemoryStorage())


# what counts


def test_complete_pruned_and_failed_trials_count_and_one_that_was_killed_does_not(study):
    for state, attributes in (
        (TrialState.COMPLETE, {}),
        (TrialState.PRUNED, {}),
        (TrialState.FAIL, {REASON: "it diverged"}),
        (TrialState.FAIL, {}),
        (TrialState.RUNNING, {}),
        (TrialState.WAITING, {}),
    ):
        values = [0.0] if state == TrialState.COMPLETE else None
        study.add_trial(create_trial(state=state, values=values, user_attrs=attributes))
    assert [trial.number for trial in attempts(study)] == [0, 1, 2, 4, 5]
    assert [trial.number for trial in finished(study, 10)] == [0, 1, 2]
    assert [trial.number for trial in finished(study, 2)] == [0, 1]


def test_pruned_and_failed_trials_use_up_n_trials(study):
    def objective(trial: Trial) -> float:
        if trial.number % 3 == 1:
            raise optuna.TrialPruned
        return failing(trial) if trial.number % 3 == 2 else squares(trial)

    states = [state for state, _, _ in worked(study, 6, objective)]
    assert states == ["COMPLETE", "PRUNED", "FAIL"] * 2
    assert len(study.trials) == 6


def test_finished_work_is_not_done_again(study):
    before = worked(study, 3)
    assert worked(study, 3, failing) == before
    assert worked(study, 2, failing) == before[:2]


def test_after_each_trial_the_caller_is_told(study):
    seen = []
    work(study, squares, 4, lambda: seen.append(len(finished(study, 4))))
    assert seen == [1, 2, 3, 4]


def test_a_trial_that_began_too_late_does_not_count(study):
    for _ in range(3):
        study.ask().set_user_attr(
            WORKER, [socket.gethostname(), os.getpid(), psutil.Process().create_time()]
        )
    module._run_trial(study, squares, 3)
    assert study.trials[3].state == TrialState.FAIL
    assert [trial.number for trial in attempts(study)] == [0, 1, 2]


@pytest.mark.parametrize("n_trials", [HOPELESS_AFTER, 2 * HOPELESS_AFTER])
def test_a_study_whose_first_ten_trials_fail_is_hopeless_and_says_why(study, n_trials):
    def objective(trial: Trial) -> float:
        raise ArithmeticError("it diverged" if trial.number % 2 else "out of memory")

    with pytest.raises(UserError) as caught:
        work(study, objective, n_trials, lambda: None)
    message = str(caught.value)
    assert message.startswith(f"s: the first {HOPELESS_AFTER} trials have all failed")
    assert f"{HOPELESS_AFTER // 2} x ArithmeticError: it diverged" in message
    assert f"{HOPELESS_AFTER // 2} x ArithmeticError: out of memory" in message
    assert len(study.trials) == HOPELESS_AFTER


def test_a_study_with_one_good_trial_among_the_first_ten_goes_on(study):
    good = HOPELESS_AFTER - 1
    trials = worked(
        study,
        HOPELESS_AFTER + 2,
        lambda trial: squares(trial) if trial.number == good else failing(trial),
    )
    assert [state == "COMPLETE" for state, _, _ in trials] == [
        number == good for number in range(HOPELESS_AFTER + 2)
    ]


def test_nine_failures_of_nine_trials_are_the_callers_to_judge(study):
    assert [state for state, _, _ in worked(study, HOPELESS_AFTER - 1, failing)] == ["FAIL"] * (
        HOPELESS_AFTER - 1
    )


def test_an_objective_that_fails_before_it_can_say_why_does_not_go_on_forever(study):
    def objective(trial: Trial) -> float:
        if trial.number > 5 * HOPELESS_AFTER:
            pytest.fail("it goes on and on")
        raise ValueError("no range")

    with pytest.raises(UserError, match="have all failed"):
        work(study, objective, HOPELESS_AFTER, lambda: None)


# workers that die


def test_the_trial_of_a_dead_worker_is_begun_again_with_its_values_and_counts_once(study):
    trial = study.ask()
    trial.set_user_attr(WORKER, gone())
    x = trial.suggest_float("x", -1.0, 1.0)
    retry_the_dead(study)
    assert [t.state for t in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    assert [t.number for t in attempts(study)] == [1]
    ((state, params, _),) = worked(study, 1)
    assert (state, params["x"]) == ("COMPLETE", x)


def database(folder: Path) -> RDBStorage:
    """A database of studies as a worker opens it, but in a file."""
    return RDBStorage(
        f"sqlite:///{folder}/studies.db",
        heartbeat_interval=HEARTBEAT,
        grace_period=GRACE,
        heartbeat_stale_trial_callback=queue_again,
    )


@pytest.mark.filterwarnings("ignore:Heartbeat of storage")  # these trials beat by hand
def test_a_database_knows_a_dead_worker_by_its_silence(tmp_path):
    storage = database(tmp_path)
    study = opened(storage)
    trials = [study.ask() for _ in range(2)]
    x = trials[0].suggest_float("x", -1.0, 1.0)
    for trial in trials:
        trial.set_user_attr(WORKER, module._identity())
        storage.record_heartbeat(trial._trial_id)
    with storage.engine.begin() as connection:
        heartbeats = text("UPDATE trial_heartbeats SET heartbeat = '2000-01-01' WHERE trial_id = 1")
        assert connection.execute(heartbeats).rowcount == 1
    other = opened(database(tmp_path))
    retry_the_dead(other)
    states = [trial.state for trial in other.trials]
    assert states == [TrialState.FAIL, TrialState.RUNNING, TrialState.WAITING]
    assert other.ask().suggest_float("x", -1.0, 1.0) == x


def test_a_worker_that_dies_again_and_again_loses_nothing(study):
    study.enqueue_trial({"x": 0.5})
    for _ in range(3):
        trial = study.ask()
        trial.set_user_attr(WORKER, gone())
        trial.suggest_float("x", -1.0, 1.0)
        retry_the_dead(study)
    trials = worked(study, 2)
    assert trials[0][1]["x"] == 0.5
    assert len(trials) == 2


def test_the_trial_of_a_live_worker_is_left_alone(study):
    study.ask().set_user_attr(
        WORKER, [socket.gethostname(), os.getpid(), psutil.Process().create_time()]
    )
    retry_the_dead(study)
    assert [t.state for t in study.trials] == [TrialState.RUNNING]


def test_a_worker_of_another_machine_is_not_judged_by_the_processes_of_this_one(study):
    _, *process = gone()
    study.ask().set_user_attr(WORKER, ["elsewhere", *process])
    study.ask().set_user_attr(
        WORKER, [socket.gethostname(), *process, "another container with the same host name"]
    )
    retry_the_dead(study)
    assert [t.state for t in study.trials] == [TrialState.RUNNING] * 2


def test_who_is_waited_for_on_another_machine_is_told_once_with_a_way_to_give_the_trial_up(
    study, monkeypatch, capsys
):
    _, pid, created = gone()
    study.ask().set_user_attr(WORKER, ["elsewhere", pid, created])
    waits = []

    def given_up(_: float) -> None:
        waits.append(0)
        if len(waits) == 3:
            study.tell(0, state=TrialState.FAIL)

    monkeypatch.setattr(time, "sleep", given_up)
    work(study, squares, 1, lambda: None)
    output = capsys.readouterr().out
    assert output.count(f"waiting for process {pid} on elsewhere; if it is dead: `optuna tell") == 1
    assert "--study-name s --trial-number 0 --state fail`" in output


def test_another_process_with_the_dead_ones_number_is_not_taken_for_it(study):
    study.ask().set_user_attr(
        WORKER, [socket.gethostname(), os.getpid(), psutil.Process().create_time() - 100]
    )
    retry_the_dead(study)
    assert [t.state for t in study.trials] == [TrialState.FAIL, TrialState.WAITING]


@pytest.mark.parametrize(
    ("age", "states"),
    [(GRACE / 2, [TrialState.RUNNING]), (GRACE + 1, [TrialState.FAIL, TrialState.WAITING])],
)
def test_a_trial_whose_worker_never_said_who_it_is_is_retried_after_a_grace(study, age, states):
    trial = create_trial(state=TrialState.RUNNING)
    trial.datetime_start = datetime.now() - timedelta(seconds=age)
    study.add_trial(trial)
    retry_the_dead(study)
    assert [t.state for t in study.trials] == states


def test_a_retried_trial_that_just_begins_is_left_alone(study):
    study.ask().set_user_attr(WORKER, gone())
    retry_the_dead(study)
    study.ask()
    retry_the_dead(study)
    assert [t.state for t in study.trials] == [TrialState.FAIL, TrialState.RUNNING]


def test_a_worker_that_is_wrongly_taken_for_dead_says_so_and_goes_on(study, capsys):
    def objective(trial: Trial) -> float:
        if trial.number == 1:
            trial.set_user_attr(WORKER, gone())
            retry_the_dead(study)  # as another worker would
        return squares(trial)

    assert worked(study, 3, objective) == worked(opened(InMemoryStorage()), 3)
    assert "taken for dead: its trial is repeated" in capsys.readouterr().out
    assert len(study.trials) == 4


def test_a_clock_that_is_set_kills_no_worker(study, monkeypatch):
    study.ask().set_user_attr(
        WORKER, [socket.gethostname(), os.getpid(), psutil.Process().create_time()]
    )
    booted = psutil._pslinux.boot_time()
    monkeypatch.setattr(
        psutil._pslinux, "boot_time", lambda: booted + 1
    )  # what /proc/stat says after a step by 1 s
    retry_the_dead(study)
    assert [t.state for t in study.trials] == [TrialState.RUNNING]


def test_a_retried_trial_that_succeeds_has_no_reason(study):
    trial = study.ask()
    trial.set_user_attr(WORKER, gone())
    trial.set_user_attr(REASON, "it diverged")  # killed between this and Optuna's own note
    worked(study, 1)
    assert REASON not in finished(study, 1)[0].user_attrs


def test_the_trial_that_is_repeated_keeps_its_number_and_so_do_those_beside_it(study):
    first, second = study.ask(), study.ask()
    first.set_user_attr(WORKER, gone())
    assert [rank(study, trial.number) for trial in (first, second)] == [0, 1]
    retry_the_dead(study)
    retried = study.ask()
    assert retried.number == 2
    assert [rank(study, trial.number) for trial in (retried, second)] == [0, 1]
    assert [trial.number for trial in attempts(study)] == [retried.number, second.number]
    assert rank(study, study.ask().number) == 2


# minutes


def add_complete(study: Study, *, seconds: float, ago: float) -> None:
    """Adds a trial that took as long, and ended some seconds ago."""
    trial = create_trial(value=1.0, user_attrs={RESULT: {}})
    trial.datetime_complete = datetime.now() - timedelta(seconds=ago)
    trial.datetime_start = trial.datetime_complete - timedelta(seconds=seconds)
    study.add_trial(trial)


def test_no_trial_begins_once_the_minutes_are_over_and_the_last_one_is_finished(journal):
    study = opened(journal)

    def objective(trial: Trial) -> float:
        time.sleep(0.05)
        return squares(trial)

    minutes = 0.2 / 60
    work(study, objective, 1000, lambda: None, minutes=minutes)
    trials = finished(study, 1000)
    assert {trial.state for trial in study.trials} == {TrialState.COMPLETE}
    assert minutes_worked(trials[:-1]) < minutes <= minutes_worked(trials)


def test_n_trials_end_a_study_before_its_minutes_do(journal):
    study = opened(journal)
    work(study, squares, 3, lambda: None, minutes=1000)
    assert len(study.trials) == 3


def test_minutes_before_a_stop_count_and_the_pause_does_not(journal):
    study = opened(journal)
    add_complete(study, seconds=40, ago=36_000)
    work(study, squares, 3, lambda: None, minutes=1)
    assert len(study.trials) == 3
    add_complete(study, seconds=40, ago=0)
    work(opened(journal), failing, 10, lambda: None, minutes=1)
    assert len(study.trials) == 4


def test_more_minutes_continue_a_study_whose_minutes_were_over(journal):
    study = opened(journal)
    add_complete(study, seconds=100, ago=0)
    for minutes, n_trials in ((1, 1), (2, 3), (0, 5)):
        work(study, squares, n_trials, lambda: None, minutes=minutes)
        assert len(study.trials) == n_trials


def test_whatever_the_minutes_a_study_goes_on_until_a_trial_is_complete(journal):
    study = opened(journal)

    def objective(trial: Trial) -> float:
        return squares(trial) if trial.number == 2 else failing(trial)

    states = [state for state, _, _ in worked(study, 10, objective, minutes=1e-9)]
    assert states == ["FAIL", "FAIL", "COMPLETE"]


def test_when_the_minutes_are_over_the_running_trial_of_another_worker_is_waited_for(
    journal, monkeypatch
):
    study = opened(journal)
    other = study.ask()
    other.set_user_attr(WORKER, module._identity())
    add_complete(study, seconds=100, ago=0)
    monkeypatch.setattr(time, "sleep", lambda _: study.tell(other, 1.0))
    work(study, failing, 10, lambda: None, minutes=1)
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 2


def test_when_the_minutes_are_over_the_trial_of_a_dead_worker_is_repeated_all_the_same(journal):
    study = opened(journal)
    dead = study.ask()
    dead.set_user_attr(WORKER, gone())
    x = dead.suggest_float("x", -1.0, 1.0)
    add_complete(study, seconds=100, ago=0)
    trials = worked(study, 10, minutes=1)
    assert [state for state, _, _ in trials] == ["COMPLETE"] * 2
    assert trials[0][1]["x"] == x


# real processes on one journal


def start(
    folder: Path, n_trials: int, *, held: int = 0, stop: str = "never"
) -> subprocess.Popen[str]:
    """A worker in a process of its own."""
    arguments = [Path(__file__).parent, n_trials, held, stop]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *map(str, arguments)],
        env={**os.environ, "DVC_ROOT": str(folder)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_until_it_holds(worker: subprocess.Popen[str]) -> None:
    """Until the worker is in its first trial, in which it stays until it is released."""
    assert worker.stdout is not None
    assert worker.stderr is not None
    assert worker.stdout.readline() == "begun\n", worker.stderr.read()


def release(worker: subprocess.Popen[str]) -> None:
    assert worker.stdin is not None
    worker.stdin.write("\n")
    worker.stdin.flush()


def ended(worker: subprocess.Popen[str]) -> tuple[int, int]:
    """A worker's exit code, and how many trials it began since it was last listened to."""
    output, errors = worker.communicate()
    assert worker.returncode in (0, -signal.SIGKILL), errors
    return worker.returncode, output.count("begun\n")


def test_several_workers_together_do_exactly_the_trials_that_were_asked_for(store_root):
    n_trials = 12
    workers = [start(store_root, n_trials, held=1) for _ in range(3)]
    for worker in workers:
        wait_until_it_holds(worker)  # each has a trial: they share the work
    for worker in workers:
        release(worker)
    codes, begun = zip(*map(ended, workers), strict=True)
    assert codes == (0, 0, 0)
    study = opened(open_storage("journal"))
    assert [state for state, _, _ in outcomes(attempts(study))] == ["COMPLETE"] * n_trials
    assert len(workers) + sum(begun) == n_trials


@pytest.mark.parametrize("stop", ["x", "c", "end"])
def test_a_study_whose_worker_was_killed_goes_on_with_the_same_trials(store_root, stop):
    whole = worked(opened(InMemoryStorage()), N_TRIALS)
    assert ended(start(store_root, N_TRIALS, stop=stop)) == (-signal.SIGKILL, 4)
    study = opened(open_storage("journal"))
    assert study.trials[3].state == TrialState.RUNNING
    assert worked(study, N_TRIALS) == whole
    assert len(study.trials) == N_TRIALS + 1


def test_other_workers_take_over_the_trial_of_one_that_is_killed(store_root):
    other = start(store_root, N_TRIALS, held=1)
    wait_until_it_holds(other)
    assert ended(start(store_root, N_TRIALS, stop="end")) == (-signal.SIGKILL, 4)
    release(other)
    assert ended(other)[0] == 0
    study = opened(open_storage("journal"))
    assert [state for state, _, _ in outcomes(attempts(study))] == ["COMPLETE"] * N_TRIALS
    (killed,) = [trial for trial in study.trials if trial.state == TrialState.FAIL and trial.params]
    (retried,) = [
        trial
        for trial in attempts(study)
        if trial.system_attrs.get("retry_history") == [killed.number]
    ]
    assert retried.params == killed.params
    assert retried.user_attrs[WORKER][1] == other.pid


# the same draws


@pytest.mark.parametrize("name", ["tpe", "random"])
def test_the_seed_decides_every_draw(name):
    first, again, other = (
        worked(opened(InMemoryStorage(), name, seed), N_TRIALS) for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_tpe_differs_from_random_as_soon_as_it_has_something_to_learn_from():
    tpe, random = (worked(opened(InMemoryStorage(), name), N_TRIALS) for name in ("tpe", "random"))
    assert tpe[:STARTUP] == random[:STARTUP]
    assert all(a != b for a, b in zip(tpe[STARTUP:], random[STARTUP:], strict=True))


def pruning(trial: Trial) -> float:
    """Reports a falling error; what prunes it is the study's pruner."""
    value = squares(trial)
    for epoch in range(1, 10):
        trial.report(value + 1 / epoch, epoch)
        if trial.should_prune():
            raise optuna.TrialPruned
    return value


PRUNERS = {
    "none": optuna.pruners.NopPruner,
    "median": lambda: optuna.pruners.MedianPruner(n_startup_trials=2),
    "hyperband": lambda: optuna.pruners.HyperbandPruner(min_resource=1, max_resource=9),
}


@pytest.mark.parametrize(
    "pruner", ["none", "median"]
)  # Hyperband's brackets hang on trial numbers and on its process
@pytest.mark.parametrize("name", ["tpe", "random"])
def test_five_trials_and_then_ten_equal_ten_at_once(journal, name, pruner):
    whole = opened(InMemoryStorage(), name)
    whole.pruner = PRUNERS[pruner]()
    for n_trials in (N_TRIALS // 2, N_TRIALS):
        parts = opened(journal, name)
        parts.pruner = PRUNERS[pruner]()
        trials = worked(parts, n_trials, pruning)
    assert trials == worked(whole, N_TRIALS, pruning)


@pytest.mark.parametrize("pruner", ["none", "median", "hyperband"])
def test_no_two_trials_draw_the_same_values(pruner):
    study = opened(InMemoryStorage(), "random")
    study.pruner = PRUNERS[pruner]()
    values = [params["x"] for _, params, _ in worked(study, 12, pruning)]
    assert len(set(values)) == 12


def test_failed_pruned_and_retried_trials_do_not_shift_the_draws(study):
    def objective(trial: Trial) -> float:
        value = squares(trial)
        if trial.number == 1:
            return failing(trial)
        return value

    whole = worked(opened(InMemoryStorage()), 4, objective)
    work(study, objective, 2, lambda: None)
    for _ in range(2):
        study.ask().set_user_attr(WORKER, gone())
        retry_the_dead(study)
    assert worked(study, 4, objective) == whole
