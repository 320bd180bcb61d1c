"""Runs: found again by fingerprint, closed as what they were, resumed where they ended."""

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autoencoders.errors import DivergedError, Interrupted
from autoencoders.files import write_json
from autoencoders.tracking.runs import Runs, dvc_hash

PARAMS = {"kind": "sparse", "network.code_size": 8, "train.epochs": 3}


@pytest.fixture
def runs(store_root, description):
    return Runs(description)


def status_and_reason(runs, fingerprint):
    run = runs.client.get_run(runs.find(fingerprint))
    return run.info.status, run.data.tags.get("reason")


def test_a_training_that_ends_well_is_finished_under_the_parent_of_its_state(runs):
    with runs.training(PARAMS, "f1", resumed=False) as run:
        run.epoch(1, {"val/reconstruction_loss": 2.0})
    found = runs.client.get_run(runs.find("f1"))
    assert found.info.status == "FINISHED"
    assert found.data.params == {key: str(value) for key, value in PARAMS.items()}
    assert found.data.tags["mlflow.parentRunId"] == runs.parent()
    assert found.data.metrics == {"val/reconstruction_loss": 2.0}


def test_a_failed_training_says_failed_and_why(runs):
    with pytest.raises(DivergedError), runs.training(PARAMS, "f2", resumed=False):
        raise DivergedError("train/penalty became nan")
    assert status_and_reason(runs, "f2") == ("FAILED", "DivergedError: train/penalty became nan")


def test_an_interrupted_training_says_killed_and_a_resumed_one_goes_on_in_the_same_run(runs):
    with pytest.raises(Interrupted), runs.training(PARAMS, "f3", resumed=False):
        raise Interrupted("interrupted by SIGINT")
    assert status_and_reason(runs, "f3") == ("KILLED", "interrupted by SIGINT")
    first = runs.find("f3")
    runs.client.log_metric(first, "val/reconstruction_loss", 3.0, step=1)
    with runs.training(PARAMS, "f3", resumed=True) as run:
        assert run.id == first
        for epoch, value in enumerate([3.0, 2.0], 1):
            run.epoch(epoch, {"val/reconstruction_loss": value})
    curve = runs.client.get_metric_history(first, "val/reconstruction_loss")
    assert [(point.step, point.value) for point in curve] == [(1, 3.0), (2, 2.0)]
    assert runs.client.get_run(first).info.status == "FINISHED"


def test_a_run_whose_process_is_gone_is_marked_killed(runs, description):
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    run = runs._child(PARAMS, "f4")
    runs.client.set_tag(run.id, "pid", str(gone.pid))
    assert Runs(description).find("f4", "KILLED") == run.id


def test_a_new_training_of_the_same_state_is_a_new_run_and_the_one_that_is_found(runs):
    ids = []
    for _ in range(2):
        with runs.training(PARAMS, "f5", resumed=False) as run:
            ids.append(run.id)
    assert ids[0] != ids[1]
    assert runs.find("f5", "FINISHED") == ids[1]


def test_the_parent_is_one_for_each_state_of_the_data(runs, description):
    from dataclasses import replace

    assert runs.parent() == Runs(description).parent()
    assert runs.parent() != Runs(replace(description, content_sha256="c" * 64)).parent()


def test_more_metrics_than_one_call_may_hold_are_all_logged(runs):
    with runs.training(PARAMS, "f6", resumed=False) as run:
        for epoch in range(1, 601):
            run.epoch(epoch, {"val/reconstruction_loss": float(epoch), "val/penalty": 0.0})
    curve = runs.client.get_metric_history(run.id, "val/reconstruction_loss")
    assert [point.step for point in curve] == list(range(1, 601))


def test_dvcs_hash_is_read_from_a_lock_that_is_being_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert dvc_hash(Path("data/prepared")) is None
    lock, md5 = Path("dvc.lock"), f"{'0a' * 16}.dir"
    whole = f"stages:\n  a:\n    outs:\n    - path: data/prepared\n      md5: {md5}\n"
    for length in (
        0,
        len("stages:"),
        len("stages:\n  a"),
        whole.index("repared"),
        whole.index("md5: ") + 9,
        len(whole),
    ):
        lock.write_text(whole[:length])
        writer = threading.Thread(target=lambda: (time.sleep(0.15), lock.write_text(whole)))
        writer.start()
        assert dvc_hash(Path("data/prepared")) == md5
        writer.join()
    assert dvc_hash(Path("data/other")) is None


def test_an_evaluation_is_logged_again_where_the_run_holds_other_numbers(runs, store_root, monkeypatch):
    monkeypatch.chdir(store_root)
    monkeypatch.setattr(Runs, "parent", lambda _: parent)
    parent = runs._new("parent", {}).id
    for name in ("reports/index.html", "metrics/leaderboard.json", "data/prepared/report.json"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text("{}")
    for error in (1.5, 2.5, 2.5):
        write_json(Path("metrics/metrics.json"), {"pca": {"test_squared_error": error}})
        runs.log_evaluation(only_missing=True)
        assert runs.client.get_run(parent).data.metrics == {"pca/test/squared_error": error}
    history = runs.client.get_metric_history(parent, "pca/test/squared_error")
    assert [point.value for point in history] == [1.5, 2.5]
