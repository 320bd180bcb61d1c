"""What happens around the epochs of a training: learning curves, best weights, progress."""

import sys
from collections.abc import Callable
from typing import Any

import pytorch_lightning as pl
from torch import Tensor
from tqdm import tqdm

SELECTION_METRIC = "val/reconstruction_loss"  # on clean inputs: the same quantity for every type
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
        self.epochs, self.best, self.weights = (
            state_dict[key] for key in ("epochs", "best", "weights")
        )
        for epoch, means in enumerate(self.epochs, 1):
            self.report(epoch, means)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Adds this epoch, and takes its weights if they are the best."""
        self.epochs.append(dict(pl_module.epoch_means))
        self.report(len(self.epochs), self.epochs[-1])
        autoencoder, epoch = pl_module.model.autoencoder, len(self.epochs)
        warm = autoencoder.settled(pl_module.progress)
        better = (
            not self.best
            or self.epochs[-1][SELECTION_METRIC] < self.epochs[self.best - 1][SELECTION_METRIC]
        )
        if better and (warm or epoch == trainer.max_epochs):
            self.best = epoch
            self.weights = {
                name: value.detach().cpu().clone()
                for name, value in autoencoder.state_dict().items()
            }
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
        self.bar = tqdm(
            total=epochs, initial=trainer.current_epoch, desc=self.kind, unit="epoch", disable=log
        )

    def on_validation_end(self, trainer: pl.Trainer, pl_module: Any) -> None:
        """Tells the epoch's errors."""
        train, val = (
            pl_module.epoch_means[f"{part}/reconstruction_loss"] for part in ("train", "val")
        )
        told = f"train {train:.4f} val {val:.4f}"
        if self.bar.disable:
            print(
                f"epoch {trainer.current_epoch + 1}/{trainer.max_epochs} {self.kind} {told}",
                flush=True,
            )
        self.bar.set_postfix_str(told, refresh=False)
        self.bar.update()

    def teardown(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:  # noqa: ARG002
        """Closes the bar."""
        self.bar.close()
