"""A trained model: raw rows in, raw-scale answers out."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Schema
from autoencoders.models import AUTOENCODERS
from autoencoders.models.base import Autoencoder
from autoencoders.models.trained.scores import (
    KEPT,
    SMALLEST_VARIANCE,
    TAILS,
    VARIANCE_FLOOR,
    Scores,
)
from autoencoders.params.architecture import Architecture

FORMAT = 2
BATCH_ROWS = 4096  # rows in one pass of inference
OUTPUTS = ("code", "reconstruction", "nats")  # of a model, for features; what an ONNX graph holds


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
    weights_sha256: str = (
        ""  # of the two files beside model.json; unknown of models that were written before
    )
    history_sha256: str = ""
    format: int = FORMAT


class TrainedModel(nn.Module):
    """An autoencoder with the scaling that it was trained on. raw: (batch, features), uint8 or float."""

    def __init__(
        self, description: ModelDescription, autoencoder: Autoencoder, shift: Tensor, scale: Tensor
    ) -> None:
        super().__init__()
        self.description, self.autoencoder = description, autoencoder
        self.session: Any = None  # of onnxruntime, where the model was exported
        self.companions: tuple[
            TrainedModel, ...
        ] = ()  # whose scores `operations.answer` averages with this one's
        self.shift, self.scale = nn.Buffer(shift), nn.Buffer(scale)
        self.variance: Tensor = nn.Buffer(torch.ones_like(shift))  # of the errors, by feature
        self.calibration: Tensor = nn.Buffer(
            torch.zeros(description.calibration_rows)
        )  # scores, rising

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
        for z in self.autoencoder.posterior_codes(
            x
        ):  # one at a time: all would take as many batches of memory
            error, draws = error + (self.autoencoder.decode(z) - x).square(), draws + 1
        parts = (TAILS + 1) / 2 * (error / (draws * TAILS * self.variance)).log1p()
        return torch.cat([parts, self.autoencoder.divergence(x)[:, None]], 1)

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """`code` of arrays of any length."""
        return self._output("code", raw)

    def decoder_codes(self, raw: np.ndarray) -> np.ndarray:
        """What the decoder gets of raw rows, (rows, code): `encode` but for types whose users get another code."""
        return self._batched(raw, lambda rows: self.autoencoder.encode(self.scaled(rows)))

    def reconstruct(self, raw: np.ndarray) -> np.ndarray:
        """`reconstruction` of arrays of any length."""
        return self._output("reconstruction", raw)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Raw-scale rows from codes."""
        return self._batched(
            codes, lambda z: self.unscaled(self.autoencoder.decode(z.to(self.scale.dtype)))
        )

    def calibrate(self, training: np.ndarray, clean: np.ndarray) -> None:
        """Takes each feature's error variance from training rows, and the scores of clean validation rows.

        The variance is the maximum-likelihood one (Rybkin et al. 2021), of the KEPT rows that are rebuilt best.
        """
        error = self._batched(
            training,
            lambda rows: (self.autoencoder(self.scaled(rows)) - self.scaled(rows)).square(),
        )
        mean = error.mean(0, dtype=np.float64).clip(SMALLEST_VARIANCE)
        variance = mean
        for _ in range(2):
            best = np.argsort((error / variance).sum(1), kind="stable")[
                : math.ceil(KEPT * len(error))
            ]
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
        return Scores(
            score,
            parts[:, :-1],
            100 * lower / len(clean),
            (1 + len(clean) - lower) / (1 + len(clean)),
        )

    def _output(self, name: str, raw: np.ndarray) -> np.ndarray:
        """One of OUTPUTS for arrays of any length, by the exported graph where there is one."""
        if self.session is None:
            return self._batched(raw, getattr(self, name))
        found = [
            self.session.run([name], {"features": batch.astype(np.float32)})[0]
            for batch in _batches(raw)
        ]
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


def samples(model: TrainedModel, n: int, seed: int) -> np.ndarray:
    """n draws from the prior, decoded: (n, features), raw scale. Raises DataError for a type that can't generate."""
    if not model.autoencoder.generates:
        types = " or ".join(
            name for name, autoencoder in AUTOENCODERS.items() if autoencoder.generates
        )
        raise DataError(
            f"op = sample: needs the {types} type, but this model is {model.description.kind}"
        )
    if not 1 <= n <= 1_000_000:
        raise DataError(f"op = sample: n = {n}: must lie in 1 to 1,000,000")
    with torch.no_grad():
        return model.unscaled(
            model.autoencoder.sample(n, torch.Generator().manual_seed(seed))
        ).numpy()


def interpolated(model: TrainedModel, features: np.ndarray, steps: int) -> np.ndarray:
    """`steps` decoded codes on the line between each two rows: (pairs * steps, features), raw scale."""
    if len(features) < 2 or len(features) % 2 or steps < 2:
        raise DataError(
            f"op = interpolate: {len(features)} rows, steps = {steps}; needs pairs of rows and two steps"
        )
    codes = model.decoder_codes(features)
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    lines = [(1 - t) * start + t * end for start, end in zip(codes[::2], codes[1::2], strict=True)]
    return model.decode(np.concatenate(lines))
