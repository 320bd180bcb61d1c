"""MLflow's store: the local database or a server, what registered.json says of it, waiting runs.

Nothing here imports mlflow, which takes seconds.
"""

import json
import os
import re
import sqlite3
import time
from collections.abc import Iterable
from contextlib import closing
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from autoencoders.core.errors import UserError
from autoencoders.core.files import move_aside
from autoencoders.core.paths import REGISTERED, repository
from autoencoders.doctor import sqlite
from autoencoders.doctor.finding import Finding, moved
from autoencoders.doctor.processes import name_of
from autoencoders.tracking.address import database, destination, folder, is_server, local, uri
from autoencoders.tracking.records import is_open, waiting
from autoencoders.tracking.server import OLDEST, REFUSED, ask, is_too_old

SECONDS = 5  # for a server's answer: one that takes longer would slow every stage as well
TOO_SLOW = f"does not answer within {SECONDS} s"
VERSION = re.compile(r"\d+\.\d+[\w.+-]*")
MLFLOW_TABLE = "experiments"  # in every database of MLflow's


def store() -> Finding:
    """Checks the local store: a whole database in a writable folder, which nobody locks."""
    name = "store"
    path = database()
    if _named():
        return Finding(name, note=f"MLFLOW_TRACKING_URI = {destination()}")
    if path.parent.is_dir() and not os.access(path.parent, os.W_OK):
        mend = f"chmod u+w {path.parent}, or mount it writable"
        return Finding(name, f"{path.parent} can't be written", mend)
    if not path.exists():
        return Finding(name, note="none yet; the first run makes it")
    if not os.access(path, os.W_OK):
        return Finding(name, f"{path} can't be written", f"chmod u+w {path}")
    holder = sqlite.holder(path)
    if holder is not None:
        problem = f"{path} is locked by {name_of(holder)}"
        return Finding(name, problem, f"wait for it, or end it: kill {holder}")
    reason = sqlite.problem(path, MLFLOW_TABLE)
    if reason is None:
        return Finding(name)
    files = " ".join(map(str, _parts(path)))
    mend = f"for f in {files}; do mv $f $f.broken; done; dvc repro"
    return Finding(name, f"{path} is no whole database: {reason}", mend, fix=_move_store)


def _parts(path: Path) -> list[Path]:
    """The existing files of the database, and registered.json.

    Without the latter DVC runs `register`, which fills a new store.
    """
    log = sqlite.with_ending(path, "-wal")
    shared = sqlite.with_ending(path, "-shm")
    files = [path, log, shared, repository() / REGISTERED]
    return [file for file in files if file.exists()]


def _move_store() -> str:
    files = list(map(move_aside, _parts(database())))
    return f"{moved(files)}; `dvc repro` makes runs and versions again"


def registered() -> Finding:
    """Checks that the present store holds what registered.json names.

    DVC can't see that the store is another one.
    """
    name = REGISTERED.name
    path = repository() / REGISTERED
    problem = registered_problem()
    if problem is None:
        return Finding(name, note="" if path.exists() else "none yet; `register` makes it")

    def fix() -> str:
        return f"{moved([move_aside(path)])}; `dvc repro` registers anew"

    problem = f"{problem}, which plain `dvc repro` can't see"
    return Finding(name, problem, f"mv {path} {path}.broken && dvc repro", fix=fix)


def registered_problem() -> str | None:
    """The reason why `register` has to run again; None where it has not, or never ran."""
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
    """A model that registered.json names and the present store lacks.

    None where no model is missing, or where the store does not answer.
    """
    models = registered.get("models")
    if not isinstance(models, dict) or not models:
        return f"{REGISTERED} holds no models"
    if not _named() and not database().exists():
        return f"the store {database()} was deleted"
    in_store = _in_server if _named() else _in_database
    present = in_store(models.values())
    if present is None:
        return None
    for model_type, sha256 in models.items():
        if sha256 not in present:
            return f"the store {destination()} does not hold the {model_type} model any more"
    return None


def _in_database(hashes: Iterable[str]) -> set[str] | None:
    """Those models of which the local store has a version; None where it can't be queried.

    `store` has a finding on that.
    """
    query = "SELECT count(*) FROM model_version_tags WHERE key = 'model_sha256' AND value = ?"
    present: set[str] = set()
    try:
        with closing(sqlite.connect(database(), "mode=ro")) as connection:
            for sha256 in hashes:
                (count,) = connection.execute(query, (sha256,)).fetchone()
                if count:
                    present.add(sha256)
    except sqlite3.Error:
        return None
    return present


def _in_server(hashes: Iterable[str]) -> set[str] | None:
    """Those models of which the server has a version; None where it does not answer.

    `server` has a finding on that.
    """
    from autoencoders.tracking import store

    if is_server(_named()) and _asked(_named())[0]:
        return None
    present: set[str] = set()
    try:
        with store.reporting():
            client = store.open_store(seconds=SECONDS)
            for sha256 in hashes:
                if client.search_model_versions(f"tags.model_sha256 = '{sha256}'"):
                    present.add(sha256)
    except UserError:
        return None
    return present


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
        present = f"MLflow {installed('mlflow')} is installed here"
        problem = f"{destination()} is MLflow {version}, and {present}"
        return Finding("server", problem, f"a server of MLflow {OLDEST} or newer")
    return Finding("server", note=f"{destination()}: MLflow {version}")


def _asked(uri: str) -> tuple[str, str]:
    """A server's problem, or nothing, and its version."""
    import requests

    until = time.monotonic() + SECONDS
    text = ""
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
    if not VERSION.fullmatch(text):
        return "answers, but not with a version of MLflow", ""
    return "", text


def pending() -> Finding:
    """Counts the runs that wait for their store: the next command completes them."""
    notes = []
    closed = [path for path in waiting() if not is_open(path)]
    if closed:
        notes.append(
            f"{len(closed)} runs wait; the next stage or `ae` command that reaches their store "
            "completes them"
        )
    refused_folder = folder() / "pending" / "refused"
    refused = list(refused_folder.glob("*.jsonl"))
    if refused:
        notes.append(f"{len(refused)} records that the store refused are in {refused_folder}")
    return Finding("pending", note="; ".join(notes))
