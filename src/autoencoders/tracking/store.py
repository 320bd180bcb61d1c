"""The MLflow store: the way to it, and what stages and `ae` ask of it."""

import logging
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow import MlflowException
from mlflow.entities import Experiment
from mlflow.entities.model_registry import ModelVersion
from mlflow.utils.credentials import get_default_host_creds
from mlflow.utils.rest_utils import http_request

from autoencoders.core.errors import UserError
from autoencoders.core.imports import importing
from autoencoders.tracking import address, local_store, server
from autoencoders.tracking.failures import StoreError, explained, is_outage

TIMEOUT = "MLFLOW_HTTP_REQUEST_TIMEOUT"
RETRIES = "MLFLOW_HTTP_REQUEST_MAX_RETRIES"
FIRST_CONTACT = 15  # seconds for a server's first answer
ANSWER = 15  # seconds for each later one, in a command that needs the server


def open_store(*, seconds: int = ANSWER, writing: bool = True) -> mlflow.MlflowClient:
    """Returns a client of the store, which is created or repaired where it has to be.

    seconds: for each answer of a server. writing: a local store that can't be written is read from
    a copy where this is False. Raises UserError where the store is no MLflow store, is too old, or
    does not answer.
    """
    with reporting():
        uri = _ready_address(seconds, writing=writing)
        mlflow.set_tracking_uri(uri)
        with importing():  # a client's first use of a store loads the modules for it
            client = mlflow.MlflowClient(uri)
        if address.uri() != address.local():
            client.search_experiments(max_results=1)
    return client


@contextmanager
def reporting() -> Iterator[None]:
    """Turns what the store, or the way to it, refuses into a UserError without a password."""
    try:
        yield
    except StoreError as error:
        raise UserError(explained(error)) from error


def _ready_address(seconds: int, *, writing: bool) -> str:
    """The store's address, without credentials, after it has answered. Raises UserError."""
    if not address.is_url(address.uri()):
        where = address.hidden(address.uri())
        raise UserError(
            f"{address.VARIABLE} = {where}: no URL; "
            "in user and password write / as %2F and @ as %40"
        )
    uri = address.without_credentials(address.uri())
    if address.is_server(uri):
        _greet(uri)
    _configure_mlflow(seconds)
    if uri == address.local():
        return local_store.ready_uri(writing=writing)
    return uri


def users_limit() -> int | None:
    """Returns the user's own limit for an answer in seconds, which wins over ours.

    Raises UserError.
    """
    value = os.environ.get(TIMEOUT, "")
    if not value:
        return None
    if not value.isdigit() or int(value) == 0:
        raise UserError(f"{TIMEOUT} = {value}: must be a whole number of seconds above 0")
    return int(value)


def _configure_mlflow(seconds: int) -> None:
    """Limits MLflow's waiting and silences it; no setting that the user made is changed."""
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")  # one bar a small file
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    os.environ.setdefault(TIMEOUT, str(seconds))
    os.environ.setdefault(RETRIES, "0")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    logging.getLogger("mlflow").setLevel(logging.WARNING)
    # it logs a traceback for an error that we report as a message
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    # the user can't mend the use of deprecated functions
    warnings.filterwarnings("ignore", module="mlflow")


def _greet(uri: str) -> None:
    """Asks a server for its version. Raises UserError where it is too old or refuses the user."""
    answer = http_request(
        get_default_host_creds(uri),
        "/version",
        "GET",
        max_retries=0,
        timeout=users_limit() or FIRST_CONTACT,
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
            f"MLflow's server at {uri} is version {answer.text.strip()}, "
            f"this client is {mlflow.__version__}; "
            f"the server must be {server.OLDEST}.0 or newer, as older ones have no logged models"
        )


def experiment(client: mlflow.MlflowClient, name: str) -> str:
    """Returns the id of an experiment, made where it is missing, restored where it was deleted."""
    result = client.get_experiment_by_name(name)
    if result is None:
        result = _new_experiment(client, name)
    if result.lifecycle_stage == "deleted":  # in the UI; its name stays taken
        client.restore_experiment(result.experiment_id)
        print(
            f"MLflow's experiment {result.name} was deleted and is restored, with its runs",
            flush=True,
        )
    return str(result.experiment_id)


def _new_experiment(client: mlflow.MlflowClient, name: str) -> Experiment:
    """A new experiment, or the one that another process has made a moment earlier."""
    location = None
    if address.uri() == address.local():
        location = (address.folder() / "artifacts" / name).as_uri()
    # so the UI shows its pages for training, not those for GenAI
    tags = {"mlflow.experimentKind": "custom_model_development"}
    try:
        created = client.create_experiment(name, artifact_location=location, tags=tags)
    except MlflowException:
        existing = client.get_experiment_by_name(name)
        if existing is None:
            raise
        return existing
    return client.get_experiment(created)


def version_of(client: mlflow.MlflowClient, uri: str) -> ModelVersion:
    """Returns the registered version behind models:/NAME@ALIAS or models:/NAME/VERSION.

    Raises UserError.
    """
    path, _, version = uri.removeprefix("models:/").partition("/")
    name, _, alias = path.partition("@")
    try:
        if alias:
            return client.get_model_version_by_alias(name, alias)
        return client.get_model_version(name, version)
    except MlflowException as error:
        if is_outage(error):
            raise
        raise UserError(
            f"{uri}: {error.message.rstrip('.')}; `ae registry history` lists the decisions, and "
            "`ae registry promote VERSION` makes a version the champion"
        ) from error
