"""What happens around the epochs of a training: best weights, learning curves, progress, the point to resume from."""

import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
from torch import Tensor
from tqdm import tqdm

from autoencoders.files import remove
from autoencoders.process import Starter, one_process

CRITERION = "val/reconstruction_loss"  # on clean inputs: the same quantity for every type
SECONDS_BETWEEN = 0.2  # from one resume checkpoint to the next, at least: writing one costs 10 ms
LogEpoch = Callable[[int, dict[str, float]], None]


class BestWeights(pl.Callback):
    """Keeps the weights of the epoch with the lowest clean validation error, and stops when patience is over.

    Epochs in which the penalty still warms up don't count: their error is low because the penalty is.
    """

    def __init__(self, patience: int) -> None:
        self.patience = patience
        self.best = float("inf")
        self.epoch = 0  # of the best weights, counted from 1
        self.weights: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs."""
        return {"best": self.best, "epoch": self.epoch, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave."""
        self.best, self.epoch, self.weights = (state_dict[key] for key in ("best", "epoch", "weights"))

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Stops at once where the resumed training had already run out of patience."""
        self._stop_if_patience_is_over(trainer, trainer.current_epoch)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Takes this epoch's weights if they are the best."""
        error = pl_module.epoch_means[CRITERION]
        warm = pl_module.model.autoencoder.penalty_weight(1.0) == pl_module.penalty_weight
        last = trainer.current_epoch + 1 == trainer.max_epochs
        if (warm and error < self.best) or (last and not self.weights):
            self.best, self.epoch = error, trainer.current_epoch + 1
            weights = pl_module.model.autoencoder.state_dict()
            self.weights = {name: value.detach().cpu().clone() for name, value in weights.items()}
        self._stop_if_patience_is_over(trainer, trainer.current_epoch + 1)

    def _stop_if_patience_is_over(self, trainer: pl.Trainer, epochs: int) -> None:
        if self.patience and self.weights and epochs - self.epoch >= self.patience:
            trainer.should_stop = True


class History(pl.Callback):
    """Collects each epoch's means and passes them on."""

    def __init__(self, report: LogEpoch | None) -> None:
        self.report = report or (lambda *_: None)
        self.epochs: list[dict[str, float]] = []

    def state_dict(self) -> dict[str, Any]:
        """What a resumed training needs."""
        return {"epochs": self.epochs}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Takes what `state_dict` gave, and passes the earlier epochs on once more."""
        self.epochs = state_dict["epochs"]
        for epoch, means in enumerate(self.epochs, 1):
            self.report(epoch, means)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:  # noqa: ARG002
        """Adds this epoch."""
        self.epochs.append(dict(pl_module.epoch_means))
        self.report(len(self.epochs), self.epochs[-1])


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
        self.folder = folder
        self.path = folder / "last.ckpt"
        self.starter, self.alone = Starter(), ExitStack()
        self.every, self.due = SECONDS_BETWEEN, 0.0

    def __enter__(self) -> "ResumePoint":
        self.alone.enter_context(one_process(self.folder.with_suffix(".lock"), "trains this"))
        self.folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if error is None and not self.starter.gone:
            remove(self.folder)
        self.alone.close()

    @property
    def start(self) -> str | None:
        """The checkpoint to go on from, if there is one."""
        return str(self.path) if self.path.exists() else None

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Says where a resumed training goes on."""
        if trainer.current_epoch:
            print(f"resuming from epoch {trainer.current_epoch}", flush=True)

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:  # noqa: ARG002
        """Replaces the checkpoint in one step, unless the last one is quite new."""
        if time.monotonic() < self.due:
            return
        new = self.path.with_suffix(".new")
        trainer.save_checkpoint(new)
        new.replace(self.path)
        self.due = time.monotonic() + self.every
        self.starter.stop_if_gone()
