"""A search for the smallest code size that keeps the asked share of the variance."""

from collections.abc import Sequence

FINE = 20  # code sizes are told apart to a twentieth, at least to 1


class Bracket:
    """The code sizes between those that miss a share and those that keep it."""

    def __init__(self, sizes: Sequence[int]) -> None:
        """sizes: that are allowed, in order."""
        self.allowed = sizes
        self.left = sizes  # of which nothing is known
        self.smallest: int | None = None  # that keeps the share
        self.largest_missing: int | None = None
        self.has_kept = False  # whether a size kept the share, also one that is not allowed
        self.steps = 0  # in one direction, before a size of the other side was known

    def add(self, size: int, *, keeps: bool) -> None:
        """Notes whether a code size keeps the share."""
        if keeps:
            self.has_kept = True
            self.left = [other for other in self.left if other < size]
            # a size that is not allowed speaks for the next larger one
            self.smallest = next((other for other in self.allowed if other >= size), None)
        else:
            self.largest_missing = size
            self.left = [other for other in self.left if other > size]

    @property
    def is_closed(self) -> bool:
        """Whether the smallest code is known, to a twentieth."""
        if not self.left:
            return True
        if self.smallest is None or self.largest_missing is None:
            return False
        return self.smallest - self.largest_missing <= max(1, self.smallest // FINE)

    def next(self, expected: float) -> int:
        """The next code size to train with.

        expected: by the last one. As long as one side is unknown, steps from the third on are at
        least twice as long as the one before; after that, the middle is taken.
        """
        if self.has_kept and self.largest_missing is not None:
            return self.left[len(self.left) // 2]
        step = 2 ** max(0, self.steps - 1) - 1
        self.steps += 1
        if self.has_kept:
            expected = min(expected, self.left[-1] - step)
        else:
            expected = max(expected, self.left[0] + step)
        return min(self.left, key=lambda size: (abs(size - expected), size))
