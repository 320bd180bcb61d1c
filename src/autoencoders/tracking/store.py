"""The MLflow store: where it is, its safe creation, and its repair after the repository was moved."""

import logging
import os
import shutil
import sqlite3
import warnings
from contextlib import closing
from pathlib import Path
from typing import Any

import mlflow
from filelock import FileLock
from mlflow import MlflowException

from autoencoders.errors import UserError
from autoencoders.files import beside, read_json, write_json
from autoencoders.stage import repository

LOCATIONS = (  # tables and columns of MLflow's database that hold absolute locations
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("model_versions", "source"),
)


def folder() -> Path:
    """`mlruns/` of the user's repository."""
    return repository() / "mlruns"


def local() -> str:
    """The URI of the store in the user's repository, a SQLite file."""
    return f"sqlite:///{folder() / 'mlflow.db'}"


def uri() -> str:
    """The store's URI: the user's own server, if MLFLOW_TRACKING_URI names one, else the local store."""
    return os.environ.get("MLFLOW_TRACKING_URI") or local()


def open_store() -> mlflow.MlflowClient:
    """A client of the store, which is created, or repaired after a move, where it has to be."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one bar a small file
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    warnings.filterwarnings("ignore", module="mlflow")  # its deprecations are not the user's to mend
    if uri() == local():
        _ready(folder())
    try:
        mlflow.set_tracking_uri(uri())
        client = mlflow.MlflowClient(uri())
        if uri() != local():
            client.search_experiments(max_results=1)
    except MlflowException as error:
        raise UserError(f"MLFLOW_TRACKING_URI = {uri()}: {str(error).splitlines()[0]}") from error
    return client


def name(data: str) -> str:
    """What the data set's experiment and its registered model are called."""
    return f"autoencoder-{data}"


def experiment(client: mlflow.MlflowClient, data: str) -> str:
    """The id of the data set's experiment, made where it is missing."""
    location = (folder() / "artifacts" / name(data)).as_uri() if uri() == local() else None
    tags = {"mlflow.experimentKind": "custom_model_development"}  # the UI's pages for training, not for GenAI
    if (found := client.get_experiment_by_name(name(data))) is None:
        try:
            return str(client.create_experiment(name(data), artifact_location=location, tags=tags))
        except MlflowException:  # another process was faster
            if (found := client.get_experiment_by_name(name(data))) is None:
                raise
    if found.lifecycle_stage == "deleted":  # in the UI; its name stays taken
        client.restore_experiment(found.experiment_id)
        print(f"MLflow's experiment {found.name} was deleted and is restored, with its runs", flush=True)
    return str(found.experiment_id)


def version_of(client: mlflow.MlflowClient, uri: str) -> Any:
    """The registered version behind models:/NAME@ALIAS or models:/NAME/VERSION. Raises UserError."""
    name, _, version = uri.removeprefix("models:/").partition("/")
    name, _, alias = name.partition("@")
    try:
        return client.get_model_version_by_alias(name, alias) if alias else client.get_model_version(name, version)
    except MlflowException as error:
        raise UserError(f"{uri}: {error.message}; `ae registry history` tells what there is") from error


def _ready(store: Path) -> None:
    """Creates the database once, whichever process comes first; two that race would break it for good."""
    database, marker = store / "mlflow.db", store / "store.json"
    store.mkdir(parents=True, exist_ok=True)
    with FileLock(store / "store.lock"):
        if not database.exists():
            _create(database)
        elif marker.exists() and (root := read_json(marker)["root"]) != str(store):
            _relocate(database, Path(root), store)
        write_json(marker, {"root": str(store)})  # where the store was when it was last opened


def _create(database: Path) -> None:
    """A fresh database, built beside and renamed, so that a killed process leaves none that is half made."""
    with beside(database) as new:
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
                moved = f"UPDATE {table} SET {column} = ? || substr({column}, ?) WHERE {column} LIKE ?"  # noqa: S608  (constants)
                connection.execute(moved, (after, len(before) + 1, before + "/%"))
