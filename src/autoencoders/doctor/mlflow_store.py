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
from contextlib import closing
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from autoencoders.doctor.finding import Finding, moved
from autoencoders.doctor.processes import name_of, writer_of
from autoencoders.files import move_aside
from autoencoders.stage import REGISTERED, repository

LOCAL = "local"
OLDEST = 3  # MLflow's major version, of a server
SECONDS = 5  # for a server's answer
LOOKS = 5  # at a lock, one every SECONDS_BETWEEN: a run that writes holds it for milliseconds
SECONDS_BETWEEN = 0.2
HEADER = b"SQLite format 3\0"
MAIN_LOCK = (0x40000000, 512)  # SQLite's locks: of the database, its first byte and their number
WAL_WRITER = (120, 1)  # of the -shm file
TOO_SLOW = f"does not answer within {SECONDS} s"


def address() -> str:
    """MLFLOW_TRACKING_URI, where it names another store than the local one."""
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    return "" if uri == f"sqlite:///{database()}" else uri


def database() -> Path:
    """The local store's database."""
    return repository() / "mlruns" / "mlflow.db"


def is_server(uri: str) -> bool:
    """Whether a URI is a server's."""
    return uri.startswith(("http://", "https://"))


def without_password(uri: str) -> str:
    """A URI without the user and password in it."""
    return re.sub("(?<=://).*@", "", uri).rstrip("/")


def present_store() -> str:
    """What registered.json calls the present store: `local`, or the URI without a password."""
    return without_password(address()) or LOCAL


def store() -> Finding:
    """Checks the local store: a whole database in a folder that can be written, which nobody locks."""
    name, path = "store", database()
    if address():
        return Finding(name, note=f"MLFLOW_TRACKING_URI = {present_store()}")
    if path.parent.is_dir() and not os.access(path.parent, os.W_OK):
        return Finding(name, f"{path.parent} can't be written", f"chmod u+w {path.parent}, or mount it writable")
    if not path.exists():
        return Finding(name, note="none yet; the first run makes it")
    if not os.access(path, os.W_OK):
        return Finding(name, f"{path} can't be written", f"chmod u+w {path}")
    holder = _holder(path)
    if holder is not None:
        return Finding(name, f"{path} is locked by {name_of(holder)}", f"wait for it, or end it: kill {holder}")
    problem = _broken(path)
    if problem is None:
        return Finding(name)
    files = [str(file) for file in _parts(path) if file.exists()]
    mend = f"for f in {' '.join(files)}; do mv $f $f.broken; done; dvc repro"
    return Finding(name, f"{path} is no whole database: {problem}", mend, fix=_move_store)


def _parts(path: Path) -> list[Path]:
    """The database's files, and the one for whose lack DVC runs `register`, which fills a new store."""
    return [path, *(path.with_name(path.name + end) for end in ("-wal", "-shm")), repository() / REGISTERED]


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
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?{mode}", uri=True, timeout=1)) as connection:
            (answer,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'experiments'").fetchall()
    except sqlite3.Error as error:
        return str(error)
    if answer != "ok":
        return str(answer).splitlines()[-1]
    return None if tables else "it has no table of MLflow's"


def registered() -> Finding:
    """Checks that registered.json tells what the present store holds; DVC can't see that the store is another one."""
    path, problem = repository() / REGISTERED, registered_problem()
    if problem is None:
        return Finding(REGISTERED.name, note="" if path.exists() else "none yet; `register` makes it")
    told = f"{problem}, which plain `dvc repro` can't see"
    mend = f"mv {path} {path}.broken && dvc repro"
    return Finding(REGISTERED.name, told, mend, fix=lambda: f"{moved([move_aside(path)])}; `dvc repro` registers anew")


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
    made_for = without_password(str(value.get("store", present_store())))
    if made_for != present_store():
        return f"the models are registered in {made_for}, and the store is now {present_store()}"
    return missing_from_store(value)


def missing_from_store(registered: dict[str, Any]) -> str | None:  # noqa: ARG001
    """What registered.json names and the present store does not hold; None where nothing is missing."""
    if not address() and not database().exists():
        return f"the store {database()} was deleted"
    return None


def server() -> Finding:
    """Checks that the server of MLFLOW_TRACKING_URI answers, and that its version is new enough."""
    uri = address()
    if not is_server(uri):
        return Finding("server", note="MLFLOW_TRACKING_URI names none")
    problem, version = _asked(uri)
    if problem:
        mend = "start it, or correct MLFLOW_TRACKING_URI; trainings go on without it"
        return Finding("server", f"{without_password(uri)} {problem}", mend)
    if int(version.split(".")[0]) < OLDEST:
        told = f"{without_password(uri)} is MLflow {version}, and MLflow {installed('mlflow')} is installed here"
        return Finding("server", told, f"a server of MLflow {OLDEST} or newer")
    return Finding("server", note=f"{without_password(uri)}: MLflow {version}")


def _asked(uri: str) -> tuple[str, str]:
    """What is wrong with a server, if anything, and its version."""
    import requests

    until, text = time.monotonic() + SECONDS, ""
    for page in ("health", "version"):
        seconds = until - time.monotonic()
        if seconds <= 0:
            return TOO_SLOW, ""
        try:
            answer = requests.get(
                f"{without_password(uri)}/{page}", auth=_user(uri), headers=_token(), timeout=seconds, verify=_verify()
            )
        except requests.Timeout:
            return TOO_SLOW, ""
        except requests.RequestException as error:
            return f"can't be reached ({type(error).__name__})", ""
        if answer.status_code in (401, 403):
            return f"refuses the user or the password (status {answer.status_code})", ""
        if not answer.ok:
            return f"answers /{page} with status {answer.status_code}, as no MLflow server does", ""
        text = answer.text.strip()
    if not re.fullmatch(r"\d+\.\d+[\w.+-]*", text):
        return "answers, but not with a version of MLflow", ""
    return "", text


def _user(uri: str) -> tuple[str, str] | None:
    """User and password: of the URI, else of MLflow's variables."""
    own = re.match("https?://(.*)@", uri)
    if own:
        user, _, password = own[1].partition(":")
        return unquote(user), unquote(password)
    user, password = (os.environ.get(f"MLFLOW_TRACKING_{name}", "") for name in ("USERNAME", "PASSWORD"))
    return (user, password) if user else None


def _token() -> dict[str, str]:
    """The header with MLflow's token, where there is one."""
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _verify() -> bool | str:
    """How a server's certificate is verified, by MLflow's variables."""
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        return False
    return os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True


def pending() -> Finding:
    """Tells how many runs wait for a server; where it answers, they wait for the next stage or command."""
    runs = len(list((repository() / "mlruns" / "pending").glob("*.jsonl")))
    if not runs:
        return Finding("pending")
    told = f"{runs} runs wait for their server"
    if not is_server(address()) or server().problem:
        return Finding("pending", note=told)
    return Finding(
        "pending", f"{told}, which answers again", "any stage or command that reaches it: ae registry history"
    )
