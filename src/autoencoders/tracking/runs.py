"""Runs for `register` and `ae`: found by fingerprint, completed, and restored from DVC's outputs.

These need the store, and say so where it does not answer. `tune` and `train` only record
(`recorder.py`), and `register` logs what `evaluate` has written.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from mlflow import MlflowClient

from autoencoders.core import paths
from autoencoders.core.errors import UserError
from autoencoders.core.files import tree_sha256
from autoencoders.data.prepared.prepared import Description
from autoencoders.models.trained.saved import load_description
from autoencoders.tracking import store
from autoencoders.tracking.evaluation import (
    FILES_SHA256,
    Metrics,
    baseline_metrics,
    evaluated,
    figures_sha256,
    is_trained,
    record_baselines,
    record_training,
    record_types,
    report_sha256,
)
from autoencoders.tracking.origin import lineage
from autoencoders.tracking.recorder import (
    TRIALS_SHA256,
    Recorder,
    experiment_name,
    finish_study,
    trial_rows,
)
from autoencoders.tracking.records import Begin, RunRecord, pending, waiting
from autoencoders.tracking.sending import Sender


def connected(*, writing: bool = True) -> MlflowClient:
    """Returns a client of the store, after the records of earlier processes were sent to it.

    writing: a local store that can't be written is read from a copy where this is False. Raises
    UserError.
    """
    client = store.open_store(writing=writing)
    if waiting() and os.access(pending(), os.W_OK):
        Sender(client).finish_all()
    return client


class Runs:
    """The runs of one data set, in a store that answers."""

    def __init__(self, data: Description) -> None:
        """Completes the runs of earlier processes.

        Raises UserError where the store does not answer.
        """
        self.data = data
        self.client = store.open_store()
        self.recorder = Recorder(data)
        self.sender = Sender(self.client)
        self.stored = self.sender.stored
        name = experiment_name(data.name)
        self.sender.finish_all(needed=name)
        self.experiment = store.experiment(self.client, name)
        self.sender.close_abandoned(name)

    def lineage(self) -> dict[str, str]:
        """Returns the tags of the present state: commit, experiment, data."""
        return lineage(self.data)

    def find(self, fingerprint: str, *statuses: str) -> str | None:
        """Returns the id of the newest run with this fingerprint and one of these states."""
        return self.stored.find(self.experiment, fingerprint, statuses)

    @contextmanager
    def written(self, record: RunRecord) -> Iterator[RunRecord]:
        """Sends a record as soon as the block ends."""
        with record:
            yield record
            self.sender.take(record.path)  # before it is closed: then others may take it
        self.sender.finish(record.path)

    def parent(self) -> str:
        """Returns the id of the run above the trainings of present parameters, data and code."""
        return self.stored.run_of(self.recorder.parent()).run_id

    def trained(self, folder: Path) -> str:
        """Returns the id of the run that trained the model in a folder.

        It is made again where the store has none.
        """
        fingerprint = load_description(folder).fingerprint
        run = self.stored.finished(self.experiment, fingerprint)
        if run is None:
            with self.written(record_training(self.recorder, folder)):
                pass
            run = self.stored.finished(self.experiment, fingerprint)
        if run is None:
            raise UserError(
                f"{folder}: MLflow has no run of its training yet, as another process sends it; "
                "run again"
            )
        return str(run.info.run_id)

    def studied(self, model_type: str) -> None:
        """Restores the runs of a study and its trials, where the store has none.

        DVC's outputs hold no learning curves of trials, so that these runs have none.
        """
        rows = trial_rows(model_type)
        if not rows:
            return
        fingerprint = tree_sha256(paths.TUNED / model_type / paths.TRIALS)
        if self.stored.search(self.experiment, f"tags.{TRIALS_SHA256} = '{fingerprint}'"):
            return
        study = self.recorder.restored_study(fingerprint, model_type)
        for row in rows:
            self._restore_trial(study, row)
        with self.written(self.recorder.studied(study)) as run:
            finish_study(run, model_type)

    def _restore_trial(self, study: Begin, row: Mapping[str, str]) -> None:
        """Makes a trial's run from its line of the table."""
        params = {name: value for name, value in row.items() if "." in name and value}
        metrics = {}
        for name in ("squared_error", "explained_variance"):
            if row[name]:
                metrics[f"val/{name}"] = float(row[name])
        with self.written(self.recorder.restored_trial(study, row["trial"], params)) as trial:
            trial.metrics(metrics)
            trial.tag(state=row["state"], reason=row["reason"])

    def log_evaluation(self) -> None:
        """Logs the evaluation to the runs that have another one, or none."""
        metrics = evaluated()
        lacking = []
        for model, values in metrics.items():
            if not is_trained(model):
                continue
            run_id = self.trained(paths.MODELS / model)
            if not self._has(run_id, values, figures_sha256(model)):
                lacking.append(model)
        for record in record_types(self.recorder, lacking, metrics):
            self.sender.finish(record.path)
        if not self._has(self.parent(), baseline_metrics(metrics), report_sha256()):
            with self.written(self.recorder.pipeline()) as run:
                record_baselines(run, metrics)

    def _has(self, run_id: str, metrics: Metrics, files_sha256: str) -> bool:
        """Whether a run's last metrics are these, and its files have this hash."""
        data = self.client.get_run(run_id).data
        is_same = data.tags.get(FILES_SHA256) == files_sha256
        return is_same and metrics.items() <= data.metrics.items()

    def log_drift(self, uri: str, source: str, table: Path, metrics: Mapping[str, float]) -> str:
        """Logs the differences of new data as a run that names the model's version.

        Returns the run's id.
        """
        version = store.version_of(self.client, uri)
        model = f"models:/{version.name}/{version.version}"
        record = self.recorder.drift(source, model)
        with record:
            record.metrics({f"drift/{name}": value for name, value in metrics.items()})
            record.artifacts([table])
            self.sender.take(record.path)
        self.sender.send(record.path)
        run_id = self.sender.sent[record.path].run_id
        self.sender.finish(record.path)
        self.client.set_model_version_tag(version.name, version.version, "drift_run", run_id)
        return run_id
