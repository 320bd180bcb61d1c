"""Commands that run beside a test, with their output in a file."""

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from repository import PATIENCE, Repository

T = TypeVar("T")
LOOK_SECONDS = 0.02  # between two looks at what is waited for: short beside an epoch


class Started:
    """A command in a copy of the repository, in a session of its own."""

    def __init__(self, repository: Repository, *command: str, **environment: str) -> None:
        self.log = Path(repository.folder, f"{'-'.join(command[:2])}-{time.monotonic_ns()}.log")
        with self.log.open("w") as file:
            self.process = subprocess.Popen(
                command,
                cwd=repository.folder,
                env={**repository.environment, **environment},
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def output(self) -> str:
        """The output of the command so far."""
        return self.log.read_text()

    def wait_for(self, text: str) -> None:
        """Waits until the command has printed a text; fails where it ends without."""
        self.wait_until(lambda: text in self.output())

    def wait_until(self, condition: Callable[[], T]) -> T:
        """Waits for a condition and returns its value; fails where the command ends without."""
        until = time.monotonic() + PATIENCE
        while True:
            has_ended = self.process.poll() is not None
            value = condition()
            if value:
                return value
            assert not has_ended, self.output()
            assert time.monotonic() < until, self.output()
            time.sleep(LOOK_SECONDS)

    def kill(self) -> None:
        """Kills the command alone: its children go on."""
        self.process.kill()
        self.process.wait()

    def kill_all(self) -> None:
        """Kills the command and its children."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def ended(self) -> str:
        """The whole output of a command that ends well."""
        assert self.process.wait(PATIENCE) == 0, self.output()
        return self.output()
