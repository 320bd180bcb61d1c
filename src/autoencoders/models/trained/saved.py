"""A trained model on disk: safetensors and JSON, never pickle."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

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
from autoencoders.models.trained.model import FORMAT, ModelDescription, TrainedModel
from autoencoders.params.architecture import Architecture

WEIGHTS, DESCRIPTION, HISTORY = "model.safetensors", "model.json", "history.csv"


def save(model: TrainedModel, history: list[dict[str, float]], folder: Path) -> None:
    """Writes weights, description and learning curves as a whole or not at all."""
    state = {
        name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()
    }
    with atomic_folder(folder) as new:
        save_file(state, new / WEIGHTS)
        lines = [
            f"{epoch}," + ",".join(map(repr, means.values()))
            for epoch, means in enumerate(history, 1)
        ]
        write_text(new / HISTORY, "\n".join([",".join(["epoch", *history[0]]), *lines]) + "\n")
        digests = {
            "weights_sha256": sha256_of(new / WEIGHTS),
            "history_sha256": sha256_of(new / HISTORY),
        }
        write_json(new / DESCRIPTION, asdict(model.description) | digests)


def load(folder: Path) -> TrainedModel:
    """The model that `save` wrote, ready for inference. Raises DataError."""
    description, path = load_description(folder), folder / WEIGHTS
    n_features = description.architecture.n_features
    with _reading(folder / DESCRIPTION, "describes no model that can be built"):
        autoencoder = build(description.kind, description.architecture, description.own)
        model = TrainedModel(
            description, autoencoder, torch.zeros(n_features), torch.ones(n_features)
        )
    with _reading(path, "does not hold this model's weights"):
        _undamaged(path, description.weights_sha256)
        model.load_state_dict(load_file(path))
    return model.eval().requires_grad_(requires_grad=False)


def load_description(folder: Path) -> ModelDescription:
    """model.json. Raises DataError."""
    path = folder / DESCRIPTION
    with _reading(path, "not a model's description"):
        values = read_json(path)
        told = f"format {values['format']}, kind {values['kind']}"
        if values["format"] != FORMAT or values["kind"] not in AUTOENCODERS:
            raise DataError(
                f"{path}: {told}; this code reads format {FORMAT}, kinds {', '.join(AUTOENCODERS)}"
            )
        lists = {name: tuple(values["architecture"][name]) for name in ("widths", "shape")}
        architecture = Architecture(**values["architecture"] | lists)
        return ModelDescription(
            **values | {"architecture": architecture, "schema": schema_from(values["schema"])}
        )


def load_history(folder: Path) -> list[dict[str, float]]:
    """The learning curves, one mapping an epoch. Raises DataError."""
    path = folder / HISTORY
    with (
        _reading(path, "not a table of learning curves"),
        path.open(encoding="utf-8", newline="") as file,
    ):
        _undamaged(path, load_description(folder).history_sha256)
        rows = list(csv.DictReader(file))
        return [
            {name: float(value) for name, value in row.items() if name != "epoch"} for row in rows
        ]


def _undamaged(path: Path, digest: str) -> None:
    """Raises DataError where a file has another SHA-256 than when it was written; no digest: it is not known."""
    found = sha256_of(path) if digest else digest
    if found != digest:
        raise DataError(
            f"{path}: damaged: its SHA-256 is {found}, but {DESCRIPTION} beside it says {digest}; {AGAIN}"
        )


@contextmanager
def _reading(path: Path, wrong: str) -> Iterator[None]:
    """Raises DataError where the file is missing, or what is read from it does not fit."""
    try:
        yield
    except (
        SafetensorError,
        csv.Error,
        KeyError,
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        if isinstance(error, FileNotFoundError):
            raise DataError(f"{path}: no such file; `dvc repro train` makes it") from error
        raise DataError(f"{path}: {wrong} ({error}); {AGAIN}") from error
