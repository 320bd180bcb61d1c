"""The version that answers: a line about it, and whether it was trained on params.yaml's data."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion

from autoencoders.core.errors import UserError
from autoencoders.core.files import tree_sha256
from autoencoders.data.sources.archive import is_archive
from autoencoders.models.trained.model import ModelDescription
from autoencoders.params.sections import Data

MILLISECONDS = 1000  # MLflow's unit of time, in seconds


def introduction(version: ModelVersion) -> str:
    """A line about a version: its type, the data that it was trained on, and when it was made."""
    made = datetime.fromtimestamp(version.creation_timestamp / MILLISECONDS, UTC)
    model_type = version.tags.get("kind", "a model")
    data = version.tags.get("data", "unknown data")
    source = version.tags.get("source", "")
    where = f" ({source})" if source not in ("", data) else ""
    return (
        f"models:/{version.name}/{version.version} answers: {model_type}, trained on "
        f"{data}{where}, registered {made:%Y-%m-%d %H:%M} UTC"
    )


def split_note(data: Data, version: ModelVersion) -> str:
    """A note where params.yaml splits the rows otherwise than the version's training did.

    Nothing for a version whose split was not recorded, as it was registered before.
    """
    trained: dict[str, str | int | float] = json.loads(version.tags.get("split", "{}"))
    differences = []
    for name, value in data.split_values.items():
        if name in trained and trained[name] != value:
            differences.append(f"data.{name} = {value}, not {trained[name]}")
    if not differences:
        return ""
    return (
        "params.yaml names another split than this version was trained on "
        f"({'; '.join(differences)}): `dvc repro` trains on it"
    )


def id_note(data: Data, id_column: str) -> str:
    """A note where params.yaml names another column of ids than the version that answers.

    A champion stays one beside a version that differs in ids alone. id_column: the version's, or
    nothing.
    """
    if data.id in ("", id_column):
        return ""
    return (
        f"params.yaml names data.id = {data.id}, which this version does not know: `dvc repro` "
        "trains one that does, and `ae registry promote VERSION` makes it the champion"
    )


def goal_note(models: Iterable[ModelDescription]) -> str:
    """A note where models that score were trained to reconstruct.

    Nothing for models whose goal was not recorded, as they were registered before.
    """
    trained = [model.model_type for model in models if model.params.get("goal") == "reconstruct"]
    if not trained:
        return ""
    return (
        f"{', '.join(trained)}: trained to reconstruct, as goal: anomaly was not set; "
        "`dvc exp run -S goal=anomaly` trains and ranks models that are to find anomalies"
    )


def check_source(data: Data, version: ModelVersion) -> str:
    """A note where the file that the version was trained on has changed since; else nothing.

    Raises UserError where params.yaml names another file with other content. The same content at
    another path is the same source. Data sets, URLs and archives have names of their own in the
    registry, and are not compared.
    """
    trained_on = Path(version.tags.get("source", ""))
    sha256 = version.tags.get("source_sha256")
    path = Path(data.path)
    if not data.is_own or is_archive(path) or not path.exists() or sha256 is None:
        return ""
    if tree_sha256(path, called=trained_on.name) == sha256:
        return ""
    if path == trained_on:
        return f"{path} has changed since this version was trained: `dvc repro` trains on it"
    uri = f"models:/{version.name}/{version.version}"
    raise UserError(
        f"params.yaml names {path}, but {uri} was trained on {trained_on}, which is other data; "
        f"`dvc repro` trains on {path}, and `--model {uri}` answers by this model"
    )
