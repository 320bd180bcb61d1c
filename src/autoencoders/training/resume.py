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

SECONDS_BETWEEN = 0.2  # from one resume checkpoint to the next, at least: writing one costs 10 ms


class ResumePoint(pl.Callback):
    """The checkpoint that a killed training goes on from: one a fingerprint, gone after success.

    Used as a context: one process at a time holds it. A stage whose `dvc` was killed keeps running; it stops by itself
    with its next checkpoint, and the next `dvc repro` waits for that and resumes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self.path = folder, folder / CHECKPOINT
        self.parent_dvc, self.every, self.due = ParentDvc(), SECONDS_BETWEEN, 0.0

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
        if error[0] is None and not self.parent_dvc.gone:
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
                if (
                    trainer.is_global_zero
                ):  # which writes it: another device's process must not take it away
                    new.unlink(missing_ok=True)  # half of one, where the disk is full
            self.due = time.monotonic() + self.every
            self.parent_dvc.stop_if_gone()
