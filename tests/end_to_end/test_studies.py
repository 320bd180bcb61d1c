"""Studies that last: workers that come late or are killed.

A `dvc repro` is killed, a study is continued.
"""

import csv
import json
import shutil
import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import optuna
import psutil
import pytest
from optuna.storages import RDBStorage

from autoencoders.params.params import load_params
from autoencoders.tuning.first import FORECAST
from autoencoders.tuning.forecast import Forecast
from autoencoders.tuning.storage import VARIABLE, open_storage
from autoencoders.tuning.trials import REASON, RESULT, VARIANCE, WORKER, attempts
from postgres import PASSWORD, server
from processes import Started
from repository import PATIENCE, QUICK, ROOT, Repository

pytestmark = pytest.mark.slow
TRIALS = 8
# a trial never has more epochs than a training
STUDY = {**QUICK, "train.epochs": 120, "tune.n_trials": TRIALS, "tune.epochs": 60}
KIND = "undercomplete"
DRAWN = 3  # values of a trial: code size, layers, nodes


@pytest.fixture(scope="module")
def postgres() -> Iterator[str]:
    with server() as url:
        yield url


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A study that nobody disturbed."""
    repository = Repository(tmp_path_factory.mktemp("whole"), STUDY, [KIND])
    repository.repro(f"tune@{KIND}")
    return repository


def trials(repository: Repository) -> list[dict[str, str]]:
    with (repository.folder / f"tuned/{KIND}/trials.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("storage", ["journal", "environment"])
def test_three_workers_one_killed_and_one_late_give_exactly_n_trials(
    postgres, tmp_path, monkeypatch, storage
):
    environment = {VARIABLE: postgres} if storage == "environment" else {}
    for name, value in {"DVC_ROOT": str(tmp_path), **environment}.items():
        monkeypatch.setenv(name, value)
    # no trial is stopped, so that a victim lives long enough
    long = {"train.epochs": 300, "tune.epochs": 300, "tune.pruner": "none", "tune.gain_seeds": 0}
    repository = Repository(tmp_path, {**STUDY, **long, "tune.storage": storage}, [KIND])
    repository.repro("preprocess")
    stage = Started(repository, "dvc", "repro", f"tune@{KIND}", **environment)
    stage.wait_for("new study")
    opened = open_storage(storage)
    (name,) = stage.wait_until(lambda: optuna.get_all_study_names(storage=opened))
    study = optuna.load_study(study_name=name, storage=opened)
    victim = Started(repository, "ae", "tune", "--join", KIND, **environment)

    def begun() -> Any:
        running = study.get_trials(deepcopy=False, states=[optuna.trial.TrialState.RUNNING])
        return [
            t
            for t in running
            if len(t.params) == DRAWN and t.user_attrs.get(WORKER, [0, 0])[1] == victim.process.pid
        ]

    (killed,) = victim.wait_until(begun)
    victim.kill()
    late = Started(repository, "ae", "tune", "--join", KIND, **environment)
    told = [stage.ended(), late.ended()]
    everything = study.get_trials(deepcopy=False)
    counted = attempts(study)
    assert len(counted) == len(trials(repository)) == TRIALS
    assert {t.state.name for t in counted} == {"COMPLETE"}
    assert everything[killed.number].state.name == "FAIL"
    assert REASON not in everything[killed.number].user_attrs
    (again,) = [t for t in counted if killed.number in t.system_attrs.get("retry_history", [])]
    assert again.params == everything[killed.number].params
    assert len({t.user_attrs[WORKER][1] for t in counted}) > 1
    assert_constraints_are_right(study, counted)
    assert "Traceback" not in "".join(told)
    if isinstance(opened, RDBStorage):
        opened.remove_session()
        opened.engine.dispose()
        files = [
            p
            for p in tmp_path.rglob("*")
            if p.is_file() and not p.is_relative_to(tmp_path / "tests")
        ]
        assert not [path for path in files if PASSWORD.encode() in path.read_bytes()]
    runs = repository.client().search_runs(["1"], "tags.stage = 'trial'", max_results=1000)
    assert sum(run.info.status == "FINISHED" for run in runs) == TRIALS
    assert {run.info.status for run in runs} <= {"FINISHED", "KILLED", "FAILED"}


def assert_constraints_are_right(study: optuna.Study, counted: list[Any]) -> None:
    """Each trial misses of the asked share what the study's forecast says of its own result."""
    forecast = Forecast(**study.user_attrs[FORECAST])
    asked = load_params(ROOT / "params.yaml").tune.explained_variance
    for trial in counted:
        kept = trial.user_attrs[RESULT]["explained_variance"]
        assert trial.constraints == {VARIANCE: pytest.approx(asked - forecast.kept(kept))}


def test_a_study_killed_while_it_trains_in_full_goes_on_with_the_same_bytes(
    uninterrupted, tmp_path
):
    repository = Repository(tmp_path, STUDY, [KIND])
    stage = Started(repository, "dvc", "repro", f"tune@{KIND}")
    stage.wait_for("values in full: code size")  # the next one has begun, or a trial
    stage.kill_all()
    told = repository.repro(f"tune@{KIND}")
    assert "goes on after" not in told
    assert repository.hashes() == uninterrupted.hashes()


def test_the_training_takes_over_what_its_study_has_trained_with_the_same_bytes(tmp_path):
    repository = Repository(tmp_path, STUDY, [KIND])
    repository.repro(f"tune@{KIND}")
    assert "with nothing left to train" in repository.repro(f"train@{KIND}")
    taken_over = repository.hashes()
    model = tmp_path / "model" / KIND
    content = {path.name: path.read_bytes() for path in model.iterdir()}
    shutil.rmtree(tmp_path / ".checkpoints")
    told = repository.repro("--force", "--single-item", f"train@{KIND}")
    assert "with nothing left to train" not in told
    assert {path.name: path.read_bytes() for path in model.iterdir()} == content
    assert repository.hashes() == taken_over


@pytest.mark.parametrize("victim", ["dvc alone", "all processes"])
def test_a_killed_study_goes_on_where_it_was_with_the_same_bytes(
    uninterrupted, tmp_path, monkeypatch, victim
):
    repository = Repository(tmp_path, STUDY, [KIND])
    stage = Started(repository, "dvc", "repro", f"tune@{KIND}")
    stage.wait_for(f"trial 2 (3/{TRIALS})")
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    (study,) = optuna.study.get_all_study_summaries(storage=open_storage("journal"))
    journal = optuna.load_study(study_name=study.study_name, storage=open_storage("journal"))
    stage.wait_until(lambda: [t for t in journal.trials[3:] if len(t.params) == DRAWN])
    if victim == "dvc alone":
        stage.kill()
    else:
        stage.kill_all()
    told = repository.repro(f"tune@{KIND}")
    (line,) = [line for line in told.splitlines() if "goes on after" in line]
    assert int(line.split(" of ")[0].split()[-1]) >= 3
    assert f"trial 2 (3/{TRIALS})" not in told
    assert repository.hashes() == uninterrupted.hashes()


def test_more_trials_continue_the_study_and_a_changed_space_starts_another(uninterrupted):
    before = trials(uninterrupted)
    uninterrupted.set({"tune.n_trials": TRIALS + 1})
    assert f"goes on after {TRIALS} of {TRIALS + 1}" in uninterrupted.repro(f"tune@{KIND}")
    assert trials(uninterrupted)[:TRIALS] == before
    uninterrupted.set({"tune.n_trials": 1, "train.batch_size": 32})
    told = uninterrupted.repro(f"tune@{KIND}")
    assert "new study" in told
    assert "the parameters changed" in told
    assert len(trials(uninterrupted)) == 1


def test_two_workers_of_one_stage_give_exactly_n_trials_and_say_that_they_may_not_repeat(tmp_path):
    # a trial takes several times as long as the second worker's start
    long = {"tune.workers": 2, "tune.epochs": 600, "train.epochs": 600, "tune.pruner": "none"}
    repository = Repository(tmp_path, {**STUDY, **long}, [KIND])
    told = repository.repro(f"tune@{KIND}")
    assert "may differ from run to run" in told
    assert {row["state"] for row in trials(repository)} <= {"complete", "stopped"}
    assert len(trials(repository)) == TRIALS
    runs = repository.client().search_runs(["1"], "tags.stage = 'trial'", max_results=1000)
    assert len({run.data.tags["pid"] for run in runs}) == 2


def test_the_rate_distortion_curve_is_drawn_once_and_its_points_are_kept(tmp_path):
    curve = {
        "rate_distortion.code_sizes": [2, 8],
        "rate_distortion.seeds": [1, 2],
        "train.epochs": 60,
    }
    repository = Repository(tmp_path, {**QUICK, **curve}, [KIND])
    repository.repro("preprocess")
    told = repository.run("ae", "rate-distortion").stdout
    assert f"{KIND}" in told
    assert "knee at" in told
    path = tmp_path / "reports/rate_distortion.csv"
    written = path.read_bytes()
    small, large = csv.DictReader(written.decode().splitlines())
    for row in (small, large):
        assert float(row[f"{KIND}_low"]) < float(row[KIND]) < float(row[f"{KIND}_high"])
    assert float(large[KIND]) < float(small[KIND])
    assert float(large["pca"]) < float(small["pca"])
    points = {
        p: p.stat().st_mtime_ns for p in (tmp_path / ".checkpoints/rate_distortion").iterdir()
    }
    assert len(points) == 4
    path.unlink()
    repository.run("ae", "rate-distortion")
    assert path.read_bytes() == written
    assert {
        p: p.stat().st_mtime_ns for p in (tmp_path / ".checkpoints/rate_distortion").iterdir()
    } == points
    client = repository.client()
    (parent,) = client.search_runs(["1"], "tags.stage = 'pipeline'")
    assert {a.path for a in client.list_artifacts(parent.info.run_id, "rate_distortion")} == {
        "rate_distortion/rate_distortion.csv",
        "rate_distortion/rate_distortion.png",
    }


def test_the_dashboard_shows_the_studies_on_this_machine_alone(uninterrupted):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    dashboard = Started(uninterrupted, "ae", "dashboard", "--port", str(port))
    try:
        dashboard.wait_until(lambda: answers(port))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/api/studies", timeout=30) as answer:
            names = [summary["study_name"] for summary in json.load(answer)["study_summaries"]]
        assert any(name.startswith(f"digits-{KIND}-") for name in names)
        listening = [
            c.laddr.ip
            for c in psutil.Process(dashboard.process.pid).net_connections()
            if c.status == "LISTEN"
        ]
        assert listening == ["127.0.0.1"]
    finally:
        dashboard.process.terminate()
        dashboard.process.wait(PATIENCE)


def answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
