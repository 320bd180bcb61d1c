"""A trained model on disk: safetensors and JSON, never pickle."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from autoencoders.core.errors import DataError
from autoencoders.core.files import (
    AGAIN,
    atomic_folder,
    read_json,
    sha256_of,
    write_json,
    write_text,
)
from autoencoders.data.prepared.schema import schema_from
from autoencoders.models import AUTOENCODERS, build
from autoencoders.models.trained.marginals import Marginals
from autoencoders.models.trained.model import FORMAT, ModelDescription, TrainedModel
from autoencoders.params.architecture import Architecture

WEIGHTS = "model.safetensors"
DESCRIPTION = "model.json"
HISTORY = "history.csv"
FENCES = "fences"  # of the weights: those of a model whose features have none lack it
JSON_KEYS = {
    "model_type": "kind",
    "type_values": "own",
}  # of fields that model.json names otherwise
# learning curves in history.csv: means of the reconstruction loss, by epoch
TRAIN_LOSS = "train/reconstruction_loss"
VALIDATION_LOSS = "val/reconstruction_loss"


def save(model: TrainedModel, history: list[dict[str, float]], folder: Path) -> None:
    """Writes weights, description and learning curves, all or none of them.

    history: the means of each epoch by name; every epoch has the same names.
    """
    weights = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    with atomic_folder(folder) as new:
        save_file(weights, new / WEIGHTS)
        write_text(new / HISTORY, _history_csv(history, model.description.epochs))
        values = as_json(model.description)
        values["weights_sha256"] = sha256_of(new / WEIGHTS)
        values["history_sha256"] = sha256_of(new / HISTORY)
        write_json(new / DESCRIPTION, values)


def as_json(description: ModelDescription) -> dict[str, Any]:
    """The values of model.json by key."""
    return {JSON_KEYS.get(name, name): value for name, value in asdict(description).items()}


def _history_csv(history: list[dict[str, float]], last: int) -> str:
    """A table of the learning curves: a line an epoch. last: number of the last one."""
    lines = [",".join(["epoch", *history[0]])]
    for epoch, means in enumerate(history, last - len(history) + 1):
        lines.append(",".join([str(epoch), *map(repr, means.values())]))
    return "\n".join(lines) + "\n"


def load(folder: Path) -> TrainedModel:
    """The model that `save` wrote, ready for inference. Raises DataError."""
    description = load_description(folder)
    architecture = description.architecture
    with _reading(folder / DESCRIPTION, "describes no model that can be built"):
        autoencoder = build(description.model_type, architecture, description.type_values)
        shift = torch.zeros(architecture.n_features)  # both come with the weights
        scale = torch.ones(architecture.n_features)
        model = TrainedModel(description, autoencoder, shift, scale)
    path = folder / WEIGHTS
    with _reading(path, "does not hold this model's weights"):
        _check_digest(path, description.weights_sha256)
        weights = load_file(path)
        if FENCES in weights:
            model.fences = torch.zeros(4, architecture.n_features)
        if any(name.startswith("marginals.") for name in weights):
            model.marginals = Marginals(architecture.n_features)
        model.load_state_dict(weights)
    return model.eval().requires_grad_(requires_grad=False)


def load_description(folder: Path) -> ModelDescription:
    """The description in model.json. Raises DataError."""
    path = folder / DESCRIPTION
    with _reading(path, "not a model's description"):
        values = read_json(path)
        if values["format"] != FORMAT or values["kind"] not in AUTOENCODERS:
            raise DataError(
                f"{path}: format {values['format']}, kind {values['kind']}; "
                f"this code reads format {FORMAT}, kinds {', '.join(AUTOENCODERS)}"
            )
        for name, key in JSON_KEYS.items():
            values[name] = values.pop(key)
        values["architecture"] = _architecture(values["architecture"])
        values["schema"] = schema_from(values["schema"])
        return ModelDescription(**values)


def _architecture(values: dict[str, Any]) -> Architecture:
    """The architecture of its JSON values, in which tuples are lists."""
    tuples = {name: tuple(values[name]) for name in ("widths", "shape")}
    return Architecture(**{**values, **tuples})


def load_history(folder: Path) -> list[dict[str, float]]:
    """The learning curves, a mapping of each epoch's means by name. Raises DataError."""
    path = folder / HISTORY
    history = []
    with (
        _reading(path, "not a table of learning curves"),
        path.open(encoding="utf-8", newline="") as file,
    ):
        _check_digest(path, load_description(folder).history_sha256)
        for row in csv.DictReader(file):
            del row["epoch"]
            history.append({name: float(value) for name, value in row.items()})
    return history


def _check_digest(path: Path, digest: str) -> None:
    """Raises DataError where a file's SHA-256 is not `digest`; an empty one is not compared."""
    if not digest:
        return
    actual = sha256_of(path)
    if actual != digest:
        raise DataError(
            f"{path}: damaged: its SHA-256 is {actual}, "
            f"but {DESCRIPTION} beside it says {digest}; {AGAIN}"
        )


@contextmanager
def _reading(path: Path, problem: str) -> Iterator[None]:
    """Raises DataError with the problem where a file is missing or its content is wrong."""
    try:
        yield
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; `dvc repro train` makes it") from error
    except (
        SafetensorError,
        csv.Error,
        KeyError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise DataError(f"{path}: {problem} ({error}); {AGAIN}") from error
