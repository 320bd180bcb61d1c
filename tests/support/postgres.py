"""A real PostgreSQL server on a free port of this machine, with a password."""

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PASSWORD = "s3cret-w0rd"


@contextmanager
def server() -> Iterator[str]:
    """Returns the server's URL.

    Where PostgreSQL is not installed, the test is skipped, or fails where CI is set.
    """
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb")) or [
        Path(shutil.which("initdb") or "missing")
    ]
    if not installed[-1].exists():
        pytest.fail("PostgreSQL is missing") if os.environ.get("CI") else pytest.skip(
            "PostgreSQL is not installed"
        )
    folder = Path(tempfile.mkdtemp(dir="/tmp"))  # short: a socket's path has 107 characters at most
    (folder / "password").write_text(PASSWORD)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    user = []
    if os.geteuid() == 0:  # the server refuses to run as root
        user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
        for path in (folder, folder / "password"):
            shutil.chown(path, "postgres", "postgres")

    def run(program: str, *arguments: str) -> None:
        command = [
            *user,
            str(installed[-1].with_name(program)),
            "-D",
            str(folder / "data"),
            *arguments,
        ]
        log = folder / "log"
        with log.open("a") as file:
            done = subprocess.run(
                command, cwd=folder, stdout=file, stderr=subprocess.STDOUT, check=False
            )
        assert done.returncode == 0, log.read_text()

    run("initdb", "-U", "studies", "-A", "scram-sha-256", f"--pwfile={folder / 'password'}")
    run(
        "pg_ctl",
        "start",
        "-w",
        "-o",
        f"-p {port} -c listen_addresses=127.0.0.1 -k {folder}",
        "-l",
        str(folder / "server.log"),
    )
    try:
        yield f"postgresql://studies:{PASSWORD}@127.0.0.1:{port}/postgres"
    finally:
        run("pg_ctl", "stop", "-w", "-m", "fast")
        shutil.rmtree(folder)
