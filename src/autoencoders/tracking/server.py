"""An MLflow server's first answers, asked without mlflow: whether it is there, and its version."""

import os

import requests

from autoencoders.tracking import address

OLDEST = 3  # major version of MLflow from which on a server has logged models
REFUSED = (401, 403)


def ask(uri: str, page: str, seconds: float) -> requests.Response:
    """Returns a server's answer to a GET, as MLflow's own client would ask.

    Raises requests.RequestException.
    """
    root = address.without_credentials(uri).rstrip("/")
    return requests.get(
        f"{root}/{page}",
        timeout=seconds,
        auth=_user(),
        headers=_token(),
        verify=_certificates(),
    )


def is_too_old(version: str) -> bool:
    """Whether a server of this version lacks what a pipeline needs; not where it is no version."""
    major = version.strip().partition(".")[0]
    return major.isdigit() and int(major) < OLDEST


def _user() -> tuple[str, str] | None:
    """User and password from MLflow's variables, if they name a user."""
    user = os.environ.get(address.USER)
    if not user:
        return None
    return user, os.environ.get(address.PASSWORD, "")


def _token() -> dict[str, str]:
    """The header with the token from MLflow's variable, if it is set."""
    token = os.environ.get(address.TOKEN)
    if not token:
        return {}
    return {"Authorization": f"Bearer {token}"}


def _certificates() -> bool | str:
    """Whether a server's certificate is verified, or the file to verify it by."""
    insecure = os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower()
    if insecure in ("true", "1"):
        return False
    return os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
