"""A trained model: raw rows in, raw-scale answers out."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Schema
from autoencoders.models import AUTOENCODERS
from autoencoders.models.base import Autoencoder
from autoencoders.models.trained.marginals import Marginals, student_t
from autoencoders.models.trained.scores import (
    DEGREES_OF_FREEDOM,
    DEVIATION_FLOOR,
    ERROR_FLOOR,
    Scores,
    conformal_scores,
    robust_variance,
)
from autoencoders.params.architecture import Architecture

FORMAT = 2  # of model.json
BATCH_ROWS = 4096  # in one pass of inference: more take memory and gain no speed
# of a value in model scale: beyond, squares divided by a small variance leave the range of 32-bit
# numbers
LARGEST_SCORED = 2.0**45
MOST_SAMPLES = 1_000_000  # rows that are drawn or interpolated at once: they are all in memory


@dataclass(frozen=True)
class ModelDescription:
    """The facts about a model and its training that model.json holds."""

    model_type: str
    architecture: Architecture
    type_values: dict[str, object]  # the type's own parameters, by name
    params: dict[str, object]  # of the training, by dotted name
    data: str  # name of the data set
    schema: Schema  # of raw rows
    split_sha256: str
    fingerprint: str  # of the training stage's parameters, data and code
    epochs: int = 0  # trained
    best_epoch: int = 0  # whose weights these are, counted from 1; 0: the start as PCA
    calibration_rows: int = 0  # clean validation rows, whose scores new ones are compared with
    # of the score, in nats, of a value in a constant column that no training row had: the largest
    # score of the clean validation rows; 0 in a model that was written before
    novel_part: float = 0.0
    weights_sha256: str = ""  # of model.safetensors; "" in a model written before it was recorded
    history_sha256: str = ""  # of history.csv, likewise
    format: int = FORMAT


class TrainedModel(nn.Module):
    """An autoencoder with the scaling that it was trained on.

    Methods that take tensors work on one batch; those that take arrays, on any number of rows. raw:
    (rows, features), uint8 or float.
    """

    def __init__(
        self,
        description: ModelDescription,
        autoencoder: Autoencoder,
        shift: Tensor,
        scale: Tensor,
        fences: Tensor | None = None,
    ) -> None:
        """shift, scale: (features,). fences: (4, features), of `Fences.stacked`; None: none."""
        super().__init__()
        self.description = description
        self.autoencoder = autoencoder
        self.shift = nn.Buffer(shift)
        self.scale = nn.Buffer(scale)
        self.fences: Tensor | None
        self.register_buffer("fences", fences)
        # set by `calibrate`: each feature's error variance, its own distribution (none in a model
        # that was written before it counted), and the clean rows' scores, rising
        self.variance: Tensor = nn.Buffer(torch.ones_like(shift))
        self.marginals: Marginals | None = None
        self.calibration: Tensor = nn.Buffer(torch.zeros(description.calibration_rows))

    def scaled(self, raw: Tensor) -> Tensor:
        """Raw rows in model scale, in training, evaluation and serving alike."""
        return (raw.to(self.shift.dtype) - self.shift) / self.scale

    def inputs(self, raw: Tensor) -> Tensor:
        """The autoencoder's inputs: raw rows in model scale, clipped where they leave the fences.

        So one gross outlier neither moves the reconstructions of the row's other features nor
        leaves the range of 32-bit numbers.
        """
        if self.fences is None:
            return self.scaled(raw)
        low, high, minimum, maximum = self.fences
        raw = raw.to(self.shift.dtype)
        raw = torch.where(raw < low, minimum, raw)
        return self.scaled(torch.where(raw > high, maximum, raw))

    def unscaled(self, x: Tensor) -> Tensor:
        """Model-scale rows in raw scale."""
        return x * self.scale + self.shift

    def code(self, raw: Tensor) -> Tensor:
        """Codes of raw rows: (rows, code)."""
        return self.autoencoder.features(self.inputs(raw))

    def reconstruction(self, raw: Tensor) -> Tensor:
        """Raw-scale reconstructions of raw rows: (rows, features)."""
        return self.unscaled(self.autoencoder(self.inputs(raw)))

    def score_parts(self, raw: Tensor) -> Tensor:
        """Each feature's part of the score of raw rows, and one that is no feature's, in nats.

        A feature's part is the largest of three surprises, each 0 where nothing surprises:

        - its value in view of the others: the error of its reconstruction, under a Student-t
          decoder with a variance of each feature's own;
        - its distance from the feature's median, under such a distribution too;
        - its rarity among the training rows' values.

        Rows count in full; codes are those of clipped rows.

        Result: (rows, features + 1). The last part is 0. Of a model without `marginals` a feature's
        part is the first surprise alone, and the last one is the divergence KL(q(z | x) || p(z)).
        """
        inputs = self.inputs(raw)
        x = self.scaled(raw).clamp(-LARGEST_SCORED, LARGEST_SCORED)
        error = self._expected_error(inputs, x)
        parts = student_t(error, self.variance, DEGREES_OF_FREEDOM)
        if self.marginals is None:
            return torch.cat([parts, self.autoencoder.divergence(inputs)[:, None]], 1)
        parts = torch.maximum(parts, self.marginals(x, DEGREES_OF_FREEDOM))
        return nn.functional.pad(parts, (0, 1))

    def _expected_error(self, inputs: Tensor, x: Tensor) -> Tensor:
        """Squared errors in model scale, mean over posterior draws: (rows, features).

        inputs: whose codes are decoded; x: what they are compared with.
        """
        error = torch.zeros_like(x)
        draws = 0
        # one draw at a time: all together would take the memory of as many batches
        for z in self.autoencoder.posterior_codes(inputs):
            error = error + (self.autoencoder.decode(z) - x).square()
            draws += 1
        return error / draws

    def encode(self, raw: np.ndarray) -> np.ndarray:
        """Codes: (rows, code)."""
        return self._batched(raw, self.code)

    def decoder_codes(self, raw: np.ndarray) -> np.ndarray:
        """The decoder's inputs: (rows, code); a sparse model may encode otherwise for users."""
        return self._batched(raw, lambda rows: self.autoencoder.encode(self.inputs(rows)))

    def reconstruct(self, raw: np.ndarray) -> np.ndarray:
        """Raw-scale reconstructions: (rows, features)."""
        return self._batched(raw, self.reconstruction)

    def decode(self, codes: np.ndarray) -> np.ndarray:
        """Raw-scale rows (rows, features) from codes (rows, code)."""

        def decoded(z: Tensor) -> Tensor:
            return self.unscaled(self.autoencoder.decode(z.to(self.scale.dtype)))

        return self._batched(codes, decoded)

    def calibrate(
        self, training: np.ndarray, clean: np.ndarray, n_novel: np.ndarray | None = None
    ) -> None:
        """Sets what scores need: statistics of training rows, the scores of clean validation rows.

        training, clean: (rows, features), raw. n_novel: (clean rows,), as in `score`.
        """
        variance = robust_variance(self._batched(training, self._squared_error), ERROR_FLOOR)
        self.variance = torch.from_numpy(variance).to(self.scale)
        self.marginals = self._marginals(training)
        parts = self._batched(clean, self.score_parts)
        novel_part = float(parts.sum(1).max())
        scores = conformal_scores(parts, n_novel, novel_part, np.zeros(1)).score
        self.calibration = torch.from_numpy(np.sort(scores))
        self.description = replace(
            self.description, calibration_rows=len(clean), novel_part=novel_part
        )

    def _marginals(self, training: np.ndarray) -> Marginals:
        """The distribution of each feature over training rows (rows, features), raw."""
        marginals = Marginals(len(self.scale)).to(self.scale)
        x = self._batched(training, self.scaled)
        smallest, largest = torch.from_numpy(x.min(0)), torch.from_numpy(x.max(0))
        marginals.middle = torch.from_numpy(np.median(x, 0)).to(self.scale)
        np.square(x - marginals.middle.numpy(), out=x)  # in place: it may fill a third of memory
        variance = robust_variance(x, DEVIATION_FLOOR)
        marginals.variance = torch.from_numpy(variance).to(self.scale)
        marginals.place_nodes(smallest, largest)
        for batch in batches(training):
            marginals.add(self.scaled(as_tensor(batch)))
        return marginals

    def _squared_error(self, raw: Tensor) -> Tensor:
        """Squared errors in model scale: (rows, features)."""
        x = self.inputs(raw)
        return (self.autoencoder(x) - x).square()

    def score(self, raw: np.ndarray, n_novel: np.ndarray | None = None) -> Scores:
        """Anomaly scores in nats, with the parts of `score_parts`.

        n_novel: (rows,), values in constant columns that no training row had; None: there are none.
        Each adds the largest score of the clean validation rows, so that such a row is as unusual
        as any of them.
        """
        parts = self._batched(raw, self.score_parts)
        novel_part = self.description.novel_part
        return conformal_scores(parts, n_novel, novel_part, self.calibration.numpy())

    @torch.no_grad()
    def _batched(self, rows: np.ndarray, function: Callable[[Tensor], Tensor]) -> np.ndarray:
        """The function's results for all rows, computed batch by batch."""
        return torch.cat([function(as_tensor(batch)) for batch in batches(rows)]).numpy()


def batches(rows: np.ndarray) -> list[np.ndarray]:
    """Parts of at most BATCH_ROWS rows; of no rows, one without any."""
    starts = range(0, max(1, len(rows)), BATCH_ROWS)
    return [rows[start : start + BATCH_ROWS] for start in starts]


def as_tensor(rows: np.ndarray) -> Tensor:
    """A tensor with a copy of the rows, which may be a read-only memory map."""
    return torch.from_numpy(np.array(rows))


def samples(model: TrainedModel, n: int, seed: int) -> np.ndarray:
    """Draws n rows from the prior, decoded: (n, features), raw scale.

    Raises DataError for a type that does not generate, and for another n than 1 to MOST_SAMPLES.
    """
    if not model.autoencoder.generates:
        generating = [name for name, type_ in AUTOENCODERS.items() if type_.generates]
        raise DataError(
            f"op = sample: needs the {' or '.join(generating)} type, but this model is "
            f"{model.description.model_type}"
        )
    if not 1 <= n <= MOST_SAMPLES:
        raise DataError(f"op = sample: n = {n}: must lie in 1 to {MOST_SAMPLES:,}")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        return model.unscaled(model.autoencoder.sample(n, generator)).numpy()


def interpolated(model: TrainedModel, features: np.ndarray, steps: int) -> np.ndarray:
    """`steps` decoded codes between each two rows: (pairs * steps, features), raw scale.

    They lie evenly on the line between the two codes. features: (2 * pairs, features), raw. Raises
    DataError for an odd number of rows, one step, or more rows than MOST_SAMPLES.
    """
    if len(features) < 2 or len(features) % 2 or steps < 2:
        raise DataError(
            f"op = interpolate: {len(features)} rows, steps = {steps}; "
            "needs pairs of rows and two steps"
        )
    if len(features) // 2 * steps > MOST_SAMPLES:
        raise DataError(
            f"op = interpolate: {len(features) // 2} pairs of rows, steps = {steps}: at most "
            f"{MOST_SAMPLES:,} rows at once"
        )
    codes = model.decoder_codes(features)
    t = np.linspace(0, 1, steps, dtype=np.float32)[:, None]
    lines = [(1 - t) * start + t * end for start, end in zip(codes[::2], codes[1::2], strict=True)]
    return model.decode(np.concatenate(lines))
