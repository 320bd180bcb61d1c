"""Faults of the machine, such as a full disk or a failing device, as one message with a way out.

Libraries wrap these faults in errors of their own, so that some are known by their text alone.
"""

import errno
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autoencoders.core.errors import UserError
from autoencoders.core.paths import repository

NOTE = "while writing "  # the beginning of an error's note that names the file
FULL = "full"
FORBIDDEN = "forbidden"
BUSY = "busy"
FAILING = "failing"
MISSING = "missing"
FAULT_OF_NUMBER = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT, errno.EFBIG), FULL),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), FORBIDDEN),
    **dict.fromkeys((errno.EBUSY, errno.ETXTBSY), BUSY),
    **dict.fromkeys((errno.EIO, errno.ENXIO, errno.ESTALE), FAILING),
    **dict.fromkeys((errno.ENOENT, errno.ENOTDIR), MISSING),
}
FAULT_OF_TEXT = {  # of errors without a number: Rust's and SQLite's, numpy's, torch's
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


def message(error: BaseException) -> str | None:
    """The message on the fault of the machine behind an error; None where there is none.

    Behind a UserError only a full disk counts, as its own message names any other fault.
    """
    reported = {FULL} if isinstance(error, UserError) else set(WAYS_OUT)
    for cause in _chain(error):
        fault = _fault(cause)
        if fault == MISSING and not _in_repository(cause):
            continue
        if fault in reported:
            path = _written(error) or _file_of(cause)
            return f"{_problem(fault, cause, path)}; {WAYS_OUT[fault]}"
    return None


def free_bytes(path: Path) -> int:
    """Bytes free on the disk of a path, which need not exist yet."""
    absolute = path.absolute()
    existing = next(folder for folder in (absolute, *absolute.parents) if folder.exists())
    return shutil.disk_usage(existing).free


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _fault(error: BaseException) -> str:
    """The fault that an error stands for; empty where it is none of the machine."""
    if isinstance(error, OSError) and error.errno is not None:
        return FAULT_OF_NUMBER.get(error.errno, "")
    for text, fault in FAULT_OF_TEXT.items():
        if text in str(error):
            return fault
    return ""


def _file_of(error: BaseException) -> Path | None:
    """The file that an operating system's error names."""
    name = getattr(error, "filename", None)
    return Path(name) if isinstance(name, str) else None


def _in_repository(error: BaseException) -> bool:
    path = _file_of(error)
    return path is not None and path.absolute().is_relative_to(Path.cwd())


def _written(error: BaseException) -> Path | None:
    """The file that was being written, as `files.Writing` noted it: the last note names the whole.

    Earlier notes are of its parts.
    """
    written = None
    for cause in _chain(error):
        for note in getattr(cause, "__notes__", ()):
            if note.startswith(NOTE):
                written = Path(note.removeprefix(NOTE))
    return written


def _problem(fault: str, error: BaseException, path: Path | None) -> str:
    """A fault with the file or the disk that it concerns."""
    if path is None:
        return f"a disk is full: {_fullest()}" if fault == FULL else _reason(error)
    if fault == FULL:
        return f"{path}: no space left on its disk ({_free(path)} free)"
    return f"{path}: {_reason(error)}"


def _reason(error: BaseException) -> str:
    """The operating system's words for an error, or the first line of a library's."""
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error).strip().splitlines()[0]


def _free(path: Path) -> str:
    return f"{free_bytes(path) / 2**20:.1f} MB"


def _fullest() -> str:
    """The folder with the least room among those that the pipeline writes to."""
    root = repository()
    folders = [Path(tempfile.gettempdir()), root]
    folders += [path for path in root.iterdir() if path.is_dir()]
    fullest = min(folders, key=free_bytes)
    return f"{fullest} has {_free(fullest)} free"
