"""Processes: the one that writes, the `dvc` above a stage, and locks for one process at a time."""

import os
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from autoencoders.core.errors import Interrupted

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")  # set by torchrun, Lightning and SLURM
PROGRAM_WORDS = 3  # of a command: the interpreter, perhaps an option of it, and the script


def is_first() -> bool:
    """Whether this process writes the files: it is alone, or the first of several devices'."""
    return not any(int(os.environ.get(name, 0)) for name in RANKS)


class ParentDvc:
    """The dvc that this process descends from, if any: killing `dvc` leaves its stage running."""

    def __init__(self) -> None:
        parents = psutil.Process().parents()
        self.dvc = next((parent for parent in parents if _is_dvc(parent)), None)

    @property
    def gone(self) -> bool:
        """Whether there was one, and it ended."""
        return self.dvc is not None and not self.dvc.is_running()

    def stop_if_gone(self) -> None:
        """Raises Interrupted where the dvc has ended."""
        if self.gone:
            raise Interrupted("the dvc that started this stage is gone")


def one_process(path: Path, work: str) -> AbstractContextManager[object]:
    """Takes a lock that one process holds at a time, and waits for an earlier process to end.

    The context that is returned frees it. path: the lock file; work: what the earlier process may
    still be doing, for the message.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        print(
            f"waiting: an earlier process still {work}; it stops soon if its dvc is gone",
            flush=True,
        )
        return lock.acquire()


def _is_dvc(process: psutil.Process) -> bool:
    command: list[str] = []
    with suppress(psutil.Error):
        command = process.cmdline()
    return any(Path(word).name == "dvc" for word in command[:PROGRAM_WORDS])
