"""Trainings on a chosen processor: the CPU, or the GPU with the CPU's noise."""

from collections.abc import Callable
from typing import Any

import pytest
import pytorch_lightning as pl
import torch
from torch import Tensor


def train_on_cpu(patch: pytest.MonkeyPatch) -> None:
    """Makes trainings take the CPU, where there is a GPU too."""
    trainer = pl.Trainer

    def on_cpu(**arguments: Any) -> pl.Trainer:
        return trainer(**{**arguments, "accelerator": "cpu"})

    patch.setattr(pl, "Trainer", on_cpu)


def draw_on_cpu(patch: pytest.MonkeyPatch) -> None:
    """Makes a GPU's generator draw what the CPU's draws with the same seed.

    A GPU's own random stream has other numbers, so that losses with noise would differ.
    """
    streams: dict[torch.Generator, torch.Generator] = {}  # on the CPU, by the GPU's

    def cpu_stream(generator: torch.Generator) -> torch.Generator:
        if generator.device.type == "cpu":
            return generator
        if generator not in streams:
            streams[generator] = torch.Generator().manual_seed(generator.initial_seed())
        return streams[generator]

    def drawn_by(draw: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def drawn(
            *size: Any, generator: torch.Generator, device: Any = None, dtype: Any = None
        ) -> Tensor:
            return draw(*size, generator=cpu_stream(generator), dtype=dtype).to(device)

        return drawn

    for name in ("rand", "randn"):
        patch.setattr(torch, name, drawn_by(getattr(torch, name)))


class Device(pl.Callback):
    """Notes the device on which a training takes place, and those of its batches."""

    def __init__(self) -> None:
        self.types: set[str] = set()

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Any, batch_idx: int
    ) -> None:
        self.types |= {pl_module.device.type, batch.device.type}
