"""Runs: one child a training under one parent a state of parameters, data and code; found again by fingerprint."""

import csv
import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from filelock import FileLock
from ruamel.yaml import YAML

from autoencoders.checkpoint import load_description, load_history
from autoencoders.data.prepared import Description
from autoencoders.errors import Interrupted
from autoencoders.files import read_json, sha256, tree_sha256
from autoencoders.params import PARAMS_FILE
from autoencoders.stage import DATA, FIGURES, METRICS, MODELS, REPORTS, TRIALS, TUNED, TUNED_VALUES, code_sha256
from autoencoders.tracking import store

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

FINGERPRINT, TRIALS_SHA256 = "fingerprint", "trials_sha256"
FLUSH_SECONDS = 5.0  # from one write of the learning curves to the next
BATCH = 1000  # metrics in one call, MLflow's limit
VERSIONED = ("src", "pipeline", "params.yaml", "dvc.yaml", "requirements.lock", "pyproject.toml")


class Run:
    """One MLflow run that is being written."""

    def __init__(self, client: "MlflowClient", run_id: str, *, new: bool = False) -> None:
        self.client, self.id = client, run_id
        self.waiting: list[Metric] = []
        self.waiting_params: dict[str, Any] = {}
        self.flushed = time.monotonic()
        self.logged_epochs = 0 if new else self._logged_epochs()

    def _logged_epochs(self) -> int:
        history = self.client.get_metric_history(self.id, "val/reconstruction_loss")
        return max((metric.step for metric in history), default=0)

    def epoch(self, epoch: int, means: Mapping[str, float]) -> None:
        """An epoch's means, by name; an epoch that the run already has is left out."""
        if epoch <= self.logged_epochs:
            return
        self._add(means, epoch)
        if time.monotonic() > self.flushed + FLUSH_SECONDS:
            self.flush()

    def metrics(self, values: Mapping[str, float]) -> None:
        """Single figures, by name."""
        self._add(values, 0)
        self.flush()

    def _add(self, values: Mapping[str, float], step: int) -> None:
        from mlflow.entities import Metric

        now = time.time_ns() // 1_000_000
        self.waiting += [Metric(key, float(value), now, step) for key, value in values.items()]

    def flush(self) -> None:
        """Writes what waits."""
        from mlflow.entities import Param

        params = [Param(key, str(value)) for key, value in self.waiting_params.items()]
        for start in range(0, max(len(self.waiting), len(params)), BATCH):
            metrics = self.waiting[start : start + BATCH]
            self.client.log_batch(self.id, metrics=metrics, params=params[start : start + BATCH])
        self.waiting, self.waiting_params, self.flushed = [], {}, time.monotonic()

    def params(self, values: Mapping[str, Any]) -> None:
        """Parameters, by dotted name; written with the next metrics, or at the end."""
        self.waiting_params |= values

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


class Runs:
    """The runs of one data set."""

    def __init__(self, data: Description) -> None:
        self.data, self.data_hash = data, dvc_hash(DATA) or data.content_sha256
        self.client = store.open_store()
        self.experiment = store.experiment(self.client, data.name)
        self._bury_the_dead()

    def find(self, fingerprint: str, *statuses: str) -> str | None:
        """The id of the newest run with this fingerprint and one of these states."""
        found = self._search(f"tags.{FINGERPRINT} = '{fingerprint}'")
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
        """The run that groups the trainings of the present parameters, data and code."""
        state = pipeline_state(self.data)
        with FileLock(store.folder() / "parent.lock"):  # types may be trained side by side
            found = self.find(state)
            if found is not None:
                return found
            tags = {FINGERPRINT: state, "stage": "pipeline", **self.lineage()}
            run = self.client.create_run(self.experiment, tags=tags, run_name=f"{self.data.name} {state[:6]}")
            self.client.set_terminated(run.info.run_id)
            return str(run.info.run_id)

    @contextmanager
    def pipeline(self) -> Iterator[Run]:
        """The parent run, for what concerns all types; FAILED, with the reason, where the block fails."""
        run = Run(self.client, self.parent())
        with _closing(run):
            yield run

    @contextmanager
    def training(self, params: Mapping[str, Any], fingerprint: str, *, resumed: bool) -> Iterator[Run]:
        """A training's run: the killed one that it resumes, else a new one; closed as FINISHED, FAILED or KILLED."""
        found = self.find(fingerprint, "KILLED", "FAILED", "RUNNING") if resumed else None
        run = Run(self.client, found) if found else self._child(params, fingerprint)
        if found:
            self.client.update_run(found, status="RUNNING")
            run.tag(**_process())
        with _closing(run):
            yield run

    @contextmanager
    def study(self, name: str, kind: str, params: Mapping[str, Any]) -> Iterator[Run]:
        """A study's run, the parent of its trials: found again by the study's name while the study goes on."""
        found = self.find(name)
        run = Run(self.client, found) if found else self._child({"kind": kind, **params}, name, "tune")
        self.client.update_run(run.id, status="RUNNING")
        run.tag(**_process())
        with _closing(run):
            yield run

    @contextmanager
    def trial(self, study: str, name: str, params: Mapping[str, Any]) -> Iterator[Run]:
        """A trial's run below its study's; closed as FINISHED, FAILED or KILLED."""
        tags = {"mlflow.parentRunId": study, "stage": "trial", **_process()}
        run = Run(self.client, self.client.create_run(self.experiment, tags=tags, run_name=name).info.run_id, new=True)
        run.params(params)
        with _closing(run):
            yield run

    def studied(self, kind: str) -> None:
        """Makes a study's run and its trials' again from what DVC holds, where the store has none: without curves."""
        path = TUNED / kind / TRIALS
        rows = list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))
        if not rows or self._search(f"tags.{TRIALS_SHA256} = '{tree_sha256(path)}'"):
            return
        with self.study(tree_sha256(path), kind, {}) as run:
            for row in rows:
                params = {name: value for name, value in row.items() if "." in name and value}
                with self.trial(run.id, f"trial {row['trial']}", params) as trial:
                    numbers = {name: row[name] for name in ("squared_error", "explained_variance") if row[name]}
                    trial.metrics({f"val/{name}": float(value) for name, value in numbers.items()})
                    trial.tag(state=row["state"], reason=row["reason"])
            run.tag(restored="from DVC's outputs")
            self.log_study(run, kind)

    def log_study(self, run: Run, kind: str) -> None:
        """Logs what a study wrote for DVC, and the mark by which it is found."""
        folder = TUNED / kind
        run.artifacts([folder / name for name in (TUNED_VALUES, TRIALS)])
        run.artifacts(sorted((folder / "figures").iterdir()), "figures")
        run.tag(**{TRIALS_SHA256: tree_sha256(folder / TRIALS)})

    def trained(self, folder: Path) -> Run:
        """The run that trained the model in a folder, made again from the folder where the store has none."""
        description = load_description(folder)
        found = self.find(description.fingerprint, "FINISHED")
        if found is not None:
            return Run(self.client, found)
        run = self._child(description.params, description.fingerprint)
        run.tag(restored="from DVC's outputs")
        for epoch, means in enumerate(load_history(folder), 1):
            run.epoch(epoch, means)
        run.end("FINISHED")
        return run

    def log_evaluation(self, *, only_missing: bool = False) -> None:
        """Logs what evaluate wrote for DVC: read from its file, so that the two can't differ.

        A type's metrics and figures go to the run that trained it; the report and the baselines' metrics, under their
        names, to the parent. only_missing: leave out the runs that have them.
        """
        for model, values in read_json(METRICS / "metrics.json").items():
            named = {re.sub("^validation_", "val/", re.sub("^test_", "test/", key)): v for key, v in values.items()}
            is_type = (MODELS / model).is_dir()
            run = self.trained(MODELS / model) if is_type else Run(self.client, self.parent())
            named = named if is_type else {f"{model}/{key}": value for key, value in named.items()}
            if only_missing and named.keys() <= self.client.get_run(run.id).data.metrics.keys():
                continue
            run.metrics(named)
            if is_type:
                run.artifacts(sorted((FIGURES / model).iterdir()), "figures")
            else:
                run.artifacts([REPORTS / "index.html", METRICS / "leaderboard.json"])

    def _child(self, params: Mapping[str, Any], fingerprint: str, stage: str = "train") -> Run:
        kind = str(params["kind"])
        tags = {FINGERPRINT: fingerprint, "mlflow.parentRunId": self.parent(), "stage": stage, "kind": kind}
        name = kind if stage == "train" else f"{stage} {kind}"
        created = self.client.create_run(self.experiment, tags={**tags, **self.lineage(), **_process()}, run_name=name)
        run = Run(self.client, created.info.run_id, new=True)
        run.params(params)
        run.flush()
        self._log_input(run.id)
        return run

    def lineage(self) -> dict[str, str]:
        """Where the present state comes from: commit, experiment, data."""
        return {**_source(), "data": self.data.name, "data_hash": self.data_hash}

    def _log_input(self, run_id: str) -> None:
        from mlflow.entities import Dataset, DatasetInput, InputTag

        digest = self.data_hash[:36]  # MLflow's limit
        profile = json.dumps({"rows": self.data.rows, "features": self.data.facts.n_features})
        dataset = Dataset(self.data.name, digest, "local", json.dumps({"uri": str(DATA)}), profile=profile)
        self.client.log_inputs(run_id, [DatasetInput(dataset, [InputTag("mlflow.data.context", "training")])])


@contextmanager
def _closing(run: Run) -> Iterator[None]:
    """Closes the run as FINISHED, as KILLED by an interruption, or as FAILED with the reason."""
    try:
        yield
    except Interrupted as reason:
        run.end("KILLED", str(reason))
        raise
    except BaseException as error:
        run.end("FAILED", f"{type(error).__name__}: {error}")
        raise
    run.end("FINISHED")


def pipeline_state(data: Description) -> str:
    """Hash of all that the trainings of one `dvc repro` depend on.

    Read from the file and not through `Params`: it names a run, and no output of any stage depends on it.
    """
    tree = YAML(typ="safe", pure=True).load(PARAMS_FILE)
    shared = {name: tree.get(name) for name in ("seed", "data", "network", "train", "models", "tune")}
    return sha256(json.dumps([shared, data.content_sha256, code_sha256("train")], sort_keys=True).encode())[:32]


def _source() -> dict[str, str]:
    """The commit, whether code or parameters differ from it, and the DVC experiment: what is known of them."""
    tags = {"mlflow.source.name": os.environ.get("DVC_STAGE", "by hand"), "mlflow.source.type": "LOCAL"}
    commit = _git("rev-parse", "HEAD")
    if commit:
        tags["mlflow.source.git.commit"] = commit
        tags["git_dirty"] = str(bool(_git("status", "--porcelain", "--", *VERSIONED))).lower()
    if experiment := os.environ.get("DVC_EXP_NAME"):
        tags["dvc_experiment"] = experiment
    return tags


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""  # not a git repository: there is nothing to tell


def _process() -> dict[str, str]:
    return {"host": socket.gethostname(), "pid": str(os.getpid())}


def dvc_hash(path: Path) -> str | None:
    """DVC's hash of a stage's output, from dvc.lock, where a stage has written it."""
    lock = Path("dvc.lock")
    stages = YAML(typ="safe", pure=True).load(lock)["stages"] if lock.exists() else {}
    outs = [out for stage in stages.values() for out in stage.get("outs", [])]
    return next((out["md5"] for out in outs if out["path"] == path.as_posix()), None)
