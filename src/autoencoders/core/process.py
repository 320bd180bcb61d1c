"""Processes: which one writes, the `dvc` above a stage, one process at a time."""

import os
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import psutil
from filelock import FileLock, Timeout

from autoencoders.core.errors import Interrupted

RANKS = ("RANK", "LOCAL_RANK", "NODE_RANK", "SLURM_PROCID")  # set by torchrun, Lightning and SLURM


def is_first() -> bool:
    """Whether this process writes what there is once: the only one, or the first of several devices'."""
    return not any(int(os.environ.get(name, 0)) for name in RANKS)


class ParentDvc:
    """The dvc that this process descends from, if any: kill -9 of `dvc` leaves its stage running."""

    def __init__(self) -> None:
        parents = psutil.Process().parents()
        self.dvc = next(
            (p for p in parents if "dvc" in (Path(part).name for part in _command(p)[:3])), None
        )

    @property
    def gone(self) -> bool:
        """Whether there was one, and it ended."""
        return self.dvc is not None and not self.dvc.is_running()

    def stop_if_gone(self) -> None:
        """Raises Interrupted."""
        if self.gone:
            raise Interrupted("the dvc that started this stage is gone")


def one_process(path: Path, work: str) -> AbstractContextManager[object]:
    """Takes a lock that one process at a time holds: what a killed one left has to stop first. As a context, freed.

    path: of the lock file; work: what an earlier process may still do, for the message.
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


def _command(process: psutil.Process) -> list[str]:
    with suppress(psutil.Error):
        return process.cmdline()
    return []
