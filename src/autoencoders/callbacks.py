"""What happens around the epochs of a training: learning curves, best weights, progress, the point to resume from."""

import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import pytorch_lightning as pl
from torch import Tensor
from tqdm import tqdm

from autoencoders.files import Writing, remove
from autoencoders.resume import CHECKPOINT, broken_checkpoint, replace_checkpoint, set_aside
from autoencoders.stage import Starter, is_first, one_process

CRITERION = "val/reconstruction_loss"  # on clean inputs: the same quantity for every type
SECONDS_BETWEEN = 0.2  # from one resume checkpoint to the next, at least: writing one costs 10 ms
LogEpoch = Callable[[int, dict[str, float]], None]


class History(pl.Callback):
    """Each epoch's means, passed on, and the weights of the best one; stops when patience is over.

    The best epoch has the lowest clean validation error. Epochs in which the loss still changes, as the penalty warms
    up or k falls, don't count: their error is low because of that.
    """

    def __init__(self, patience: int, report: LogEpoch) -> None:
        self.patience, self.report = patience, report
        self.epochs: list[dict[str, float]] = []
        self.best = 0  # epoch, counted from 1; 0: none yet
        self.weights: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs."""
        return {"epochs": self.epochs, "best": self.best, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave, and passes the earlier epochs on once more."""
        self.epochs, self.best, self.weights = (state_dict[key] for key in ("epochs", "best", "weights"))
        for epoch, means in enumerate(self.epochs, 1):
            self.report(epoch, means)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Adds this epoch, and takes its weights if they are the best."""
        self.epochs.append(dict(pl_module.epoch_means))
        self.report(len(self.epochs), self.epochs[-1])
        autoencoder, epoch = pl_module.model.autoencoder, len(self.epochs)
        warm = autoencoder.settled(pl_module.progress)
        better = not self.best or self.epochs[-1][CRITERION] < self.epochs[self.best - 1][CRITERION]
        if better and (warm or epoch == trainer.max_epochs):
            self.best = epoch
            self.weights = {name: value.detach().cpu().clone() for name, value in autoencoder.state_dict().items()}
        self.on_train_start(trainer, pl_module)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Stops at once where patience is over, in a resumed training too."""
        if self.patience and self.best and len(self.epochs) - self.best >= self.patience:
            trainer.should_stop = True


class Progress(pl.Callback):
    """A bar in a terminal; one line an epoch in a log."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.bar = tqdm(disable=True)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Opens the bar where someone looks at it."""
        epochs, log = trainer.max_epochs, not sys.stderr.isatty()
        self.bar = tqdm(total=epochs, initial=trainer.current_epoch, desc=self.kind, unit="epoch", disable=log)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Tells the epoch's errors."""
        train, val = (pl_module.epoch_means[f"{part}/reconstruction_loss"] for part in ("train", "val"))
        told = f"train {train:.4f} val {val:.4f}"
        if self.bar.disable:
            print(f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} {self.kind} {told}", flush=True)
        self.bar.set_postfix_str(told, refresh=False)
        self.bar.update()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: ARG002
        """Closes the bar."""
        self.bar.close()


class ResumePoint(pl.Callback):
    """The checkpoint that a killed training goes on from: one a fingerprint, gone after success.

    Used as a context: one process at a time holds it. A stage whose `dvc` was killed keeps running; it stops by itself
    with its next checkpoint, and the next `dvc repro` waits for that and resumes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / CHECKPOINT
        self.starter, self.every, self.due = Starter(), SECONDS_BETWEEN, 0.0

    def __enter__(self) -> Self:
        lock = self.folder.with_suffix(".lock")  # the first device's process holds it for all
        self.lock = one_process(lock, "trains this") if is_first() else nullcontext()
        self.folder.mkdir(parents=True, exist_ok=True)
        broken = broken_checkpoint(self.path) if is_first() else None
        if broken:
            print(broken, flush=True)
            set_aside(self.path)
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None and not self.starter.gone:
            remove(self.folder)
        self.lock.__exit__(None, None, None)

    @property
    def start(self) -> str | None:
        """The checkpoint to go on from, if there is one; not a broken one, which the first device's process moves."""
        return str(self.path) if self.path.exists() and not broken_checkpoint(self.path) else None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Says where a resumed training goes on."""
        if trainer.current_epoch and trainer.is_global_zero:
            print(f"resuming from epoch {trainer.current_epoch}", flush=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Replaces the checkpoint in one step, unless the last one is quite new; several devices do so together."""
        if trainer.world_size > 1 or time.monotonic() >= self.due:
            new = self.path.with_suffix(".new")
            try:
                with Writing(self.path):
                    trainer.save_checkpoint(new)
                    if trainer.is_global_zero:
                        replace_checkpoint(self.path, new)
            finally:
                if trainer.is_global_zero:  # which writes it: another device's process must not take it away
                    new.unlink(missing_ok=True)  # half of one, where the disk is full
            self.due = time.monotonic() + self.every
            self.starter.stop_if_gone()
