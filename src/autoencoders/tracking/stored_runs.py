"""Runs in the MLflow store: found by a record's `Begin`, or made from it."""

from collections.abc import Sequence
from typing import NamedTuple

from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Param, Run

from autoencoders.tracking import store
from autoencoders.tracking.address import folder
from autoencoders.tracking.clone import clone
from autoencoders.tracking.records import Begin, now

FINGERPRINT = "fingerprint"  # tags
KEY = "run_key"
PARENT = "mlflow.parentRunId"
PARAMS = 100  # parameters of one call, MLflow's limit


class StoredRun(NamedTuple):
    """The run of a `Begin`."""

    run_id: str
    is_new: bool  # whether it was made for this `Begin`


class StoredRuns:
    """The runs of an MLflow store."""

    def __init__(self, client: MlflowClient) -> None:
        self.client = client
        self.shared: dict[str, tuple[str, str]] = {}  # run id and key by fingerprint
        # of this clone's processes, one at a time makes a shared run
        self.lock = FileLock(folder() / "parent.lock")

    def search(self, experiment: str, query: str, order: str = "DESC") -> list[Run]:
        """An experiment's runs, by default the newest first."""
        order_by = [f"attributes.start_time {order}", "attributes.run_id ASC"]
        return list(self.client.search_runs([experiment], query, order_by=order_by))

    def find(
        self,
        experiment: str,
        fingerprint: str,
        statuses: Sequence[str] = (),
        *,
        of_this_clone: bool = False,
    ) -> str | None:
        """Returns the id of the newest run with a fingerprint and one of these statuses, if any.

        of_this_clone: leaves out the runs of other clones, which may be in use there.
        """
        query = f"tags.{FINGERPRINT} = '{fingerprint}'"
        if of_this_clone:
            query += f" and tags.clone = '{clone()}'"
        for run in self.search(experiment, query):
            if not statuses or run.info.status in statuses:
                return str(run.info.run_id)
        return None

    def finished(self, experiment: str, fingerprint: str) -> Run | None:
        """Returns the run of a finished training: this clone's newest, else the newest of all."""
        newest = None
        for run in self.search(experiment, f"tags.{FINGERPRINT} = '{fingerprint}'"):
            if run.info.status != "FINISHED":
                continue
            if run.data.tags.get("clone") == clone():
                return run
            if newest is None:
                newest = run
        return newest

    def run_of(self, begin: Begin, *, again: bool = False) -> StoredRun:
        """Returns the run of a `Begin`, found or made.

        again: it may have been made before.
        """
        experiment = store.experiment(self.client, begin.experiment)
        if begin.visit:
            run = self.finished(experiment, begin.fingerprint)
            if run is not None and run.data.tags.get(KEY) != begin.key:
                return StoredRun(str(run.info.run_id), is_new=False)
        if begin.shared:
            return self._shared_run(begin)
        if again and begin.key:
            runs = self.search(experiment, f"tags.{KEY} = '{begin.key}'")
            if runs:
                run_id = str(runs[0].info.run_id)
                self._complete(run_id, begin)
                return StoredRun(run_id, is_new=True)
        if begin.found_in is not None:
            existing = self.find(experiment, begin.fingerprint, begin.found_in, of_this_clone=True)
            if existing is not None:
                return StoredRun(existing, is_new=False)
        return StoredRun(self._create(experiment, begin), is_new=True)

    def _shared_run(self, begin: Begin) -> StoredRun:
        """A run that several processes may ask for at once.

        Where several were made at once, the oldest stays.
        """
        if begin.fingerprint not in self.shared:
            experiment = store.experiment(self.client, begin.experiment)
            with self.lock:
                self.shared[begin.fingerprint] = self._oldest(experiment, begin)
        run_id, key = self.shared[begin.fingerprint]
        is_new = bool(begin.key) and key == begin.key
        if is_new:
            self._complete(run_id, begin)
        return StoredRun(run_id, is_new)

    def _oldest(self, experiment: str, begin: Begin) -> tuple[str, str]:
        """Id and key of the oldest run with this fingerprint; where there is none, of a new one."""
        runs = self._candidates(experiment, begin)
        if not runs:
            created = self._create(experiment, begin)
            runs = self._candidates(experiment, begin)
            if runs[0].info.run_id != created:  # another clone was faster
                self.client.delete_run(created)
        return str(runs[0].info.run_id), runs[0].data.tags.get(KEY, "")

    def _candidates(self, experiment: str, begin: Begin) -> list[Run]:
        """The runs that a shared `Begin` may mean, the oldest first."""
        runs = self.search(experiment, f"tags.{FINGERPRINT} = '{begin.fingerprint}'", "ASC")
        if not begin.found_in:
            return runs
        return [run for run in runs if run.info.status in begin.found_in]

    def _create(self, experiment: str, begin: Begin) -> str:
        """Creates a run and returns its id."""
        tags = dict(begin.tags)
        if begin.fingerprint:
            tags[FINGERPRINT] = begin.fingerprint
        if begin.key:
            tags[KEY] = begin.key
        if begin.parent is not None:
            tags[PARENT] = self.run_of(begin.parent).run_id
        start = begin.start
        if begin.shared:  # of several that are made at once, the oldest stays
            start = now()
        run = self.client.create_run(experiment, start_time=start, tags=tags, run_name=begin.name)
        self._complete(run.info.run_id, begin)
        return str(run.info.run_id)

    def _complete(self, run_id: str, begin: Begin) -> None:
        """Writes parameters, data set and status of a new run."""
        params = [Param(name, value) for name, value in begin.params.items()]
        for start in range(0, len(params), PARAMS):
            self.client.log_batch(run_id, params=params[start : start + PARAMS])
        if begin.dataset is not None:
            self.client.log_inputs(run_id, [_dataset_input(begin.dataset)])
        if begin.status != "RUNNING":
            self.client.set_terminated(run_id, begin.status, begin.start)


def _dataset_input(values: dict[str, str]) -> DatasetInput:
    """A data set as the input of a training."""
    dataset = Dataset(
        values["name"], values["digest"], "local", values["source"], profile=values["profile"]
    )
    return DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])
