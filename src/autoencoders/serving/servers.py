"""MLflow's servers on this machine, which a process can become: the UI, and a model over HTTP."""

import os
import sys
from pathlib import Path

from autoencoders.core.errors import UserError
from autoencoders.tracking import address
from autoencoders.tracking.runs import connected

MODEL_VARIABLE = "AUTOENCODERS_MODEL"  # URI of the model that a server answers by


def prepare_ui() -> None:
    """Makes the local store ready to be shown. Raises UserError where the store is a server."""
    uri = address.uri()
    if address.is_server(uri):
        raise UserError(
            f"{address.VARIABLE} = {address.hidden(uri)}: a server, which shows its UI there"
        )
    connected()
    os.environ["MLFLOW_SERVER_ENABLE_JOB_EXECUTION"] = "false"
    # no option: all users of a machine see a process's options, and its password
    os.environ["MLFLOW_BACKEND_STORE_URI"] = uri


def prepare_model_server(uri: str, graph: Path) -> None:
    """Sets the environment of a model's server. graph: of the model in ONNX, if it has one."""
    from autoencoders.serving.onnx import ONNX_VARIABLE  # with torch, which the UI does not need

    store = os.environ.get(address.VARIABLE) or address.local()
    os.environ[MODEL_VARIABLE] = uri
    os.environ[ONNX_VARIABLE] = str(graph)
    os.environ[address.VARIABLE] = address.without_credentials(store)


def become(command: str, host: str, port: int) -> None:
    """Turns this process into a server, such as `mlflow server`."""
    where = ["--host", host, "--port", str(port), "--workers", "1"]
    arguments = [sys.executable, "-m", *command.split(), *where]
    os.execv(sys.executable, arguments)  # noqa: S606
