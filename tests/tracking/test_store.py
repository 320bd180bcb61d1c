"""The store: created once by several processes, found again after a move."""

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing

import pytest

from autoencoders.core.errors import UserError
from autoencoders.tracking import address, store

WRITER = """
import os, sys, time
from autoencoders.tracking import store
while time.time() < float(sys.argv[1]):
    pass
client = store.open_store()
run = client.create_run(store.experiment(client, "autoencoder-digits"))
for step in range(20):
    client.log_metric(run.info.run_id, "value", float(step), step=step)
client.set_terminated(run.info.run_id)
"""


def test_four_processes_that_come_first_at_once_create_one_whole_store(store_root):
    import time

    start = str(time.time() + 3)
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, start], stderr=subprocess.PIPE)
        for _ in range(4)
    ]
    errors = [writer.communicate()[1].decode() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 4, errors
    client = store.open_store()
    runs = client.search_runs([store.experiment(client, "autoencoder-digits")])
    assert len(runs) == 4
    for run in runs:
        assert len(client.get_metric_history(run.info.run_id, "value")) == 20
    with closing(sqlite3.connect(store_root / "mlruns/mlflow.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_moved_store_finds_its_artifacts_and_writes_to_the_new_place(
    store_root, tmp_path_factory, monkeypatch
):
    client = store.open_store()
    run = client.create_run(store.experiment(client, "autoencoder-digits"))
    client.log_text(run.info.run_id, "before", "note.txt")
    assert list((store_root / "mlruns").rglob("note.txt"))
    moved = tmp_path_factory.mktemp("moved")
    shutil.move(store_root / "mlruns", moved / "mlruns")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    monkeypatch.setenv("DVC_ROOT", str(moved))
    client = store.open_store()
    moved_run = client.get_run(run.info.run_id)
    assert moved_run.info.artifact_uri.startswith((moved / "mlruns").as_uri())
    assert [file.path for file in client.list_artifacts(run.info.run_id)] == ["note.txt"]
    new = client.create_run(store.experiment(client, "autoencoder-digits"))
    client.log_text(new.info.run_id, "after", "note.txt")
    assert not (store_root / "mlruns").exists()
    assert len(list((moved / "mlruns").rglob("note.txt"))) == 2


def test_a_half_made_database_of_a_killed_process_is_replaced(store_root):
    (store_root / "mlruns").mkdir()
    (store_root / "mlruns/mlflow.db.new").write_bytes(b"SQLite format 3\0 and no more")
    client = store.open_store()
    assert (
        client.get_experiment(store.experiment(client, "autoencoder-digits")).name
        == "autoencoder-digits"
    )


def test_the_users_own_tracking_server_wins(store_root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store_root}/own.db")
    assert address.uri() == f"sqlite:///{store_root}/own.db"
    store.open_store()
    assert not (store_root / "mlruns").exists()


def test_an_experiment_that_was_deleted_in_the_ui_is_restored_with_its_runs(store_root, capsys):
    client = store.open_store()
    experiment = store.experiment(client, "autoencoder-digits")
    client.create_run(experiment)
    client.delete_experiment(experiment)
    assert store.experiment(client, "autoencoder-digits") == experiment
    assert "autoencoder-digits was deleted and is restored" in capsys.readouterr().out
    client.create_run(experiment)
    assert len(client.search_runs([experiment])) == 2


def test_an_address_of_a_store_that_is_none_is_named(store_root, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "foo://nowhere")
    with pytest.raises(UserError, match=r"^MLFLOW_TRACKING_URI = foo://nowhere: "):
        store.open_store()
