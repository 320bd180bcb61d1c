"""An epoch's sums of losses."""

import pytest
import torch
from pytorch_lightning.strategies import SingleDeviceStrategy

from autoencoders.models.losses import reconstruction_loss
from autoencoders.training import epoch_sums
from autoencoders.training.epoch_sums import EpochSums, WaitingBatches

FEATURES = 5
ROWS = [4, 4, 4, 2]
STRATEGY = SingleDeviceStrategy("cpu")


def sums() -> EpochSums:
    return EpochSums(("loss", "penalty"), torch.device("cpu"))


@pytest.mark.parametrize("together", [1, 4 * FEATURES, 4 * FEATURES + 1, 1000])
@pytest.mark.parametrize("has_penalty", [False, True])
def test_means_are_those_over_all_rows_however_many_batches_wait(
    has_penalty, together, monkeypatch
):
    monkeypatch.setattr(epoch_sums, "TOGETHER", together)
    whole = sums()
    waiting = WaitingBatches("mse", whole)
    buffer = torch.empty(4, FEATURES)  # of every output, as in a step
    losses = []
    penalty_sum = 0.0
    for i, rows in enumerate(ROWS):
        x = torch.randn(rows, FEATURES)
        output = buffer[:rows].normal_()
        losses.append(reconstruction_loss("mse", output, x))
        waiting.add(output, x, torch.tensor(float(i)) if has_penalty else None)
        penalty_sum += i * rows * has_penalty
    waiting.compute()
    waiting.compute()  # none waits any more
    expected = {"loss": torch.cat(losses).mean().item(), "penalty": penalty_sum / sum(ROWS)}
    assert whole.means(STRATEGY) == pytest.approx(expected)


def test_large_batches_are_not_copied(monkeypatch):
    seen = []

    def loss(name: str, output: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        seen.append((output.data_ptr(), x.data_ptr()))
        return reconstruction_loss(name, output, x)

    monkeypatch.setattr(epoch_sums, "TOGETHER", 4 * FEATURES)
    monkeypatch.setattr(epoch_sums, "reconstruction_loss", loss)
    output, x = torch.randn(2, 4, FEATURES)
    WaitingBatches("mse", sums()).add(output, x, None)
    assert seen == [(output.data_ptr(), x.data_ptr())]
