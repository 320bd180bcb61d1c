"""The evaluation's metrics, figures and report in MLflow.

They are read from the files that DVC has, so that the two can't differ.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from autoencoders.core import paths
from autoencoders.core.files import read_json, tree_sha256
from autoencoders.data.prepared.prepared import REPORT, Description
from autoencoders.evaluation.catalogue import mlflow_name
from autoencoders.evaluation.row import read_rows
from autoencoders.evaluation.verdict import verdict
from autoencoders.models.trained.saved import load_description, load_history
from autoencoders.params.params import load_params
from autoencoders.tracking.recorder import Recorder
from autoencoders.tracking.records import RunRecord

FILES_SHA256 = "evaluation_sha256"  # tag of a run: the hash of the evaluation's files that it has
# tags of the parent run
DATA_NOTES = "data_notes"  # the report has all notes
VERDICT = "verdict"
TAG_LENGTH = 5000  # characters that every server takes
Metrics = dict[str, float]


def evaluated() -> dict[str, Metrics]:
    """Returns the metrics by model, named as MLflow's UI groups them: test/x and val/x."""
    metrics = read_json(paths.METRICS / "metrics.json")
    return {model: _named(values) for model, values in metrics.items()}


def _named(values: Mapping[str, float]) -> Metrics:
    return {mlflow_name(key): value for key, value in values.items()}


def is_trained(model: str) -> bool:
    """Whether a model of the leaderboard was trained, and is no baseline."""
    return (paths.MODELS / model).is_dir()


def baseline_metrics(metrics: Mapping[str, Metrics]) -> Metrics:
    """Returns the baselines' metrics, each under its model's name, for the run above all types."""
    named = {}
    for model, values in metrics.items():
        if is_trained(model):
            continue
        for name, value in values.items():
            named[f"{model}/{name}"] = value
    return named


def figures_sha256(model_type: str) -> str:
    """The hash of a type's figures."""
    return tree_sha256(paths.FIGURES / model_type)


def report_sha256() -> str:
    """The hash of the files that concern all types."""
    return tree_sha256(*_report_files())


def _report_files() -> list[Path]:
    return [paths.REPORT_PAGE, paths.LEADERBOARD, paths.DATA / REPORT]


def data_notes() -> list[str]:
    """Returns the notes on how the data was read, and what was left out."""
    notes: list[str] = read_json(paths.DATA / REPORT).get("told", [])
    return notes


def record_training(recorder: Recorder, folder: Path) -> RunRecord:
    """Records more of the run that trained the model in a folder.

    It is made again where the store has none.
    """
    description = load_description(folder)
    return recorder.trained(description.params, description.fingerprint, load_history(folder))


def record_types(
    recorder: Recorder, model_types: Iterable[str], metrics: Mapping[str, Metrics]
) -> list[RunRecord]:
    """Records each type's metrics and figures for the run that trained it.

    Returns the closed records.
    """
    records = []
    for model_type in model_types:
        with record_training(recorder, paths.MODELS / model_type) as run:
            run.metrics(metrics[model_type])
            figures = sorted((paths.FIGURES / model_type).iterdir())
            run.artifacts(figures, "figures")
            run.tag(**{FILES_SHA256: figures_sha256(model_type)})
        records.append(run)
    return records


def record_evaluation(data: Description) -> None:
    """Records the evaluation for the runs of all types and for the parent run."""
    metrics = evaluated()
    model_types = [model for model in metrics if is_trained(model)]
    with Recorder(data) as recorder, recorder.pipeline() as run:
        record_types(recorder, model_types, metrics)
        record_baselines(run, metrics)


def record_baselines(run: RunRecord, metrics: Mapping[str, Metrics]) -> None:
    """Records the baselines' metrics, the report, its verdict and the notes for the parent run."""
    run.metrics(baseline_metrics(metrics))
    notes = "\n".join(data_notes())
    if notes:
        run.tag(**{DATA_NOTES: notes[:TAG_LENGTH]})
    lines = "\n".join(verdict(read_rows(paths.LEADERBOARD), load_params().tune))
    if lines:
        run.tag(**{VERDICT: lines[:TAG_LENGTH]})
    run.artifacts(_report_files())
    run.tag(**{FILES_SHA256: report_sha256()})
