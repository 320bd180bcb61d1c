"""A model over HTTP, as `ae serve` starts it."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STARTUP = 120  # seconds
Ask = Callable[[Any], tuple[int, Any]]


def environment() -> dict[str, str]:
    """This process's variables but for DVC's and MLflow's; models are loaded without pickle."""
    outer = {
        name: value for name, value in os.environ.items() if not name.startswith(("DVC", "MLFLOW"))
    }
    return {**outer, "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false", "OMP_NUM_THREADS": "1"}


@contextmanager
def serving(uri: str, folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """The address and the process of `ae serve` in a repository's folder, while it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "autoencoders", "serve", "--model", uri, "--port", str(port)]
    log = folder / "serve.log"
    with log.open("w") as file:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(),
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        _wait_for(f"http://127.0.0.1:{port}/ping", process, log)
        yield f"http://127.0.0.1:{port}/invocations", process
    finally:
        if process.poll() is None:
            os.killpg(process.pid, 15)
        process.wait(30)


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Waits until an address answers; fails where the process ends without."""
    until = time.monotonic() + STARTUP
    while time.monotonic() < until:
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except OSError:
            assert process.poll() is None, log.read_text()
            time.sleep(0.3)
        else:
            return
    raise AssertionError(log.read_text())


def post(address: str, content: Any, content_type: str = "application/json") -> tuple[int, Any]:
    """Posts a body, or what becomes JSON, and gives the status and the answer."""
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    request = urllib.request.Request(address, body, {"Content-Type": content_type})
    try:
        with urllib.request.urlopen(request, timeout=60) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()
