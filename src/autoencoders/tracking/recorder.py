"""The recorder of a stage: the runs that it writes, and the writer that sends them to MLflow.

No training and no trial waits for the store: a stage appends to records (`records.py`) and goes on.
"""

import csv
import json
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

from autoencoders.core import identity, paths
from autoencoders.core.files import tree_sha256
from autoencoders.core.paths import PARAMS_FILE
from autoencoders.core.process import is_first
from autoencoders.data.prepared.prepared import Description
from autoencoders.tracking.address import destination
from autoencoders.tracking.clone import clone, process
from autoencoders.tracking.origin import lineage
from autoencoders.tracking.records import Begin, RunRecord, now

SECTIONS = ("seed", "data", "network", "train", "models", "tune")  # of params.yaml, name a run
TRIALS_SHA256 = "trials_sha256"
RESTORED = {"restored": "from DVC's outputs"}  # tag of a run that was made again
DIGEST_LENGTH = 36  # MLflow's limit for a data set's digest


def experiment_name(data: str) -> str:
    """Returns the name of the data set's experiment and of its registered model."""
    return f"autoencoder-{data}"


@contextmanager
def training_run(
    data: Description, params: Mapping[str, Any], fingerprint: str, *, resumed: bool
) -> Iterator[RunRecord | None]:
    """Yields the record of a training, with the writer beside it.

    Only the first device's process has one; others get None.
    """
    if not is_first():
        yield None
        return
    with Recorder(data) as recorder, recorder.training(params, fingerprint, resumed=resumed) as run:
        yield run


class Recorder:
    """The runs of one data set that this process writes.

    As a context, it starts the writer, and waits for it at the end as long as the store answers.
    """

    def __init__(self, data: Description) -> None:
        self.data = data
        self.lineage = lineage(data)
        self.writer: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "autoencoders.tracking"]
        self.writer = subprocess.Popen(
            command, stdin=subprocess.PIPE, bufsize=0, start_new_session=True
        )
        return self

    def __exit__(self, *error: object) -> None:
        if self.writer is not None and self.writer.stdin is not None:
            self.writer.stdin.close()
            self.writer.wait()
            self.writer = None

    def _record(self, begin: Begin) -> RunRecord:
        """Begins a record, which the writer sends from then on."""
        key = uuid.uuid4().hex
        record = RunRecord(replace(begin, key=key, start=begin.start or now()))
        if self.writer is not None and self.writer.stdin is not None:
            line = f"{record.path}\n"
            with suppress(BrokenPipeError):  # the writer is gone; the next one finds the record
                self.writer.stdin.write(line.encode())
        return record

    def _begin(self, name: str, tags: Mapping[str, str], **values: Any) -> Begin:
        """A run of this data set's experiment."""
        experiment = experiment_name(self.data.name)
        return Begin(experiment, name, _texts(tags), store=destination(), **values)

    def parent(self) -> Begin:
        """The run above the trainings of one `dvc repro`: of present parameters, data and code.

        Parameters are read from the file, not through `Params`: they name a run, and no output of a
        stage depends on it.
        """
        tree = YAML(typ="safe", pure=True).load(PARAMS_FILE)
        values = {section: tree.get(section) for section in SECTIONS}
        state = identity.fingerprint("train", values, self.data.content_sha256)
        tags = {"stage": "pipeline", **self.lineage}
        name = f"{self.data.name} {state[:6]}"
        return self._begin(
            name,
            tags,
            fingerprint=state,
            found_in=(),
            shared=True,
            status="FINISHED",
            start=now(),
        )

    def pipeline(self) -> RunRecord:
        """Records metrics and files that concern all types, for the parent run."""
        return self._record(self.parent())

    def training(self, params: Mapping[str, Any], fingerprint: str, *, resumed: bool) -> RunRecord:
        """Records a training: for the killed run that it resumes, else for a new one."""
        begin = self._child(params, "train")
        begin = replace(begin, fingerprint=fingerprint, tags={**begin.tags, **process()})
        if resumed:
            begin = replace(begin, found_in=(), reopen=True)
        return self._record(begin)

    def trained(
        self, params: Mapping[str, Any], fingerprint: str, history: Sequence[Mapping[str, float]]
    ) -> RunRecord:
        """Records more of a training that is finished.

        Where the store has no such run, it is made from this.
        """
        begin = self._child(params, "train")
        begin = replace(
            begin,
            fingerprint=fingerprint,
            tags={**begin.tags, **RESTORED},
            found_in=("FINISHED",),
            status="FINISHED",
            start=now(),
            shared=True,
            visit=True,
        )
        record = self._record(begin)
        record.restore(history)
        return record

    def study(
        self, name: str, model_type: str, params: Mapping[str, Any], *, private: bool
    ) -> Begin:
        """Describes a study's run, the parent of its trials.

        It is found again by the study's name while the study goes on. private: the study lives in
        a journal of this clone; another clone's of the same name has another run.
        """
        begin = self._child({"kind": model_type, **params}, "tune")
        fingerprint = name
        if private:
            fingerprint = f"{name}@{clone()}"
        return replace(
            begin,
            fingerprint=fingerprint,
            found_in=(),
            shared=True,
            reopen=True,
            tags={**begin.tags, **process()},
            start=now(),
        )

    def studied(self, study: Begin) -> RunRecord:
        """Records a study."""
        return self._record(study)

    def restored_study(self, fingerprint: str, model_type: str) -> Begin:
        """Describes the run of a study that is made again from DVC's outputs."""
        study = self.study(fingerprint, model_type, {}, private=False)
        return replace(study, tags={**study.tags, **RESTORED})

    def drift(self, source: str, model: str) -> RunRecord:
        """Records the differences of new data from a registered model's training data."""
        tags = {"stage": "drift", "model": model, "source": source}
        return self._record(self._begin(f"drift {Path(source).name}", tags))

    def trial_run(
        self, study: Begin, number: int, attempt: int, params: Mapping[str, Any]
    ) -> Begin:
        """Describes a trial's run, below its study.

        number: the trial's, without gaps; attempt: Optuna's number, which a repeated trial does not
        share with the one that it repeats.
        """
        return self._begin(
            f"trial {number}",
            {**_trial_tags(study), **process()},
            params=_texts(params),
            parent=study,
            fingerprint=f"{study.fingerprint}/attempt {attempt}",
        )

    def trial(self, begin: Begin) -> RunRecord:
        """Records a trial."""
        return self._record(begin)

    def finished_trial(self, begin: Begin, metrics: Mapping[str, float]) -> RunRecord:
        """Records more of a trial that is finished.

        Its run may still be open, as a worker on another machine sends it. Where the store has no
        such run, it is made from this, with these metrics.
        """
        begin = replace(
            begin,
            tags={**begin.tags, **RESTORED},
            found_in=(),
            status="FINISHED",
            start=now(),
            shared=True,
            visit=True,
        )
        record = self._record(begin)
        record.restore([metrics])
        return record

    def restored_trial(self, study: Begin, number: str, params: Mapping[str, Any]) -> RunRecord:
        """Records a trial that is made again from DVC's outputs, once however often it is tried."""
        begin = self._begin(
            f"trial {number}",
            {**_trial_tags(study), **RESTORED},
            params=_texts(params),
            parent=study,
            fingerprint=f"{study.fingerprint}/{number}",
            found_in=(),
            shared=True,
        )
        return self._record(begin)

    def _child(self, params: Mapping[str, Any], task: str) -> Begin:
        """A run of one type, below the parent."""
        model_type = str(params["kind"])
        name = model_type
        if task != "train":
            name = f"{task} {model_type}"
        return self._begin(
            name,
            {"stage": task, "kind": model_type, **self.lineage},
            params=_texts(params),
            parent=self.parent(),
            dataset=self._dataset(),
        )

    def _dataset(self) -> dict[str, str]:
        """The data set, as MLflow shows it beside a run."""
        profile = {"rows": self.data.rows, "features": self.data.facts.n_features}
        return {
            "name": self.data.name,
            "digest": self.lineage["data_hash"][:DIGEST_LENGTH],
            "source": json.dumps({"uri": str(paths.DATA)}),
            "profile": json.dumps(profile),
        }


def _texts(values: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in values.items()}


def _trial_tags(study: Begin) -> dict[str, str]:
    """A trial's tags: like its study, it names its type and its data set."""
    return {"stage": "trial", "kind": study.tags["kind"], "data": study.tags["data"]}


def finish_study(record: RunRecord, model_type: str) -> None:
    """Records the files that a study wrote for DVC, and the hash by which it is found."""
    folder = paths.TUNED / model_type
    record.artifacts([folder])
    record.tag(**{TRIALS_SHA256: tree_sha256(folder / paths.TRIALS)})


def trial_rows(model_type: str) -> list[dict[str, str]]:
    """The lines of a study's table of trials."""
    with (paths.TUNED / model_type / paths.TRIALS).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
