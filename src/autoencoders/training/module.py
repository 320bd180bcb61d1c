"""The Lightning module of a training: batches sliced from one array, several a step."""

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import pytorch_lightning as pl
import torch
from torch import Tensor

from autoencoders.core.errors import DivergedError
from autoencoders.models.base import Loss
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.saved import TRAIN_LOSS, VALIDATION_LOSS
from autoencoders.params.sections import FixedTrain
from autoencoders.training import closed_form
from autoencoders.training.augment import random_affine
from autoencoders.training.batches import RowsModule, epoch_generator
from autoencoders.training.closed_form import ClosedForm
from autoencoders.training.epoch_sums import EpochSums, WaitingBatches
from autoencoders.training.flat_optimizer import FlatAdamW
from autoencoders.training.machine import batches_a_step, chosen_precision
from autoencoders.training.optimizer import LeanAdamW
from autoencoders.training.resume import ResumePoint
from autoencoders.training.schedule import warmup_cosine

TRIM_AFTER = 0.2  # share of the training: before it, errors do not show yet which rows are unusual
TRAIN_MEANS = (TRAIN_LOSS, "train/penalty")
VALIDATION_MEANS = (VALIDATION_LOSS, "val/penalty")
SHUFFLE = 0  # number of the random stream of an epoch's order
NOISE = 1  # number of the random stream of an epoch's noise


class TrainingModule(pl.LightningModule):
    """The thin shell around a model: several batches a step, optimizer, learning-rate schedule."""

    def __init__(
        self,
        model: TrainedModel,
        train: FixedTrain,
        seed: int,
        rows: int,
        resume: ResumePoint | None = None,
        *,
        binarise: bool = False,
    ) -> None:
        """rows: of an epoch, on all devices; resume: holds the last good checkpoint.

        binarise: each value in [0, 1] is the chance with which an epoch draws 1, else 0.
        """
        super().__init__()
        self.automatic_optimization = False
        self.model = model
        self.train_params = train
        self.seed = seed
        self.rows = rows
        self.resume = resume
        self.binarise = binarise
        n_features = model.description.architecture.n_features
        self.chunk = train.batch_size * batches_a_step(train, n_features)
        self.precision = chosen_precision(train, model.autoencoder)
        self.closed_form = closed_form.covers(model.autoencoder, train, self.precision)

    @property
    def progress(self) -> float:
        """The share of the epochs that are over."""
        return self.current_epoch / self.train_params.epochs

    @property
    def penalty_weight(self) -> float:
        """The penalty's weight in this epoch; a single epoch has no warm-up."""
        progress = self.progress if self.train_params.epochs > 1 else 1.0
        return self.model.autoencoder.penalty_weight(progress)

    @torch.no_grad()
    def measure_start(self, rows: RowsModule) -> None:
        """Sets the means of the training before its first step, as those of an epoch."""
        self.on_train_epoch_start()
        batch_size = self.train_params.batch_size
        for chunk in rows.in_order("train"):
            batches = self.model.scaled(chunk.to(self.device)).split(batch_size)
            losses = [self.model.autoencoder.loss(x, self.noise, 0.0) for x in batches]
            losses = [Loss(loss.reconstruction, loss.penalty.detach()) for loss in losses]
            self.train_sums.add([len(x) for x in batches], losses)
        self.validate(rows)

    def shuffling(self) -> torch.Generator:
        """The random stream of this epoch's order, the same on every device."""
        return epoch_generator(self.seed, self.current_epoch, SHUFFLE)

    def _noise(self, epoch: int) -> torch.Generator:
        """A random stream of an epoch's noise, another one on each device."""
        stream = [NOISE]
        if self.global_rank:
            stream.append(self.global_rank)
        return epoch_generator(self.seed, epoch, *stream, device=self.device)

    def on_train_epoch_start(self) -> None:
        """Starts the epoch's noise and sums, and computes once what is constant within an epoch."""
        train = self.train_params
        self.weight = self.penalty_weight
        self.trims = train.trim > 0 and self.progress >= TRIM_AFTER
        self.augments = train.augment > 0 and self.progress < train.augment_until
        self.noise = self._noise(self.current_epoch)
        self.train_sums = EpochSums(TRAIN_MEANS, self.device)

    def training_step(self, rows: Tensor, batch_idx: int) -> None:
        """One optimizer step a batch. rows: (rows of several batches, features), raw.

        Of several devices, each takes its share of the same batch.
        """
        train = self.train_params
        devices = self.trainer.world_size
        rows_before = batch_idx * self.chunk  # of this epoch, on all devices
        chunk_rows = min(self.chunk, self.rows - rows_before)
        row_share = devices / chunk_rows  # of a row in its device's gradient
        steps_per_epoch = math.ceil(self.rows / train.batch_size)
        steps = train.epochs * steps_per_epoch
        first_step = self.current_epoch * steps_per_epoch + rows_before // train.batch_size
        batches = self.model.scaled(rows).split(math.ceil(train.batch_size / devices))
        rates = [
            train.learning_rate * warmup_cosine(step, steps, train.warmup)
            for step in range(first_step, first_step + len(batches))
        ]
        if self.closed_form:
            self._by_closed_form(batches, rates)
        else:
            self._by_autograd(batches, rates, row_share)

    def _by_closed_form(self, batches: Sequence[Tensor], rates: Sequence[float]) -> None:
        """A step a batch, with the learning rate of each."""
        optimizer = cast(FlatAdamW, self.optimizers(use_pl_optimizer=False))
        progress = self.progress
        loss = self.model.description.architecture.loss
        waiting = WaitingBatches(loss, self.train_sums)
        for batch, rate in zip(batches, rates, strict=True):
            x = self._training_rows(batch)
            step = self.steps.step(len(x))
            penalty = step(x, self.weight, self.noise, progress)
            optimizer.update(rate, self.train_params.gradient_clip)
            waiting.add(step.decoder.output, x, penalty)
        waiting.compute()

    def _by_autograd(
        self, batches: Sequence[Tensor], rates: Sequence[float], row_share: float
    ) -> None:
        """A step a batch, with the learning rate of each. row_share: of a row in the gradient."""
        optimizer = cast(LeanAdamW, self.optimizers(use_pl_optimizer=False))
        kept = []
        losses = []
        with self.weights_in_bf16(optimizer):
            for batch, rate in zip(batches, rates, strict=True):
                x = self._training_rows(batch)
                kept.append(len(x))
                losses.append(self._backward(x, optimizer, len(batch) * row_share))
                optimizer.update(rate, self.train_params.gradient_clip)
        self.train_sums.add(kept, losses)

    def _training_rows(self, x: Tensor) -> Tensor:
        """The rows of a batch as the model is trained on them: augmented, binarised, trimmed."""
        if self.augments:
            shape = self.model.description.architecture.shape
            x = random_affine(x, shape, self.train_params.augment, self.noise)
        if self.binarise:  # by comparison, which takes a third of torch.bernoulli's time
            uniform = torch.rand(x.shape, generator=self.noise, device=x.device)
            x = (uniform < x).to(x)
        if self.trims:
            with self.products():
                x = self.trimmed(x)
        return x

    def weights_in_bf16(self, optimizer: LeanAdamW) -> AbstractContextManager[object]:
        """Weights in bf16 where products are; not on several devices, which average gradients."""
        if self.precision == "bf16-mixed" and self.trainer.world_size == 1:
            return optimizer.in_bf16()
        return nullcontext()

    def _backward(self, x: Tensor, optimizer: LeanAdamW, share: float) -> Loss:
        """The losses of a batch, whose gradients it computes. share: the weight of this device."""
        with self.products():
            loss = self.model.autoencoder.loss(x, self.noise, self.progress)
        total = loss.reconstruction
        if self.weight:
            total = total + self.weight * loss.penalty
        optimizer.forget_gradients()
        if self.trainer.world_size > 1:
            self.manual_backward(total * share)  # Lightning averages over devices of unequal shares
        else:  # without the hooks, which cost as much as a small network's backward pass
            inputs = optimizer.weights if self.model.autoencoder.input_gradients else None
            total.backward(inputs=inputs)
        return Loss(loss.reconstruction.detach(), loss.penalty.detach())

    def products(self) -> AbstractContextManager[object]:
        """Products in the chosen precision, for one batch: autocast caches converted weights."""
        if self.precision == "bf16-mixed":
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    @torch.no_grad()
    def trimmed(self, x: Tensor) -> Tensor:
        """The batch without the share `trim` of its rows with the largest loss.

        So contaminated data's anomalies are not learnt. x: (batch, features), model scale.
        """
        autoencoder = self.model.autoencoder
        z = autoencoder.encode(x, self.progress)
        loss = autoencoder.reconstruction_loss(z, x)
        loss += self.penalty_weight * autoencoder.divergence(x)
        n = len(x) - int(self.train_params.trim * len(x))
        return x[loss.argsort()[:n]]

    @torch.no_grad()
    def validate(self, rows: RowsModule) -> None:
        """Sets the epoch's means, which the callbacks read. Raises DivergedError.

        Beside those of the training: the clean reconstruction loss, the same quantity for every
        type, and the penalty, of the validation rows in full precision. Their noise is the same in
        every epoch. Lightning's own loop around a validation takes longer than that of few rows.
        """
        noise = self._noise(0)
        sums = EpochSums(VALIDATION_MEANS, self.device)
        for raw in rows.validation:
            x = self.model.scaled(raw.to(self.device))
            if self.train_params.trim:
                x = self.trimmed(x)
            if self.closed_form:
                losses, penalty = self.steps.validate(x, noise, self.progress)
            else:
                losses, penalty = self._clean_losses(x, noise)
            sums.add_rows(losses, len(x) * penalty)
        strategy = self.trainer.strategy
        self.epoch_means = self.train_sums.means(strategy) | sums.means(strategy)
        self.stop_if_diverged(self.epoch_means)

    def _clean_losses(self, x: Tensor, noise: torch.Generator) -> tuple[Tensor, Tensor]:
        """The clean reconstruction loss of each row, (rows,), and the penalty, a scalar."""
        autoencoder = self.model.autoencoder
        z = autoencoder.encode(x, self.progress)
        losses = autoencoder.reconstruction_loss(z, x)
        return losses, autoencoder.loss(x, noise, self.progress).penalty.detach()

    def stop_if_diverged(self, means: dict[str, float]) -> None:
        """Raises DivergedError where a mean is not finite."""
        for key, value in means.items():
            if not math.isfinite(value):
                raise DivergedError(
                    f"{key} became {value} in epoch {self.current_epoch + 1}. Likely causes: "
                    f"train.learning_rate = {self.train_params.learning_rate} is too high (try a "
                    "third of it), a penalty's weight is too large, train.gradient_clip = 0 (try "
                    "1), or data.scaling leaves values far from 0; " + self._last_checkpoint()
                )

    def _last_checkpoint(self) -> str:
        """A clause on the checkpoint from before a divergence."""
        checkpoint = self.resume.start if self.resume else None
        if checkpoint:
            return f"the last good checkpoint is kept: {checkpoint}"
        return "no epoch was completed"

    def configure_optimizers(self) -> LeanAdamW | FlatAdamW:
        """AdamW; `training_step` sets the learning rate of each step."""
        weight_decay = self.train_params.weight_decay
        if not self.closed_form:
            return LeanAdamW(self.parameters(), weight_decay)
        optimizer = FlatAdamW(self.parameters(), weight_decay)
        self.steps = ClosedForm(self.model.autoencoder, optimizer.gradients_of)
        return optimizer

    def on_fit_end(self) -> None:
        """Ends the weights' bond to the optimizer, also where no epoch was left to train."""
        if self.closed_form:
            cast(FlatAdamW, self.optimizers(use_pl_optimizer=False)).release()
