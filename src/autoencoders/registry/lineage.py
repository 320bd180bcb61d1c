"""Lineage: where a registered model comes from, how to make it again, and what changed since."""

from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from autoencoders.core.errors import UserError
from autoencoders.core.files import tree_sha256
from autoencoders.core.paths import DATA, RAW
from autoencoders.data.prepared.prepared import content_sha256
from autoencoders.evaluation.catalogue import (
    EXPLAINED_VARIANCE,
    SQUARED_ERROR,
    VALIDATION_SQUARED_ERROR,
    mlflow_name,
)
from autoencoders.registry.versions import fetch, model_sha256
from autoencoders.tracking.store import version_of

METRICS = (SQUARED_ERROR, EXPLAINED_VARIANCE, VALIDATION_SQUARED_ERROR)


def lineage(client: MlflowClient, uri: str) -> dict[str, str]:
    """Returns a model's origin by name, the commands that make it again last. Raises UserError."""
    version = version_of(client, uri)
    if not version.run_id:
        raise UserError(f"{uri}: was registered without a run, so its origin is not known")
    tags = version.tags
    run = client.get_run(version.run_id)
    aliases = "".join(f" @{alias}" for alias in version.aliases)
    source = f"{tags['source']}, SHA-256 {tags['source_sha256']}"
    return {
        "model": f"models:/{version.name}/{version.version}{aliases}",
        "type": tags["kind"],
        "git commit": _commit(tags),
        "experiment": tags.get("dvc_experiment") or "none: a plain `dvc repro`",
        "data": f"{tags['data']}, {source}, DVC {tags['data_hash']}",
        "parameters": _parameters(run),
        "study": _study(client, run, tags["kind"]),
        "metrics": _metrics(run),
        "MLflow run": version.run_id,
        "make it again": _commands(tags),
    }


def _commit(tags: dict[str, str]) -> str:
    """The git commit, and whether files differed from it."""
    commit = tags.get("mlflow.source.git.commit")
    if tags.get("git_dirty") == "true":
        return f"{commit} with changes that were not committed"
    return f"{commit}"


def _parameters(run: Run) -> str:
    """The run's parameters in one line, by name."""
    params = sorted(run.data.params.items())
    return ", ".join(f"{name} = {value}" for name, value in params)


def _study(client: MlflowClient, run: Run, model_type: str) -> str:
    """The studies of the same type under the same parent run, in one line."""
    parent = run.data.tags.get("mlflow.parentRunId")
    query = (
        f"tags.`mlflow.parentRunId` = '{parent}' "
        f"and tags.stage = 'tune' and tags.kind = '{model_type}'"
    )
    studies = client.search_runs([run.info.experiment_id], query)
    if not studies:
        return "none"
    return ", ".join(f"{study.info.run_name}, run {study.info.run_id}" for study in studies)


def _metrics(run: Run) -> str:
    """The run's main metrics in one line."""
    values = run.data.metrics
    names = [mlflow_name(metric.key) for metric in METRICS]
    return ", ".join(f"{name} = {values[name]:.6g}" for name in names if name in values)


def _commands(tags: dict[str, str]) -> str:
    """The shell commands that make the model again."""
    commands = ["# no git commit is known"]
    commit = tags.get("mlflow.source.git.commit")
    if commit:
        commands = [f"git checkout {commit}"]
    experiment = tags.get("dvc_experiment")
    if experiment:
        commands.append(f"dvc exp apply {experiment}")
    commands.append("dvc repro")
    return " && ".join(commands)


def verify(client: MlflowClient, uri: str) -> list[str]:
    """Returns the differences from the version's tags: in the model's files, source or data."""
    tags = version_of(client, uri).tags
    hashes = (
        ("model", tags["model_sha256"], model_sha256(fetch(uri))),
        ("source", tags["source_sha256"], _source_sha256(Path(tags["source"]))),
        ("prepared data", tags["content_sha256"], content_sha256(DATA)),
    )
    changes = []
    for part, before, now in hashes:
        if now != before:
            changes.append(f"{part}: {now}, but {before} when it was made")
    return changes


def _source_sha256(source: Path) -> str:
    """The hash of the source, else of the downloaded raw data; of nothing where both are gone."""
    for path in (source, RAW):
        if path.exists():
            return tree_sha256(path)
    return tree_sha256()
