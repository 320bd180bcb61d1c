"""A trained model on disk: safetensors and JSON, never pickle; raw rows in, raw-scale answers out."""

import csv
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from autoencoders.architecture import Architecture
from autoencoders.data.schema import Schema, schema_from
from autoencoders.errors import DataError
from autoencoders.files import AGAIN, read_json, replacing, sha256_of, write_json, write_text
from autoencoders.models import AUTOENCODERS, Autoencoder, build

FORMAT = 2
BATCH_ROWS = 4096  # rows in one pass of inference
TAILS = 4  # degrees of freedom of the scores' Student-t distribution
OUTPUTS = ("code", "reconstruction", "nats")  # of a model, for features; what an ONNX graph holds
KEPT = 0.8  # share of the training rows whose errors give the variance: the others may be anomalies
SMALLEST_VARIANCE, VARIANCE_FLOOR = 1e-6, 0.01  # of a feature's errors: in model scale, and as a share of all rows'
WEIGHTS, DESCRIPTION, HISTORY = "model.safetensors", "model.json", "history.csv"


@dataclass(frozen=True)
class ModelDescription:
    """model.json: what the model is and where it comes from."""

    kind: str
    architecture: Architecture
    own: dict[str, object]  # the type's own parameters
    params: dict[str, object]  # of the training, by dotted name
    data: str  # name of the data set
    schema: Schema  # of raw rows
    split_sha256: str
    fingerprint: str  # of the training stage's parameters, data and code
    epochs: int = 0  # trained
    best_epoch: int = 0  # whose weights these are, counted from 1
    calibration_rows: int = 0  # clean validation rows whose scores a new row's is compared with
    weights_sha256: str = ""  # of the two files beside model.json; unknown of models that were written before
    history_sha256: str = ""
    format: int = FORMAT


class Scores(NamedTuple):
    """How unusual rows are, in nats up to a constant: contributions and divergence add up to the score."""

    score: np.ndarray  # (rows,)
    contributions: np.ndarray  # (rows, features): each feature's part of the score
    percentile: np.ndarray  # (rows,): share of clean validation rows with a lower score, in percent
    p_value: np.ndarray  # (rows,): conformal, in (0, 1]


class TrainedModel(nn.Module):
    """An autoencoder with the scaling that it was trained on. raw: (batch, features), uint8 or float."""

    def __init__(self, description: ModelDescription, autoencoder: Autoencoder, shift: Tensor, scale: Tensor) -> None:
        super().__init__()
        self.description, self.autoencoder = description, autoencoder
        self.session: Any = None  # of onnxruntime, where the model was exported
        self.companions: tuple[TrainedModel, ...] = ()  # whose scores `operations.answer` averages with this one's
        self.shift, self.scale = nn.Buffer(shift), nn.Buffer(scale)
        self.variance: Tensor = nn.Buffer(torch.ones_like(shift))  # of the errors, by feature
        self.calibration: Tensor = nn.Buffer(torch.zeros(description.calibration_rows))  # scores, rising

    def scaled(self, raw: Tensor) -> Tensor:
        """Raw rows in model scale: the one place where inputs are scaled, in training, evaluation and serving."""
        return (raw.to(self.shift.dtype) - self.shift) / self.scale

    def unscaled(self, x: Tensor) -> Tensor:
        """Model-scale rows in raw scale."""
        return x * self.scale + self.shift

    def code(self, raw: Tensor) -> Tensor:
        """Codes (rows, code) of raw rows."""
        return self.autoencoder.features(self.scaled(raw))

    def reconstruction(self, raw: Tensor) -> Tensor:
        """Raw-scale reconstructions of raw rows."""
        return self.unscaled(self.autoencoder(self.scaled(raw)))

    def nats(self, raw: Tensor) -> Tensor:
        """(rows, features + 1): each feature's part of the score of raw rows, and the divergence."""
        x = self.scaled(raw)
        error, draws = torch.zeros_like(x), 0
        for z in self.autoencoder.draws(x):  # one at a time: all would take as many batches of memory
            error, draws = error + (self.autoencoder.decode(z) - x).square(), draws + 1
        parts = (TAILS + 1) / 2 * (error / (draws * TAILS * self.variance)).log1p()
        return torch.cat([parts, self.autoencoder.divergence(x)[:, None]], 1)

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """`code` of arrays of any length."""
        return self._output("code", raw)

    def latent(self, raw: np.ndarray) -> np.ndarray:
        """What the decoder gets of raw rows, (rows, code): `encode` but for types whose users get another code."""
        return self._batched(raw, lambda rows: self.autoencoder.encode(self.scaled(rows)))

    def reconstruct(self, raw: np.ndarray) -> np.ndarray:
        """`reconstruction` of arrays of any length."""
        return self._output("reconstruction", raw)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Raw-scale rows from codes."""
        return self._batched(codes, lambda z: self.unscaled(self.autoencoder.decode(z.to(self.scale.dtype))))

    def calibrate(self, training: np.ndarray, clean: np.ndarray) -> None:
        """Takes each feature's error variance from training rows, and the scores of clean validation rows.

        The variance is the maximum-likelihood one (Rybkin et al. 2021), of the KEPT rows that are rebuilt best.
        """
        error = self._batched(training, lambda rows: (self.autoencoder(self.scaled(rows)) - self.scaled(rows)).square())
        mean = error.mean(0, dtype=np.float64).clip(SMALLEST_VARIANCE)
        variance = mean
        for _ in range(2):
            best = np.argsort((error / variance).sum(1), kind="stable")[: math.ceil(KEPT * len(error))]
            variance = np.maximum(error[best].mean(0, dtype=np.float64), VARIANCE_FLOOR * mean)
        self.variance = torch.from_numpy(variance).to(self.scale)
        self.calibration = torch.from_numpy(np.sort(self._output("nats", clean).sum(1)))
        self.description = replace(self.description, calibration_rows=len(clean))

    def score(self, raw: np.ndarray) -> Scores:
        """An upper bound of the negative ELBO for the variational type, the reconstruction error for others, in nats.

        sum_j (TAILS + 1) / 2 log(1 + error_j / (TAILS variance_j)) + KL(q(z | x) || p(z)) + constant: a Student-t
        decoder, under which one feature alone can't decide. error_j: squared, mean over posterior draws. The ELBO has
        the mean of the logarithms, which is at most that (Jensen). p-value: (1 + clean scores that are as high) /
        (1 + clean rows). Vovk et al. 2005, section 2.2.
        """
        parts = self._output("nats", raw)
        score, clean = parts.sum(1), self.calibration.numpy()
        lower = np.searchsorted(clean, score, "left")
        return Scores(score, parts[:, :-1], 100 * lower / len(clean), (1 + len(clean) - lower) / (1 + len(clean)))

    def _output(self, name: str, raw: np.ndarray) -> np.ndarray:
        """One of OUTPUTS for arrays of any length, by the exported graph where there is one."""
        if self.session is None:
            return self._batched(raw, getattr(self, name))
        found = [self.session.run([name], {"features": batch.astype(np.float32)})[0] for batch in _batches(raw)]
        return np.concatenate(found)

    @torch.no_grad()
    def _batched(self, rows: np.ndarray, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        return torch.cat([function(as_tensor(batch)) for batch in _batches(rows)]).numpy()


def _batches(rows: np.ndarray) -> list[np.ndarray]:
    """Parts of BATCH_ROWS rows; of no rows, one without any."""
    return [rows[i : i + BATCH_ROWS] for i in range(0, max(1, len(rows)), BATCH_ROWS)]


def as_tensor(rows: np.ndarray) -> Tensor:
    """A tensor with a copy of the rows, which may be a read-only memory map."""
    return torch.from_numpy(np.array(rows))


def save(model: TrainedModel, history: list[dict[str, float]], folder: Path) -> None:
    """Writes weights, description and learning curves as a whole or not at all."""
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    with replacing(folder) as new:
        save_file(state, new / WEIGHTS)
        lines = [f"{epoch}," + ",".join(map(repr, means.values())) for epoch, means in enumerate(history, 1)]
        write_text(new / HISTORY, "\n".join([",".join(["epoch", *history[0]]), *lines]) + "\n")
        digests = {"weights_sha256": sha256_of(new / WEIGHTS), "history_sha256": sha256_of(new / HISTORY)}
        write_json(new / DESCRIPTION, asdict(model.description) | digests)


def load(folder: Path) -> TrainedModel:
    """The model that `save` wrote, ready for inference. Raises DataError."""
    description, path = load_description(folder), folder / WEIGHTS
    n_features = description.architecture.n_features
    with _reading(folder / DESCRIPTION, "describes no model that can be built"):
        autoencoder = build(description.kind, description.architecture, description.own)
        model = TrainedModel(description, autoencoder, torch.zeros(n_features), torch.ones(n_features))
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
            raise DataError(f"{path}: {told}; this code reads format {FORMAT}, kinds {', '.join(AUTOENCODERS)}")
        lists = {name: tuple(values["architecture"][name]) for name in ("widths", "shape")}
        architecture = Architecture(**values["architecture"] | lists)
        return ModelDescription(**values | {"architecture": architecture, "schema": schema_from(values["schema"])})


def load_history(folder: Path) -> list[dict[str, float]]:
    """The learning curves, one mapping an epoch. Raises DataError."""
    path = folder / HISTORY
    with _reading(path, "not a table of learning curves"), path.open(encoding="utf-8", newline="") as file:
        _undamaged(path, load_description(folder).history_sha256)
        rows = list(csv.DictReader(file))
        return [{name: float(value) for name, value in row.items() if name != "epoch"} for row in rows]


def _undamaged(path: Path, digest: str) -> None:
    """Raises DataError where a file has another SHA-256 than when it was written; no digest: it is not known."""
    found = sha256_of(path) if digest else digest
    if found != digest:
        raise DataError(f"{path}: damaged: its SHA-256 is {found}, but {DESCRIPTION} beside it says {digest}; {AGAIN}")


@contextmanager
def _reading(path: Path, wrong: str) -> Iterator[None]:
    """Raises DataError where the file is missing, or what is read from it does not fit."""
    try:
        yield
    except (SafetensorError, csv.Error, KeyError, OSError, RuntimeError, TypeError, ValueError) as error:
        if isinstance(error, FileNotFoundError):
            raise DataError(f"{path}: no such file; `dvc repro train` makes it") from error
        raise DataError(f"{path}: {wrong} ({error}); {AGAIN}") from error
