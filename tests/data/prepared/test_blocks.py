"""Arrays on disk, read block by block: rows as numpy reads them; each row once an epoch."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from autoencoders.core.errors import DataError
from autoencoders.data.prepared import blocks
from autoencoders.data.prepared.blocks import Blocks, Writer
from autoencoders.training import batches as batching
from autoencoders.training.batches import Batches, epoch_generator, held

SHAPES = [(50,), (50, 3), (50, 4, 5), (50, 4, 5, 3)]


def random(shape: tuple[int, ...], dtype: str = "float32") -> np.ndarray:
    return np.random.default_rng(0).normal(0, 100, shape).astype(dtype)


@pytest.fixture(params=["C", "F"])
def save(tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[np.ndarray], Blocks]:
    """Saves an array row by row or column by column, and opens it."""

    def saved(array: np.ndarray) -> Blocks:
        np.save(tmp_path / "a.npy", np.asarray(array, order=request.param))
        return Blocks(tmp_path / "a.npy")

    return saved


@pytest.mark.parametrize("dtype", ["uint8", "bool", "int64", "float16", "float32", ">f8"])
@pytest.mark.parametrize("shape", SHAPES)
def test_rows_are_read_as_they_were_saved(
    save: Callable[[np.ndarray], Blocks], shape: tuple[int, ...], dtype: str
):
    array = random(shape, dtype)
    rows = save(array)
    assert (len(rows), rows.shape, rows.dtype) == (50, shape, array.dtype)
    assert rows.row_bytes * 50 == array.nbytes
    for start, stop in ((0, 50), (0, 1), (7, 20), (49, 50), (40, 99)):
        np.testing.assert_array_equal(rows.read(start, stop), array[start:stop])


def test_rows_are_clipped_however_they_are_read_and_are_there_in_full(
    save: Callable[[np.ndarray], Blocks], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    array = random((50, 3))
    rows = Blocks(save(array).path, lambda block: block.clip(-50, 50))
    expected = array.clip(-50, 50)
    assert (expected != array).any()
    np.testing.assert_array_equal(rows.read(), expected)
    np.testing.assert_array_equal(np.concatenate(list(rows)), expected)
    np.testing.assert_array_equal(rows.take(np.arange(50)), expected)
    np.testing.assert_array_equal(rows.take(np.array([0, 30])), expected[[0, 30]])
    np.testing.assert_array_equal(rows.in_full().read(), array)


@pytest.mark.parametrize("size", [1, 12, 13, 100, 10_000])
def test_blocks_of_any_size_are_all_rows_in_order(
    save: Callable[[np.ndarray], Blocks], monkeypatch: pytest.MonkeyPatch, size: int
):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", size)
    array = random((50, 3))
    parts = list(save(array))
    np.testing.assert_array_equal(np.concatenate(parts), array)
    assert max(len(part) for part in parts) == min(50, max(1, size // (3 * 4)))


@pytest.mark.parametrize("indices", [[], [0], [49], [3, 4, 30], range(50), range(0, 50, 2)])
def test_taken_rows_are_those_of_the_array(
    save: Callable[[np.ndarray], Blocks], monkeypatch: pytest.MonkeyPatch, indices: list[int]
):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 100)
    array = random((50, 3))
    chosen = np.array(indices, int)
    np.testing.assert_array_equal(save(array).take(chosen), array[chosen])


def test_rows_that_are_taken_are_read_in_one_pass_without_the_blocks_in_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(blocks, "BLOCK_BYTES", 120)  # ten rows
    np.save(tmp_path / "a.npy", random((50, 3)))
    rows = Blocks(tmp_path / "a.npy")
    starts = []
    read = rows.read

    def recorded(start: int, stop: int) -> np.ndarray:
        starts.append(start)
        return read(start, stop)

    monkeypatch.setattr(rows, "read", recorded)
    assert [len(part) for part in rows.parts(np.array([0, 3, 9, 31, 49]))] == [3, 1, 1]
    assert starts == [0, 30, 40]


def test_what_is_read_can_be_written_to_and_the_file_stays(save: Callable[[np.ndarray], Blocks]):
    array = random((50, 3))
    rows = save(array)
    rows.read(0, 50)[:] = 0
    np.testing.assert_array_equal(rows.read(0, 50), array)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_file_that_grew_by_rows_is_one_that_numpy_saved_at_once(
    tmp_path: Path, shape: tuple[int, ...]
):
    array = random(shape)
    np.save(tmp_path / "at_once.npy", array)
    writer = Writer(tmp_path / "grown.npy", "float32", shape)
    for part in (array[:20].astype(float), array[20:20], array[20:]):
        writer.add(part)
    writer.close()
    np.testing.assert_array_equal(np.load(tmp_path / "grown.npy"), array)
    assert (tmp_path / "grown.npy").read_bytes() == (tmp_path / "at_once.npy").read_bytes()


def test_a_missing_file_is_distinguished_from_a_damaged_one(tmp_path: Path):
    with pytest.raises(DataError, match=r"a\.npy: no such file; `dvc repro` makes it"):
        Blocks(tmp_path / "a.npy")
    (tmp_path / "a.npy").write_bytes(b"\x93NUMPY")
    with pytest.raises(DataError, match=r"a.npy: not a readable .npy array"):
        Blocks(tmp_path / "a.npy")


# --- the rows of an epoch ---

N = 1000


@pytest.fixture(
    params=["in memory", "one block at a time", "a few blocks", "blocks of a row", "one block"]
)
def batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Callable[..., Batches]:
    """Batches of rows that carry their number, held as a whole or streamed."""
    np.save(
        tmp_path / "rows.npy", np.arange(N, dtype=np.float32)[:, None] * [1, 1]
    )  # float64: 16 bytes a row
    rows = Blocks(tmp_path / "rows.npy")
    streamed = {
        "one block at a time": (16 * 30, 1),
        "a few blocks": (16 * 7, 11),
        "blocks of a row": (1, 50),
        "one block": (16 * N, 256),
    }
    if request.param in streamed:
        size, together = streamed[request.param]
        for name, value in {"IN_MEMORY": 0, "BLOCK_BYTES": size, "BUFFERED": together}.items():
            monkeypatch.setattr(batching, name, value)

    split = held(rows)
    assert (split is rows) == (request.param in streamed)

    def made(size: int, epoch: int | None = 0) -> Batches:
        return Batches(split, size, None if epoch is None else lambda: epoch_generator(1, epoch, 0))

    return made


@pytest.mark.parametrize("size", [1, 7, 64, 999, 1000, 5000])
def test_an_epoch_visits_each_row_exactly_once_in_chunks_of_the_given_size(
    batches: Callable[..., Batches], size: int
):
    chunks = list(batches(size))
    assert torch.cat(chunks)[:, 0].sort().values.tolist() == list(range(N))
    assert all(map(len, chunks))
    assert {len(chunk) for chunk in chunks[:-1]} <= {size}
    assert len(chunks) == len(batches(size))


def test_rows_are_shuffled_in_another_order_each_epoch_and_the_same_again(
    batches: Callable[..., Batches],
):
    first, again, second = (torch.cat(list(batches(64, epoch)))[:, 0] for epoch in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    ordered = torch.arange(N, dtype=first.dtype)
    assert not torch.equal(first, ordered)


@pytest.mark.parametrize("size", [1, 7, 64, 5000])
def test_without_a_generator_rows_keep_their_order(batches: Callable[..., Batches], size: int):
    assert torch.cat(list(batches(size, None)))[:, 0].tolist() == list(range(N))


def test_blocks_that_are_shuffled_together_are_mixed(batches: Callable[..., Batches]):
    order = torch.cat(list(batches(64)))[:, 0]
    assert (order.diff() == 1).float().mean() < 0.1  # neighbours that stay neighbours
