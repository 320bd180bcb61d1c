"""The point that a killed training resumes from."""

import time
from contextlib import nullcontext
from pathlib import Path
from typing import Self

import pytorch_lightning as pl

from autoencoders.core.files import Writing, remove
from autoencoders.core.process import ParentDvc, is_first, one_process
from autoencoders.training.checkpoint import (
    CHECKPOINT,
    broken_checkpoint,
    replace_checkpoint,
    set_aside,
)

SECONDS_BETWEEN = 0.2  # from one checkpoint to the next, at least: writing one costs 10 ms


class ResumePoint(pl.Callback):
    """The checkpoint that a killed training goes on from: one a fingerprint, gone after success.

    Used as a context, which one process at a time holds. A stage whose `dvc` was killed keeps
    running; it stops by itself with its next checkpoint, and the next `dvc repro` waits for that
    and resumes.
    """

    def __init__(self, folder: Path, *, keeps: bool = False) -> None:
        """folder: holds the checkpoint; removed after success, unless it keeps the last one.

        From that one, the same training goes on with nothing left to train.
        """
        self.folder = folder
        self.keeps = keeps
        self.path = folder / CHECKPOINT
        self.parent_dvc = ParentDvc()
        self.every = SECONDS_BETWEEN
        self.due = 0.0  # monotonic time of the next checkpoint
        self.has_begun = False

    def __enter__(self) -> Self:
        lock = self.folder.with_suffix(".lock")
        # the first device's process holds the lock for all
        self.lock = one_process(lock, "trains this") if is_first() else nullcontext()
        self.folder.mkdir(parents=True, exist_ok=True)
        if is_first():
            problem = broken_checkpoint(self.path)
            if problem:
                print(problem, flush=True)
                set_aside(self.path)
        return self

    def __exit__(self, *error: object) -> None:
        if error[0] is None and not self.keeps and not self.parent_dvc.gone:
            remove(self.folder)
        self.lock.__exit__(None, None, None)

    @property
    def start(self) -> str | None:
        """The path of the checkpoint to go on from, if there is an undamaged one.

        Only the first device's process has moved a damaged one; another may still see it.
        """
        if self.path.exists() and not broken_checkpoint(self.path):
            return str(self.path)
        return None

    def on_train_start(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
    ) -> None:
        """Prints the epoch from which a resumed training goes on.

        `History` has stopped one with nothing left to train.
        """
        self.has_begun = True
        epoch = trainer.current_epoch
        if not epoch or not trainer.is_global_zero:
            return
        if trainer.should_stop:
            _print_taken_over(epoch)
        else:
            print(f"resuming from epoch {epoch}", flush=True)

    def on_fit_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
    ) -> None:
        """Says so where all epochs were trained before: Lightning then begins no training."""
        if not self.has_begun and trainer.is_global_zero:
            _print_taken_over(trainer.current_epoch)

    def on_train_epoch_end(
        self,
        trainer: pl.Trainer,
        pl_module: pl.LightningModule,  # noqa: ARG002
    ) -> None:
        """Replaces the checkpoint, unless the last one is quite new; several devices always do.

        The processes of several devices save together, and their clocks may differ. A last
        checkpoint that is kept is that of the last epoch.
        """
        is_last = trainer.should_stop or trainer.current_epoch + 1 == trainer.max_epochs
        is_due = trainer.world_size > 1 or time.monotonic() >= self.due
        if is_due or (self.keeps and is_last):
            self._save(trainer)
            self.due = time.monotonic() + self.every
            self.parent_dvc.stop_if_gone()

    def _save(self, trainer: pl.Trainer) -> None:
        """Writes a checkpoint beside the last one, then replaces that in one step."""
        new = self.path.with_suffix(".new")
        try:
            with Writing(self.path):
                trainer.save_checkpoint(new)
                if trainer.is_global_zero:
                    replace_checkpoint(self.path, new)
        finally:
            # half a checkpoint, where the disk is full; the first device's process alone writes it,
            # and another one's must not take it away
            if trainer.is_global_zero:
                new.unlink(missing_ok=True)


def _print_taken_over(epochs: int) -> None:
    print(f"taking over a training of {epochs} epochs, with nothing left to train", flush=True)
