"""The writer beside a stage: real processes; a store that answers, refuses, hangs or is locked."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from autoencoders.tracking.recorder import Recorder
from autoencoders.tracking.records import waiting
from autoencoders.tracking.runs import Runs

PARAMS = {"kind": "sparse"}
CURVE = "val/reconstruction_loss"
STAGE = """
import sys
from test_writer import description_of_nothing, PARAMS, CURVE
from autoencoders.tracking.recorder import Recorder

with Recorder(description_of_nothing()) as recorder:
    with recorder.training(PARAMS, "f", resumed=False) as run:
        run.epoch(1, {CURVE: 1.0})
        print("recorded", flush=True)
        sys.stdin.readline()
"""


def description_of_nothing():
    from workshop import a_description

    return a_description()


def curve(runs, fingerprint, *statuses):
    run_id = runs.find(fingerprint, *statuses)
    return [(point.step, point.value) for point in runs.client.get_metric_history(run_id, CURVE)]


def train(description, epochs=2):
    with Recorder(description) as recorder, recorder.training(PARAMS, "f", resumed=False) as run:
        for epoch in range(1, epochs + 1):
            run.epoch(epoch, {CURVE: float(epoch)})


def test_a_stage_that_ends_has_its_run_in_the_store(tracked_root, description):
    train(description)
    assert waiting() == []
    assert curve(Runs(description), "f", "FINISHED") == [(1, 1.0), (2, 2.0)]


@contextmanager
def listening(answers: bool) -> Iterator[str]:
    """An address that nobody listens on, or that accepts connections and never answers."""
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        if answers:
            server.listen(50)
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


@pytest.mark.parametrize("answers", [False, True], ids=["refuses", "hangs"])
def test_a_server_that_does_not_answer_is_named_in_one_line_and_nothing_is_lost(
    store_root, description, monkeypatch, capfd, answers
):
    with listening(answers) as url:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", url)
        train(description)
        (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"MLflow at {url} does not answer")
    assert "nothing is lost" in line
    (path,) = waiting()
    assert path.read_bytes().count(b'{"metrics"') == 2
    assert b"FINISHED" in path.read_bytes()


def test_a_locked_database_stops_no_training_and_gets_its_run_later(
    tracked_root, description, capfd
):
    with closing(sqlite3.connect(tracked_root / "mlruns/mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        train(description)
        assert "mlflow.db: locked by another process" in capfd.readouterr().err
        assert len(waiting()) == 1
    assert curve(Runs(description), "f", "FINISHED") == [(1, 1.0), (2, 2.0)]
    assert waiting() == []


@pytest.fixture
def stage(tracked_root) -> Iterator[subprocess.Popen[str]]:
    """A stage that has recorded one epoch and waits for a line."""
    path = os.pathsep.join([str(Path(__file__).parent), *sys.path])
    process = subprocess.Popen(
        [sys.executable, "-c", STAGE],
        env={**os.environ, "PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "recorded\n"
    yield process
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_a_stage_that_is_killed_has_its_last_epochs_in_the_store_all_the_same(stage, description):
    os.killpg(stage.pid, signal.SIGKILL)
    stage.stdout.read()  # until its writer has ended as well
    assert waiting() == []
    assert curve(Runs(description), "f", "KILLED") == [(1, 1.0)]


def test_a_killed_writer_takes_nothing_with_it(tracked_root, description):
    with Recorder(description) as recorder:
        with recorder.training(PARAMS, "f", resumed=False) as run:
            run.epoch(1, {CURVE: 1.0})
            assert recorder.writer is not None
            recorder.writer.kill()
            recorder.writer.wait()
            run.epoch(2, {CURVE: 2.0})
        with recorder.training(PARAMS, "g", resumed=False) as run:
            run.epoch(1, {CURVE: 1.0})
    runs = Runs(description)
    assert curve(runs, "f", "FINISHED") == [(1, 1.0), (2, 2.0)]
    assert curve(runs, "g", "FINISHED") == [(1, 1.0)]


def test_several_stages_at_once_make_one_parent(tracked_root, description):
    stages = [threading.Thread(target=train, args=(description,)) for _ in range(3)]
    for each in stages:
        each.start()
    for each in stages:
        each.join()
    runs = Runs(description)
    trainings = runs.stored.search(runs.experiment, "tags.stage = 'train'")
    assert len(trainings) == 3
    assert {run.data.tags["mlflow.parentRunId"] for run in trainings} == {runs.parent()}
