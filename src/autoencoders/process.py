"""The `dvc` that started this process, and one process at a time."""

import os
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from autoencoders.errors import Interrupted


class Starter:
    """The dvc that this process descends from, if any: kill -9 of `dvc` leaves its stage running."""

    def __init__(self) -> None:
        parents = psutil.Process(os.getpid()).parents()
        self.dvc = next((p for p in parents if "dvc" in (Path(part).name for part in _command(p)[:3])), None)

    @property
    def gone(self) -> bool:
        """Whether there was one, and it ended."""
        return self.dvc is not None and not self.dvc.is_running()

    def stop_if_gone(self) -> None:
        """Raises Interrupted."""
        if self.gone:
            raise Interrupted("the dvc that started this stage is gone")


class OneProcess:
    """A lock that one process at a time holds: the next `dvc repro` waits until what a killed one left has stopped."""

    def __init__(self, path: Path, work: str) -> None:
        """path: of the lock file; work: what an earlier process may still do, for the message."""
        self.lock, self.work = FileLock(path), work

    def __enter__(self) -> None:
        Path(self.lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        try:
            self.lock.acquire(timeout=0)
        except Timeout:
            print(f"waiting: an earlier process still {self.work}; it stops soon if its dvc is gone", flush=True)
            self.lock.acquire()

    def __exit__(self, *error: object) -> None:
        self.lock.release()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
