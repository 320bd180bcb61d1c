"""The registered models that `ae` answers by."""

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from autoencoders.core.errors import UserError
from autoencoders.core.paths import RESUME, repository
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.sections import Data
from autoencoders.registry.registry import present
from autoencoders.registry.sources import check_source, introduction, split_note
from autoencoders.registry.versions import fetch, load_fetched, model_sha256
from autoencoders.serving.ensemble import Ensemble
from autoencoders.serving.onnx import accelerated
from autoencoders.serving.served import ServedModel
from autoencoders.tracking.store import version_of


class Located(NamedTuple):
    """A registered model on this machine."""

    uri: str
    folder: Path
    graph: Path  # of the model in ONNX, which need not exist


def locate(uri: str | None = None) -> Located:
    """Fetches a registered model; by default the champion of the data in params.yaml.

    Raises UserError.
    """
    registry = present(writing=False)  # also names the store to mlflow
    uri = uri or f"models:/{registry.name}@champion"
    folder = fetch(uri)
    graph = repository() / RESUME / "onnx" / f"{model_sha256(folder)}.onnx"
    return Located(uri, folder, graph)


def load_answering(located: Located) -> TrainedModel | ServedModel:
    """Returns the model, which answers by its graph where it has one. Raises UserError."""
    return accelerated(load_fetched(located.uri, located.folder), located.graph)


def load_for(op: str, uris: Sequence[str]) -> Ensemble:
    """Returns the model of an operation, and with it the others whose scores are averaged.

    uris: one or more. Raises UserError.
    """
    models = [load_answering(locate(uri)) for uri in uris]
    if len(models) > 1 and not (op == "score" and _have_the_same_columns(models)):
        raise UserError("--model: several models only score, and only rows of the same columns")
    return Ensemble(models)


class Introduction(NamedTuple):
    """The models that answer: URIs that mean the same versions whoever is champion next, and lines.

    The lines name the versions, and say where the champion was trained on other data or splits.
    """

    uris: list[str]
    lines: list[str]


def introduce(uris: Sequence[str], data: Data) -> Introduction:
    """Finds the versions that answer, once: those of the URIs, by default the champion.

    data: of params.yaml. Raises UserError where no version is named, and the champion was trained
    on other data.
    """
    registry = present(writing=False)
    answering = []
    lines = []
    for uri in uris or [f"models:/{registry.name}@champion"]:
        if not uri.startswith("models:/"):
            answering.append(uri)
            continue
        version = version_of(registry.client, uri)
        answering.append(f"models:/{version.name}/{version.version}")
        lines.append(introduction(version))
        if not uris:
            notes = (check_source(data, version), split_note(data, version))
            lines += [note for note in notes if note]
    return Introduction(answering, lines)


def _have_the_same_columns(models: Sequence[TrainedModel | ServedModel]) -> bool:
    schemas = [model.description.schema for model in models]
    return all(schema == schemas[0] for schema in schemas)
