"""The address of the MLflow store: the repository's own database, or what the user names.

Nothing here imports mlflow, so that a stage can ask where its runs will go without paying for it.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from autoencoders.core.paths import repository

VARIABLE = "MLFLOW_TRACKING_URI"
USER = "MLFLOW_TRACKING_USERNAME"
PASSWORD = "MLFLOW_TRACKING_PASSWORD"  # noqa: S105  (a variable's name)
TOKEN = "MLFLOW_TRACKING_TOKEN"  # noqa: S105  (a variable's name)
LOCAL = "local"  # name of the repository's own store, the same in every clone
HIDDEN = "***"
SECRETS = re.compile("(password|passwd|sslpassword|token)=([^&]*)")  # in a database's query
# also where they hold a / or a :, so that the rest is no port
CREDENTIALS = re.compile("(?<=://).*@")


def folder() -> Path:
    """`mlruns/` of the user's repository."""
    return repository() / "mlruns"


def database() -> Path:
    """The file of the local store."""
    return folder() / "mlflow.db"


def local() -> str:
    """The URI of the store in the user's repository, a SQLite file."""
    return f"sqlite:///{database()}"


def uri() -> str:
    """The store's URI: that in MLFLOW_TRACKING_URI, if it is set, else the local store's."""
    return os.environ.get(VARIABLE) or local()


def is_server(address: str) -> bool:
    """Whether an address is a server's, which is spoken to over HTTP."""
    return address.startswith(("http://", "https://"))


def is_url(address: str) -> bool:
    """Whether an address can be taken apart.

    A password with a slash in it has to be percent-encoded.
    """
    return _parts(address) is not None


def hidden(address: str) -> str:
    """An address without its password, for messages and files."""
    parts = _parts(address)
    if parts is None:
        return CREDENTIALS.sub(f"{HIDDEN}@", address)
    if not _holds_secrets(parts):
        return address
    return _without_secrets(parts, _hidden_credentials(parts))


def destination() -> str:
    """The present store's name in files: LOCAL, or its URI without user and password.

    These may change while the store stays the same.
    """
    address = uri()
    if address == local():
        return LOCAL
    parts = _parts(address)
    if parts is None:
        address = CREDENTIALS.sub("", address)
    elif _holds_secrets(parts):
        address = _without_secrets(parts, "")
    return address.rstrip("/")


def without_credentials(address: str) -> str:
    """A server's address without user and password.

    These move to MLflow's own variables for this process, so that no address that MLflow prints or
    that a server keeps can hold them. Other addresses stay as they are.
    """
    parts = _parts(address)
    if not is_server(address) or parts is None or parts.username is None:
        return address
    os.environ[USER] = unquote(parts.username)
    os.environ[PASSWORD] = unquote(parts.password or "")
    return urlunsplit(parts._replace(netloc=_netloc(parts, "")))


def redacted(text: str) -> str:
    """A text without any password that this process knows of."""
    address = os.environ.get(VARIABLE, "")
    for secret in _secrets(address):
        text = text.replace(secret, HIDDEN)
    if not is_url(address):
        text = CREDENTIALS.sub(f"{HIDDEN}@", text)
    return text


def _secrets(address: str) -> Iterator[str]:
    """Every password and token in MLflow's variables and in an address."""
    for variable in (PASSWORD, TOKEN):
        secret = os.environ.get(variable)
        if secret:
            yield secret
    parts = _parts(address)
    if parts is None:
        return
    encoded = [match[2] for match in SECRETS.finditer(parts.query)]
    if parts.password is not None:
        encoded.insert(0, parts.password)
    elif parts.username is not None:  # without a password it is a token
        encoded.insert(0, parts.username)
    for secret in encoded:
        if secret:
            yield secret
            yield unquote(secret)


def _holds_secrets(parts: SplitResult) -> bool:
    return parts.username is not None or SECRETS.search(parts.query) is not None


def _hidden_credentials(parts: SplitResult) -> str:
    """An address's user with the password hidden, up to the @; nothing where it names no user."""
    if parts.username is None:
        return ""
    if parts.password is None:  # the user is a token
        return f"{HIDDEN}@"
    return f"{quote(parts.username)}:{HIDDEN}@"


def _without_secrets(parts: SplitResult, credentials: str) -> str:
    """An address with other credentials, and no password in its query."""
    query = SECRETS.sub(rf"\1={HIDDEN}", parts.query)
    return urlunsplit(parts._replace(netloc=_netloc(parts, credentials), query=query))


def _parts(address: str) -> SplitResult | None:
    """The parts of an address; None where it is no URL."""
    try:
        parts = urlsplit(address)
        _ = parts.port  # raises where it is no number
    except ValueError:
        return None
    return parts


def _netloc(parts: SplitResult, credentials: str) -> str:
    """Host and port of an address behind other credentials."""
    host = parts.netloc.rpartition("@")[2]
    return credentials + host
