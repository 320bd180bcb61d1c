"""Failures of the MLflow store: which of them may pass, and one message for each."""

import os
import shutil
import sqlite3

import mlflow
import requests
from mlflow import MlflowException
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
from sqlalchemy.exc import SQLAlchemyError

from autoencoders.tracking import address

StoreError = (MlflowException, requests.RequestException, SQLAlchemyError, sqlite3.Error)
REFUSALS = (
    ErrorCode.Name(BAD_REQUEST),
    ErrorCode.Name(INVALID_PARAMETER_VALUE),
    ErrorCode.Name(INVALID_STATE),
    ErrorCode.Name(RESOURCE_ALREADY_EXISTS),
    ErrorCode.Name(RESOURCE_DOES_NOT_EXIST),
)
SILENCE = (
    "failed with exception",
    "Max retries exceeded",
    "timed out",
    "Connection refused",
    "OperationalError",
)
CAUSES = (  # part of an error's text, and why nothing answered
    ("refused", "connection refused"),
    ("timed out", "no answer in time"),
    ("Name or service not known", "unknown host"),
    ("name resolution", "unknown host"),
)
LEAST_ROOM = 2**20  # bytes: on a disk with less, SQLite speaks of an I/O error


def is_outage(error: BaseException) -> bool:
    """Whether the same call may succeed later: all but what the store has looked at and refused."""
    return getattr(error, "error_code", None) not in REFUSALS


def is_silent(error: BaseException) -> bool:
    """Whether nothing answered at all, so that no other call can succeed now either."""
    if isinstance(
        error, requests.RequestException | TimeoutError | SQLAlchemyError | sqlite3.Error
    ):
        return True
    return is_outage(error) and _mentions(str(error), *SILENCE)


def explained(error: BaseException) -> str:
    """Returns one message for an error of the store: which store, what is wrong, what to do."""
    reason = _first_line(error, 500)
    if isinstance(error, ImportError):
        return (
            f"this store needs a package that is not installed: {reason}; "
            f"`pip install {error.name}`"
        )
    if address.uri() == address.local():
        return _explained_local(reason)
    return _explained_remote(error, reason)


def _explained_remote(error: BaseException, reason: str) -> str:
    """The message for an error of the user's own server or database."""
    where = address.hidden(address.uri())
    code = getattr(error, "error_code", "")
    if is_silent(error):
        return (
            f"MLflow at {where} does not answer ({_cause(error)}); "
            f"start it, or check {address.VARIABLE}"
        )
    if code == ErrorCode.Name(PERMISSION_DENIED) or _mentions(
        reason, "error code 403", "Permission denied"
    ):
        user = os.environ.get(address.USER) or "this user"
        return (
            f"MLflow at {where}: {user} may not do this ({reason}); "
            "ask for the permission EDIT or MANAGE there"
        )
    if code == ErrorCode.Name(UNAUTHENTICATED) or "error code 401" in reason:
        return (
            f"MLflow at {where}: user or password are refused; "
            f"check {address.USER} and {address.PASSWORD}"
        )
    if code == ErrorCode.Name(ENDPOINT_NOT_FOUND):
        return (
            f"MLflow at {where} lacks what this client ({mlflow.__version__}) asks for; "
            "use the same version there"
        )
    return f"{address.VARIABLE} = {where}: {reason}"


def _explained_local(reason: str) -> str:
    """The message for an error of the repository's own store."""
    database = address.database()
    if _mentions(reason, "locked", "no answer in time"):
        return (
            f"{database}: locked by another process for too long; "
            "end it (`ae doctor` names it) and run again"
        )
    if _mentions(reason, "readonly", "read-only", "unable to open"):
        return f"{database}: can't be written; check the rights of {database.parent}"
    free = shutil.disk_usage(database.parent).free
    is_io_error = "disk I/O error" in reason
    if _mentions(reason, "full", "No space left") or (is_io_error and free < LEAST_ROOM):
        return (
            f"{database}: the disk is full ({free // 2**10} KiB are free); "
            "make room and run the same command again"
        )
    if is_io_error:
        return f"{database}: {reason}; look at the disk (`dmesg`), and run the same command again"
    if _mentions(reason, "malformed", "not a database", "no such table", "Can't locate revision"):
        return (
            f"{database}: broken ({reason}); `ae doctor --fix` moves it aside, "
            "and `dvc repro` makes its runs again"
        )
    return f"{database}: {reason}"


def _cause(error: BaseException) -> str:
    """A short word for why nothing answered."""
    text = address.redacted(str(error))
    for part, cause in CAUSES:
        if part in text:
            return cause
    return _first_line(error, 200)


def _first_line(error: BaseException, length: int) -> str:
    """The beginning of an error's text without passwords; of an error without text, its type."""
    lines = address.redacted(str(error)).strip().splitlines()
    if not lines:
        return type(error).__name__
    return lines[0][:length]


def _mentions(text: str, *parts: str) -> bool:
    return any(part in text for part in parts)
