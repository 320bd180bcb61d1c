"""A trained model on disk: safetensors and JSON, never pickle; raw rows in, raw-scale answers out."""

import csv
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autoencoders.architecture import Architecture
from autoencoders.errors import DataError
from autoencoders.files import read_json, replacing, write_json, write_text
from autoencoders.models import AUTOENCODERS, Autoencoder, build

FORMAT = 1
BATCH_ROWS = 4096  # rows in one pass of inference
WEIGHTS, DESCRIPTION, HISTORY = "model.safetensors", "model.json", "history.csv"


@dataclass(frozen=True)
class ModelDescription:
    """model.json: what the model is and where it comes from."""

    kind: str
    architecture: Architecture
    own: dict[str, object]  # the type's own parameters
    params: dict[str, object]  # of the training, by dotted name
    data: str  # name of the data set
    split_sha256: str
    fingerprint: str  # of the training stage's parameters, data and code
    epochs: int  # trained
    best_epoch: int  # whose weights these are, counted from 1
    format: int = FORMAT


class TrainedModel(nn.Module):
    """An autoencoder with the scaling that it was trained on. raw: (batch, features), uint8 or float."""

    shift: Tensor
    scale: Tensor

    def __init__(self, description: ModelDescription, autoencoder: Autoencoder, shift: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.description, self.autoencoder = description, autoencoder
        self.register_buffer("shift", shift)
        self.register_buffer("scale", scale)

    def scaled(self, raw: Tensor) -> Tensor:
        """Raw rows in model scale: the one place where inputs are scaled, in training, evaluation and serving."""
        return (raw.to(self.shift.dtype) - self.shift) / self.scale

    def unscaled(self, x: Tensor) -> Tensor:
        """Model-scale rows in raw scale."""
        return x * self.scale + self.shift

    @torch.no_grad()
    def encode(self, raw: np.ndarray) -> np.ndarray:
        """Codes (rows, code) of raw rows."""
        return self._batched(raw, lambda rows: self.autoencoder.encode(self.scaled(rows)))

    @torch.no_grad()
    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Raw-scale rows from codes."""
        return self._batched(codes, lambda z: self.unscaled(self.autoencoder.decode(z.to(self.scale.dtype))))

    @torch.no_grad()
    def reconstruct(self, raw: np.ndarray) -> np.ndarray:
        """Raw-scale reconstructions of raw rows."""
        return self._batched(raw, lambda rows: self.unscaled(self.autoencoder(self.scaled(rows))))

    def _batched(self, rows: np.ndarray, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        starts = range(0, max(1, len(rows)), BATCH_ROWS)  # no rows give no rows
        parts = [function(as_tensor(rows[i : i + BATCH_ROWS])) for i in starts]
        return torch.cat(parts).numpy()


def as_tensor(rows: np.ndarray) -> Tensor:
    """A tensor with a copy of the rows, which may be a read-only memory map."""
    return torch.from_numpy(np.array(rows))


def save(model: TrainedModel, history: list[dict[str, float]], folder: Path) -> None:
    """Writes weights, description and learning curves as a whole or not at all."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with replacing(folder) as new:
        save_file(state, new / WEIGHTS)
        write_json(new / DESCRIPTION, asdict(model.description))
        lines = [f"{epoch}," + ",".join(map(repr, means.values())) for epoch, means in enumerate(history, 1)]
        write_text(new / HISTORY, "\n".join([",".join(["epoch", *history[0]]), *lines]) + "\n")


def load(folder: Path) -> TrainedModel:
    """The model that `save` wrote, ready for inference. Raises DataError."""
    model = _untrained(load_description(folder), folder / DESCRIPTION)
    try:
        model.load_state_dict(load_file(folder / WEIGHTS))
    except (SafetensorError, OSError, RuntimeError) as error:
        raise DataError(f"{folder / WEIGHTS}: does not hold this model's weights ({error})") from error
    return model.eval().requires_grad_(requires_grad=False)


def _untrained(description: ModelDescription, path: Path) -> TrainedModel:
    shape = description.architecture
    try:
        autoencoder = build(description.kind, shape, description.own)
        return TrainedModel(description, autoencoder, torch.zeros(shape.n_features), torch.ones(shape.n_features))
    except (KeyError, TypeError, RuntimeError) as error:
        raise DataError(f"{path}: describes no model that can be built ({error!r})") from error


def load_description(folder: Path) -> ModelDescription:
    """model.json. Raises DataError."""
    path = folder / DESCRIPTION
    try:
        values = read_json(path)
        if values["format"] != FORMAT or values["kind"] not in AUTOENCODERS:
            raise DataError(
                f"{path}: format {values['format']}, kind {values['kind']}; this code reads format {FORMAT}, "
                f"kinds {', '.join(AUTOENCODERS)}"
            )
        shape = values["architecture"]
        return ModelDescription(
            **{**values, "architecture": Architecture(**{**shape, "widths": tuple(shape["widths"])})}
        )
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; `dvc repro train` makes it") from error
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(f"{path}: not a model's description ({error})") from error


def load_history(folder: Path) -> list[dict[str, float]]:
    """The learning curves, one mapping an epoch. Raises DataError."""
    path = folder / HISTORY
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [{name: float(value) for name, value in row.items() if name != "epoch"} for row in rows]
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file; `dvc repro train` makes it") from error
    except (ValueError, TypeError, csv.Error) as error:
        raise DataError(f"{path}: not a table of learning curves ({error}); delete it and run `dvc repro`") from error
