"""Identifiers: columns that number or name the rows, and say nothing about them.

A model would learn that row 5,001 is unusual because no training row had such a number.
"""

import numpy as np

FEWEST_ROWS = 20  # of fewer, a column of measurements may be distinct, too
MOSTLY = 0.9  # the share of equal steps above which numbers in order run, with gaps
MOST_ROWS = 20_000_000  # whose values are kept, 8 bytes each


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
        in_order = np.diff(values)
        is_in_order = bool((in_order > 0).all() or (in_order < 0).all())
        return is_in_order and _largest_share(steps) > MOSTLY


def _largest_share(values: np.ndarray) -> float:
    """The share of the commonest value among all."""
    _, counts = np.unique(values, return_counts=True)
    return float(counts.max() / len(values))
