"""Other processes: which dvc is at work here, and who holds a lock.

Nothing is written or waited for.
"""

import fcntl
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

DVC_LOCK = Path(".dvc/tmp/lock")
# JSON files: which process reads and writes what
REPRO_LOCK = Path(".dvc/tmp/rwlock")
EXPERIMENT_LOCK = Path(".dvc/tmp/exps/rwlock")
RUN_LOCKS = (REPRO_LOCK, EXPERIMENT_LOCK)
ANOTHER_USERS = "a process of another user"
LONGEST_COMMAND = 120  # characters of a command in a message
FLOCK = "hhqqi"  # struct flock: type, whence, start, length, process


def command_of(process: int) -> str | None:
    """A process's command; None where there is no such process."""
    try:
        return " ".join(psutil.Process(process).cmdline())
    except psutil.AccessDenied:
        return ANOTHER_USERS
    except psutil.Error:
        return None


def name_of(process: int) -> str:
    """A process as a message names it."""
    command = command_of(process) or "already gone"
    return f"process {process} ({command[:LONGEST_COMMAND]})"


def dvc_at_work() -> str:
    """The dvc processes that work in this repository, as a message names them, or nothing."""
    running: set[int] = set()
    for path in RUN_LOCKS:
        for entry in entries(path) or ():
            if _holds(entry):
                running.add(entry["pid"])
    if DVC_LOCK.exists() and _is_held(DVC_LOCK):
        words = DVC_LOCK.read_text(encoding="utf-8").split()
        running.update(int(word) for word in words if word.isdecimal())
    return ", ".join(map(name_of, sorted(running)))


def blocking_lock() -> Path | None:
    """A lock file that stops every dvc although none is at work.

    It is broken, or its process has ended and another one has its number.
    """
    for path in RUN_LOCKS:
        holders = entries(path)
        if holders is None or any(map(_is_another_process, holders)):
            return path
    return None


def _is_another_process(entry: dict[str, Any]) -> bool:
    return bool(command_of(entry["pid"])) and not _holds(entry)


def entries(path: Path) -> list[dict[str, Any]] | None:
    """The entries of one of DVC's lock files: `pid`, `cmd` and the `resource`.

    None where the file is broken.
    """
    try:
        tree = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return list(_entries(tree))
    except (ValueError, TypeError, AttributeError, LookupError):
        return None


def _entries(tree: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for mode in ("read", "write"):
        for resource, holders in tree.get(mode, {}).items():
            for entry in holders if isinstance(holders, list) else [holders]:
                yield {"pid": int(entry["pid"]), "cmd": entry["cmd"], "resource": resource}


def _holds(entry: dict[str, Any]) -> bool:
    """Whether the process of an entry lives, and wrote it: by the arguments of its command."""
    command = command_of(entry["pid"])
    if command is None:
        return False
    arguments = " ".join(str(entry["cmd"]).split()[1:])
    return command == ANOTHER_USERS or arguments in command


def _is_held(path: Path) -> bool:
    """Whether a process holds the file by flock, as DVC does."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def writer_of(path: Path, start: int, length: int) -> int | None:
    """The process that holds a writer's lock on bytes of a file, as SQLite does, or None."""
    with path.open("rb") as file:
        request = struct.pack(FLOCK, fcntl.F_RDLCK, 0, start, length, 0)
        answer = fcntl.fcntl(file, fcntl.F_GETLK, request)
    lock_type, _, _, _, process = struct.unpack(FLOCK, answer)
    return None if lock_type == fcntl.F_UNLCK else int(process)
