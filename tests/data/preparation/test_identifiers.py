"""Identifiers: values that number or name the rows."""

import numpy as np
import pytest

from autoencoders.data.preparation.identifiers import FEWEST_ROWS, Distinct

RUNNING = np.arange(5000.0, 5000 + 300)
GAPS = np.delete(RUNNING, [3, 100, 101, 250])


def collected(values: np.ndarray, cuts: int = 3) -> Distinct:
    """The values, added in some parts."""
    distinct = Distinct()
    for part in np.array_split(values, cuts):
        distinct.add(part)
    return distinct


@pytest.mark.parametrize(
    "values",
    [
        *[RUNNING, RUNNING[::-1], 7 * RUNNING, np.random.default_rng(0).permutation(RUNNING)],
        *[GAPS, GAPS[::-1], 7 * GAPS],
    ],
    ids=[
        *["rising", "falling", "by seven", "in any order"],
        *["rising with gaps", "falling with gaps", "by seven with gaps"],
    ],
)
def test_whole_numbers_of_a_range_run(values):
    assert collected(values).run()


@pytest.mark.parametrize(
    "values",
    [
        np.append(RUNNING, 5000.0),  # a number that stands twice, in two parts
        np.random.default_rng(0).permutation(GAPS),
        np.sort(np.random.default_rng(0).choice(450, 300, replace=False)).astype(float),
        np.random.default_rng(0).integers(0, 10**9, 300).astype(float),
        np.zeros(300),
        RUNNING / 8,
        np.append(RUNNING, np.inf),
        RUNNING[: FEWEST_ROWS - 1],
    ],
    ids=[
        "a repetition",
        "gaps in any order",
        "many gaps",
        "any numbers",
        "one number",
        "fractions",
        "infinite",
        "too few",
    ],
)
def test_other_numbers_do_not(values):
    assert not collected(values).run()


def test_texts_that_differ_in_every_row_are_names():
    assert collected(np.arange(300, dtype=np.uint64) * 977).are_all()
    assert not collected(np.repeat(np.arange(150, dtype=np.uint64), 2)).are_all()
