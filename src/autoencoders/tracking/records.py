"""Records of runs: a file each in `mlruns/pending/`, to which a stage appends lines.

Appending takes microseconds and needs no server. The writer beside the stage (`writer.py`) sends
the lines to MLflow, and whoever finds a record whose process has ended completes it. A record is
gone once all of it was sent; sending it again changes nothing, so that whoever sends it may be
killed at any time.

A line is a JSON object with one key:
    begin: a `Begin`, the first line
    metrics: [[name, value, time in ms, step], ...]
    restore: the same, for a run that this record had to make
    tags: {name: value}
    artifacts: [[file below the record's folder, folder of the run's artifacts or null], ...]
    end: {status: FINISHED, FAILED or KILLED; time: ms; reason: text}
"""

import fcntl
import json
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any

from autoencoders.core.errors import Interrupted
from autoencoders.core.files import remove
from autoencoders.tracking.address import destination, folder

SUFFIX = ".jsonl"
LOCK = ".lock"
REFUSED = "refused"  # folder of records that the store does not take
FIRST_LINE = 1_000_000  # bytes in which a record's first line ends


def pending() -> Path:
    """The folder of the records that were not sent yet."""
    return folder() / "pending"


def now() -> int:
    """Milliseconds since 1970, as MLflow counts time."""
    return time.time_ns() // 1_000_000


@dataclass(frozen=True)
class Begin:
    """The description of a run, by which it is found again, or made where there is none."""

    experiment: str
    name: str
    tags: dict[str, str]
    params: dict[str, str] = field(default_factory=dict)
    parent: "Begin | None" = None
    dataset: dict[str, str] | None = None
    start: int = 0  # ms
    # of this run alone; a tag, by which a run is found whose making was never answered
    key: str = ""
    fingerprint: str = ""
    # statuses in which it is found by its fingerprint; None: it is a new run
    found_in: tuple[str, ...] | None = None
    shared: bool = False  # several processes may make it at once: the oldest stays
    reopen: bool = False  # a found run is RUNNING again
    visit: bool = False  # a found run keeps its status and times
    status: str = "RUNNING"  # of a new run
    store: str = ""  # where it belongs: `destination()`


def begin_from(values: Mapping[str, Any]) -> Begin:
    """A `Begin` from its JSON."""
    parent = values["parent"]
    if parent:
        parent = begin_from(parent)
    found_in = values["found_in"]
    if found_in is not None:
        found_in = tuple(found_in)
    return Begin(**{**values, "parent": parent, "found_in": found_in})


class RunRecord:
    """The record of one run that is being written.

    As a context: closed as FINISHED, as KILLED by an interruption, or as FAILED. While it is open,
    its file is locked: so others know that its process lives.
    """

    def __init__(self, begin: Begin) -> None:
        self.begin = begin
        self.n_files = 0
        self.path = pending() / f"{time.time_ns():020}-{begin.key}{SUFFIX}"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        new = self.path.with_suffix(".new")
        self.file = new.open("xb")
        fcntl.flock(self.file, fcntl.LOCK_EX)  # before others see the record
        self._write("begin", asdict(begin))
        new.rename(self.path)

    def __enter__(self) -> "RunRecord":
        return self

    def __exit__(
        self, error_type: type[BaseException] | None, error: BaseException | None, trace: object
    ) -> None:
        if error is None:
            self.end("FINISHED")
        elif isinstance(error, Interrupted):
            self.end("KILLED", str(error))
        else:
            self.end("FAILED", f"{type(error).__name__}: {error}")

    def _write(self, key: str, value: object) -> None:
        line = json.dumps({key: value}, ensure_ascii=False) + "\n"
        self.file.write(line.encode())
        self.file.flush()

    def epoch(self, epoch: int, means: Mapping[str, float]) -> None:
        """Writes an epoch's means, by name.

        The writer leaves out the epochs that a resumed run already has.
        """
        self.metrics(means, epoch)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Writes figures, by name."""
        at = now()
        metrics = [[name, float(value), at, step] for name, value in values.items()]
        self._write("metrics", metrics)

    def restore(self, history: Sequence[Mapping[str, float]]) -> None:
        """Writes the learning curves of a run that the store may lack, one mapping an epoch."""
        at = now()
        metrics = []
        for epoch, means in enumerate(history, 1):
            for name, value in means.items():
                metrics.append([name, value, at, epoch])
        self._write("restore", metrics)

    def tag(self, **tags: str) -> None:
        """Writes tags, by name."""
        self._write("tags", tags)

    def artifacts(self, paths: Sequence[Path], folder: str | None = None) -> None:
        """Copies files, and folders with all in them, for a folder of the run's artifacts."""
        artifacts = []
        for path in paths:
            for file, subfolder in _files(path):
                copy = self._copy(file)
                parts = [part for part in (folder, subfolder) if part]
                artifacts.append([copy.as_posix(), "/".join(parts) or None])
        self._write("artifacts", artifacts)

    def _copy(self, file: Path) -> Path:
        """Copies a file; returns the copy's path below the record's folder."""
        copy = Path(str(self.n_files), file.name)
        target = self.path.with_suffix("") / copy
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, target)
        self.n_files += 1
        return copy

    def end(self, status: str, reason: str = "") -> None:
        """Writes the run's end, and closes the record."""
        self._write("end", {"status": status, "time": now(), "reason": reason[:4000]})
        self.file.close()


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """Every file of a path, and the folder below the path in which it lies; directly in it, ""."""
    if path.is_file():
        yield path, ""
        return
    for file in sorted(path.rglob("*")):
        if file.is_file():
            subfolder = file.parent.relative_to(path).as_posix()
            if subfolder == ".":
                subfolder = ""
            yield file, subfolder


def waiting() -> list[Path]:
    """The records that were not sent yet, the oldest first."""
    return sorted(pending().glob(f"*{SUFFIX}"))


def first_line(path: Path) -> Begin | None:
    """A record's `begin`; None where it can't be read."""
    try:
        with path.open("rb") as file:
            return begin_from(json.loads(file.readline(FIRST_LINE))["begin"])
    except (OSError, ValueError, LookupError, TypeError):
        return None


def belongs_here(begin: Begin) -> bool:
    """Whether the present store is the one that a run was begun for."""
    return begin.store == destination()


def is_open(path: Path) -> bool:
    """Whether the process that writes a record lives and has not closed it."""
    with path.open("rb") as file:
        return not _lock(file)


def sending(path: Path) -> IO[bytes] | None:
    """Takes the right to send a record, until the returned file is closed.

    Returns None where another process has it, or the record is gone.
    """
    file = path.with_suffix(LOCK).open("ab")
    if _lock(file) and path.exists():
        return file
    if not path.exists():  # sent and removed a moment ago
        path.with_suffix(LOCK).unlink(missing_ok=True)
    file.close()
    return None


def _lock(file: IO[bytes]) -> bool:
    """Locks a file until it is closed; returns False where another process holds its lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def forget(path: Path) -> None:
    """Removes a record that was sent, and its files."""
    path.unlink(missing_ok=True)
    remove(path.with_suffix(""))
    path.with_suffix(LOCK).unlink(missing_ok=True)


def refuse(path: Path) -> Path:
    """Moves a record that the store does not take aside, with its files; returns its new path."""
    aside = pending() / REFUSED
    aside.mkdir(exist_ok=True)
    files = path.with_suffix("")
    if files.exists():
        files.replace(aside / files.name)
    new_path = path.replace(aside / path.name)
    path.with_suffix(LOCK).unlink(missing_ok=True)
    return new_path


def sweep() -> None:
    """Removes the files of records that were sent by processes that were killed then."""
    for lock in pending().glob(f"*{LOCK}"):
        if not lock.with_suffix(SUFFIX).exists():
            forget(lock.with_suffix(SUFFIX))
