"""A training's batches: slices of one array, or of shuffled blocks; shared out among devices."""

import math
from collections.abc import Callable, Iterator
from functools import cached_property

import numpy as np
import pytorch_lightning as pl
import torch
from torch import Tensor

from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models.trained.model import BATCH_ROWS, as_tensor

IN_MEMORY = 2**28  # bytes up to which a split is held as a whole; above, blocks are shuffled
BLOCK_BYTES = 2**18  # of a block: so large that reads take longer than a solid-state disk's seeks
BUFFERED = 64  # blocks that are shuffled together, 16 MB: rows far apart meet in a batch


def epoch_generator(
    seed: int, epoch: int, *stream: int, device: torch.device | str = "cpu"
) -> torch.Generator:
    """A random stream of an epoch, which a resumed training repeats: its arguments decide it."""
    high, low = np.random.SeedSequence([seed, epoch, *stream]).generate_state(2, np.uint32)
    seed_63_bits = int(high) << 31 | int(low) >> 1
    return torch.Generator(device).manual_seed(seed_63_bits)


class Batches:
    """An epoch's rows in chunks of one or more batches, instead of a sample at a time.

    Iterates over tensors (rows, features), raw.
    """

    def __init__(
        self,
        rows: Blocks,
        size: int,
        generator: Callable[[], torch.Generator] | None = None,
        device: int = 0,
        devices: int = 1,
    ) -> None:
        """size: rows of a chunk, of all devices together.

        generator: called at the start of each epoch for a random stream that shuffles; without it,
        rows keep their order. device: whose share of each chunk, of how many devices. A last chunk
        with fewer rows than devices is left out.
        """
        self.rows = rows
        self.size = size
        self.generator = generator
        self.device = device
        self.devices = devices
        self.in_memory: Tensor | None = None
        if len(rows) * rows.row_bytes <= IN_MEMORY:
            self.in_memory = as_tensor(rows.read(0, len(rows)))

    def __len__(self) -> int:
        return math.ceil((len(self.rows) - self.devices + 1) / self.size)

    def __iter__(self) -> Iterator[Tensor]:
        for chunk in self._chunks():
            if len(chunk) >= self.devices:
                yield chunk[self.device :: self.devices]

    def _chunks(self) -> Iterator[Tensor]:
        """The chunks of all devices."""
        if self.generator is None:
            for start in range(0, len(self.rows), self.size):
                yield self._read(start, self.size)
        elif self.in_memory is None:
            yield from self._by_blocks(self.generator())
        else:
            order = torch.randperm(len(self.in_memory), generator=self.generator())
            for indices in order.split(self.size):
                yield self.in_memory[indices]

    def _read(self, start: int, rows: int) -> Tensor:
        """The next `rows` rows from `start` on, fewer at the end."""
        stop = start + rows
        if self.in_memory is None:
            return torch.from_numpy(self.rows.read(start, stop))
        return self.in_memory[start:stop]

    def _by_blocks(self, generator: torch.Generator) -> Iterator[Tensor]:
        """Chunks of shuffled rows of BUFFERED blocks at a time, which come in random order."""
        block = max(1, BLOCK_BYTES // self.rows.row_bytes)  # rows
        n_blocks = math.ceil(len(self.rows) / block)
        starts = torch.randperm(n_blocks, generator=generator) * block
        rest: list[Tensor] = []  # the last chunk of the blocks before, which may lack rows
        for group in starts.split(BUFFERED):
            read = [self._read(start, block) for start in group.tolist()]
            rows = torch.cat(rest + read)
            order = torch.randperm(len(rows), generator=generator)
            *chunks, last = rows[order].split(self.size)
            yield from chunks
            rest = [last.clone()]
        yield from rest


class RowsModule(pl.LightningDataModule):
    """Training and validation rows for Lightning, this device's share of them."""

    def __init__(self, data: Prepared, size: int, shuffling: Callable[[], torch.Generator]) -> None:
        """size: rows of a training chunk, of all devices together; shuffling: see Batches."""
        super().__init__()
        self.data = data
        self.size = size
        self.shuffling = shuffling

    def train_dataloader(self) -> Batches:
        """Shuffled chunks."""
        device, devices = self._device()
        return Batches(self.data.rows["train"], self.size, self.shuffling, device, devices)

    @cached_property
    def validation(self) -> Batches:
        """Chunks of the validation rows in their order."""
        return self.in_order("validation")

    def in_order(self, split: str) -> Batches:
        """Chunks of a split in the rows' order."""
        device, devices = self._device()
        return Batches(self.data.rows[split], BATCH_ROWS, None, device, devices)

    def _device(self) -> tuple[int, int]:
        """This device's number, from 0, and the number of devices."""
        if not self.trainer:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size
