"""Other processes: which dvc is at work here, and who holds a lock. Nothing is written or waited for."""

import fcntl
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil

DVC_LOCK = Path(".dvc/tmp/lock")
RUN_LOCKS = (
    Path(".dvc/tmp/rwlock"),
    Path(".dvc/tmp/exps/rwlock"),
)  # JSON: which process reads and writes what
ANOTHER_USERS = "a process of another user"
LONGEST = 120  # characters of a command in a message
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
    return f"process {process} ({(command_of(process) or 'already gone')[:LONGEST]})"


def dvc_at_work() -> str:
    """The dvc processes that work in this repository, as a message names them; nothing where there are none."""
    running = {entry["pid"] for path in RUN_LOCKS for entry in entries(path) or () if _holds(entry)}
    if DVC_LOCK.exists() and _is_held(DVC_LOCK):
        running |= {
            int(word) for word in DVC_LOCK.read_text(encoding="utf-8").split() if word.isdecimal()
        }
    return ", ".join(name_of(process) for process in sorted(running))


def blocking_lock() -> Path | None:
    """A lock file that stops every dvc although none is at work: broken, or of a process whose number another has."""
    for path in RUN_LOCKS:
        found = entries(path)
        if found is None or any(command_of(entry["pid"]) and not _holds(entry) for entry in found):
            return path
    return None


def entries(path: Path) -> list[dict[str, Any]] | None:
    """The entries of one of DVC's lock files: `pid`, `cmd` and the `resource`. None where the file is broken."""
    try:
        tree = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return list(_entries(tree))
    except (ValueError, TypeError, AttributeError, LookupError):
        return None


def _entries(tree: dict[str, dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for mode in ("read", "write"):
        for resource, held in tree.get(mode, {}).items():
            for entry in held if isinstance(held, list) else [held]:
                yield {"pid": int(entry["pid"]), "cmd": entry["cmd"], "resource": resource}


def _holds(entry: dict[str, Any]) -> bool:
    """Whether the process of an entry lives, and is the one that wrote it: by the arguments of its command."""
    command = command_of(entry["pid"])
    arguments = " ".join(str(entry["cmd"]).split()[1:])
    return command == ANOTHER_USERS or (command is not None and arguments in command)


def _is_held(path: Path) -> bool:
    """Whether a process holds the file by flock, as DVC does."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def writer_of(path: Path, start: int, length: int) -> int | None:
    """The process that holds a writer's lock on bytes of a file, as SQLite does; None where there is none."""
    with path.open("rb") as file:
        asked = struct.pack(FLOCK, fcntl.F_RDLCK, 0, start, length, 0)
        kind, _, _, _, process = struct.unpack(FLOCK, fcntl.fcntl(file, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else int(process)
