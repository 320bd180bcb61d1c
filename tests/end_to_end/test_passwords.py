"""Users and passwords of an MLflow server.

No password is in any log, message, tag or file, and refusals are clear.
"""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import requests

import mlflow_server
from repository import QUICK, Repository

pytestmark = pytest.mark.slow
ADMIN, ADMIN_PASSWORD = "ann", "s3cret-of-the-admin"
READER, READER_PASSWORD = "rob", "s3cret-of-a-reader"
AUTH = """
[mlflow]
default_permission = READ
database_uri = sqlite:///{folder}/auth.db
admin_username = {user}
admin_password = {password}
authorization_function = mlflow.server.auth:authenticate_request_basic_auth
auth_cache_ttl_seconds = 60
"""
NAME = "autoencoder-digits"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mlflow_server.Server]:
    """A server with basic auth, on which everybody may read."""
    folder = tmp_path_factory.mktemp("auth")
    config = folder / "auth.ini"
    config.write_text(AUTH.format(folder=folder, user=ADMIN, password=ADMIN_PASSWORD))
    environment = {"MLFLOW_AUTH_CONFIG_PATH": str(config), "MLFLOW_FLASK_SERVER_SECRET_KEY": "k"}
    with mlflow_server.server(
        folder, "--app-name", "basic-auth", environment=environment
    ) as started:
        answer = requests.post(
            f"{started.url}/api/2.0/mlflow/users/create",
            json={"username": READER, "password": READER_PASSWORD},
            auth=(ADMIN, ADMIN_PASSWORD),
            timeout=30,
        )
        assert answer.ok, answer.text
        yield started


class Member(Repository):
    """A clone of somebody who has a password."""

    variables: Mapping[str, str] = MappingProxyType({})

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, **self.variables}


def member(folder: Path, **variables: str) -> Member:
    folder.mkdir()
    repository = Member(folder, QUICK, ["undercomplete"])
    repository.variables = variables
    return repository


def by_variables(url: str, user: str, password: str) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": url,
        "MLFLOW_TRACKING_USERNAME": user,
        "MLFLOW_TRACKING_PASSWORD": password,
    }


def in_the_uri(url: str, user: str, password: str) -> dict[str, str]:
    return {"MLFLOW_TRACKING_URI": url.replace("http://", f"http://{user}:{password}@")}


def everything_on(server: mlflow_server.Server) -> str:
    """All tags, parameters and names that the server holds."""

    def ask(path: str, body: dict[str, Any]) -> str:
        address = f"{server.url}/api/2.0/mlflow/{path}"
        return requests.post(address, json=body, auth=(ADMIN, ADMIN_PASSWORD), timeout=30).text

    experiments = json.loads(ask("experiments/search", {"max_results": 100}))["experiments"]
    ids = [experiment["experiment_id"] for experiment in experiments]
    models = requests.get(
        f"{server.url}/api/2.0/mlflow/registered-models/get",
        params={"name": NAME},
        auth=(ADMIN, ADMIN_PASSWORD),
        timeout=30,
    )
    return ask("runs/search", {"experiment_ids": ids, "max_results": 1000}) + models.text


def check_no_password(repository: Repository, server: mlflow_server.Server, told: str) -> None:
    secret = ADMIN_PASSWORD.encode()
    assert ADMIN_PASSWORD not in told
    written = [
        path for path in repository.folder.rglob("*") if path.is_file() and ".git/" not in str(path)
    ]
    assert [
        path for path in written if path.parts[-2] != "end_to_end" and secret in path.read_bytes()
    ] == []
    assert ADMIN_PASSWORD not in everything_on(server)
    artifacts = [path for path in (server.folder / "artifacts").rglob("*") if path.is_file()]
    assert artifacts
    assert [path for path in artifacts if secret in path.read_bytes()] == []


@pytest.mark.parametrize("credentials", [by_variables, in_the_uri])
def test_the_pipeline_and_ae_show_no_password_to_anybody(server, tmp_path, credentials):
    repository = member(tmp_path / "clone", **credentials(server.url, ADMIN, ADMIN_PASSWORD))
    code = (
        "import numpy; from sklearn.datasets import load_digits; "
        "numpy.save('digits.npy', load_digits().data[:6])"
    )
    told = repository.repro()
    repository.run("python", "-c", code)
    for command in (
        ["make", "-o", ".venv/.ready", "repro"],
        ["ae", "score", "digits.npy", "-o", "scores.csv"],
        ["ae", "registry", "history"],
        ["ae", "lineage", f"models:/{NAME}@champion"],
        ["ae", "drift", "digits.npy"],
        ["ae", "doctor"],
    ):
        told += repository.run(*command, check=command[1] != "doctor").stdout
    told += repository.run("ae", "ui", check=False).stdout
    assert "promoted" in told
    check_no_password(repository, server, told)


@pytest.mark.parametrize("credentials", [by_variables, in_the_uri])
def test_a_wrong_password_is_one_message_and_loses_no_training(server, tmp_path, credentials):
    wrong = "s3cret-but-wrong"
    repository = member(tmp_path / "clone", **credentials(server.url, ADMIN, wrong))
    done = repository.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "epoch 3/3" in done.stdout
    (error,) = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert f"refuses user {ADMIN}" in error
    assert "MLFLOW_TRACKING_PASSWORD" in error
    for command in (["ae", "registry", "history"], ["ae", "score", "params.yaml", "-o", "s.csv"]):
        told = repository.run(*command, check=False)
        assert told.returncode == 1
        done.stdout += told.stdout
    assert "Traceback" not in done.stdout
    assert wrong not in done.stdout
    check_files = [path for path in (repository.folder / "mlruns").rglob("*") if path.is_file()]
    assert [path for path in check_files if wrong.encode() in path.read_bytes()] == []
    repository.variables = credentials(server.url, ADMIN, ADMIN_PASSWORD)
    assert "is version" in repository.repro()
    assert not list((repository.folder / "mlruns/pending").glob("*.jsonl"))


def test_a_user_without_the_right_is_told_which_right_is_missing(server, tmp_path):
    owner = member(tmp_path / "owner", **by_variables(server.url, ADMIN, ADMIN_PASSWORD))
    owner.repro()  # experiment and registered model are the admin's
    repository = member(tmp_path / "clone", **by_variables(server.url, READER, READER_PASSWORD))
    repository.set({"seed": 3})
    done = repository.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert READER_PASSWORD not in done.stdout
    (error,) = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert f"{READER} may not do this" in error
    assert "EDIT" in error
    assert "promoted" in repository.run("ae", "registry", "history").stdout  # reading is allowed
    refused = repository.run("ae", "registry", "rollback", check=False)
    assert f"{READER} may not do this" in refused.stdout


class Old(BaseHTTPRequestHandler):
    """An MLflow server of version 2, as far as its version is asked for."""

    def do_GET(self) -> None:
        known = self.path == "/version"
        self.send_response(200 if known else 404)
        self.end_headers()
        self.wfile.write(b"2.22.1" if known else b"")

    def log_message(self, *arguments: Any) -> None:
        """Says nothing."""


def test_an_older_server_is_one_message_with_both_versions(tmp_path):
    import mlflow

    with HTTPServer(("127.0.0.1", 0), Old) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        repository = member(tmp_path / "clone", MLFLOW_TRACKING_URI=url)
        done: subprocess.CompletedProcess[str] = repository.run(
            "ae", "registry", "history", check=False
        )
        server.shutdown()
    assert done.returncode == 1
    (line,) = done.stdout.splitlines()
    assert line.startswith(
        f"error: MLflow's server at {url} is version 2.22.1, this client is {mlflow.__version__}"
    )
