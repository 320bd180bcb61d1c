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
from autoencoders.models.trained.model import BATCH_ROWS

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


def held(rows: Blocks, root_device: torch.device | str = "cpu") -> Tensor | Blocks:
    """All rows on a torch device, where they take at most IN_MEMORY bytes; else the blocks."""
    if len(rows) * rows.row_bytes > IN_MEMORY:
        return rows
    return torch.from_numpy(rows.read()).to(root_device)


class Batches:
    """An epoch's rows in chunks of one or more batches, instead of a sample at a time.

    Iterates over tensors (rows, features), raw: on the torch device that holds the rows, or from
    blocks on the CPU. The order is the same on every torch device.
    """

    def __init__(
        self,
        rows: Tensor | Blocks,
        size: int,
        generator: Callable[[], torch.Generator] | None = None,
        device: int = 0,
        devices: int = 1,
    ) -> None:
        """rows: of a split, see `held`. size: rows of a chunk, of all devices together.

        generator: called at the start of each epoch for a random stream that shuffles; without it,
        rows keep their order. device: whose share of each chunk, of how many devices. A last chunk
        with fewer rows than devices is left out.
        """
        self.rows = rows
        self.size = size
        self.generator = generator
        self.device = device
        self.devices = devices

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
        elif isinstance(self.rows, Tensor):
            order = torch.randperm(len(self.rows), generator=self.generator())
            # copied to a GPU once an epoch, not with each chunk
            for indices in order.to(self.rows.device).split(self.size):
                yield self.rows[indices]
        else:
            yield from self._by_blocks(self.rows, self.generator())

    def _read(self, start: int, rows: int) -> Tensor:
        """The next `rows` rows from `start` on, fewer at the end."""
        stop = start + rows
        if isinstance(self.rows, Tensor):
            return self.rows[start:stop]
        return torch.from_numpy(self.rows.read(start, stop))

    def _by_blocks(self, rows: Blocks, generator: torch.Generator) -> Iterator[Tensor]:
        """Chunks of shuffled rows of BUFFERED blocks at a time, which come in random order."""
        block = max(1, BLOCK_BYTES // rows.row_bytes)  # rows
        n_blocks = math.ceil(len(rows) / block)
        starts = torch.randperm(n_blocks, generator=generator) * block
        rest: list[Tensor] = []  # the last chunk of the blocks before, which may lack rows
        for group in starts.split(BUFFERED):
            read = [self._read(start, block) for start in group.tolist()]
            buffer = torch.cat(rest + read)
            order = torch.randperm(len(buffer), generator=generator)
            *chunks, last = buffer[order].split(self.size)
            yield from chunks
            rest = [last.clone()]
        yield from rest


class RowsModule(pl.LightningDataModule):
    """Training and validation rows for Lightning, this device's share of them.

    A split that fits in memory is read once and stays on the torch device that trains.
    """

    def __init__(self, data: Prepared, size: int, shuffling: Callable[[], torch.Generator]) -> None:
        """size: rows of a training chunk, of all devices together; shuffling: see Batches."""
        super().__init__()
        self.data = data
        self.size = size
        self.shuffling = shuffling
        self.splits: dict[str, Tensor | Blocks] = {}  # those that were asked for, see `held`

    def train_dataloader(self) -> Batches:
        """Shuffled chunks."""
        return self._batches("train", self.size, self.shuffling)

    @cached_property
    def validation(self) -> Batches:
        """Chunks of the validation rows in their order."""
        return self.in_order("validation")

    def in_order(self, split: str) -> Batches:
        """Chunks of a split in the rows' order."""
        return self._batches(split, BATCH_ROWS, None)

    def _batches(
        self, split: str, size: int, generator: Callable[[], torch.Generator] | None
    ) -> Batches:
        """This device's share of a split's chunks."""
        device, devices = self._device()
        if split not in self.splits:
            self.splits[split] = held(self.data.rows[split], self._root_device())
        return Batches(self.splits[split], size, generator, device, devices)

    def _device(self) -> tuple[int, int]:
        """This device's number, from 0, and the number of devices."""
        if not self.trainer:
            return 0, 1
        return self.trainer.global_rank, self.trainer.world_size

    def _root_device(self) -> torch.device:
        """The torch device on which this process trains."""
        if not self.trainer:
            return torch.device("cpu")
        return self.trainer.strategy.root_device
