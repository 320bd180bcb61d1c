"""Identifiers: values that number or name the rows."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from autoencoders.data.preparation.identifiers import (
    ENOUGH_ROWS,
    FEWEST_ROWS,
    Distinct,
    DistinctTexts,
    Order,
)

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


def test_the_reason_says_whether_numbers_run_in_order():
    assert collected(RUNNING[::-1]).reason() == "numbers of the rows, which run"
    assert collected(GAPS).reason() == "numbers of the rows, which run"
    shuffled = np.random.default_rng(0).permutation(7 * RUNNING)
    assert collected(shuffled).reason() == (
        "numbers of the rows, or ranks (each of 35000 to 37093 by 7 once; data.keep keeps them)"
    )
    assert collected(RUNNING / 8).reason() == ""


@pytest.mark.parametrize(
    ("values", "direction"),
    [
        (RUNNING / 8, "rise"),
        (-(RUNNING**2), "fall"),
        (np.where(RUNNING % 7 == 0, np.nan, RUNNING), "rise"),
        (np.where(RUNNING % 7 < 2, np.inf, RUNNING), "rise"),
        (np.append(RUNNING, RUNNING[-1]), ""),
        (np.append(RUNNING, 0.0), ""),
        (RUNNING[: FEWEST_ROWS - 1], ""),
        (np.full(300, np.nan), ""),
    ],
    ids=[
        "fractions",
        "falling",
        "with gaps",
        "infinite",
        "equal",
        "a step back",
        "too few",
        "none",
    ],
)
@pytest.mark.parametrize("cuts", [1, 3, 100])
def test_numbers_have_a_direction_where_every_step_has_it(
    values: np.ndarray, direction: str, cuts: int
):
    order = Order()
    for part in np.array_split(values, cuts):
        order.add(part)
    assert order.direction() == direction


def named(texts: Sequence[str | None]) -> DistinctTexts:
    """The texts, added in some parts."""
    names = DistinctTexts()
    for start in range(0, len(texts), 100):
        names.add(pa.array(texts[start : start + 100], pa.string()))
    return names


def test_texts_that_differ_in_every_row_are_names():
    assert named([f"name {i}" for i in range(300)]).are_all()
    assert named([f"name {i}" for i in range(300)]).reason().startswith("names of the rows")
    assert not named([f"name {i % 299}" for i in range(300)]).are_all()
    assert named([]).reason() == ""


def test_texts_that_differ_in_nine_of_ten_rows_are_names_of_nearly_all():
    assert named([f"name {max(i, 29)}" for i in range(300)]).reason() == (
        "names of nearly all rows, 271 different in 300"
    )
    assert named([f"name {max(i, 30)}" for i in range(300)]).reason() == ""
    assert named([f"name {i}" for i in range(FEWEST_ROWS - 1)]).reason() == ""


def test_texts_that_many_rows_lack_are_no_names_of_rows():
    assert named([f"name {i}" if i % 20 else None for i in range(300)]).reason() == (
        "names of nearly all rows, 285 different in 300"
    )
    assert named([f"name {i}" if i % 2 else None for i in range(300)]).reason() == ""


def test_texts_that_many_rows_share_are_not_kept():
    names = named([f"name {i % 3}" for i in range(ENOUGH_ROWS + 100)])
    assert names.parts == []
    assert names.reason() == ""
