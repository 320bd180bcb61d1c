"""The studies' journal when it is broken: which line, and a mend that keeps the trials that are whole."""

import json
import shutil
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from autoencoders.core.files import atomic_file

JOURNAL = "optuna.journal"
CREATE_TRIAL, SET_PARAM, SET_STATE = 4, 5, 6  # Optuna's codes of what a line does
RUNNING, FAIL = 0, 3  # and of a trial's states
SHOWN = 40  # bytes of a broken line
UNFIT = (
    AssertionError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)  # of a line that is not Optuna's
MENDER = "mended"  # the worker that ends trials in a broken one's place


class Replay:
    """Optuna's reading of a journal, line by line; goes on behind a line that it can't read."""

    def __init__(self, lines: Sequence[bytes] = ()) -> None:
        """Raises one of UNFIT where a line is broken."""
        from optuna.storages import JournalStorage
        from optuna.storages.journal import BaseJournalBackend

        logs: list[dict[str, Any]] = [json.loads(line) for line in lines]

        class Lines(BaseJournalBackend):
            """Lines in memory."""

            def read_logs(self, log_number_from: int) -> Iterator[dict[str, Any]]:
                yield from logs[log_number_from:]

            def append_logs(self, logs: list[dict[str, Any]]) -> None:
                raise NotImplementedError

        self.logs, self.storage = logs, JournalStorage(Lines())
        self.owners: list[str] = []  # the worker that runs each trial, if one does

    def add(self, line: bytes) -> None:
        """Reads one more line. Raises one of UNFIT where it is broken."""
        log = json.loads(line)
        operation, worker, state = log["op_code"], log["worker_id"], log.get("state", RUNNING)
        self.logs.append(log)
        self.storage.get_all_studies()  # reads what is new
        if operation == CREATE_TRIAL:
            self.owners.append(worker if state == RUNNING else "")
        elif (operation, state) == (SET_STATE, RUNNING):
            self.owners[log["trial_id"]] = worker

    def follows(self, line: bytes) -> bool:
        """Whether a line behind a broken one means the study and the trial that it names.

        Both are numbered by the lines that made them: where one of these is broken, all later numbers are wrong.
        """
        log = json.loads(line)
        if "trial_id" not in log:
            return log.get("study_id") in {
                None,
                *(study._study_id for study in self.storage.get_all_studies()),
            }
        owner = self.owners[log["trial_id"]] if log["trial_id"] < len(self.owners) else None
        if log["op_code"] == SET_PARAM:
            return owner == log["worker_id"]
        starts = log["op_code"] == SET_STATE and log["state"] == RUNNING
        return owner in ("", log["worker_id"]) if starts else owner is not None

    def ends(self) -> list[bytes]:
        """Lines that fail the trials that are running: what a broken line told may be missing from them.

        A study repeats them, like those of a worker that was killed.
        """
        now = datetime.now(UTC).isoformat()
        end = {
            "op_code": SET_STATE,
            "worker_id": MENDER,
            "state": FAIL,
            "values": None,
            "datetime_complete": now,
        }
        studies = [study._study_id for study in self.storage.get_all_studies()]
        trials = [
            trial
            for study in studies
            for trial in self.storage.get_all_trials(study, deepcopy=False)
        ]
        running = sorted(trial._trial_id for trial in trials if trial.state == RUNNING)
        return [
            json.dumps({**end, "trial_id": number}, separators=(",", ":")).encode()
            for number in running
        ]


def broken_journal(path: Path) -> str | None:
    """A sentence on the first line that can't be read, and the way out; None where there is none, or no journal.

    Half a line at the end is nothing to tell: the next one to open the journal cuts it off.
    """
    lines = _lines(path)
    try:
        Replay(lines)
    except UNFIT:
        replay, offset = Replay(), 0
        for number, line in enumerate(lines, 1):
            try:
                replay.add(line)
            except UNFIT:
                found = f"line {number} (from byte {offset} on) can't be read: {line[:SHOWN]!r}"
                return f"{path}: {found}; `ae doctor --fix` moves the file aside and keeps the trials that are whole"
            offset += len(line) + 1
    return None


def mend_journal(path: Path) -> Path:
    """Puts the readable lines in a broken journal's place, and gives where the broken one was moved.

    Lines behind a broken one are kept if all of them still mean the trials that they name.
    """
    from optuna.storages.journal import JournalFileSymlinkLock

    lock = JournalFileSymlinkLock(str(path))
    lock.acquire()
    try:
        aside = path.with_name(f"{path.name}.broken-{datetime.now(UTC):%Y%m%d-%H%M%S-%f}")
        kept = _whole(_lines(path))
        with atomic_file(aside) as copy:
            shutil.copy2(path, copy)
        with atomic_file(path) as new:  # in one step: there is always a journal
            new.write_bytes(b"".join(line + b"\n" for line in kept))
    finally:
        lock.release()
    return aside


def _lines(path: Path) -> list[bytes]:
    """The lines that are whole, without their ends."""
    return path.read_bytes().split(b"\n")[:-1] if path.exists() else []


def _whole(lines: Sequence[bytes]) -> list[bytes]:
    replay, kept, broken = Replay(), list[bytes](), -1
    for line in lines:
        try:
            if broken >= 0 and not replay.follows(line):
                return kept[:broken]
            replay.add(line)
            kept.append(line)
        except UNFIT:
            broken = len(kept) if broken < 0 else broken
            for end in replay.ends():
                replay.add(end)
                kept.append(end)
    return kept
