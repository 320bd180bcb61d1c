"""Identifiers: columns that number or name the rows, and say nothing about them.

A model would learn that row 5,001 is unusual because no training row had such a number.
"""

import numpy as np
import pandas as pd
import pyarrow.compute as pc

from autoencoders.data.prepared.spelling import ColumnValues

FEWEST_ROWS = 20  # of fewer, a column of measurements may be distinct, too
MOSTLY = 0.9  # the share of equal steps above which numbers in order run, with gaps
MOST_ROWS = 20_000_000  # whose values are kept, 8 bytes each
ENOUGH_ROWS = 10_000  # of which half have the texts of others: these are no names of rows
RUNNING = "numbers of the rows, which run"


class Distinct:
    """The values of a column as long as each differs from all others."""

    def __init__(self) -> None:
        """Starts without a value."""
        self.parts: list[np.ndarray] = []
        self.n = 0
        self.repeats = False

    def add(self, values: np.ndarray) -> None:
        """Adds values (rows,)."""
        if self.repeats:
            return
        self.n += len(values)
        if len(np.unique(values)) < len(values) or self.n > MOST_ROWS:
            self.give_up()
        else:
            self.parts.append(values)

    def give_up(self) -> None:
        """Forgets the values: this is no identifier."""
        self.repeats = True
        self.parts = []

    def are_all(self) -> bool:
        """Whether there are enough values, and each differs from all others."""
        if self.repeats or self.n < FEWEST_ROWS:
            return False
        values = np.concatenate(self.parts)
        return len(np.unique(values)) == len(values)

    def reason(self) -> str:
        """The reason why numbers that run are no feature; nothing of other numbers."""
        if not self.run():
            return ""
        values = np.concatenate(self.parts)
        if _are_in_order(values):
            return RUNNING
        step = int(np.diff(np.sort(values))[0])
        by = f" by {step}" if step > 1 else ""
        return (
            f"numbers of the rows, or ranks (each of {values.min():.0f} to {values.max():.0f}{by} "
            "once; data.keep keeps them)"
        )

    def run(self) -> bool:
        """Whether the values are whole numbers of a range with one step, in any order.

        Or in order, rising or falling, with gaps: rows were removed.
        """
        if not self.are_all():
            return False
        values = np.concatenate(self.parts)
        is_whole = np.isfinite(values) & (values == np.floor(values))
        if not is_whole.all():
            return False
        steps = np.diff(np.sort(values))
        if (steps == steps[0]).all():
            return True
        return _are_in_order(values) and _largest_share(steps) > MOSTLY


class Order:
    """The order of a column's numbers, as long as each is above the one before, or below it."""

    def __init__(self) -> None:
        """Starts without a number."""
        self.rises = True
        self.falls = True
        self.n = 0
        self.last = np.nan

    @property
    def has_direction(self) -> bool:
        """Whether all numbers so far rise, or all fall."""
        return self.rises or self.falls

    def add(self, values: np.ndarray) -> None:
        """Adds values (rows,), of which some may be missing; infinite ones are refused later."""
        if not self.has_direction:
            return
        numbers = values[np.isfinite(values)]
        if not len(numbers):
            return
        steps = np.diff(numbers, prepend=self.last)
        self.rises = self.rises and not (steps <= 0).any()
        self.falls = self.falls and not (steps >= 0).any()
        self.last = numbers[-1]
        self.n += len(numbers)

    def direction(self) -> str:
        """The direction of all steps of enough rows, in a word; nothing where there is none."""
        if self.n < FEWEST_ROWS:
            return ""
        if self.rises:
            return "rise"
        return "fall" if self.falls else ""


class DistinctTexts:
    """The different texts of a column as hashes, unless many rows share them."""

    def __init__(self) -> None:
        """Starts without a text."""
        self.parts: list[np.ndarray] = []  # hashes that differ, of each batch
        self.n = 0  # texts
        self.n_rows = 0  # some of which may lack a text
        self.repeat = False

    def add(self, texts: ColumnValues) -> None:
        """Adds texts (rows,), null where one is missing."""
        if self.repeat:
            return
        self.n_rows += len(texts)
        self.n += len(texts) - texts.null_count
        unique = pc.unique(texts.drop_null()).to_numpy(zero_copy_only=False)
        self.parts.append(pd.util.hash_array(unique.astype(object), categorize=False))
        n_kept = sum(map(len, self.parts))
        if n_kept > MOST_ROWS or (self.n > ENOUGH_ROWS and 2 * n_kept < self.n):
            self.repeat = True
            self.parts = []

    def n_distinct(self) -> int:
        """The number of different texts; 0 where many rows share them, or there are few."""
        if self.repeat or self.n < FEWEST_ROWS:
            return 0
        return len(np.unique(np.concatenate(self.parts)))

    def are_all(self) -> bool:
        """Whether there are enough texts, and each differs from all others."""
        return 0 < self.n == self.n_distinct()

    def reason(self) -> str:
        """The reason why texts are names of rows; nothing of other texts."""
        n_distinct = self.n_distinct()
        if n_distinct <= MOSTLY * self.n_rows:
            return ""
        if n_distinct == self.n_rows:
            return "names of the rows, each of which differs"
        return f"names of nearly all rows, {n_distinct} different in {self.n_rows}"


def _are_in_order(values: np.ndarray) -> bool:
    """Whether each value is above the one before, or each below it."""
    steps = np.diff(values)
    return bool((steps > 0).all() or (steps < 0).all())


def _largest_share(values: np.ndarray) -> float:
    """The share of the commonest value among all."""
    _, counts = np.unique(values, return_counts=True)
    return float(counts.max() / len(values))
