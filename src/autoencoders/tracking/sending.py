"""Sending records of runs to MLflow.

Every step may be done again, so that whoever sends may be killed at any time.
"""

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from mlflow import MlflowClient, MlflowException
from mlflow.entities import Metric, RunTag

from autoencoders.tracking import store
from autoencoders.tracking.clone import is_gone
from autoencoders.tracking.failures import explained, is_outage, is_silent
from autoencoders.tracking.records import (
    Begin,
    belongs_here,
    first_line,
    forget,
    is_open,
    now,
    refuse,
    sending,
    sweep,
    waiting,
)
from autoencoders.tracking.stored_runs import KEY, StoredRuns
from autoencoders.tracking.time_limit import time_limit

REASON = "reason"  # tags of a run that did not end well
NOTE = "mlflow.note.content"
# tags that change where a run goes on
PROCESS_TAGS = ("host", "pid", "process_started", "machine", "clone")
BATCH = 1000  # metrics of one call, MLflow's limit
FILE_SECONDS = 3  # times as long as a write of metrics may the upload of a file take
GONE = "its process is gone"


class Postponed(Exception):  # noqa: N818  (no error)
    """An earlier record of the same run is still being sent by another process."""


@dataclass
class Batch:
    """Metrics and tags that go in one call."""

    metrics: list[Metric] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Sent:
    """The part of a record that was sent."""

    offset: int = 0  # bytes
    run_id: str = ""
    is_new: bool = False  # whether the run was made from this record
    tried: bool = False  # whether its making may have been asked for before
    begin: Begin | None = None
    # by metric: steps that a run has which goes on
    logged: dict[str, set[int]] = field(default_factory=dict)
    ended: bool = False


class Sender:
    """Sends records, and remembers how much of each was sent."""

    def __init__(self, client: MlflowClient, seconds: int | None = None) -> None:
        """Starts without records.

        seconds: within which each call has to end, in a process's main thread; None: as MLflow's
        settings say.
        """
        self.client = client
        self.seconds = seconds
        self.stored = StoredRuns(client)
        self.sent: dict[Path, Sent] = {}
        self.held: dict[Path, IO[bytes]] = {}  # locks of records that this process sends

    def send(self, path: Path, *, again: bool = False) -> bool:
        """Sends the lines that a record has so far, and returns whether that was its end.

        again: an earlier process may have sent parts of it. Raises what the store raises, and
        Postponed.
        """
        sent = self.sent.setdefault(path, Sent(tried=again))
        content = path.read_bytes()[sent.offset :]
        last_line_end = content.rfind(b"\n") + 1
        content = content[:last_line_end]
        batch = Batch()
        for line in content.splitlines():
            ((key, value),) = json.loads(line).items()
            if key in ("artifacts", "end"):
                self._write(sent, batch)
            self._take_line(path, sent, batch, key, value)
        self._write(sent, batch)
        sent.offset += len(content)
        return sent.ended

    def _take_line(self, path: Path, sent: Sent, batch: Batch, key: str, value: Any) -> None:
        """Does what a line says, or adds it to the batch."""
        if key == "begin":
            self._begin(path, sent)
        elif key == "metrics":
            batch.metrics += [Metric(*metric) for metric in value if not self._has(sent, metric)]
        elif key == "restore" and sent.is_new:
            batch.metrics += [Metric(*metric) for metric in value]
        elif key == "tags":
            batch.tags |= value
        elif key == "artifacts":
            for file, subfolder in value:
                self._upload(sent.run_id, path.with_suffix("") / file, subfolder)
        elif key == "end":
            self.close(sent, value["status"], value["time"], value["reason"])

    def _begin(self, path: Path, sent: Sent) -> None:
        """Finds or makes the record's run."""
        begin = first_line(path)
        if begin is None:
            raise ValueError(f"{path}: no record of a run")
        if (begin.reopen or begin.visit) and self._has_earlier_record(path, begin):
            raise Postponed(begin.name)
        again = sent.tried
        sent.tried = True
        sent.begin = begin
        with time_limit(self.seconds, calls=2):
            sent.run_id, sent.is_new = self.stored.run_of(begin, again=again)
        if begin.reopen and not sent.is_new:
            tags = {name: value for name, value in begin.tags.items() if name in PROCESS_TAGS}
            tags[KEY] = begin.key
            with time_limit(self.seconds):
                self.client.update_run(sent.run_id, status="RUNNING")
                self.client.log_batch(sent.run_id, tags=_run_tags(tags))

    def _has_earlier_record(self, path: Path, begin: Begin) -> bool:
        """Whether an earlier record of the same run is not sent yet."""
        for other in waiting():
            if other >= path:
                return False
            earlier = first_line(other)
            if earlier is None or earlier.fingerprint != begin.fingerprint:
                continue
            if belongs_here(earlier):
                return True
        return False

    def _has(self, sent: Sent, metric: Sequence[Any]) -> bool:
        """Whether a run that goes on has this epoch of a metric already."""
        name, _, _, step = metric
        if sent.is_new or not step:
            return False
        if name not in sent.logged:
            with time_limit(self.seconds):
                history = self.client.get_metric_history(sent.run_id, name)
            sent.logged[name] = {point.step for point in history}
        return step in sent.logged[name]

    def _write(self, sent: Sent, batch: Batch) -> None:
        """Writes metrics and tags, and empties the batch."""
        tags = _run_tags(batch.tags)
        for start in range(0, max(len(batch.metrics), 1), BATCH):
            metrics = batch.metrics[start : start + BATCH]
            if metrics or tags:
                with time_limit(self.seconds):
                    self.client.log_batch(sent.run_id, metrics=metrics, tags=tags)
            tags = []  # they went with the first call
        batch.metrics = []
        batch.tags = {}

    def _upload(self, run_id: str, file: Path, subfolder: str | None) -> None:
        """Uploads a file that was not uploaded yet."""
        if file.exists():
            with time_limit(self.seconds, calls=FILE_SECONDS):
                self.client.log_artifact(run_id, str(file), subfolder)

    def close(self, sent: Sent, status: str, time: int, reason: str) -> None:
        """Closes a run: a FINISHED one keeps nothing of an earlier interruption."""
        sent.ended = True
        is_visit = sent.begin is not None and sent.begin.visit
        if is_visit and not sent.is_new:
            return
        with time_limit(self.seconds, calls=2):
            if reason:
                tags = {REASON: reason, NOTE: f"{status}: {reason}"}
                self.client.log_batch(sent.run_id, tags=_run_tags(tags))
            elif not sent.is_new:
                self._remove_reasons(sent.run_id)
            self.client.set_terminated(sent.run_id, status, time)

    def _remove_reasons(self, run_id: str) -> None:
        tags = self.client.get_run(run_id).data.tags
        for tag in (REASON, NOTE):
            if tag in tags:
                with suppress(MlflowException):  # another process has deleted it
                    self.client.delete_tag(run_id, tag)

    # whole records

    def take(self, path: Path) -> bool:
        """Takes the right to send a record, also while its process still writes.

        Returns whether it could.
        """
        lock = self.held.get(path) or sending(path)
        if lock is None:
            return False
        self.held[path] = lock
        return True

    def release(self, path: Path) -> None:
        """Leaves a record to other processes."""
        self.sent.pop(path, None)
        lock = self.held.pop(path, None)
        if lock is not None:
            lock.close()

    def finish(self, path: Path) -> bool:
        """Sends a record of which no process writes any more to its end, and removes it.

        Returns whether it is gone. Raises what the store raises.
        """
        if not self.take(path):
            return not path.exists()
        if is_open(path):
            self.release(path)
            return False
        begin = first_line(path)
        if begin is None:
            self._refuse(path, "a record: its first line is no run's")
        elif not belongs_here(begin):
            self.release(path)
            return False
        else:
            self._finish(path, begin.name)
        self.release(path)
        return not path.exists()

    def _finish(self, path: Path, name: str) -> None:
        """Sends the rest of a record, and removes it; one that the store refuses is moved aside."""
        again = path not in self.sent
        try:
            has_ended = self.send(path, again=again)
            if not has_ended:
                last_write = int(path.stat().st_mtime * 1000)
                self.close(self.sent[path], "KILLED", last_write, GONE)
        except Postponed:
            return
        except (MlflowException, ValueError) as error:
            if isinstance(error, MlflowException) and is_outage(error):
                raise
            self._refuse(path, f"the run {name}: {explained(error)}")
            return
        forget(path)

    def _refuse(self, path: Path, reason: str) -> None:
        aside = refuse(path)
        print(f"MLflow does not take {reason}; it is kept in {aside}", flush=True)

    def finish_all(self, needed: str = "") -> None:
        """Completes the runs of which no process writes any more.

        needed: an experiment of whose runs none may fail. Raises what the store raises of these,
        and its silence.
        """
        for path in waiting():
            begin = first_line(path)
            try:
                self.finish(path)
            except (MlflowException, OSError, ImportError) as error:
                self.release(path)
                is_needed = begin is not None and begin.experiment == needed
                if is_needed or is_silent(error):
                    raise
                print(f"a run still waits in {path}: {explained(error)}", flush=True)
        sweep()

    def close_abandoned(self, experiment_name: str) -> None:
        """Closes the runs of this machine and clone whose process is gone as KILLED.

        All others stay as they are.
        """
        experiment = store.experiment(self.client, experiment_name)
        begins = [first_line(path) for path in waiting()]
        waiting_keys = {begin.key for begin in begins if begin is not None}
        for run in self.stored.search(experiment, "attributes.status = 'RUNNING'"):
            tags = run.data.tags
            if tags.get(KEY) not in waiting_keys and is_gone(tags):
                self.close(Sent(run_id=run.info.run_id), "KILLED", now(), GONE)


def _run_tags(values: dict[str, str]) -> list[RunTag]:
    return [RunTag(name, str(value)) for name, value in values.items()]
