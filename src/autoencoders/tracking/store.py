"""The MLflow store: its safe creation, its repair after the repository was moved, and what it says when it fails."""

import atexit
import logging
import os
import shutil
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import mlflow
import requests
from filelock import FileLock
from mlflow import MlflowException
from mlflow.entities import Experiment
from mlflow.entities.model_registry import ModelVersion
from mlflow.protos.databricks_pb2 import (
    BAD_REQUEST,
    ENDPOINT_NOT_FOUND,
    INVALID_PARAMETER_VALUE,
    INVALID_STATE,
    PERMISSION_DENIED,
    RESOURCE_ALREADY_EXISTS,
    RESOURCE_DOES_NOT_EXIST,
    UNAUTHENTICATED,
    ErrorCode,
)
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request
from sqlalchemy.exc import SQLAlchemyError

from autoencoders.core.errors import UserError
from autoencoders.core.files import atomic_file, read_json, write_json
from autoencoders.tracking import address, server

LOCATIONS = (  # tables and columns of MLflow's database that hold absolute locations
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)
TIMEOUT, RETRIES = "MLFLOW_HTTP_REQUEST_TIMEOUT", "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
LEAST_ROOM = 2**20  # bytes: on a disk with less, SQLite speaks of an I/O error
FIRST_CONTACT = 15  # seconds for a server's first answer
ANSWER = 15  # seconds for each later one, in a command that needs the server
REFUSALS = frozenset(
    map(
        ErrorCode.Name,
        (
            BAD_REQUEST,
            INVALID_PARAMETER_VALUE,
            INVALID_STATE,
            RESOURCE_ALREADY_EXISTS,
            RESOURCE_DOES_NOT_EXIST,
        ),
    )
)
StoreError = (MlflowException, requests.RequestException, SQLAlchemyError, sqlite3.Error)
SILENCE = (
    "failed with exception",
    "Max retries exceeded",
    "timed out",
    "Connection refused",
    "OperationalError",
)


def open_store(*, seconds: int = ANSWER, writing: bool = True) -> mlflow.MlflowClient:
    """Returns a client of the store, which is created, or repaired after a move, where it has to be.

    seconds: for each answer of a server. writing: the local store may be read from a copy where it can't be written.
    Raises UserError where the store is no MLflow store, is too old, or does not answer.
    """
    with reporting():
        uri = _ready_address(seconds, writing=writing)
        mlflow.set_tracking_uri(uri)
        client = mlflow.MlflowClient(uri)
        if address.uri() != address.local():
            client.search_experiments(max_results=1)
    return client


def _ready_address(seconds: int, *, writing: bool) -> str:
    """The store's address, without credentials, after it has answered. Raises UserError."""
    if not address.is_url(address.uri()):
        where = address.hidden(address.uri())
        raise UserError(
            f"{address.VARIABLE} = {where}: no URL; in user and password write / as %2F and @ as %40"
        )
    uri = address.without_credentials(address.uri())
    if address.is_server(uri):
        _greet(uri)
    _quiet(seconds)
    if uri == address.local():
        return _local(writing=writing)
    return uri


def own_limit() -> int | None:
    """The user's own limit for an answer in seconds, which wins over ours. Raises UserError."""
    value = os.environ.get(TIMEOUT, "")
    if value and not (value.isdigit() and int(value) > 0):
        raise UserError(f"{TIMEOUT} = {value}: must be a whole number of seconds above 0")
    return int(value) if value else None


def _quiet(seconds: int) -> None:
    """MLflow's settings: none that the user made is changed."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one bar a small file
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault(TIMEOUT, str(seconds))
    os.environ.setdefault(RETRIES, "0")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    logging.getLogger("mlflow.store.db.utils").setLevel(
        logging.CRITICAL
    )  # a traceback for what is our message
    warnings.filterwarnings(
        "ignore", module="mlflow"
    )  # its deprecations are not the user's to mend


def _greet(uri: str) -> None:
    """Asks a server for its version. Raises UserError where it is too old or refuses the user."""
    answer = http_request(
        get_default_host_creds(uri),
        "/version",
        "GET",
        max_retries=0,
        timeout=own_limit() or FIRST_CONTACT,
        raise_on_status=False,
    )
    if answer.status_code in server.REFUSED:
        user = os.environ.get(address.USER) or "(none)"
        raise UserError(
            f"MLflow's server at {uri} refuses user {user} with status {answer.status_code}; "
            f"check {address.USER} and {address.PASSWORD}"
        )
    if answer.ok and server.is_too_old(answer.text):
        raise UserError(
            f"MLflow's server at {uri} is version {answer.text.strip()}, this client is {mlflow.__version__}; "
            f"the server must be {server.OLDEST}.0 or newer, as older ones have no logged models"
        )


def experiment(client: mlflow.MlflowClient, name: str) -> str:
    """Returns the id of an experiment, made where it is missing, restored where it was deleted."""
    found = client.get_experiment_by_name(name)
    if found is None:
        found = _created(client, name)
    if found.lifecycle_stage == "deleted":  # in the UI; its name stays taken
        client.restore_experiment(found.experiment_id)
        print(
            f"MLflow's experiment {found.name} was deleted and is restored, with its runs",
            flush=True,
        )
    return str(found.experiment_id)


def _created(client: mlflow.MlflowClient, name: str) -> Experiment:
    """A new experiment, or the one that another process has made a moment earlier."""
    location = None
    if address.uri() == address.local():
        location = (address.folder() / "artifacts" / name).as_uri()
    tags = {
        "mlflow.experimentKind": "custom_model_development"
    }  # the UI's pages for training, not for GenAI
    try:
        made = client.create_experiment(name, artifact_location=location, tags=tags)
    except MlflowException:
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return found
    return client.get_experiment(made)


def version_of(client: mlflow.MlflowClient, uri: str) -> ModelVersion:
    """Returns the registered version behind models:/NAME@ALIAS or models:/NAME/VERSION. Raises UserError."""
    name, _, version = uri.removeprefix("models:/").partition("/")
    name, _, alias = name.partition("@")
    try:
        return (
            client.get_model_version_by_alias(name, alias)
            if alias
            else client.get_model_version(name, version)
        )
    except MlflowException as error:
        if error.error_code not in REFUSALS:
            raise
        raise UserError(
            f"{uri}: {error.message}; `ae registry history` tells what there is"
        ) from error


@contextmanager
def reporting() -> Iterator[None]:
    """Turns what the store, or the way to it, refuses into a UserError without a password."""
    try:
        yield
    except StoreError as error:
        raise UserError(explained(error)) from error


def explained(error: BaseException) -> str:
    """Returns one message for an error of the store: which store, what is wrong, what to do."""
    text = address.redacted(str(error)).strip().splitlines()
    reason = text[0][:500] if text else type(error).__name__
    if isinstance(error, ImportError):
        return f"this store needs a package that is not installed: {reason}; `pip install {error.name}`"
    if address.uri() == address.local():
        return _explained_local(reason)
    where = address.hidden(address.uri())
    code = getattr(error, "error_code", "")
    if is_silent(error):
        return f"MLflow at {where} does not answer ({_cause(error)}); start it, or check {address.VARIABLE}"
    if (
        code == ErrorCode.Name(PERMISSION_DENIED)
        or "error code 403" in reason
        or "Permission denied" in reason
    ):
        user = os.environ.get(address.USER) or "this user"
        return f"MLflow at {where}: {user} may not do this ({reason}); ask for the permission EDIT or MANAGE there"
    if code == ErrorCode.Name(UNAUTHENTICATED) or "error code 401" in reason:
        return f"MLflow at {where}: user or password are refused; check {address.USER} and {address.PASSWORD}"
    if code == ErrorCode.Name(ENDPOINT_NOT_FOUND):
        return f"MLflow at {where} lacks what this client ({mlflow.__version__}) asks for; use the same version there"
    return f"{address.VARIABLE} = {where}: {reason}"


def _explained_local(reason: str) -> str:
    """The message for an error of the repository's own store."""
    database = address.database()
    if "locked" in reason or "no answer in time" in reason:
        return f"{database}: locked by another process for too long; end it (`ae doctor` names it) and run again"
    if "readonly" in reason or "read-only" in reason or "unable to open" in reason:
        return f"{database}: can't be written; check the rights of {database.parent}"
    free = shutil.disk_usage(database.parent).free
    if (
        "full" in reason
        or "No space left" in reason
        or ("disk I/O error" in reason and free < LEAST_ROOM)
    ):
        return f"{database}: the disk is full ({free // 2**10} KiB are free); make room and run the same command again"
    if "disk I/O error" in reason:
        return f"{database}: {reason}; look at the disk (`dmesg`), and run the same command again"
    if any(
        word in reason
        for word in ("malformed", "not a database", "no such table", "Can't locate revision")
    ):
        return f"{database}: broken ({reason}); `ae doctor --fix` moves it aside, and `dvc repro` makes its runs again"
    return f"{database}: {reason}"


def _cause(error: BaseException) -> str:
    """A short word for why nothing answered."""
    text = address.redacted(str(error))
    for part, cause in (
        ("refused", "connection refused"),
        ("timed out", "no answer in time"),
        ("Name or service not known", "unknown host"),
        ("name resolution", "unknown host"),
    ):
        if part in text:
            return cause
    return text.splitlines()[0][:200] if text else type(error).__name__


def is_outage(error: BaseException) -> bool:
    """Whether the same call may succeed later: all but what the store has looked at and refused."""
    return getattr(error, "error_code", None) not in REFUSALS


def is_silent(error: BaseException) -> bool:
    """Whether nothing answered at all, so that no other call can succeed now either."""
    if isinstance(
        error, requests.RequestException | TimeoutError | SQLAlchemyError | sqlite3.Error
    ):
        return True
    return is_outage(error) and any(text in str(error) for text in SILENCE)


def _local(*, writing: bool) -> str:
    """The URI of the local store, ready for use; of a copy, where it is only read and can't be written."""
    try:
        _ready(address.folder())
    except (PermissionError, OSError) as error:
        if isinstance(error, sqlite3.Error) or not _unwritable(error):
            raise
        if writing or not address.database().exists():
            raise UserError(
                f"{address.folder()}: can't be written ({error.strerror}); check its rights"
            ) from error
        return f"sqlite:///{_copied()}"
    return address.local()


def _unwritable(error: OSError) -> bool:
    import errno

    return error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)


def _copied() -> Path:
    """A copy of the local database, gone with this process, for a store that can only be read."""
    scratch = Path(scratch_folder())
    for suffix in ("", "-wal"):
        file = address.database().with_name(address.database().name + suffix)
        if file.exists():
            shutil.copyfile(file, scratch / file.name)
    return scratch / address.database().name


def scratch_folder() -> str:
    """Returns a new folder for copies, which is gone with this process."""
    folder = tempfile.mkdtemp(prefix="autoencoders-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _ready(store: Path) -> None:
    """Creates the database once, whichever process comes first; two that race would break it for good."""
    database, marker = store / "mlflow.db", store / "store.json"
    store.mkdir(parents=True, exist_ok=True)
    with FileLock(store / "store.lock"):
        root = read_json(marker)["root"] if marker.exists() else str(store)
        if not database.exists():
            _create(database)
        elif root != str(store):
            _relocate(database, Path(root), store)
        if not marker.exists() or root != str(store):
            write_json(marker, {"root": str(store)})  # where the store was when it was last opened


def _create(database: Path) -> None:
    """A fresh database, built beside and renamed, so that a killed process leaves none that is half made."""
    with atomic_file(database) as new:
        made = new.with_suffix(".made")  # mlflow keeps it open
        mlflow.MlflowClient(f"sqlite:///{made}").search_experiments()
        shutil.copy(made, new)
        with closing(sqlite3.connect(new)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")


def _relocate(database: Path, old: Path, new: Path) -> None:
    """Points a moved store's artifacts, stored as URIs or as paths, to where they are now."""
    with closing(sqlite3.connect(database)) as connection, connection:
        for before, after in ((old.as_uri(), new.as_uri()), (str(old), str(new))):
            for table, column in LOCATIONS:
                moved = (
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} LIKE ?"  # noqa: S608  (constants)
                )
                connection.execute(moved, (after, len(before) + 1, before + "/%"))
