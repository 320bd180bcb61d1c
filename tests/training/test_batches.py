"""Batches: every row once an epoch, in memory and by blocks, for one device or several.

In memory they stay on the torch device that trains; test_gpu.py has this on a real one.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from autoencoders.data.prepared.blocks import Blocks
from autoencoders.training import batches, machine
from autoencoders.training.batches import Batches, RowsModule, held
from autoencoders.training.fit import fit
from no_values import META, Copy, copies_of
from trainings import QUICK


def numbered(folder: Path, n: int) -> torch.Tensor | Blocks:
    """Rows 0, 1, 2, ... in memory, or on disk where these are too many."""
    np.save(folder / "rows.npy", np.arange(n, dtype=np.float32)[:, None])
    return held(Blocks(folder / "rows.npy"))


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


# rows on the torch device that trains

EPOCHS = 3


@pytest.fixture
def copies(params, data, monkeypatch) -> list[Copy]:
    """The copies to a device without values in a training of several chunks an epoch."""
    monkeypatch.setattr(machine, "BATCHES_A_STEP", 2)
    values = {"train.epochs": EPOCHS, "train.batch_size": 128, "network.linear_path": False}
    params = params.override({**QUICK, **values})
    plan = params.plan("undercomplete", data.description.facts)
    return copies_of(lambda callbacks: fit(plan, data, callbacks=callbacks, trial=True))


@pytest.mark.parametrize("split", ["train", "validation"])
def test_a_split_that_fits_is_copied_to_the_device_once(split, data, copies):
    shape = (len(data.rows[split]), data.description.schema.n_features)
    assert [copy.shape for copy in copies].count(shape) == 1


def test_the_order_of_an_epoch_is_copied_to_the_device_once(data, copies):
    shape = (len(data.rows["train"]),)
    assert [copy.shape for copy in copies].count(shape) == EPOCHS


def test_no_step_copies_rows_to_the_device(copies):
    assert not [copy for copy in copies if copy.in_steps and len(copy.shape) > 1]


def test_rows_in_memory_have_the_order_of_the_cpus_generator(tmp_path):
    chunks = list(Batches(numbered(tmp_path, 100), 16, seeded(3)))
    order = torch.randperm(100, generator=seeded(3)())
    assert torch.equal(torch.cat(chunks)[:, 0], order.float())


def test_chunks_are_on_the_device_that_holds_the_rows(tmp_path):
    np.save(tmp_path / "rows.npy", np.zeros((10, 2), np.float32))
    rows = held(Blocks(tmp_path / "rows.npy"), META)
    for chunk in (*Batches(rows, 4), *Batches(rows, 4, seeded(0))):
        assert chunk.is_meta


def test_a_split_is_read_once_however_often_its_rows_are_asked_for(data):
    rows = RowsModule(data, 64, seeded(0))
    assert rows.train_dataloader().rows is rows.in_order("train").rows
    assert rows.in_order("validation").rows is rows.in_order("validation").rows
