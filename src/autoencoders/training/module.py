"""The Lightning module of a training: batches sliced from one array, several a step."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import Strategy
from torch import Tensor

from autoencoders.core.errors import DivergedError
from autoencoders.models.base import Loss
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.sections import FixedTrain
from autoencoders.training.augment import random_affine
from autoencoders.training.batches import epoch_generator
from autoencoders.training.machine import batches_a_step, chosen_precision
from autoencoders.training.optimizer import LeanAdamW
from autoencoders.training.resume import ResumePoint

TRIM_AFTER = 0.2  # share of the training: before it, nothing is known of what is unusual
SHUFFLE, NOISE = 0, 1  # the two random streams of an epoch
MEANS = ("reconstruction_loss", "penalty")  # of an epoch
FULL = nullcontext()  # precision


class Sums:
    """Sums over rows of an epoch's losses, kept on the device."""

    def __init__(self, prefix: str, device: torch.device) -> None:
        self.prefix = prefix
        self.values = torch.zeros(
            3, dtype=torch.float64, device=device
        )  # rows, reconstruction loss, penalty

    def add(self, rows: Sequence[int], losses: Sequence[Loss]) -> None:
        """Adds batches of so many rows, by their mean losses."""
        weights = self.values.new_tensor(rows)
        means = [torch.stack(values).to(weights) for values in zip(*losses, strict=True)]
        self.values += torch.stack([weights.sum(), *(weights @ mean for mean in means)])

    def means(self, strategy: Strategy) -> dict[str, float]:
        """The means over the rows of all devices, by `prefix/name`."""
        rows, *sums = strategy.reduce(self.values, reduce_op="sum").tolist()
        return {
            f"{self.prefix}/{name}": total / rows for name, total in zip(MEANS, sums, strict=True)
        }


class TrainingModule(pl.LightningModule):
    """The thin shell around a model: several batches a step, one optimizer, one learning-rate schedule."""

    def __init__(
        self,
        model: TrainedModel,
        train: FixedTrain,
        seed: int,
        rows: int,
        kept: ResumePoint | None = None,
        *,
        binarise: bool = False,
    ) -> None:
        """rows: of an epoch; kept: the last good checkpoint; binarise: draw 0 or 1 for each value, in each epoch."""
        super().__init__()
        self.automatic_optimization = False
        self.model, self.train_params, self.seed, self.rows, self.kept = (
            model,
            train,
            seed,
            rows,
            kept,
        )
        self.binarise = binarise
        self.chunk = train.batch_size * batches_a_step(
            train, model.description.architecture.n_features
        )
        self.precision = chosen_precision(train, model.autoencoder)

    @property
    def progress(self) -> float:
        """The share of the epochs before this one."""
        return self.current_epoch / self.train_params.epochs

    @property
    def penalty_weight(self) -> float:
        """The penalty's weight in this epoch; a single epoch has no warm-up."""
        return self.model.autoencoder.penalty_weight(
            self.progress if self.train_params.epochs > 1 else 1.0
        )

    def shuffling(self) -> torch.Generator:
        """The random stream of this epoch's order, the same on every device."""
        return epoch_generator(self.seed, self.current_epoch, SHUFFLE)

    def _noise(self, epoch: int) -> torch.Generator:
        """A random stream of noise, another one on each device."""
        rank = [self.global_rank] if self.global_rank else []
        return epoch_generator(self.seed, epoch, NOISE, *rank, device=self.device)

    def on_train_epoch_start(self) -> None:
        """Starts the epoch's noise and sums; what stays the same in all of it is worked out once."""
        self.weight, self.trims = (
            self.penalty_weight,
            self.train_params.trim > 0 and self.progress >= TRIM_AFTER,
        )
        self.noise = self._noise(self.current_epoch)
        self.model.autoencoder.progress = self.progress
        self.augments = (
            self.train_params.augment > 0 and self.progress < self.train_params.augment_until
        )
        self.train_sums, self.val_sums = Sums("train", self.device), Sums("val", self.device)

    def training_step(self, rows: Tensor, batch_idx: int) -> None:
        """One optimizer step a batch. rows: (several batches, features), raw; this device's share."""
        p, devices, done = self.train_params, self.trainer.world_size, batch_idx * self.chunk
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        steps_an_epoch = math.ceil(self.rows / p.batch_size)
        first = self.current_epoch * steps_an_epoch + done // p.batch_size
        share = devices / min(self.chunk, self.rows - done)  # of each row in a device's gradient
        batches = self.model.scaled(rows).split(math.ceil(p.batch_size / devices))
        losses = []
        half = (
            self.precision == "bf16-mixed" and devices == 1
        )  # of several, gradients are averaged in full precision
        with optimizer.in_bf16() if half else nullcontext():
            for step, x in enumerate(batches, first):
                losses.append(self._backward(x, optimizer, len(x) * share))
                rate = p.learning_rate * warmup_cosine(step, p.epochs * steps_an_epoch, p.warmup)
                optimizer.update(rate, p.gradient_clip)
        self.train_sums.add([len(x) for x in batches], losses)

    def _backward(self, x: Tensor, optimizer: LeanAdamW, share: float) -> Loss:
        """The losses of a batch, and their gradients; share: the weight of this device's."""
        if self.augments:
            x = random_affine(
                x, self.model.description.architecture.shape, self.train_params.augment, self.noise
            )
        if self.binarise:
            x = (torch.rand(x.shape, generator=self.noise, device=x.device) < x).to(
                x
            )  # a third of bernoulli's time
        with self.products():
            loss = self.model.autoencoder.loss(self.trimmed(x) if self.trims else x, self.noise)
        total = (
            loss.reconstruction + self.weight * loss.penalty if self.weight else loss.reconstruction
        )
        optimizer.forget_gradients()
        if self.trainer.world_size > 1:
            self.manual_backward(
                total * share
            )  # gradients are averaged over devices, whose shares may differ
        else:  # without the hooks, which cost as much as a small network's backward pass
            total.backward(
                inputs=optimizer.weights if self.model.autoencoder.input_gradients else None
            )
        return Loss(loss.reconstruction.detach(), loss.penalty.detach())

    def products(self) -> AbstractContextManager[object]:
        """Products in the chosen precision. Entered anew for each batch, as it keeps the weights that it converts."""
        return (
            torch.autocast(self.device.type, torch.bfloat16)
            if self.precision == "bf16-mixed"
            else FULL
        )

    @torch.no_grad()
    def trimmed(self, x: Tensor) -> Tensor:
        """The batch without the share `trim` of its rows that are rebuilt worst: contaminated data is not learnt."""
        autoencoder = self.model.autoencoder
        error = autoencoder.reconstruction_loss(autoencoder.encode(x), x)
        error += self.penalty_weight * autoencoder.divergence(x)
        return x[error.argsort()[: len(x) - int(self.train_params.trim * len(x))]]

    def on_validation_epoch_start(self) -> None:
        """Starts the validation's noise, the same in every epoch."""
        self.noise = self._noise(0)

    def validation_step(self, rows: Tensor) -> None:
        """Clean reconstruction, the same for every type, and the type's own penalty; in full precision."""
        x = self.model.scaled(rows)
        x = self.trimmed(x) if self.train_params.trim else x
        autoencoder = self.model.autoencoder
        clean = autoencoder.reconstruction_loss(autoencoder.encode(x), x).mean()
        self.val_sums.add([len(x)], [Loss(clean, autoencoder.loss(x, self.noise).penalty.detach())])

    def on_validation_epoch_end(self) -> None:
        """Takes the epoch's means, which the callbacks read."""
        strategy = self.trainer.strategy
        self.epoch_means = self.train_sums.means(strategy) | self.val_sums.means(strategy)
        self.stop_if_diverged(self.epoch_means)

    def stop_if_diverged(self, means: dict[str, float]) -> None:
        """Raises DivergedError where a mean is not finite."""
        for key, value in means.items():
            if not math.isfinite(value):
                kept = self.kept.start if self.kept else None
                told = (
                    f"the last good checkpoint is kept: {kept}"
                    if kept
                    else "no epoch was completed"
                )
                raise DivergedError(
                    f"{key} became {value} in epoch {self.current_epoch + 1}. Likely causes: train.learning_rate = "
                    f"{self.train_params.learning_rate} is too high (try a third of it), a penalty's weight is too "
                    f"large, train.gradient_clip = 0 (try 1), or data.scaling leaves values far from 0; {told}"
                )

    def configure_optimizers(self) -> LeanAdamW:
        """AdamW; `training_step` gives each step its learning rate."""
        return LeanAdamW(self.parameters(), self.train_params.weight_decay)


def warmup_cosine(step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor: rising over the first `warmup` share of the steps, then a cosine to 0."""
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1.0, steps - rising))))
