"""Callbacks for the epochs of a training: learning curves, best weights, progress."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

import pytorch_lightning as pl
from torch import Tensor
from tqdm import tqdm

from autoencoders.models.trained.saved import TRAIN_LOSS, VALIDATION_LOSS

if TYPE_CHECKING:
    from autoencoders.training.batches import RowsModule
    from autoencoders.training.module import TrainingModule

SELECTION_METRIC = VALIDATION_LOSS  # on clean inputs: the same quantity for every type
LogEpoch = Callable[[int, dict[str, float]], None]


class History(pl.Callback):
    """Records each epoch's means and the best epoch's weights; stops when patience is over.

    The best epoch has the lowest clean validation error. Epochs in which the loss still changes, as
    the penalty warms up or k falls, don't count: their error is low because of that. A training
    that starts as PCA has this start as epoch 0, which may be the best one where the loss is the
    reconstruction loss alone: other losses trade some of that error for something else. `fit` takes
    the start, too, where the best epoch's gain on it may be luck.
    """

    def __init__(self, patience: int, report: LogEpoch | None, rows: "RowsModule") -> None:
        """patience: epochs without a better one before a stop; 0: no stop. report: fit's `log`.

        rows: of the training.
        """
        self.rows = rows
        self.patience = patience
        self.report = report
        self.epochs: list[dict[str, float]] = []
        self.first = 1  # number of the first of these epochs; 0: of the start
        self.best = 0  # number of the best epoch
        self.weights: dict[str, Tensor] = {}  # of the best epoch; without any, there is none yet
        self.start: dict[str, Tensor] = {}  # of epoch 0, where it may be the best one

    def state_dict(self) -> dict[str, Any]:
        """The state that a resumed training needs."""
        return {
            "epochs": self.epochs,
            "first": self.first,
            "best": self.best,
            "weights": self.weights,
            "start": self.start,
        }

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restores the state of `state_dict`, and logs the earlier epochs once more."""
        self.epochs = state_dict["epochs"]
        self.first = state_dict["first"]
        self.best = state_dict["best"]
        self.weights = state_dict["weights"]
        self.start = state_dict["start"]
        if self.report is not None:
            for epoch, means in enumerate(self.epochs, self.first):
                self.report(epoch, means)

    @property
    def last(self) -> int:
        """The number of the last epoch."""
        return self.first + len(self.epochs) - 1

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Validates and records this epoch, and its weights if they are the best."""
        module = cast("TrainingModule", pl_module)
        module.validate(self.rows)
        autoencoder = module.model.autoencoder
        is_last = self.last + 1 == trainer.max_epochs
        self._add(module, counts=autoencoder.settled(module.progress) or is_last)
        self._stop_without_patience(trainer)

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measures a start as PCA; stops at once where a resumed training's patience is over."""
        module = cast("TrainingModule", pl_module)
        autoencoder = module.model.autoencoder
        if autoencoder.architecture.linear_path and not self.epochs:
            module.measure_start(self.rows)
            self.first = 0
            self._add(module, counts=autoencoder.rebuilds_only)
            self.start = self.weights
        self._stop_without_patience(trainer)

    def _add(self, module: "TrainingModule", *, counts: bool) -> None:
        """Adds an epoch, and keeps its weights where it counts and is the best one so far."""
        means = dict(module.epoch_means)
        self.epochs.append(means)
        if self.report is not None:
            self.report(self.last, means)
        if not counts or (self.weights and means[SELECTION_METRIC] >= self._best_error()):
            return
        self.best = self.last
        self.weights = {
            name: value.detach().to("cpu", copy=True)
            for name, value in module.model.autoencoder.state_dict().items()
        }

    def _best_error(self) -> float:
        """The best epoch's validation error."""
        return self.epochs[self.best - self.first][SELECTION_METRIC]

    def _stop_without_patience(self, trainer: pl.Trainer) -> None:
        """Stops where too many epochs were no better than the best one."""
        if self.patience and self.weights and self.last - self.best >= self.patience:
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

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
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
