"""Faults of the machine, made on a small disk of memory.

Each library's own error ends in one message.
"""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch
from pyarrow import parquet
from safetensors.torch import save_file

from autoencoders.core.errors import DataError
from autoencoders.core.faults import message
from autoencoders.core.files import atomic_file, write_text
from mounts import mount, small_disk

ROWS = np.random.default_rng(0).random((1000, 50))


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    with small_disk(folder, "64k"):
        yield folder


def to_sqlite(path: Path) -> None:
    connection = sqlite3.connect(path)
    try:
        connection.execute("CREATE TABLE t (x BLOB)")
        connection.execute("INSERT INTO t VALUES (?)", (ROWS.tobytes(),))
        connection.commit()
    finally:
        connection.close()


WRITERS: dict[str, Callable[[Path], object]] = {
    "python": lambda path: path.write_bytes(ROWS.tobytes()),
    "numpy": lambda path: np.save(path, ROWS),
    "torch": lambda path: torch.save(torch.from_numpy(ROWS), path),
    "safetensors": lambda path: save_file({"x": torch.from_numpy(ROWS)}, path),
    "pyarrow": lambda path: parquet.write_table(pa.table({"x": pa.array(ROWS.ravel())}), path),
    "sqlite": to_sqlite,
}


@pytest.mark.parametrize("writer", WRITERS)
def test_a_full_disk_is_reported_with_the_file_its_room_and_the_way_out(disk, writer):
    with pytest.raises(Exception) as caught, atomic_file(disk / "out.npy") as new:  # noqa: PT011  (each library's own)
        WRITERS[writer](new)
    text = message(caught.value)
    assert text is not None
    assert text.startswith(f"{disk / 'out.npy'}: no space left on its disk (0.")
    assert "make room" in text
    assert list(disk.iterdir()) == []


def test_a_full_disk_behind_a_users_error_is_reported(disk):
    with pytest.raises(OSError, match="No space") as caught:
        (disk / "a").write_bytes(ROWS.tobytes())
    error = DataError("a.zip: can't be unpacked")
    error.__cause__ = caught.value
    assert "make room" in (message(error) or "")


def test_a_read_only_folder_is_reported(disk):
    mount("-o", "remount,ro", disk)
    with pytest.raises(OSError, match="Read-only") as caught:
        write_text(disk / "a.txt", "new")
    text = message(caught.value) or ""
    assert text.startswith(f"{disk / 'a.txt'}: Read-only file system; ")


def test_a_missing_file_of_the_pipeline_is_reported_and_any_other_is_an_error_of_the_code(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError) as inside:
        Path("data/raw/source.json").read_bytes()
    assert (
        message(inside.value) == "data/raw/source.json: No such file or directory; "
        "`dvc repro` makes what the pipeline writes"
    )
    with pytest.raises(FileNotFoundError) as outside:
        tmp_path.with_name("none").read_bytes()
    assert message(outside.value) is None
    assert message(KeyError("x")) is None
