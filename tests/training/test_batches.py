"""Batches: every row once an epoch, in memory and by blocks, for one device or several."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from autoencoders.data.prepared.blocks import Blocks
from autoencoders.training import batches
from autoencoders.training.batches import Batches


def numbered(folder: Path, n: int) -> Blocks:
    """Rows 0, 1, 2, ... on disk."""
    np.save(folder / "rows.npy", np.arange(n, dtype=np.float32)[:, None])
    return Blocks(folder / "rows.npy")


def seeded(seed: int) -> Callable[[], torch.Generator]:
    return lambda: torch.Generator().manual_seed(seed)


@pytest.fixture(params=["in memory", "by blocks"])
def where(request, monkeypatch):
    """Whether a split is held as a whole, or read in blocks of 3 rows, 2 blocks at a time."""
    if request.param == "by blocks":
        monkeypatch.setattr(batches, "IN_MEMORY", 0)
        monkeypatch.setattr(batches, "BLOCK_BYTES", 3 * 4)
        monkeypatch.setattr(batches, "BUFFERED", 2)


@pytest.mark.parametrize("n", [1, 4, 10, 23])
def test_an_epoch_holds_every_row_once_in_batches_of_the_same_size(where, tmp_path, n):
    batches = Batches(numbered(tmp_path, n), 4, seeded(0))
    result = list(batches)
    assert [len(batch) for batch in result] == [4] * (n // 4) + ([n % 4] if n % 4 else [])
    assert len(batches) == len(result)
    assert sorted(torch.cat(result)[:, 0].tolist()) == list(range(n))


def test_rows_are_shuffled_by_the_generator_alone(where, tmp_path):
    rows = numbered(tmp_path, 100)
    first, again, other = (
        torch.cat(list(Batches(rows, 16, seeded(seed))))[:, 0] for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, torch.arange(100.0))


def test_without_a_generator_rows_keep_their_order(where, tmp_path):
    assert torch.cat(list(Batches(numbered(tmp_path, 10), 3)))[:, 0].tolist() == list(range(10))


@pytest.mark.parametrize("n", [3, 4, 10, 23])
def test_devices_share_each_chunk_and_leave_out_a_last_one_with_too_few_rows(where, tmp_path, n):
    rows, devices = numbered(tmp_path, n), 3
    shares = [Batches(rows, 4, seeded(0), device, devices) for device in range(devices)]
    whole = [chunk for chunk in Batches(rows, 4, seeded(0)) if len(chunk) >= devices]
    assert {len(share) for share in shares} == {len(whole)}
    for chunk, *parts in zip(whole, *shares, strict=True):
        assert sorted(chunk[:, 0].tolist()) == sorted(torch.cat(parts)[:, 0].tolist())
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
