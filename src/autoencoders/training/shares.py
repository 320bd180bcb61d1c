"""The share of the variance that a model keeps, measured several times in its training."""

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import pytorch_lightning as pl

from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.trained.fidelity import fidelity

if TYPE_CHECKING:
    from autoencoders.training.module import TrainingModule

PARTS = 5  # of a training's epochs, after each of which but the last one the share is measured


class Shares(pl.Callback):
    """Measures the share of the variance of the validation rows that is kept so far."""

    def __init__(self, data: Prepared, report: Callable[[int, float], None]) -> None:
        """report: called with the number of the epoch, and the share; may raise."""
        self.data = data
        self.report = report

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Measures after each part of the epochs but the last one, which the result stands for."""
        epochs = trainer.max_epochs or 1
        epoch = trainer.current_epoch + 1
        part = PARTS * epoch // epochs
        if part == PARTS or part == PARTS * (epoch - 1) // epochs:
            return
        model = cast("TrainingModule", pl_module).model
        _, kept = fidelity(model.reconstruct, self.data, "validation")
        self.report(epoch, kept)
