"""The version that answers: a line about it, and whether it was trained on params.yaml's data."""

from datetime import UTC, datetime
from pathlib import Path

from mlflow.entities.model_registry import ModelVersion

from autoencoders.core.errors import UserError
from autoencoders.core.files import tree_sha256
from autoencoders.data.sources.archive import is_archive
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
