"""Runs: one child a training under one parent a state of parameters, data and code; found again by fingerprint."""

import csv
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path
from typing import Any

import psutil
from filelock import FileLock
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders import stage
from autoencoders.checkpoint import load_description, load_history
from autoencoders.data.prepared import REPORT, Description
from autoencoders.errors import Interrupted
from autoencoders.files import read_json, tree_sha256
from autoencoders.params import PARAMS_FILE
from autoencoders.tracking import store

FINGERPRINT, TRIALS_SHA256 = "fingerprint", "trials_sha256"
LOCK_WAITS = (0.0, 0.1, 0.2, 0.4, 0.8)  # seconds before each look at dvc.lock
FLUSH_SECONDS = 5.0  # from one write of the learning curves to the next
VERSIONED = ("src", "pipeline", "params.yaml", "dvc.yaml", "requirements.lock", "pyproject.toml")


class Run:
    """One MLflow run that is being written. As a context: closed as FINISHED, KILLED by an interruption, or FAILED."""

    def __init__(self, client: MlflowClient, run_id: str) -> None:
        self.client, self.id, self.waiting, self.flushed = client, run_id, list[Metric](), time.monotonic()
        curve = client.get_metric_history(run_id, "val/reconstruction_loss")
        self.logged_epochs = max((metric.step for metric in curve), default=0)

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None:
            self.end("FINISHED")
        elif isinstance(error, Interrupted):
            self.end("KILLED", str(error))
        else:
            self.end("FAILED", f"{type(error).__name__}: {error}")

    def epoch(self, epoch: int, means: Mapping[str, float]) -> None:
        """An epoch's means, by name; an epoch that the run already has is left out."""
        if epoch > self.logged_epochs:
            self.metrics(means, epoch)

    def metrics(self, values: Mapping[str, float], epoch: int = 0) -> None:
        """Figures, by name: single ones are written at once, those of an epoch may wait for the next epoch's."""
        now = time.time_ns() // 1_000_000
        self.waiting += [Metric(key, float(value), now, epoch) for key, value in values.items()]
        if not epoch or time.monotonic() > self.flushed + FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Writes what waits."""
        self.client.log_batch(self.id, self.waiting)
        self.waiting, self.flushed = [], time.monotonic()

    def tag(self, **tags: str) -> None:
        """Tags, by name."""
        for key, value in tags.items():
            self.client.set_tag(self.id, key, value)

    def artifacts(self, paths: Sequence[Path], folder: str | None = None) -> None:
        """Files, copied into a folder of the run's artifacts."""
        for path in paths:
            self.client.log_artifact(self.id, str(path), folder)

    def end(self, status: str, reason: str = "") -> None:
        """Closes the run: FINISHED, FAILED or KILLED, and why."""
        self.flush()
        if reason:
            self.tag(reason=reason[:4000], **{"mlflow.note.content": f"{status}: {reason[:4000]}"})
        self.client.set_terminated(self.id, status)


def training_run(
    data: Description, params: Mapping[str, Any], fingerprint: str, *, resumed: bool
) -> AbstractContextManager[Run | None]:
    """`Runs.training`; for the processes of all devices but the first, none."""
    return Runs(data).training(params, fingerprint, resumed=resumed) if stage.is_first() else nullcontext()


class Runs:
    """The runs of one data set."""

    def __init__(self, data: Description) -> None:
        self.data, self.data_hash = data, dvc_hash(stage.DATA) or data.content_sha256
        self.client = store.open_store()
        self.experiment = store.experiment(self.client, data.name)
        self._bury_the_dead()

    def find(self, mark: str, *statuses: str) -> str | None:
        """The id of the newest run with this fingerprint and one of these states."""
        found = self._search(f"tags.{FINGERPRINT} = '{mark}'")
        return next((str(run.info.run_id) for run in found if not statuses or run.info.status in statuses), None)

    def _search(self, query: str) -> Any:
        return self.client.search_runs([self.experiment], query, order_by=["attributes.start_time DESC"])

    def _bury_the_dead(self) -> None:
        """Marks runs KILLED whose process on this machine is gone: a kill -9 left them running."""
        for run in self._search("attributes.status = 'RUNNING'"):
            tags = run.data.tags
            if tags.get("host") == socket.gethostname() and not psutil.pid_exists(int(tags.get("pid", 0))):
                Run(self.client, run.info.run_id).end("KILLED", "its process is gone")

    def parent(self) -> str:
        """The run that groups the trainings of one `dvc repro`: of the present parameters, data and code.

        Read from the file, not through `Params`: the parameters name a run, and no output of a stage depends on it.
        """
        tree = YAML(typ="safe", pure=True).load(PARAMS_FILE)
        shared = {name: tree.get(name) for name in ("seed", "data", "network", "train", "models", "tune")}
        state = stage.fingerprint("train", shared, self.data.content_sha256)
        with FileLock(store.folder() / "parent.lock"):  # types may be trained side by side
            found = self.find(state)
            if found is None:
                tags = {FINGERPRINT: state, "stage": "pipeline", **self.lineage()}
                found = self._new(f"{self.data.name} {state[:6]}", tags).id
                self.client.set_terminated(found)
            return found

    def _new(self, name: str, tags: Mapping[str, str], params: Mapping[str, Any] | None = None) -> Run:
        run = Run(self.client, self.client.create_run(self.experiment, tags=tags, run_name=name).info.run_id)
        self.client.log_batch(run.id, params=[Param(key, str(value)) for key, value in (params or {}).items()])
        return run

    def pipeline(self) -> Run:
        """The parent run, for what concerns all types."""
        return Run(self.client, self.parent())

    def training(self, params: Mapping[str, Any], mark: str, *, resumed: bool) -> Run:
        """A training's run: the killed one that it resumes, else a new one."""
        found = self.find(mark, "KILLED", "FAILED", "RUNNING") if resumed else None
        return self._again(found) if found else self._child(params, mark)

    def study(self, name: str, kind: str, params: Mapping[str, Any]) -> Run:
        """A study's run, the parent of its trials: found again by the study's name while the study goes on."""
        found = self.find(name)
        return self._again(found) if found else self._child({"kind": kind, **params}, name, "tune")

    def trial(self, study: str, name: str, params: Mapping[str, Any]) -> Run:
        """A trial's run below its study's."""
        return self._new(name, {"mlflow.parentRunId": study, "stage": "trial", **_process()}, params)

    def _again(self, run_id: str) -> Run:
        """A run that goes on in this process."""
        self.client.update_run(run_id, status="RUNNING")
        run = Run(self.client, run_id)
        run.tag(**_process())
        return run

    def _child(self, params: Mapping[str, Any], mark: str, task: str = "train") -> Run:
        kind = str(params["kind"])
        tags = {FINGERPRINT: mark, "mlflow.parentRunId": self.parent(), "stage": task, "kind": kind}
        name = kind if task == "train" else f"{task} {kind}"
        run = self._new(name, {**tags, **self.lineage(), **_process()}, params)
        profile = json.dumps({"rows": self.data.rows, "features": self.data.facts.n_features})
        digest = self.data_hash[:36]  # MLflow's limit
        dataset = Dataset(self.data.name, digest, "local", json.dumps({"uri": str(stage.DATA)}), profile=profile)
        self.client.log_inputs(run.id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])
        return run

    def studied(self, kind: str) -> None:
        """Makes a study's run and its trials' again from what DVC holds, where the store has none: without curves."""
        path = stage.TUNED / kind / stage.TRIALS
        mark, rows = tree_sha256(path), list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(keepends=True)))
        if not rows or self._search(f"tags.{TRIALS_SHA256} = '{mark}'"):
            return
        with self.study(mark, kind, {}) as run:
            for row in rows:
                params = {name: value for name, value in row.items() if "." in name and value}
                with self.trial(run.id, f"trial {row['trial']}", params) as trial:
                    results = {name: row[name] for name in ("squared_error", "explained_variance") if row[name]}
                    trial.metrics({f"val/{name}": float(value) for name, value in results.items()})
                    trial.tag(state=row["state"], reason=row["reason"])
            run.tag(restored="from DVC's outputs")
            self.log_study(run, kind)

    def log_study(self, run: Run, kind: str) -> None:
        """Logs what a study wrote for DVC, and the mark by which it is found."""
        self.client.log_artifacts(run.id, str(stage.TUNED / kind))
        run.tag(**{TRIALS_SHA256: tree_sha256(stage.TUNED / kind / stage.TRIALS)})

    def trained(self, folder: Path) -> Run:
        """The run that trained the model in a folder, made again from the folder where the store has none."""
        description = load_description(folder)
        found = self.find(description.fingerprint, "FINISHED")
        if found is not None:
            return Run(self.client, found)
        with self._child(description.params, description.fingerprint) as run:
            run.tag(restored="from DVC's outputs")
            for epoch, means in enumerate(load_history(folder), 1):
                run.epoch(epoch, means)
        return run

    def log_evaluation(self, *, only_missing: bool = False) -> None:
        """Logs what evaluate wrote for DVC: read from its file, so that the two can't differ.

        A type's metrics and figures go to the run that trained it; the report and the baselines' metrics, under their
        names, to the parent. Metrics are named as the UI groups them, test/x and val/x. only_missing: leave out the
        runs that have the same.
        """
        shared = [stage.REPORTS / "index.html", stage.METRICS / "leaderboard.json", stage.DATA / REPORT]
        for model, values in read_json(stage.METRICS / "metrics.json").items():
            own = (stage.MODELS / model).is_dir()
            run, prefix = (self.trained(stage.MODELS / model), "") if own else (self.pipeline(), f"{model}/")
            named = {prefix + re.sub("^(test|val)(idation)?_", r"\1/", key): value for key, value in values.items()}
            if not only_missing or not named.items() <= self.client.get_run(run.id).data.metrics.items():
                run.metrics(named)
                files = sorted((stage.FIGURES / model).iterdir()) if own else shared
                run.artifacts(files, "figures" if own else None)

    def log_drift(self, uri: str, source: str, table: str, metrics: Mapping[str, float]) -> str:
        """Logs how new data differs as a run that names the model's version, and gives the run's id."""
        version = store.version_of(self.client, uri)
        tags = {"stage": "drift", "model": f"models:/{version.name}/{version.version}", "source": source}
        with self._new(f"drift {Path(source).name}", tags) as run:
            run.metrics({f"drift/{name}": value for name, value in metrics.items()})
            self.client.log_text(run.id, table, "drift.csv")
        self.client.set_model_version_tag(version.name, version.version, "drift_run", run.id)
        return run.id

    def lineage(self) -> dict[str, str]:
        """Where the present state comes from: commit, whether files differ from it, DVC experiment, data."""
        tags = {"mlflow.source.name": os.environ.get("DVC_STAGE", "by hand"), "mlflow.source.type": "LOCAL"}
        if commit := _git("rev-parse", "HEAD"):
            tags["mlflow.source.git.commit"] = commit
            tags["git_dirty"] = str(bool(_git("status", "--porcelain", "--", *VERSIONED))).lower()
        if experiment := os.environ.get("DVC_EXP_NAME"):
            tags["dvc_experiment"] = experiment
        if experiment := os.environ.get(stage.EXPERIMENT_VARIABLE):
            tags["experiment"] = experiment
        hashes = {name: getattr(self.data, name) for name in ("content_sha256", "source", "source_sha256")}
        return {**tags, "data": self.data.name, "data_hash": self.data_hash, **hashes}


def _git(*arguments: str) -> str:
    try:
        command = ["git", "-C", os.environ.get(stage.ROOT_VARIABLE, "."), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""  # not a git repository: there is nothing to tell


def _process() -> dict[str, str]:
    return {"host": socket.gethostname(), "pid": str(os.getpid())}


def dvc_hash(path: Path) -> str | None:
    """DVC's hash of a stage's output, from dvc.lock, where a stage has written it.

    Another `dvc` may be writing the file, which it does in place: what is read then is a part of it.
    """
    lock = Path("dvc.lock")
    for wait in LOCK_WAITS if lock.exists() else ():
        time.sleep(wait)
        with suppress(YAMLError, LookupError, TypeError, AttributeError):
            stages = YAML(typ="safe", pure=True).load(lock)["stages"]
            outs = [out for stage in stages.values() for out in stage.get("outs", [])]
            found = [str(out["md5"]) for out in outs if out["path"] == path.as_posix()]
            if found and re.fullmatch(r"[0-9a-f]{32}(\.dir)?", found[0]):
                return found[0]
    return None
