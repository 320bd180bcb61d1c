"""Faults of the machine: a full disk, what may not be written, a device that fails; each as one message with a way out.

Libraries wrap them in errors of their own, so that some are known by their text alone.
"""

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autoencoders.core.errors import UserError

NOTE = "while writing "  # how an error's note begins that says which file
FULL, FORBIDDEN, BUSY, FAILING, MISSING = "full", "forbidden", "busy", "failing", "missing"
KINDS = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), FORBIDDEN),
    **dict.fromkeys((errno.EBUSY, errno.ETXTBSY), BUSY),
    **dict.fromkeys((errno.EIO, errno.ENXIO, errno.ESTALE), FAILING),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), MISSING),
}
TEXTS = {  # of errors without a number: Rust's and SQLite's, numpy's, torch's
    "No space left on device": FULL,
    "Disk quota exceeded": FULL,
    "database or disk is full": FULL,
    " requested and ": FULL,
    "PytorchStreamWriter failed": FULL,
    "unexpected pos ": FULL,
    "Read-only file system": FORBIDDEN,
    "readonly database": FORBIDDEN,
    "Permission denied": FORBIDDEN,
    "Input/output error": FAILING,
    "disk I/O error": FAILING,
}
ROOM = (
    "`dvc gc -w` frees what DVC's cache holds of earlier states, and .experiments/ may be deleted"
)
WAYS_OUT = {
    FULL: f"make room ({ROOM}) and run the same command again",
    FORBIDDEN: "let your user write there, or mount it writable, and run the same command again",
    BUSY: "it is a mount, or in use: free it, and run the same command again",
    FAILING: "look at the disk (`dmesg`), and run the same command again",
    MISSING: "`dvc repro` makes what the pipeline writes",
}


def told(error: BaseException) -> str | None:
    """The message on a fault of the machine behind an error; None where there is none.

    A UserError that says that a file is missing or forbidden, or that a device fails, says enough.
    """
    kinds = {FULL} if isinstance(error, UserError) else {*WAYS_OUT}
    for cause in _chain(error):
        kind = _kind(cause)
        if kind in kinds and (kind != MISSING or _in_repository(cause)):
            return _message(kind, cause, _written(error))
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _kind(error: BaseException) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return KINDS.get(error.errno, "")
    return next((kind for text, kind in TEXTS.items() if text in str(error)), "")


def _in_repository(error: BaseException) -> bool:
    name = getattr(error, "filename", None)
    return isinstance(name, str) and Path(name).absolute().is_relative_to(Path.cwd())


def _written(error: BaseException) -> Path | None:
    """The file that was being written, as `files.beside` noted it: the last note, as the others are of parts of it."""
    notes = [
        note
        for cause in _chain(error)
        for note in getattr(cause, "__notes__", ())
        if note.startswith(NOTE)
    ]
    return Path(notes[-1].removeprefix(NOTE)) if notes else None


def _message(kind: str, error: BaseException, written: Path | None) -> str:
    name = getattr(error, "filename", None)
    path = written or (Path(name) if isinstance(name, str) else None)
    found = (error.strerror if isinstance(error, OSError) else None) or str(
        error
    ).strip().splitlines()[0]
    if kind == FULL:
        found = (
            f"no space left on its disk ({_free(path)} free)"
            if path
            else f"a disk is full: {_fullest()}"
        )
    return f"{path}: {found}; {WAYS_OUT[kind]}" if path else f"{found}; {WAYS_OUT[kind]}"


def _free(path: Path) -> str:
    """Megabytes free on the disk of a path, which may not be there."""
    there = next(
        folder for folder in (path.absolute(), *path.absolute().parents) if folder.exists()
    )
    return f"{shutil.disk_usage(there).free / 2**20:.1f} MB"


def _fullest() -> str:
    """The folder with the least room among those that the pipeline writes to."""
    repository = Path(
        os.environ.get("AUTOENCODERS_ROOT") or os.environ.get("DVC_ROOT") or "."
    ).resolve()
    places = [
        Path(tempfile.gettempdir()),
        repository,
        *(path for path in repository.iterdir() if path.is_dir()),
    ]
    fullest = min(places, key=lambda place: shutil.disk_usage(place).free)
    return f"{fullest} has {_free(fullest)} free"
