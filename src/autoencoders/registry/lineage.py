"""Where a registered model comes from, how to make it again, and whether what it was made from is still the same."""

from pathlib import Path

from mlflow import MlflowClient

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
from autoencoders.registry.versions import fetched, model_sha256
from autoencoders.tracking.store import version_of

SHOWN = tuple(
    mlflow_name(metric.key)
    for metric in (SQUARED_ERROR, EXPLAINED_VARIANCE, VALIDATION_SQUARED_ERROR)
)


def lineage(client: MlflowClient, uri: str) -> dict[str, str]:
    """What is known of a model's origin, by name, the commands that make it again last. Raises UserError."""
    version = version_of(client, uri)
    if not version.run_id:
        raise UserError(f"{uri}: was registered without a run, so its origin is not known")
    tags, run = version.tags, client.get_run(version.run_id)
    commit, experiment = tags.get("mlflow.source.git.commit"), tags.get("dvc_experiment")
    dirty = " with changes that were not committed" if tags.get("git_dirty") == "true" else ""
    above = f"tags.`mlflow.parentRunId` = '{run.data.tags.get('mlflow.parentRunId')}'"
    query = f"{above} and tags.stage = 'tune' and tags.kind = '{tags['kind']}'"
    studies = client.search_runs([run.info.experiment_id], query)
    again = [f"git checkout {commit}"] if commit else ["# no git commit is known"]
    again += [f"dvc exp apply {experiment}"] if experiment else []
    aliases = "".join(f" @{alias}" for alias in version.aliases)
    return {
        "model": f"models:/{version.name}/{version.version}{aliases}",
        "type": tags["kind"],
        "git commit": f"{commit}{dirty}",
        "experiment": experiment or "none: a plain `dvc repro`",
        "data": f"{tags['data']}, {tags['source']}, SHA-256 {tags['source_sha256']}, DVC {tags['data_hash']}",
        "parameters": ", ".join(
            f"{name} = {value}" for name, value in sorted(run.data.params.items())
        ),
        "study": ", ".join(f"{study.info.run_name}, run {study.info.run_id}" for study in studies)
        or "none",
        "metrics": ", ".join(
            f"{name} = {run.data.metrics[name]:.6g}" for name in SHOWN if name in run.data.metrics
        ),
        "MLflow run": version.run_id,
        "make it again": " && ".join([*again, "dvc repro"]),
    }


def verify(client: MlflowClient, uri: str) -> list[str]:
    """What is no longer as the version's tags say: the model's files, the source, the prepared data."""
    tags = version_of(client, uri).tags
    sources = [path for path in (Path(tags["source"]), RAW) if path.exists()]
    hashes = (
        ("model", tags["model_sha256"], model_sha256(fetched(uri))),
        ("source", tags["source_sha256"], tree_sha256(*sources[:1])),
        ("prepared data", tags["content_sha256"], content_sha256(DATA)),
    )
    return [
        f"{what}: {found}, but {before} when it was made"
        for what, before, found in hashes
        if found != before
    ]
