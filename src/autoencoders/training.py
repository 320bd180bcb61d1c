"""Fitting an autoencoder with Lightning: a thin module, batches sliced from one array, and `fit`."""

import logging
import math
import warnings
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from typing import Any, NamedTuple

import pytorch_lightning as pl
import torch
from pytorch_lightning.strategies import Strategy
from torch import Tensor

from autoencoders.augment import moved
from autoencoders.batches import RowsModule, epoch_generator
from autoencoders.callbacks import History, LogEpoch, ResumePoint
from autoencoders.checkpoint import ModelDescription, TrainedModel, as_tensor
from autoencoders.data.prepared import Prepared
from autoencoders.errors import DivergedError
from autoencoders.models import Autoencoder, Loss, build
from autoencoders.optimizer import LeanAdamW
from autoencoders.params import FixedTrain, Params
from autoencoders.stage import is_first

BATCHES_A_STEP = 64  # batches that one training_step takes at most: Lightning's own work is paid once for all of them
STEP_VALUES = 2**20  # that these have at most together, so that they stay in a processor's cache
TRIM_AFTER = 0.2  # share of the training: before it, nothing is known of what is unusual
THREAD_VALUES = 2**15  # of the widest layer's output for a batch, for which another thread is worth its start
WIDE = 2**26  # products of weights and rows in a batch, from which on bf16 gains more than its conversions cost
CALIBRATION_ROWS = 10_000  # behind the variance of errors and the p-values
SHUFFLE, NOISE = 0, 1  # the two random streams of an epoch
MEANS = ("reconstruction_loss", "penalty")  # of an epoch
FULL = nullcontext()  # precision
LEFT_OUT = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")  # of Lightning's own work


class Fitted(NamedTuple):
    """What `fit` gives."""

    model: TrainedModel
    history: list[dict[str, float]]  # one mapping an epoch


class Sums:
    """Sums over rows of an epoch's losses, kept on the device."""

    def __init__(self, prefix: str, device: torch.device) -> None:
        self.prefix = prefix
        self.values = torch.zeros(3, dtype=torch.float64, device=device)  # rows, reconstruction loss, penalty

    def add(self, rows: Sequence[int], losses: Sequence[Loss]) -> None:
        """Adds batches of so many rows, by their mean losses."""
        weights = self.values.new_tensor(rows)
        means = [torch.stack(values).to(weights) for values in zip(*losses, strict=True)]
        self.values += torch.stack([weights.sum(), *(weights @ mean for mean in means)])

    def means(self, strategy: Strategy) -> dict[str, float]:
        """The means over the rows of all devices, by `prefix/name`."""
        rows, *sums = strategy.reduce(self.values, reduce_op="sum").tolist()
        return {f"{self.prefix}/{name}": total / rows for name, total in zip(MEANS, sums, strict=True)}


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
        self.model, self.train_params, self.seed, self.rows, self.kept = model, train, seed, rows, kept
        self.binarise = binarise
        self.chunk = train.batch_size * batches_a_step(train, model.description.architecture.n_features)
        self.precision = chosen_precision(train, model.autoencoder)

    @property
    def progress(self) -> float:
        """The share of the epochs before this one."""
        return self.current_epoch / self.train_params.epochs

    @property
    def penalty_weight(self) -> float:
        """The penalty's weight in this epoch; a single epoch has no warm-up."""
        return self.model.autoencoder.penalty_weight(self.progress if self.train_params.epochs > 1 else 1.0)

    def shuffling(self) -> torch.Generator:
        """The random stream of this epoch's order, the same on every device."""
        return epoch_generator(self.seed, self.current_epoch, SHUFFLE)

    def _noise(self, epoch: int) -> torch.Generator:
        """A random stream of noise, another one on each device."""
        rank = [self.global_rank] if self.global_rank else []
        return epoch_generator(self.seed, epoch, NOISE, *rank, device=self.device)

    def on_train_epoch_start(self) -> None:
        """Starts the epoch's noise and sums; what stays the same in all of it is worked out once."""
        self.weight, self.trims = self.penalty_weight, self.train_params.trim > 0 and self.progress >= TRIM_AFTER
        self.noise = self._noise(self.current_epoch)
        self.model.autoencoder.progress = self.progress
        self.augments = self.train_params.augment > 0 and self.progress < self.train_params.augment_until
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
        half = self.precision == "bf16-mixed" and devices == 1  # of several, gradients are averaged in full precision
        with optimizer.in_bf16() if half else nullcontext():
            for step, x in enumerate(batches, first):
                losses.append(self._backward(x, optimizer, len(x) * share))
                rate = p.learning_rate * warmup_cosine(step, p.epochs * steps_an_epoch, p.warmup)
                optimizer.update(rate, p.gradient_clip)
        self.train_sums.add([len(x) for x in batches], losses)

    def _backward(self, x: Tensor, optimizer: LeanAdamW, share: float) -> Loss:
        """The losses of a batch, and their gradients; share: the weight of this device's."""
        if self.augments:
            x = moved(x, self.model.description.architecture.shape, self.train_params.augment, self.noise)
        if self.binarise:
            x = (torch.rand(x.shape, generator=self.noise, device=x.device) < x).to(x)  # a third of bernoulli's time
        with self.products():
            loss = self.model.autoencoder.loss(self.trimmed(x) if self.trims else x, self.noise)
        total = loss.reconstruction + self.weight * loss.penalty if self.weight else loss.reconstruction
        optimizer.forget_gradients()
        if self.trainer.world_size > 1:
            self.manual_backward(total * share)  # gradients are averaged over devices, whose shares may differ
        else:  # without the hooks, which cost as much as a small network's backward pass
            total.backward(inputs=optimizer.weights if self.model.autoencoder.input_gradients else None)
        return Loss(loss.reconstruction.detach(), loss.penalty.detach())

    def products(self) -> AbstractContextManager[object]:
        """Products in the chosen precision. Entered anew for each batch, as it keeps the weights that it converts."""
        return torch.autocast(self.device.type, torch.bfloat16) if self.precision == "bf16-mixed" else FULL

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
                told = f"the last good checkpoint is kept: {kept}" if kept else "no epoch was completed"
                raise DivergedError(
                    f"{key} became {value} in epoch {self.current_epoch + 1}. Likely causes: train.learning_rate = "
                    f"{self.train_params.learning_rate} is too high (try a third of it), a penalty's weight is too "
                    f"large, train.gradient_clip = 0 (try 1), or data.scaling leaves values far from 0; {told}"
                )

    def configure_optimizers(self) -> LeanAdamW:
        """AdamW; `training_step` gives each step its learning rate."""
        return LeanAdamW(self.parameters(), self.train_params.weight_decay)


def batches_a_step(train: FixedTrain, n_features: int) -> int:
    """How many batches one training_step takes: of several devices one, as Lightning averages gradients in between."""
    if train.devices * train.num_nodes > 1:
        return 1
    return max(1, min(BATCHES_A_STEP, STEP_VALUES // (train.batch_size * n_features)))


def chosen_precision(train: FixedTrain, autoencoder: Autoencoder) -> str:
    """train.precision; auto: bf16-mixed where the processor multiplies bf16 and the network is wide enough to gain."""
    if train.precision != "auto":
        return train.precision
    able = torch.cuda.is_bf16_supported() if torch.cuda.is_available() else torch.ops.mkldnn._is_mkldnn_bf16_supported()
    weights = sum(parameter.numel() for parameter in autoencoder.parameters())
    return "bf16-mixed" if able and train.batch_size * weights >= WIDE else "32-true"


def warmup_cosine(step: int, steps: int, warmup: float) -> float:
    """The learning rate's factor: rising over the first `warmup` share of the steps, then a cosine to 0."""
    rising = warmup * steps
    if step < rising:
        return (step + 1) / (rising + 1)
    return 0.5 * (1 + math.cos(math.pi * min(1.0, (step - rising) / max(1.0, steps - rising))))


def fit(
    kind: str,
    params: Params,
    data: Prepared,
    *,
    log: LogEpoch | None = None,
    fingerprint: str = "",
    resume: ResumePoint | None = None,
    callbacks: Sequence[pl.Callback] = (),
    trial: bool = False,
) -> Fitted:
    """Trains one type and gives its best weights and learning curves.

    log: called with each epoch's number, from 1, and its means. resume: holds the checkpoint that a killed training
    goes on from, with the same result as an uninterrupted one. callbacks: more to do around epochs. trial: takes one
    device, and its model is not made ready to score. Of several devices, the processes of all but the first end in
    here. Raises DivergedError, ParameterError, and what the callbacks and `log` raise.
    """
    source, facts = data.description, data.description.facts
    shape, own, train = params.architecture(kind, facts), params.own_for(kind, facts), params.train_for(kind, facts)
    train = train.model_copy(update={"devices": 1, "num_nodes": 1}) if trial else train
    description = ModelDescription(
        kind, shape, own, params.flatten(kind, facts), source.name, source.schema, source.split_sha256, fingerprint
    )
    torch.manual_seed(params.seed)
    model = TrainedModel(description, build(kind, shape, own), as_tensor(data.shift), as_tensor(data.scale))
    n = len(data.rows["train"])
    module = TrainingModule(model, train, params.seed, n, resume, binarise=source.binarise)
    description.params["train.precision"] = module.precision
    history = History(train.patience, log if log is not None and is_first() else lambda *_: None)
    rows, start = RowsModule(data, module.chunk, module.shuffling), resume.start if resume else None
    with _threads(train, max((shape.n_features, *shape.widths))), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec")  # Lightning's own use of torch, not the user's to mend
        trainer = _trainer(train, [history, *(callbacks if is_first() else []), *([resume] if resume else [])])
        trainer.fit(module, rows, ckpt_path=start, weights_only=True)
    if not is_first():
        raise SystemExit(0)  # the first device's process has the same weights, and saves them
    model.autoencoder.load_state_dict(history.weights)
    model.autoencoder.progress = 1.0
    model.description = replace(description, epochs=len(history.epochs), best_epoch=history.best)
    model.eval()
    if not trial:
        model.calibrate(data.sample("train", CALIBRATION_ROWS), data.clean("validation", CALIBRATION_ROWS))
    return Fitted(model, history.epochs)


@contextmanager
def _threads(train: FixedTrain, widest: int) -> Iterator[None]:
    """train.threads; auto: one for small products, of which a second gains little where other processes want the core.

    auto takes never more than OMP_NUM_THREADS, or the machine's cores.
    """
    before = torch.get_num_threads()
    useful = max(1, min(before, train.batch_size * widest // THREAD_VALUES))
    torch.set_num_threads(useful if train.threads == "auto" else train.threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _trainer(train: FixedTrain, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's loop alone; who logs and saves is our own."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # no inference mode: the contractive penalty needs gradients in validation too
    without: Any = dict.fromkeys((*LEFT_OUT, "num_sanity_val_steps", "inference_mode"), False)
    where: Any = train.model_dump(include={"devices", "num_nodes", "strategy"})
    trainer = pl.Trainer(max_epochs=train.epochs, callbacks=callbacks, deterministic=True, **where, **without)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # 3 % of a training
    return trainer
