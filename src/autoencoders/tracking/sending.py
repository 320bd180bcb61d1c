"""Sending records of runs to MLflow: every step may be done again, so that whoever sends may be killed at any time."""

import json
import signal
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Any

from filelock import FileLock
from mlflow import MlflowClient, MlflowException
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run, RunTag

from autoencoders.tracking import store
from autoencoders.tracking.address import folder
from autoencoders.tracking.clone import clone, is_gone
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

FINGERPRINT, KEY, PARENT = "fingerprint", "run_key", "mlflow.parentRunId"
REASON, NOTE = "reason", "mlflow.note.content"  # tags of a run that did not end well
PROCESS_TAGS = (
    "host",
    "pid",
    "process_started",
    "machine",
    "clone",
)  # which change where a run goes on
BATCH = 1000  # metrics of one call, MLflow's limit
PARAMS = 100  # parameters of one call, MLflow's limit
FILE_SECONDS = 3  # times as long as a write of metrics may the upload of a file take
GONE = "its process is gone"


class Postponed(Exception):  # noqa: N818  (no error)
    """An earlier record of the same run is still being sent by another process."""


@dataclass
class Sent:
    """How much of a record was sent."""

    offset: int = 0  # bytes
    run_id: str = ""
    made: bool = False  # whether the run was made from this record
    tried: bool = False  # whether its making may have been asked for before
    begin: Begin | None = None
    logged: dict[str, set[int]] = field(
        default_factory=dict
    )  # by metric: steps that a found run has
    ended: bool = False


class Sender:
    """Sends records, and keeps how far it came."""

    def __init__(self, client: MlflowClient, seconds: int | None = None) -> None:
        """seconds: within which each call has to end, in a process's main thread; None: as MLflow's settings say."""
        self.client, self.seconds = client, seconds
        self.sent: dict[Path, Sent] = {}
        self.held: dict[Path, IO[bytes]] = {}  # locks of records that this process sends
        self.shared: dict[str, tuple[str, str]] = {}  # run id and key by fingerprint
        self.lock = FileLock(
            folder() / "parent.lock"
        )  # of this clone's processes, one at a time makes a shared run

    def send(self, path: Path, *, again: bool = False) -> bool:
        """Sends what a record has to say so far, and returns whether that was its end.

        again: an earlier process may have sent parts of it. Raises what the store raises, and Postponed.
        """
        sent = self.sent.setdefault(path, Sent(tried=again))
        content = path.read_bytes()[sent.offset :]
        content = content[: content.rfind(b"\n") + 1]
        batch = Batch()
        for line in content.splitlines():
            ((what, value),) = json.loads(line).items()
            if what in ("artifacts", "end"):
                self._write(sent, batch)
            self._take(path, sent, batch, what, value)
        self._write(sent, batch)
        sent.offset += len(content)
        return sent.ended

    def _take(self, path: Path, sent: Sent, batch: "Batch", what: str, value: Any) -> None:
        """Does what a line says, or adds it to the batch."""
        if what == "begin":
            self._begin(path, sent)
        elif what == "metrics":
            batch.metrics += [Metric(*metric) for metric in value if not self._has(sent, metric)]
        elif what == "restore" and sent.made:
            batch.metrics += [Metric(*metric) for metric in value]
        elif what == "tags":
            batch.tags |= value
        elif what == "artifacts":
            for file, into in value:
                self._upload(sent.run_id, path.with_suffix("") / file, into)
        elif what == "end":
            self.close(sent, value["status"], value["time"], value["reason"])

    def _within(self, times: int = 1) -> AbstractContextManager[None]:
        """The limit of a call, or of so many."""
        return within(None if self.seconds is None else self.seconds * times)

    def _begin(self, path: Path, sent: Sent) -> None:
        """Finds or makes the record's run."""
        begin = first_line(path)
        if begin is None:
            raise ValueError(f"{path}: no record of a run")
        if (begin.reopen or begin.visit) and self._earlier(path, begin):
            raise Postponed(begin.name)
        again, sent.tried = sent.tried, True
        sent.begin = begin
        with self._within(2):
            sent.run_id, sent.made = self.run_of(begin, again=again)
        if begin.reopen and not sent.made:
            tags = {name: value for name, value in begin.tags.items() if name in PROCESS_TAGS}
            with self._within():
                self.client.update_run(sent.run_id, status="RUNNING")
                self.client.log_batch(sent.run_id, tags=_tags({**tags, KEY: begin.key}))

    def _earlier(self, path: Path, begin: Begin) -> bool:
        """Whether an earlier record of the same run is not sent yet."""
        for other in waiting():
            if other >= path:
                return False
            same = first_line(other)
            if same is not None and same.fingerprint == begin.fingerprint and belongs_here(same):
                return True
        return False

    def run_of(self, begin: Begin, *, again: bool = False) -> tuple[str, bool]:
        """Returns the id of a run and whether it was made for this `Begin`. again: it may have been made before."""
        experiment = store.experiment(self.client, begin.experiment)
        if begin.visit:
            found = self.finished(experiment, begin.fingerprint)
            if found is not None and found.data.tags.get(KEY) != begin.key:
                return str(found.info.run_id), False
        if begin.shared:
            return self._shared_run(begin)
        if again and begin.key:
            own = self.search(experiment, f"tags.{KEY} = '{begin.key}'")
            if own:
                self._complete(own[0].info.run_id, begin)
                return str(own[0].info.run_id), True
        if begin.found_in is not None:
            run_id = self.find(experiment, begin.fingerprint, begin.found_in, own=True)
            if run_id is not None:
                return run_id, False
        return self._made(experiment, begin), True

    def find(
        self, experiment: str, fingerprint: str, statuses: Sequence[str] = (), *, own: bool = False
    ) -> str | None:
        """Returns the id of the newest run with a fingerprint and one of these states, if there is one.

        own: only of this clone's runs; those of another may be in use there.
        """
        query = f"tags.{FINGERPRINT} = '{fingerprint}'"
        if own:
            query += f" and tags.clone = '{clone()}'"
        for run in self.search(experiment, query):
            if not statuses or run.info.status in statuses:
                return str(run.info.run_id)
        return None

    def finished(self, experiment: str, fingerprint: str) -> Run | None:
        """Returns the run of a training that is finished: this clone's newest, else the newest of all."""
        runs = self.search(experiment, f"tags.{FINGERPRINT} = '{fingerprint}'")
        done = [run for run in runs if run.info.status == "FINISHED"]
        own = [run for run in done if run.data.tags.get("clone") == clone()]
        return next(iter(own or done), None)

    def search(self, experiment: str, query: str, order: str = "DESC") -> list[Run]:
        """An experiment's runs, by default the newest first."""
        order_by = [f"attributes.start_time {order}", "attributes.run_id ASC"]
        return list(self.client.search_runs([experiment], query, order_by=order_by))

    def _shared_run(self, begin: Begin) -> tuple[str, bool]:
        """A run that several processes may ask for at once: of several that were made at once, the oldest stays."""
        if begin.fingerprint not in self.shared:
            experiment = store.experiment(self.client, begin.experiment)
            with self.lock:
                self.shared[begin.fingerprint] = self._oldest(experiment, begin)
        run_id, key = self.shared[begin.fingerprint]
        made = bool(begin.key) and key == begin.key
        if made:
            self._complete(run_id, begin)
        return run_id, made

    def _oldest(self, experiment: str, begin: Begin) -> tuple[str, str]:
        """Id and key of the oldest run with this fingerprint; where there is none, of a new one."""
        found = self._all(experiment, begin)
        if not found:
            made = self._made(experiment, begin)
            found = self._all(experiment, begin)
            if found[0].info.run_id != made:  # another clone was faster
                self.client.delete_run(made)
        return str(found[0].info.run_id), found[0].data.tags.get(KEY, "")

    def _all(self, experiment: str, begin: Begin) -> list[Run]:
        """The runs that a shared `Begin` may mean, the oldest first."""
        runs = self.search(experiment, f"tags.{FINGERPRINT} = '{begin.fingerprint}'", "ASC")
        return [run for run in runs if not begin.found_in or run.info.status in begin.found_in]

    def _made(self, experiment: str, begin: Begin) -> str:
        """A new run."""
        tags = dict(begin.tags)
        if begin.fingerprint:
            tags[FINGERPRINT] = begin.fingerprint
        if begin.key:
            tags[KEY] = begin.key
        if begin.parent is not None:
            tags[PARENT] = self.run_of(begin.parent)[0]
        start = (
            now() if begin.shared else begin.start
        )  # of several that are made at once, the oldest stays
        run = self.client.create_run(experiment, start_time=start, tags=tags, run_name=begin.name)
        self._complete(run.info.run_id, begin)
        return str(run.info.run_id)

    def _complete(self, run_id: str, begin: Begin) -> None:
        """Parameters, data set and state of a new run."""
        params = [Param(name, value) for name, value in begin.params.items()]
        for start in range(0, len(params), PARAMS):
            self.client.log_batch(run_id, params=params[start : start + PARAMS])
        if begin.dataset is not None:
            about = begin.dataset
            dataset = Dataset(
                about["name"], about["digest"], "local", about["source"], profile=about["profile"]
            )
            self.client.log_inputs(
                run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])]
            )
        if begin.status != "RUNNING":
            self.client.set_terminated(run_id, begin.status, begin.start)

    def _has(self, sent: Sent, metric: Sequence[Any]) -> bool:
        """Whether a run that goes on has this epoch of a metric already."""
        name, _, _, step = metric
        if sent.made or not step:
            return False
        if name not in sent.logged:
            with self._within():
                history = self.client.get_metric_history(sent.run_id, name)
            sent.logged[name] = {point.step for point in history}
        return step in sent.logged[name]

    def _write(self, sent: Sent, batch: "Batch") -> None:
        """Writes metrics and tags, and empties the batch."""
        tags = _tags(batch.tags)
        for start in range(0, max(len(batch.metrics), 1), BATCH):
            metrics = batch.metrics[start : start + BATCH]
            if metrics or tags:
                with self._within():
                    self.client.log_batch(sent.run_id, metrics=metrics, tags=tags)
            tags = []
        batch.metrics, batch.tags = [], {}

    def _upload(self, run_id: str, file: Path, into: str | None) -> None:
        """Uploads a file that was not uploaded yet."""
        if file.exists():
            with self._within(FILE_SECONDS):
                self.client.log_artifact(run_id, str(file), into)

    def close(self, sent: Sent, status: str, at: int, reason: str) -> None:
        """Closes a run: a FINISHED one keeps nothing of an earlier interruption."""
        sent.ended = True
        found = not sent.made
        if found and sent.begin is not None and sent.begin.visit:
            return
        with self._within(2):
            if reason:
                tags = {REASON: reason, NOTE: f"{status}: {reason}"}
                self.client.log_batch(sent.run_id, tags=_tags(tags))
            elif found:
                self._forget_reasons(sent.run_id)
            self.client.set_terminated(sent.run_id, status, at)

    def _forget_reasons(self, run_id: str) -> None:
        known = self.client.get_run(run_id).data.tags
        for tag in (REASON, NOTE):
            if tag in known:
                with suppress(MlflowException):  # another one has deleted it
                    self.client.delete_tag(run_id, tag)

    # whole records

    def finish(self, path: Path) -> bool:
        """Sends a record of which no process writes any more to its end, and removes it.

        Returns whether it is gone. Raises what the store raises.
        """
        held = self.held.get(path) or sending(path)
        if held is None:
            return not path.exists()
        self.held[path] = held
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
        """Sends the rest of a record, and forgets it; one that the store refuses is moved aside."""
        try:
            if not self.send(path, again=path not in self.sent):
                self.close(self.sent[path], "KILLED", int(path.stat().st_mtime * 1000), GONE)
        except Postponed:
            return
        except (MlflowException, ValueError) as error:
            if isinstance(error, MlflowException) and store.is_outage(error):
                raise
            self._refuse(path, f"the run {name}: {store.explained(error)}")
            return
        forget(path)

    def _refuse(self, path: Path, reason: str) -> None:
        aside = refuse(path)
        print(f"MLflow does not take {reason}; it is kept in {aside}", flush=True)

    def release(self, path: Path) -> None:
        """Leaves a record to other processes."""
        self.sent.pop(path, None)
        held = self.held.pop(path, None)
        if held is not None:
            held.close()

    def take(self, path: Path) -> bool:
        """Takes the right to send a record while its process still writes; returns whether it could."""
        held = self.held.get(path) or sending(path)
        if held is None:
            return False
        self.held[path] = held
        return True

    def finish_all(self, needed: str = "") -> None:
        """Completes the runs of which no process writes any more.

        needed: an experiment of whose runs none may fail. Raises what the store raises of these, and its silence.
        """
        for path in waiting():
            begin = first_line(path)
            try:
                self.finish(path)
            except (MlflowException, OSError, ImportError) as error:
                self.release(path)
                if store.is_silent(error) or (begin is not None and begin.experiment == needed):
                    raise
                print(f"a run still waits in {path}: {store.explained(error)}", flush=True)
        sweep()

    def bury_the_dead(self, experiment_name: str) -> None:
        """Marks runs KILLED whose process was one of this machine and clone, and is gone; and leaves all others."""
        experiment = store.experiment(self.client, experiment_name)
        begun = {begin.key for begin in map(first_line, waiting()) if begin is not None}
        for run in self.search(experiment, "attributes.status = 'RUNNING'"):
            tags = run.data.tags
            if tags.get(KEY) not in begun and is_gone(tags):
                found = Sent(run_id=run.info.run_id)
                self.close(found, "KILLED", now(), GONE)


@dataclass
class Batch:
    """Metrics and tags that go in one call."""

    metrics: list[Metric] = field(default_factory=list)
    tags: dict[str, str] = field(default_factory=dict)


def _tags(values: dict[str, str], names: Sequence[str] = ()) -> list[RunTag]:
    """MLflow's tags; names: only these."""
    return [
        RunTag(name, str(value)) for name, value in values.items() if not names or name in names
    ]


@contextmanager
def within(seconds: int | None) -> Iterator[None]:
    """Ends a block that takes too long, whatever it waits for, in a process's main thread; None: without a limit.

    Raises TimeoutError.
    """
    if seconds is None:
        yield
        return
    signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def _too_long(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise TimeoutError("no answer in time")
