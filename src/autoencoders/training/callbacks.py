"""Callbacks for the epochs of a training: learning curves, best weights, progress."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytorch_lightning as pl
from torch import Tensor
from tqdm import tqdm

from autoencoders.models.trained.saved import TRAIN_LOSS, VALIDATION_LOSS

if TYPE_CHECKING:
    from autoencoders.training.module import TrainingModule

SELECTION_METRIC = VALIDATION_LOSS  # on clean inputs: the same quantity for every type
LogEpoch = Callable[[int, dict[str, float]], None]


class History(pl.Callback):
    """Records each epoch's means and the best epoch's weights; stops when patience is over.

    The best epoch has the lowest clean validation error. Epochs in which the loss still changes, as
    the penalty warms up or k falls, don't count: their error is low because of that.
    """

    def __init__(self, patience: int, report: LogEpoch | None) -> None:
        """patience: epochs without a better one before a stop; 0: no stop. report: fit's `log`."""
        self.patience = patience
        self.report = report
        self.epochs: list[dict[str, float]] = []
        self.best = 0  # epoch, counted from 1; 0: none yet
        self.weights: dict[str, Tensor] = {}

    def state_dict(self) -> dict[str, Any]:
        """The state that a resumed training needs."""
        return {"epochs": self.epochs, "best": self.best, "weights": self.weights}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the state of `state_dict`, and logs the earlier epochs once more."""
        self.epochs = state_dict["epochs"]
        self.best = state_dict["best"]
        self.weights = state_dict["weights"]
        if self.report is not None:
            for epoch, means in enumerate(self.epochs, 1):
                self.report(epoch, means)

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Records this epoch, and its weights if they are the best."""
        module = cast("TrainingModule", pl_module)
        self.epochs.append(dict(module.epoch_means))
        epoch = len(self.epochs)
        if self.report is not None:
            self.report(epoch, self.epochs[-1])
        autoencoder = module.model.autoencoder
        counts = autoencoder.settled(module.progress) or epoch == trainer.max_epochs
        if counts and self._is_better(self.epochs[-1]):
            self.best = epoch
            self.weights = {
                name: value.detach().cpu().clone()
                for name, value in autoencoder.state_dict().items()
            }
        self.on_train_start(trainer, pl_module)

    def _is_better(self, means: dict[str, float]) -> bool:
        """Whether an epoch has a lower error than the best one so far."""
        if not self.best:
            return True
        return means[SELECTION_METRIC] < self.epochs[self.best - 1][SELECTION_METRIC]

    def on_train_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
    ) -> None:
        """Stops at once where patience is over, in a resumed training too."""
        if self.patience and self.best and len(self.epochs) - self.best >= self.patience:
            trainer.should_stop = True


class Progress(pl.Callback):
    """Shows a training's epochs: a bar in a terminal, one line per epoch in a log."""

    def __init__(self, model_type: str) -> None:
        self.model_type = model_type
        self.bar = tqdm(disable=True)

    def on_train_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
    ) -> None:
        """Opens the bar in a terminal."""
        self.bar = tqdm(
            total=trainer.max_epochs,
            initial=trainer.current_epoch,
            desc=self.model_type,
            unit="epoch",
            disable=not sys.stderr.isatty(),
        )

    def on_validation_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Shows the epoch's errors."""
        means = cast("TrainingModule", pl_module).epoch_means
        train = means[TRAIN_LOSS]
        val = means[VALIDATION_LOSS]
        errors = f"train {train:.4f} val {val:.4f}"
        if self.bar.disable:
            epoch = trainer.current_epoch + 1
            line = f"epoch {epoch}/{trainer.max_epochs} {self.model_type} {errors}"
            print(line, flush=True)
        self.bar.set_postfix_str(errors, refresh=False)
        self.bar.update()

    def teardown(
        self,
        trainer: pl.Trainer,  # noqa: ARG002
        pl_module: pl.LightningModule,  # noqa: ARG002
        stage: str,  # noqa: ARG002
    ) -> None:
        """Closes the bar."""
        self.bar.close()
