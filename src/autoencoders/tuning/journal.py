"""A broken journal of studies: which line is broken, and a mend that keeps the whole trials."""

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autoencoders.core.files import atomic_file, path_aside

JOURNAL = "optuna.journal"
# Optuna's codes of a line's operation, and of a trial's states
CREATE_TRIAL = 4
SET_PARAM = 5
SET_STATE = 6
RUNNING = 0
FAIL = 3
SHOWN_BYTES = 40  # of a broken line in a message: enough to recognise what wrote it
UNREADABLE = (  # raised by Optuna's reading, and by this one, where a line is not Optuna's
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
MENDER = "mended"  # the worker that ends trials in the place of one whose line is broken


class Replay:
    """Optuna's reading of a journal, line by line; goes on after a line that it can't read."""

    def __init__(self, lines: Sequence[bytes] = ()) -> None:
        """Raises one of UNREADABLE where a line is broken."""
        from optuna.storages import JournalStorage
        from optuna.storages.journal import BaseJournalBackend

        logs: list[dict[str, Any]] = [json.loads(line) for line in lines]

        class Lines(BaseJournalBackend):
            """Lines in memory."""

            def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
                yield from logs[log_number_from:]

            def append_logs(self, logs: list[dict[str, Any]]) -> None:
                raise NotImplementedError

        self.logs = logs
        self.storage = JournalStorage(Lines())
        self.workers: list[str] = []  # by trial: who runs it; empty while it waits

    def add(self, line: bytes) -> None:
        """Reads one more line. Raises one of UNREADABLE where it is broken."""
        log = json.loads(line)
        operation = log["op_code"]
        worker = log["worker_id"]
        state = log.get("state", RUNNING)
        self.logs.append(log)
        self.storage.get_all_studies()  # reads the new line
        if operation == CREATE_TRIAL:
            self.workers.append(worker if state == RUNNING else "")
        elif operation == SET_STATE and state == RUNNING:
            self.workers[log["trial_id"]] = worker

    def follows(self, line: bytes) -> bool:
        """Whether a line after a broken one means the study and the trial that it names.

        Both are numbered by the lines that made them: where such a line is broken, all later
        numbers are wrong.
        """
        log = json.loads(line)
        if "trial_id" not in log:
            study = log.get("study_id")
            return study is None or study in self._studies()
        trial = log["trial_id"]
        worker = self.workers[trial] if trial < len(self.workers) else None
        operation = log["op_code"]
        if operation == SET_PARAM:
            return worker == log["worker_id"]
        if operation == SET_STATE and log["state"] == RUNNING:
            return worker in ("", log["worker_id"])
        return worker is not None

    def ends(self) -> list[bytes]:
        """Lines that fail the trials that are running: a value of theirs may be in a broken line.

        A study repeats these trials, like those of a worker that was killed.
        """
        end = {
            "op_code": SET_STATE,
            "worker_id": MENDER,
            "state": FAIL,
            "values": None,
            "datetime_complete": datetime.now(UTC).isoformat(),
        }
        lines = []
        for trial in self._running():
            log = {**end, "trial_id": trial}
            lines.append(json.dumps(log, separators=(",", ":")).encode())
        return lines

    def _studies(self) -> list[int]:
        """The studies' numbers."""
        return [study._study_id for study in self.storage.get_all_studies()]

    def _running(self) -> list[int]:
        """The numbers of the trials that are running, in order, over all studies."""
        running = []
        for study in self._studies():
            for trial in self.storage.get_all_trials(study, deepcopy=False):
                if trial.state == RUNNING:
                    running.append(trial._trial_id)
        return sorted(running)


def broken_journal(path: Path) -> str | None:
    """A sentence on the first line that can't be read, and the way out.

    None where every line can be read, or where there is no journal. Half a line at the end counts
    as none: the next one to open the journal cuts it off.
    """
    lines = _lines(path)
    try:
        Replay(lines)
    except UNREADABLE:
        return _first_broken(path, lines)
    return None


def _first_broken(path: Path, lines: Sequence[bytes]) -> str | None:
    replay = Replay()
    offset = 0
    for number, line in enumerate(lines, 1):
        try:
            replay.add(line)
        except UNREADABLE:
            place = f"line {number} (from byte {offset} on)"
            return (
                f"{path}: {place} can't be read: {line[:SHOWN_BYTES]!r}; `ae doctor --fix` "
                "moves the file aside and keeps the trials that are whole"
            )
        offset += len(line) + 1
    return None


def mend_journal(path: Path) -> Path:
    """Puts the readable lines in a broken journal's place, and returns where its copy is.

    Lines after a broken one are kept if all of them still mean the trials that they name.
    """
    from optuna.storages.journal import JournalFileSymlinkLock

    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()
    try:
        lines = _readable(_lines(path))
        aside = path_aside(path)
        with atomic_file(aside) as copy:  # not moved: a worker always finds a journal
            shutil.copy2(path, copy)
        with atomic_file(path) as new:
            new.write_bytes(b"".join(line + b"\n" for line in lines))
    finally:
        lock.release()
    return aside


def _lines(path: Path) -> list[bytes]:
    """The lines that are whole, without their ends."""
    if not path.exists():
        return []
    return path.read_bytes().split(b"\n")[:-1]


def _readable(lines: Sequence[bytes]) -> list[bytes]:
    """The readable lines, with the ends of the trials that ran when a line was broken.

    Only the lines before the first broken one, where a later line means another trial or study.
    """
    replay = Replay()
    readable: list[bytes] = []
    n_before_broken: int | None = None
    for line in lines:
        try:
            if n_before_broken is not None and not replay.follows(line):
                return readable[:n_before_broken]
            replay.add(line)
            readable.append(line)
        except UNREADABLE:
            if n_before_broken is None:
                n_before_broken = len(readable)
            for end in replay.ends():
                replay.add(end)
                readable.append(end)
    return readable
