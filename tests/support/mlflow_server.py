"""A real MLflow server on a free port of this machine.

PostgreSQL is behind it, and its artifacts are in a folder.
"""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import postgres

STARTUP = 120  # seconds


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


class Server:
    """A server that can be stopped, killed, frozen and started again at the same address."""

    def __init__(
        self, folder: Path, database: str, port: int, *options: str, **environment: str
    ) -> None:
        self.folder, self.port, self.options, self.environment = folder, port, options, environment
        self.database = database
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "server.log"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        command = [
            sys.executable,
            "-m",
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
        ]
        command += [
            "--workers",
            "1",
            "--serve-artifacts",
            "--artifacts-destination",
            str(self.folder / "artifacts"),
        ]
        outer = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("MLFLOW", "DVC"))
        }
        own = {
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_BACKEND_STORE_URI": self.database,
        }
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [*command, *self.options],
                cwd=self.folder,
                env={**outer, **own, **self.environment, "PATH": path},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._wait()

    def _wait(self) -> None:
        until = time.monotonic() + STARTUP
        while time.monotonic() < until:
            try:
                urllib.request.urlopen(f"{self.url}/health", timeout=5).close()
                return
            except urllib.error.HTTPError:
                return  # it answers, and wants a password
            except OSError:
                assert self.process is not None
                assert self.process.poll() is None, self.log.read_text()
                time.sleep(0.2)
        raise AssertionError(self.log.read_text())

    def signal(self, number: int) -> None:
        """Sends a signal to the server and its workers.

        SIGSTOP makes it accept connections and never answer.
        """
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """Ends it at once: connections are refused from then on."""
        if self.process is not None and self.process.poll() is None:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGKILL)
            self.process.wait()


@contextmanager
def server(
    folder: Path, *options: str, environment: Mapping[str, str] | None = None
) -> Iterator[Server]:
    """A server that is running, with a database of its own."""
    with postgres.server() as url:
        database = url.replace("postgresql://", "postgresql+psycopg://")
        started = Server(folder, database, free_port(), *options, **(environment or {}))
        try:
            started.start()
            yield started
        finally:
            started.kill()
