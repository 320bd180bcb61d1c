"""What an MLflow server says before mlflow is imported: whether it answers, whom it refuses, which version it is."""

import os

import requests

from autoencoders.tracking import address

OLDEST = 3  # major version of MLflow from which on a server has logged models
REFUSED = (401, 403)


def ask(uri: str, page: str, seconds: float) -> requests.Response:
    """Returns a server's answer to a GET, as MLflow's own client would ask. Raises requests.RequestException."""
    return requests.get(
        f"{address.without_credentials(uri).rstrip('/')}/{page}",
        timeout=seconds,
        auth=_user(),
        headers=_token(),
        verify=_certificates(),
    )


def is_too_old(version: str) -> bool:
    """Whether a server of this version lacks what a pipeline needs; of what is no version, nothing is known."""
    major = version.strip().partition(".")[0]
    return major.isdigit() and int(major) < OLDEST


def _user() -> tuple[str, str] | None:
    user = os.environ.get(address.USER)
    return (user, os.environ.get(address.PASSWORD, "")) if user else None


def _token() -> dict[str, str]:
    token = os.environ.get("MLFLOW_TRACKING_TOKEN")
    return {"Authorization": f"Bearer {token}"} if token else {}


def _certificates() -> bool | str:
    """How a server's certificate is verified, by MLflow's variables."""
    if os.environ.get("MLFLOW_TRACKING_INSECURE_TLS", "").lower() in ("true", "1"):
        return False
    return os.environ.get("MLFLOW_TRACKING_SERVER_CERT_PATH") or True
