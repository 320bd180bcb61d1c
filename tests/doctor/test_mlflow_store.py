"""MLflow's store: a broken or locked database, another or a deleted store, servers.

No password is ever shown.
"""

import http.server
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import pytest

from autoencoders.core.errors import UserError
from autoencoders.core.files import tree_sha256
from autoencoders.doctor import checks, mlflow_store
from autoencoders.tracking.records import Begin, RunRecord
from mounts import read_only

SECRET = "s3cret"


@pytest.fixture(scope="session")
def mlflow_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database that MLflow made, in SQLite's WAL mode as the project has it."""
    path = tmp_path_factory.mktemp("store") / "mlflow.db"
    made = path.with_name("made.db")
    client = mlflow.MlflowClient(f"sqlite:///{made}")
    for number in range(20):
        client.create_experiment(f"experiment {number}")
    shutil.copy(made, path)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    return path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty repository; the current folder."""
    monkeypatch.chdir(tmp_path)
    names = (
        "MLFLOW_TRACKING_URI",
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
    )
    for name in (*names, "DVC_ROOT", "AUTOENCODERS_ROOT"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "mlruns").mkdir()
    return tmp_path


@pytest.fixture
def database(folder: Path, mlflow_database: Path) -> Path:
    """A whole store in the repository."""
    return Path(shutil.copy(mlflow_database, folder / "mlruns"))


def test_a_whole_database_is_well_and_is_only_read(folder, database):
    before = tree_sha256(folder / "mlruns")
    assert mlflow_store.store().problem == ""
    assert tree_sha256(folder / "mlruns") == before


def test_without_a_store_none_is_made(folder):
    (folder / "mlruns").rmdir()
    assert mlflow_store.store().problem == ""
    assert not list(folder.iterdir())


def flip(content: bytes) -> bytes:
    """The same bytes, with the pages of the second half overwritten."""
    half = len(content) // 2
    return content[:half] + b"\xa5" * (len(content) - half)


FAULTS = {
    "cut": lambda content: content[: len(content) // 2],
    "garbage": lambda content: b"garbage" * 1000,
    "flipped": flip,
    "empty": lambda content: b"",
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_broken_database_is_named_and_moved_aside_with_what_keeps_register_from_running(
    folder, database, fault
):
    broken = FAULTS[fault](database.read_bytes())
    database.write_bytes(broken)
    for name in ("mlflow.db-wal", "registered.json"):
        (folder / "mlruns" / name).write_text("")
    before = tree_sha256(folder / "mlruns")
    result = mlflow_store.store()
    assert "no whole database" in result.problem
    assert tree_sha256(folder / "mlruns") == before
    assert result.fix is not None
    assert "moved aside" in result.fix()
    names = sorted(path.name.partition(".broken-")[0] for path in (folder / "mlruns").iterdir())
    assert names == ["mlflow.db", "mlflow.db-wal", "registered.json"]
    assert all(".broken-" in path.name for path in (folder / "mlruns").iterdir())
    (aside,) = (folder / "mlruns").glob("mlflow.db.broken-*")
    assert aside.read_bytes() == broken
    assert mlflow_store.store().problem == ""


def test_another_database_than_mlflows_is_none(folder):
    with closing(sqlite3.connect("mlruns/mlflow.db")) as connection:
        connection.execute("CREATE TABLE a (b)")
    assert "no table of MLflow's" in mlflow_store.store().problem


def test_what_only_the_write_ahead_log_of_a_killed_process_holds_belongs_to_the_database(
    folder, database
):
    code = """import os, sqlite3
connection = sqlite3.connect("mlruns/mlflow.db")
connection.execute("CREATE TABLE more (a)")
connection.commit()
os.kill(os.getpid(), 9)"""
    subprocess.run([sys.executable, "-c", code], check=False)
    assert Path("mlruns/mlflow.db-wal").stat().st_size > 0
    assert mlflow_store.store().problem == ""
    Path("mlruns/mlflow.db-shm").unlink()  # of a machine that was switched off
    assert mlflow_store.store().problem == ""
    assert not Path("mlruns/mlflow.db-shm").exists()


@pytest.mark.parametrize(
    "statement", ["BEGIN IMMEDIATE", "PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE"]
)
def test_the_process_that_locks_the_database_is_named(folder, database, statement):
    code = f"""import sqlite3, sys
connection = sqlite3.connect("mlruns/mlflow.db", isolation_level=None)
for part in {statement.split("; ")!r}: connection.execute(part)
print("locked", flush=True)
sys.stdin.read()"""
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        result = mlflow_store.store()
        assert f"locked by process {holder.pid} (" in result.problem
        assert f"kill {holder.pid}" in result.mend
        assert result.fix is None
        holder.stdin.close()
    assert mlflow_store.store().problem == ""


def test_a_process_that_has_the_database_open_does_not_lock_it(folder, database):
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("SELECT * FROM experiments").fetchone()
        assert mlflow_store.store().problem == ""


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Takes the right to write from a folder.

    No permission stops root, so it is mounted read-only.
    """
    if os.getuid() == 0:
        with read_only(folder):
            yield
    else:
        folder.chmod(0o500)
        yield
        folder.chmod(0o700)


def test_a_folder_that_cannot_be_written_is_named(folder, database):
    with unwritable(folder / "mlruns"):
        assert "can't be written" in mlflow_store.store().problem
    assert mlflow_store.store().problem == ""


def register(**value) -> Path:
    path = Path("mlruns/registered.json")
    path.write_text(json.dumps(value))
    return path


MODELS = {"sparse": "0" * 64}


def hold(path: Path, models: dict[str, str]) -> None:
    """Registers versions of these models in a local store."""
    client = mlflow.MlflowClient(f"sqlite:///{path}")
    client.create_registered_model("autoencoder-digits")
    for sha256 in models.values():
        client.create_model_version(
            "autoencoder-digits", "file:///nowhere", tags={"model_sha256": sha256}
        )


@pytest.fixture
def filled(folder: Path, mlflow_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole store in the repository, with the models."""
    copied = Path(
        shutil.copy(mlflow_database, tmp_path_factory.mktemp("filled"))
    )  # MLflow keeps it open
    hold(copied, MODELS)
    with closing(sqlite3.connect(copied)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return Path(shutil.copy(copied, folder / "mlruns"))


def test_models_in_the_present_store_are_well(filled):
    register(store="local", models=MODELS)
    assert mlflow_store.registered().problem == ""


def test_an_emptied_store_is_seen(folder, database):
    register(store="local", models=MODELS)
    assert (
        "the store local does not hold the sparse model any more"
        in mlflow_store.registered().problem
    )


def test_a_deleted_store_is_seen_and_register_runs_again(folder):
    path = register(store="local", models={"sparse": "0" * 64})
    result = mlflow_store.registered()
    assert "was deleted, which plain `dvc repro` can't see" in result.problem
    assert result.fix is not None
    result.fix()
    assert not path.exists()
    assert len(list(Path("mlruns").glob("registered.json.broken-*"))) == 1
    assert mlflow_store.registered().problem == ""


def test_another_store_is_seen_and_no_password_is_shown(folder, filled, monkeypatch):
    register(store="local", models=MODELS)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:{SECRET}@host:5000/")
    result = mlflow_store.registered()
    assert "registered in local, and the store is now http://host:5000," in result.problem
    register(store="http://host:5000", models=MODELS)
    monkeypatch.setenv(
        "MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlruns/mlflow.db"
    )  # the local one, by its URI
    assert (
        "registered in http://host:5000, and the store is now local"
        in mlflow_store.registered().problem
    )


@pytest.mark.parametrize("text", ["", '{"store": ', "[]"])
def test_a_broken_registered_json_is_moved_aside(folder, database, text):
    Path("mlruns/registered.json").write_text(text)
    result = mlflow_store.registered()
    assert result.problem
    assert result.fix is not None
    result.fix()
    assert mlflow_store.registered().problem == ""


def test_before_repro_a_file_of_another_store_is_removed_and_a_good_one_stays(
    folder, filled, monkeypatch
):
    path = register(store="local", models=MODELS)
    assert checks.before_repro() == ""
    assert path.exists()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://user:{SECRET}@127.0.0.1:9")  # nobody answers
    line = checks.before_repro()
    assert line.endswith("removed mlruns/registered.json, so that `register` fills the store\n")
    assert SECRET not in line
    assert not path.exists()
    assert checks.before_repro() == ""


def test_before_repro_a_broken_lock_is_refused_in_one_message(folder):
    Path("dvc.lock").write_text("schema: '2.0'\nstages:\n  a:\n")
    with pytest.raises(UserError, match="ae doctor --fix"):
        checks.before_repro()


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that answers as MLflow's does: these pages need no browser."""

    version, credentials = "3.17.2", None

    def do_GET(self) -> None:
        asked = self.headers.get("Authorization")
        page = {"/health": "OK", "/version": self.version}.get(self.path)
        refused = (
            self.credentials is not None and asked != self.credentials and self.path != "/health"
        )
        self.send_response(401 if refused else 200 if page else 404)
        self.end_headers()
        self.wfile.write((page or "").encode())

    def log_message(self, *arguments: object) -> None:
        pass


@contextmanager
def serving(**values: object) -> Iterator[str]:
    """The address of a server that answers in a thread of this process."""
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), type("Handler", (Answers,), values)
    ) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def asked(monkeypatch: pytest.MonkeyPatch, uri: str) -> tuple[str, str]:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    result = mlflow_store.server()
    assert SECRET not in result.line()
    return result.problem, result.note


def test_a_server_that_answers_is_well_and_its_version_is_told(folder, monkeypatch):
    with serving() as address:
        assert asked(monkeypatch, f"http://{address}/") == ("", f"http://{address}: MLflow 3.17.2")


def test_an_older_server_is_named_with_both_versions(folder, monkeypatch):
    with serving(version="2.22.0") as address:
        problem, _ = asked(monkeypatch, f"http://{address}")
        assert "is MLflow 2.22.0, and MLflow 3." in problem


def test_user_and_password_come_from_the_uri_or_from_mlflows_variables(folder, monkeypatch):
    basic = "Basic dXNlcjpzM2NyZXQ="  # user:s3cret
    with serving(credentials=basic) as address:
        assert asked(monkeypatch, f"http://user:{SECRET}@{address}")[0] == ""
        assert (
            "refuses the user or the password"
            in asked(monkeypatch, f"http://user:{SECRET}x@{address}")[0]
        )
        assert "status 401" in asked(monkeypatch, f"http://{address}")[0]
        monkeypatch.setenv("MLFLOW_TRACKING_USERNAME", "user")
        monkeypatch.setenv("MLFLOW_TRACKING_PASSWORD", SECRET)
        assert asked(monkeypatch, f"http://{address}")[0] == ""


def test_a_server_of_something_else_is_told(folder, monkeypatch):
    with serving(version="<html>hello</html>") as address:
        assert "not with a version of MLflow" in asked(monkeypatch, f"http://{address}")[0]
        assert "status 404" in asked(monkeypatch, f"http://{address}/elsewhere")[0]


def test_a_dead_server_and_one_that_never_answers_are_told_in_time(folder, monkeypatch):
    assert (
        "can't be reached (ConnectionError)"
        in asked(monkeypatch, f"http://user:{SECRET}@127.0.0.1:9")[0]
    )
    silent = """import socket, sys
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
sys.stdin.read()"""
    with subprocess.Popen(
        [sys.executable, "-c", silent], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        port, started = process.stdout.readline().strip(), time.monotonic()
        assert "does not answer within 5 s" in asked(monkeypatch, f"http://127.0.0.1:{port}")[0]
        assert time.monotonic() - started < 2 * mlflow_store.SECONDS
        process.stdin.close()


def test_an_address_that_is_none_shows_no_password(folder, monkeypatch):
    for uri in (
        f"http://user:{SECRET}@[host",
        f"http://user:{SECRET}@host:port",
        f"http://user:{SECRET}/@",
    ):
        assert asked(monkeypatch, uri)[0]


def test_a_server_that_does_not_answer_is_not_called_an_emptied_one(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    path = register(store="http://127.0.0.1:9", models=MODELS)
    assert checks.before_repro() == ""
    assert path.exists()


def test_runs_that_wait_for_their_store_are_told_and_are_nothing_wrong(folder, monkeypatch):
    assert mlflow_store.pending().line() == "pending         ok"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    record = RunRecord(Begin("autoencoder-digits", "a", {}, key="a", store="http://127.0.0.1:9"))
    assert mlflow_store.pending().line() == "pending         ok"  # its process still writes
    record.end("FINISHED")
    assert mlflow_store.pending().note.startswith("1 runs wait; the next stage or `ae` command")
    assert mlflow_store.pending().problem == ""
