"""The address of the MLflow store: the repository's own database, or the server or database that the user names.

Nothing here imports mlflow, so that a stage can ask where its runs will go without paying for it.
"""

import os
import re
from pathlib import Path
from urllib.parse import SplitResult, quote, unquote, urlsplit, urlunsplit

from autoencoders.core.paths import repository

VARIABLE = "MLFLOW_TRACKING_URI"
USER, PASSWORD = "MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD"
LOCAL = "local"  # name of the repository's own store, the same in every clone
HIDDEN = "***"
SECRETS = re.compile("(password|passwd|sslpassword|token)=([^&]*)")  # in a database's query
CREDENTIALS = re.compile(
    "(?<=://).*@"
)  # also where they hold a / or a :, so that the rest is no port


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
    """The store's URI: the user's own server or database, if MLFLOW_TRACKING_URI names one, else the local store."""
    return os.environ.get(VARIABLE) or local()


def is_server(address: str) -> bool:
    """Whether an address is a server's, which is spoken to over HTTP."""
    return address.startswith(("http://", "https://"))


def is_url(address: str) -> bool:
    """Whether an address can be taken apart; a password with a slash in it has to be percent-encoded."""
    return _parts(address) is not None


def hidden(address: str) -> str:
    """An address without its password, for messages and files."""
    parts = _parts(address)
    if parts is None:
        return CREDENTIALS.sub(f"{HIDDEN}@", address)
    if parts.username is None and not SECRETS.search(parts.query):
        return address
    credentials = ""
    if parts.username is not None:
        credentials = (
            f"{quote(parts.username)}:{HIDDEN}@" if parts.password is not None else f"{HIDDEN}@"
        )  # a token
    query = SECRETS.sub(rf"\1={HIDDEN}", parts.query)
    return urlunsplit(parts._replace(netloc=_netloc(parts, credentials), query=query))


def destination() -> str:
    """The present store's name in files: LOCAL, or its URI without user and password, which may change."""
    if uri() == local():
        return LOCAL
    parts = _parts(uri())
    if parts is None:
        name = CREDENTIALS.sub("", uri())
    elif parts.username is None and not SECRETS.search(parts.query):
        name = uri()
    else:
        query = SECRETS.sub(rf"\1={HIDDEN}", parts.query)
        name = urlunsplit(parts._replace(netloc=_netloc(parts, ""), query=query))
    return name.rstrip("/")


def without_credentials(address: str) -> str:
    """A server's address without user and password, which move to MLflow's own variables for this process.

    So no address that MLflow prints or that a server keeps can hold them. Other addresses stay as they are.
    """
    parts = _parts(address)
    if not is_server(address) or parts is None or parts.username is None:
        return address
    os.environ[USER] = unquote(parts.username)
    os.environ[PASSWORD] = unquote(parts.password or "")
    return urlunsplit(parts._replace(netloc=_netloc(parts, "")))


def redacted(text: str) -> str:
    """A text without any password that this process knows of."""
    parts = _parts(os.environ.get(VARIABLE, ""))
    secrets = [os.environ.get(PASSWORD), os.environ.get("MLFLOW_TRACKING_TOKEN")]
    if parts is not None:
        token = parts.username if parts.password is None else parts.password
        in_query = [found[2] for found in SECRETS.finditer(parts.query)]
        secrets += [
            form for secret in (token, *in_query) if secret for form in (secret, unquote(secret))
        ]
    for secret in secrets:
        if secret:
            text = text.replace(secret, HIDDEN)
    if parts is None:
        text = CREDENTIALS.sub(f"{HIDDEN}@", text)
    return text


def _parts(address: str) -> SplitResult | None:
    """An address taken apart; None where it is no URL."""
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        return None
    return parts


def _netloc(parts: SplitResult, credentials: str) -> str:
    """Host and port of an address behind other credentials."""
    host = parts.netloc.rpartition("@")[2]
    return credentials + host
