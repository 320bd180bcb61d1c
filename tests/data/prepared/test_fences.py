"""Fences: values beyond them are put at the end of the training range, no others."""

from pathlib import Path

import numpy as np
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.fences import FENCES, Fences, load_fences

LIMITS = np.array([[-10, -np.inf], [10, np.inf], [-1, -np.inf], [2, np.inf]], np.float32)
ROWS = np.array([[-10, -1e9], [-11, 0], [10, 1e9], [11, 3], [2.5, 5]], np.float32)


def test_values_beyond_a_fence_are_put_at_that_end_of_the_range():
    fences = Fences(*LIMITS)
    expected = np.array([[-10, -1e9], [-1, 0], [10, 1e9], [2, 3], [2.5, 5]], np.float32)
    np.testing.assert_array_equal(fences.clipped(ROWS), expected, strict=True)
    np.testing.assert_array_equal(fences.is_beyond(ROWS), expected != ROWS)


def test_rows_between_the_fences_are_the_same_array():
    inside = ROWS[[0, 2, 4]]
    assert Fences(*LIMITS).clipped(inside) is inside
    assert Fences(*LIMITS).clipped(ROWS[:0]).shape == (0, 2)


def test_saved_fences_come_back(tmp_path: Path):
    Fences(*LIMITS).save(tmp_path)
    loaded = load_fences(tmp_path, 2)
    assert loaded is not None
    np.testing.assert_array_equal(loaded.stacked(), LIMITS, strict=True)


def test_without_a_file_there_are_none(tmp_path: Path):
    assert load_fences(tmp_path, 2) is None


@pytest.mark.parametrize(
    "stacked",
    [LIMITS[:3], LIMITS.astype(float), LIMITS[::-1].copy(), np.full((4, 2), np.nan, np.float32)],
    ids=["shape", "type", "order", "nan"],
)
def test_other_files_are_refused(tmp_path: Path, stacked: np.ndarray):
    np.save(tmp_path / FENCES, stacked)
    with pytest.raises(DataError, match=f"{FENCES}.*dvc repro"):
        load_fences(tmp_path, 2)


def test_a_damaged_file_is_refused(tmp_path: Path):
    (tmp_path / FENCES).write_bytes(b"no array")
    with pytest.raises(DataError, match=f"{FENCES}: not a readable"):
        load_fences(tmp_path, 2)
