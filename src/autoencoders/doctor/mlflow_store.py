"""MLflow's store: the local database or a server, what registered.json says of it, and runs that wait for a server.

Nothing here imports mlflow, which takes seconds.
"""

import json
import os
import re
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Iterable
from contextlib import closing
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from autoencoders.core.errors import UserError
from autoencoders.core.files import move_aside
from autoencoders.core.paths import REGISTERED, repository
from autoencoders.doctor.finding import Finding, moved
from autoencoders.doctor.processes import name_of, writer_of
from autoencoders.tracking.address import database, destination, folder, is_server, local, uri
from autoencoders.tracking.records import is_open, waiting
from autoencoders.tracking.server import OLDEST, REFUSED, ask, is_too_old

SECONDS = 5  # for a server's answer
LOOKS = 5  # at a lock, one every SECONDS_BETWEEN: a run that writes holds it for milliseconds
SECONDS_BETWEEN = 0.2
HEADER = b"SQLite format 3\0"
MAIN_LOCK = (0x40000000, 512)  # SQLite's locks: of the database, its first byte and their number
WAL_WRITER = (120, 1)  # of the -shm file
TOO_SLOW = f"does not answer within {SECONDS} s"


def store() -> Finding:
    """Checks the local store: a whole database in a folder that can be written, which nobody locks."""
    name, path = "store", database()
    if _named():
        return Finding(name, note=f"MLFLOW_TRACKING_URI = {destination()}")
    if path.parent.is_dir() and not os.access(path.parent, os.W_OK):
        return Finding(
            name,
            f"{path.parent} can't be written",
            f"chmod u+w {path.parent}, or mount it writable",
        )
    if not path.exists():
        return Finding(name, note="none yet; the first run makes it")
    if not os.access(path, os.W_OK):
        return Finding(name, f"{path} can't be written", f"chmod u+w {path}")
    holder = _holder(path)
    if holder is not None:
        return Finding(
            name, f"{path} is locked by {name_of(holder)}", f"wait for it, or end it: kill {holder}"
        )
    problem = _broken(path)
    if problem is None:
        return Finding(name)
    files = [str(file) for file in _parts(path) if file.exists()]
    mend = f"for f in {' '.join(files)}; do mv $f $f.broken; done; dvc repro"
    return Finding(name, f"{path} is no whole database: {problem}", mend, fix=_move_store)


def _parts(path: Path) -> list[Path]:
    """The database's files, and the one for whose lack DVC runs `register`, which fills a new store."""
    return [
        path,
        *(path.with_name(path.name + end) for end in ("-wal", "-shm")),
        repository() / REGISTERED,
    ]


def _move_store() -> str:
    files = [move_aside(path) for path in _parts(database()) if path.exists()]
    return f"{moved(files)}; `dvc repro` makes runs and versions again"


def _holder(path: Path) -> int | None:
    """The process that keeps others from writing to a SQLite database for a second and longer."""
    shared, holder = path.with_name(f"{path.name}-shm"), None
    for look in range(LOOKS):
        time.sleep(SECONDS_BETWEEN if look else 0)
        holder = writer_of(path, *MAIN_LOCK)
        if holder is None and shared.exists():
            holder = writer_of(shared, *WAL_WRITER)
        if holder is None:
            return None
    return holder


def _broken(path: Path) -> str | None:
    """Why a SQLite database is not whole; None where it is. No file is created beside it."""
    with path.open("rb") as file:
        if file.read(len(HEADER)) != HEADER:
            return "it does not begin as one" if path.stat().st_size else "it is empty"
    wal, shared = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if shared.exists():  # in use, or left by a killed process
        return _quick_check(path, "mode=ro")
    if not wal.exists():
        return _quick_check(path, "mode=ro&immutable=1")  # else SQLite would make both files
    with tempfile.TemporaryDirectory() as scratch:
        for part in (path, wal):
            shutil.copy(part, scratch)
        return _quick_check(Path(scratch, path.name), "mode=ro")


def _quick_check(path: Path, mode: str) -> str | None:
    try:
        with closing(
            sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=1)
        ) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            tables = connection.execute(
                "SELECT name FROM sqlite_master WHERE name = 'experiments'"
            ).fetchall()
    except sqlite3.Error as error:
        return str(error)
    if answer != "ok":
        return str(answer).splitlines()[-1]
    return None if tables else "it has no table of MLflow's"


def registered() -> Finding:
    """Checks that registered.json tells what the present store holds; DVC can't see that the store is another one."""
    path, problem = repository() / REGISTERED, registered_problem()
    if problem is None:
        return Finding(
            REGISTERED.name, note="" if path.exists() else "none yet; `register` makes it"
        )
    told = f"{problem}, which plain `dvc repro` can't see"
    mend = f"mv {path} {path}.broken && dvc repro"
    return Finding(
        REGISTERED.name,
        told,
        mend,
        fix=lambda: f"{moved([move_aside(path)])}; `dvc repro` registers anew",
    )


def registered_problem() -> str | None:
    """Why `register` has to run again; None where it has not, or never ran."""
    path = repository() / REGISTERED
    if not path.exists():
        return None
    try:
        value = json.loads(path.read_bytes())
    except ValueError:
        return f"{path} is no JSON"
    if not isinstance(value, dict):
        return f"{path} holds no models"
    made_for = str(value.get("store", destination()))
    if made_for != destination():
        return f"the models are registered in {made_for}, and the store is now {destination()}"
    return missing_from_store(value)


def missing_from_store(registered: dict[str, Any]) -> str | None:
    """What registered.json names and the present store lacks; None where nothing is missing, or it does not answer."""
    models = registered.get("models")
    if not isinstance(models, dict) or not models:
        return f"{REGISTERED} holds no models"
    if not _named() and not database().exists():
        return f"the store {database()} was deleted"
    held = _held_on_server(models.values()) if _named() else _held_locally(models.values())
    for model_type, sha256 in models.items():
        if held is not None and sha256 not in held:
            return f"the store {destination()} does not hold the {model_type} model any more"
    return None


def _held_locally(hashes: Iterable[str]) -> set[str] | None:
    """Those models of which the local store has a version; None where it can't be asked, which is its own finding."""
    query = "SELECT count(*) FROM model_version_tags WHERE key = 'model_sha256' AND value = ?"
    try:
        with closing(
            sqlite3.connect(f"{database().as_uri()}?mode=ro", uri=True, timeout=1)
        ) as connection:
            return {
                sha256 for sha256 in hashes if connection.execute(query, (sha256,)).fetchone()[0]
            }
    except sqlite3.Error:
        return None


def _held_on_server(hashes: Iterable[str]) -> set[str] | None:
    """Those models of which the server has a version; None where it does not answer, which is its own finding."""
    from autoencoders.tracking import store

    if is_server(_named()) and _asked(_named())[0]:
        return None
    try:
        with store.reporting():
            client = store.open_store(seconds=SECONDS)
            return {
                sha256
                for sha256 in hashes
                if client.search_model_versions(f"tags.model_sha256 = '{sha256}'")
            }
    except UserError:
        return None


def _named() -> str:
    """The store that MLFLOW_TRACKING_URI names, where it is not the local one."""
    return "" if uri() == local() else uri()


def server() -> Finding:
    """Checks that the server of MLFLOW_TRACKING_URI answers, and that its version is new enough."""
    if not is_server(_named()):
        return Finding("server", note="MLFLOW_TRACKING_URI names none")
    problem, version = _asked(_named())
    if problem:
        mend = "start it, or correct MLFLOW_TRACKING_URI; trainings go on without it"
        return Finding("server", f"{destination()} {problem}", mend)
    if is_too_old(version):
        text = f"{destination()} is MLflow {version}, and MLflow {installed('mlflow')} is installed here"
        return Finding("server", text, f"a server of MLflow {OLDEST} or newer")
    return Finding("server", note=f"{destination()}: MLflow {version}")


def _asked(uri: str) -> tuple[str, str]:
    """What is wrong with a server, if anything, and its version."""
    import requests

    until, text = time.monotonic() + SECONDS, ""
    for page in ("health", "version"):
        seconds = until - time.monotonic()
        if seconds <= 0:
            return TOO_SLOW, ""
        try:
            answer = ask(uri, page, seconds)
        except requests.Timeout:
            return TOO_SLOW, ""
        except requests.RequestException as error:
            return f"can't be reached ({type(error).__name__})", ""
        if answer.status_code in REFUSED:
            return f"refuses the user or the password (status {answer.status_code})", ""
        if not answer.ok:
            return f"answers /{page} with status {answer.status_code}, as no MLflow server does", ""
        text = answer.text.strip()
    if not re.fullmatch(r"\d+\.\d+[\w.+-]*", text):
        return "answers, but not with a version of MLflow", ""
    return "", text


def pending() -> Finding:
    """Tells how many runs wait for their store: nothing is wrong with them, the next command completes them."""
    notes = []
    closed = [path for path in waiting() if not is_open(path)]
    if closed:
        notes.append(
            f"{len(closed)} runs wait; the next stage or `ae` command that reaches their store completes them"
        )
    refused = list((folder() / "pending" / "refused").glob("*.jsonl"))
    if refused:
        notes.append(
            f"{len(refused)} records that the store refused are in {folder() / 'pending/refused'}"
        )
    return Finding("pending", note="; ".join(notes))
