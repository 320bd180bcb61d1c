"""Rows as a training takes them: sliced from one array, or read in shuffled blocks; shared out among devices."""

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.trained.model import as_tensor

VALIDATION_ROWS = 4096
IN_MEMORY = 2**28  # bytes up to which a split is held as a whole; above, blocks are shuffled
BLOCK_BYTES, BUFFERED = 2**18, 64  # of a block, and how many are shuffled together


def epoch_generator(
    seed: int, epoch: int, *stream: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A random stream of an epoch: a function of its arguments alone, so that a resumed training repeats it."""
    entropy = np.random.SeedSequence([seed, epoch, *stream]).generate_state(2, np.uint32)
    return torch.Generator(device).manual_seed(int(entropy[0]) << 31 | int(entropy[1]) >> 1)


class Batches:
    """The rows of an epoch, in chunks of one or more batches: slices of one array instead of a sample at a time."""

    def __init__(
        self,
        rows: Blocks,
        size: int,
        generator: Callable[[], torch.Generator] | None = None,
        device: int = 0,
        devices: int = 1,
    ) -> None:
        """size: rows of a chunk. generator: asked at the start of each epoch, shuffles; without it, rows keep order.

        device, devices: which of how many shares of each chunk; a last chunk with fewer rows than devices is left out.
        """
        self.rows, self.size, self.generator = rows, size, generator
        self.device, self.devices = device, devices
        self.kept = (
            as_tensor(rows.read(0, len(rows))) if len(rows) * rows.row_bytes <= IN_MEMORY else None
        )

    def __len__(self) -> int:
        return math.ceil((len(self.rows) - self.devices + 1) / self.size)

    def __iter__(self) -> Iterator[Tensor]:
        for chunk in self._chunks():
            if len(chunk) >= self.devices:
                yield chunk[self.device :: self.devices] if self.devices > 1 else chunk

    def _chunks(self) -> Iterator[Tensor]:
        if self.generator is None:
            yield from (
                self._read(start, self.size) for start in range(0, len(self.rows), self.size)
            )
        elif self.kept is None:
            yield from self._by_blocks(self.generator())
        else:
            for indices in torch.randperm(len(self.kept), generator=self.generator()).split(
                self.size
            ):
                yield self.kept[indices]

    def _read(self, start: int, rows: int) -> Tensor:
        stop = start + rows
        return (
            torch.from_numpy(self.rows.read(start, stop))
            if self.kept is None
            else self.kept[start:stop]
        )

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


class RowsModule(pl.LightningDataModule):
    """Training and validation rows for Lightning, this device's share of them."""

    def __init__(self, data: Prepared, size: int, shuffling: Callable[[], torch.Generator]) -> None:
        """size: rows of a training chunk, of all devices together."""
        super().__init__()
        self.data, self.size, self.shuffling = data, size, shuffling

    def train_dataloader(self) -> Batches:
        """Shuffled chunks."""
        return Batches(self.data.rows["train"], self.size, self.shuffling, *self._place())

    def val_dataloader(self) -> Batches:
        """In order."""
        return Batches(self.data.rows["validation"], VALIDATION_ROWS, None, *self._place())

    def _place(self) -> tuple[int, int]:
        trainer = self.trainer
        return (trainer.global_rank, trainer.world_size) if trainer else (0, 1)
