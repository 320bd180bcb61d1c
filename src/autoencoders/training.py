"""Fitting an autoencoder with Lightning: a thin module, batches sliced from one array, and `fit`."""

import logging
import math
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from autoencoders.callbacks import History, LogEpoch, ResumePoint
from autoencoders.checkpoint import ModelDescription, TrainedModel, as_tensor
from autoencoders.data.blocks import Blocks
from autoencoders.data.prepared import Prepared
from autoencoders.errors import DivergedError
from autoencoders.models import build
from autoencoders.params import FixedTrain, Params

BATCHES_A_STEP = 16  # batches that one training_step takes: Lightning's own work is paid once for all of them
VALIDATION_ROWS = 4096
TRIM_AFTER = 0.2  # share of the training: before it, nothing is known of what is unusual
IN_MEMORY = 2**28  # bytes up to which a split is held as a whole; above, blocks are shuffled
BLOCK_BYTES, BUFFERED = 2**18, 256  # of a block, and how many are shuffled together
SMALL = 2**16  # values of a layer for a batch, below which one thread computes them
CALIBRATION_ROWS = 10_000  # behind the variance of errors and the p-values
SHUFFLE, NOISE = 0, 1  # the two random streams of an epoch
LEFT_OUT = ("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary")  # of Lightning's own work


class Fitted(NamedTuple):
    """What `fit` gives."""

    model: TrainedModel
    history: list[dict[str, float]]  # one mapping an epoch


def epoch_generator(seed: int, epoch: int, stream: int) -> torch.Generator:
    """The random stream of an epoch: a function of seed and epoch alone, so that a resumed training repeats it."""
    entropy = np.random.SeedSequence([seed, epoch, stream]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(entropy[0]) << 31 | int(entropy[1]) >> 1)


class Batches:
    """The rows of an epoch, in chunks of one or more batches: slices of one array instead of a sample at a time."""

    def __init__(self, rows: Blocks, size: int, generator: Callable[[], torch.Generator] | None = None) -> None:
        """size: rows of a chunk. generator: asked at the start of each epoch, shuffles; without it, rows keep order."""
        self.rows, self.size, self.generator = rows, size, generator
        self.kept = as_tensor(rows.read(0, len(rows))) if len(rows) * rows.row_bytes <= IN_MEMORY else None

    def __len__(self) -> int:
        return math.ceil(len(self.rows) / self.size)

    def __iter__(self) -> Iterator[Tensor]:
        if self.generator is None:
            yield from (self._read(start, self.size) for start in range(0, len(self.rows), self.size))
        elif self.kept is None:
            yield from self._by_blocks(self.generator())
        else:
            for indices in torch.randperm(len(self.kept), generator=self.generator()).split(self.size):
                yield self.kept[indices]

    def _read(self, start: int, rows: int) -> Tensor:
        stop = start + rows
        return torch.from_numpy(self.rows.read(start, stop)) if self.kept is None else self.kept[start:stop]

    def _by_blocks(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Blocks in random order, BUFFERED of them at a time, and in random order the rows within these."""
        block = max(1, BLOCK_BYTES // self.rows.row_bytes)
        starts = torch.randperm(math.ceil(len(self.rows) / block), generator=generator) * block
        rest: list[Tensor] = []  # the last chunk of the blocks before, which may lack rows
        for group in starts.split(BUFFERED):
            rows = torch.cat([*rest, *(self._read(start, block) for start in group.tolist())])
            *chunks, last = rows[torch.randperm(len(rows), generator=generator)].split(self.size)
            yield from chunks
            rest = [last.clone()]
        yield from rest


class Sums:
    """Sums over rows of an epoch's losses, kept on the device."""

    def __init__(self, prefix: str) -> None:
        self.prefix, self.rows = prefix, 0
        self.values: defaultdict[str, Any] = defaultdict(float)

    def add(self, rows: int, reconstruction: Tensor, penalty: Tensor) -> None:
        """Adds a batch's means."""
        self.rows += rows
        self.values["reconstruction_loss"] += reconstruction.detach() * rows
        self.values["penalty"] += penalty.detach() * rows

    def means(self) -> dict[str, float]:
        """The means over all rows, by `prefix/name`."""
        return {f"{self.prefix}/{name}": value.item() / self.rows for name, value in self.values.items()}


class TrainingModule(pl.LightningModule):
    """The thin shell around a model: several batches a step, one optimizer, one learning-rate schedule."""

    def __init__(self, model: TrainedModel, train: FixedTrain, seed: int, steps: int, kept: ResumePoint | None) -> None:
        """steps: optimizer steps of the whole training; kept: the last good checkpoint."""
        super().__init__()
        self.automatic_optimization = False
        self.model, self.train_params, self.seed, self.steps, self.kept = model, train, seed, steps, kept

    @property
    def progress(self) -> float:
        """The share of the epochs before this one."""
        return self.current_epoch / self.train_params.epochs

    @property
    def penalty_weight(self) -> float:
        """The penalty's weight in this epoch."""
        return self.model.autoencoder.penalty_weight(self.progress)

    def shuffling(self) -> torch.Generator:
        """The random stream of this epoch's order."""
        return epoch_generator(self.seed, self.current_epoch, SHUFFLE)

    def on_train_epoch_start(self) -> None:
        """Starts the epoch's noise and sums."""
        self.noise = epoch_generator(self.seed, self.current_epoch, NOISE)
        self.train_sums, self.val_sums = Sums("train"), Sums("val")

    def training_step(self, rows: Tensor) -> None:
        """One optimizer step a batch. rows: (several batches, features), raw."""
        optimizer: Any = self.optimizers(use_pl_optimizer=False)
        schedule: Any = self.lr_schedulers()
        weight = self.penalty_weight  # the same in all of an epoch
        for batch in rows.split(self.train_params.batch_size):
            loss = self.model.autoencoder.loss(self.trimmed(self.model.scaled(batch), TRIM_AFTER), self.noise)
            optimizer.zero_grad()
            # not manual_backward, whose hooks cost as much as a small network's backward pass; one device, no scaler
            (loss.reconstruction + weight * loss.penalty).backward()
            if self.train_params.gradient_clip:
                clip_grad_norm_(self.parameters(), self.train_params.gradient_clip)
            optimizer.step()
            schedule.step()
            self.train_sums.add(len(batch), loss.reconstruction, loss.penalty)
        self.stop_if_diverged(self.train_sums.means())

    @torch.no_grad()
    def trimmed(self, x: Tensor, after: float = 0.0) -> Tensor:
        """The batch without the share `trim` of its rows that are rebuilt worst: contaminated data is not learnt.

        after: the progress of training before which nothing is left out.
        """
        if not self.train_params.trim or self.progress < after:
            return x
        autoencoder = self.model.autoencoder
        error = autoencoder.reconstruction_loss(autoencoder.encode(x), x)
        error += self.penalty_weight * autoencoder.divergence(x)
        return x[error.argsort()[: len(x) - int(self.train_params.trim * len(x))]]

    def on_validation_epoch_start(self) -> None:
        """Starts the validation's noise, the same in every epoch."""
        self.noise = epoch_generator(self.seed, 0, NOISE)

    def validation_step(self, rows: Tensor) -> None:
        """Clean reconstruction, the same for every type, and the type's own penalty."""
        x = self.trimmed(self.model.scaled(rows))
        autoencoder = self.model.autoencoder
        clean = autoencoder.reconstruction_loss(autoencoder.encode(x), x).mean()
        self.val_sums.add(len(x), clean, autoencoder.loss(x, self.noise).penalty)

    def on_validation_epoch_end(self) -> None:
        """Takes the epoch's means, which the callbacks read."""
        self.epoch_means = self.train_sums.means() | self.val_sums.means()
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

    def configure_optimizers(self) -> Any:
        """Fused AdamW; the learning rate rises in the warm-up and falls to 0 along a cosine."""
        p = self.train_params
        optimizer = torch.optim.AdamW(self.parameters(), lr=p.learning_rate, weight_decay=p.weight_decay, fused=True)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: warmup_cosine(step, self.steps, p.warmup))
        return [optimizer], [schedule]


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
    calibrate: bool = True,
) -> Fitted:
    """Trains one type and gives its best weights and learning curves.

    log: called with each epoch's number, from 1, and its means. resume: holds the checkpoint that a killed training
    goes on from, with the same result as an uninterrupted one. callbacks: more to do around epochs. calibrate: make the
    model ready to score, which trials never do. Raises DivergedError, ParameterError, and what the callbacks and `log`
    raise.
    """
    source, facts = data.description, data.description.facts
    shape, own, train = params.architecture(kind, facts), params.own_for(kind, facts), params.train_for(kind, facts)
    description = ModelDescription(
        kind, shape, own, params.flatten(kind, facts), source.name, source.schema, source.split_sha256, fingerprint
    )
    torch.manual_seed(params.seed)
    model = TrainedModel(description, build(kind, shape, own), as_tensor(data.shift), as_tensor(data.scale))
    steps = train.epochs * math.ceil(len(data.rows["train"]) / train.batch_size)
    module = TrainingModule(model, train, params.seed, steps, resume)
    history = History(train.patience, log or (lambda *_: None))
    rows = Batches(data.rows["train"], train.batch_size * BATCHES_A_STEP, module.shuffling)
    validation, start = Batches(data.rows["validation"], VALIDATION_ROWS), resume.start if resume else None
    with _threads(train.batch_size * max(shape.widths, default=shape.n_features)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*LeafSpec")  # Lightning's own use of torch, not the user's to mend
        trainer = _trainer(train.epochs, [history, *callbacks, *([resume] if resume else [])])
        trainer.fit(module, rows, validation, ckpt_path=start, weights_only=True)
    model.autoencoder.load_state_dict(history.weights)
    model.description = replace(description, epochs=len(history.epochs), best_epoch=history.best)
    model.eval()
    if calibrate:
        model.calibrate(data.sample("train", CALIBRATION_ROWS), data.clean("validation", CALIBRATION_ROWS))
    return Fitted(model, history.epochs)


@contextmanager
def _threads(products: int) -> Iterator[None]:
    """One thread for small products: a second gains little, and costs a lot where other processes want the core."""
    before = torch.get_num_threads()
    torch.set_num_threads(1 if products < SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _trainer(epochs: int, callbacks: list[pl.Callback]) -> pl.Trainer:
    """Lightning's loop alone, on one device."""
    logging.getLogger("pytorch_lightning").setLevel(logging.WARNING)
    # no inference mode: the contractive penalty needs gradients in validation too
    without: Any = dict.fromkeys((*LEFT_OUT, "num_sanity_val_steps", "inference_mode"), False)
    return pl.Trainer(max_epochs=epochs, callbacks=callbacks, devices=1, deterministic=True, **without)
