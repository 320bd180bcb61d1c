"""Sums of an epoch's losses, from which its means are taken."""

from collections.abc import Sequence

import torch
from pytorch_lightning.strategies import Strategy
from torch import Tensor

from autoencoders.models.base import Loss
from autoencoders.models.losses import reconstruction_loss

TOGETHER = 2**17  # values of batches whose losses are computed at once: they stay in a cache


class EpochSums:
    """Sums over an epoch's rows of the reconstruction loss and the penalty, on the device."""

    def __init__(self, names: tuple[str, str], device: torch.device) -> None:
        """names: of the two means, the reconstruction loss's and the penalty's."""
        self.names = names
        # number of rows, sum of reconstruction losses, sum of penalties
        self.values = torch.zeros(3, dtype=torch.float64, device=device)

    def add(self, rows: Sequence[int], losses: Sequence[Loss]) -> None:
        """Adds batches. losses: the means of each.

        rows: the number of rows of each, which is the same but for the last one.
        """
        # all but the last have the same size; a list of them would be copied, which waits for a GPU
        weights = self.values.new_full((len(rows),), rows[0])
        weights[-1] = rows[-1]
        reconstruction = torch.stack([loss.reconstruction for loss in losses]).to(weights)
        penalty = torch.stack([loss.penalty for loss in losses]).to(weights)
        sums = [weights.sum(), weights @ reconstruction, weights @ penalty]
        self.values += torch.stack(sums)

    def add_rows(self, losses: Tensor, penalty: Tensor) -> None:
        """Adds rows. losses: of each row, (rows,); penalty: the sum over rows, a scalar."""
        rows = self.values.new_full((), len(losses))  # no copy, which would wait for a GPU
        self.values += torch.stack([rows, losses.sum(dtype=torch.float64), penalty.double()])

    def means(self, strategy: Strategy) -> dict[str, float]:
        """The means over the rows of all devices, by name."""
        rows, *sums = strategy.reduce(self.values, reduce_op="sum").tolist()
        return {name: total / rows for name, total in zip(self.names, sums, strict=True)}


class WaitingBatches:
    """Batches whose losses wait to be computed together, and are then added to an epoch's sums."""

    def __init__(self, loss: str, sums: EpochSums) -> None:
        """loss: the name of the reconstruction loss."""
        self.loss = loss
        self.sums = sums
        self._start()

    def _start(self) -> None:
        """Lets no batch wait."""
        self.outputs: list[Tensor] = []
        self.targets: list[Tensor] = []
        self.penalty = torch.zeros(())  # sum over the rows
        self.n_values = 0

    def add(self, output: Tensor, x: Tensor, penalty: Tensor | None) -> None:
        """Adds a batch, a large one without a copy.

        output, x: (rows, features); the next batch overwrites the former. penalty: the mean; None:
        0.
        """
        large = x.numel() >= TOGETHER
        self.outputs.append(output if large else output.clone())
        self.targets.append(x)
        if penalty is not None:
            self.penalty += len(x) * penalty
        self.n_values += x.numel()
        if self.n_values >= TOGETHER:
            self.compute()

    def compute(self) -> None:
        """Computes the losses of the batches that wait."""
        if not self.outputs:
            return
        losses = reconstruction_loss(self.loss, _joined(self.outputs), _joined(self.targets))
        self.sums.add_rows(losses, self.penalty)
        self._start()


def _joined(batches: list[Tensor]) -> Tensor:
    """The rows of all batches; those of a single one are not copied."""
    if len(batches) == 1:
        return batches[0]
    return torch.cat(batches)
