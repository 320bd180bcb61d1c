"""Interleaved trainings, and the ratio of their times.

Free of torch, which not every library uses.
"""

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Self

from tqdm import tqdm


class Trained(NamedTuple):
    """The time of one training, and its model's squared error on the test rows."""

    seconds: float
    cpu_seconds: float  # of the process: other work on the machine hardly changes them
    error: float
    precision: str = "32-true"


Recipe = Callable[[], Trained]


class Timer:
    """Takes the time of the code within its context."""

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        self._cpu_began = time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.seconds = time.perf_counter() - self._began
        self.cpu_seconds = time.process_time() - self._cpu_began


def interleaved(
    recipes: Mapping[str, Recipe], rounds: int, description: str
) -> dict[str, list[Trained]]:
    """Every recipe once a round, after a first round that does not count.

    Each round begins with another recipe, so that none always follows the same one.
    """
    trainings: dict[str, list[Trained]] = {name: [] for name in recipes}
    names = list(recipes)
    for number in tqdm(range(rounds + 1), desc=description, unit="round"):
        first = number % len(names)
        for name in [*names[first:], *names[:first]]:
            trainings[name].append(recipes[name]())
    return {name: results[1:] for name, results in trainings.items()}


def compared(name: str, ours: Sequence[Trained], other: Sequence[Trained]) -> dict[str, Any]:
    """An entry of results.json: the median ratio of times; above 1 means that ours is faster.

    ours, other: one training a round.
    """
    rounds = list(zip(ours, other, strict=True))
    ratios = [theirs.seconds / mine.seconds for mine, theirs in rounds]
    cpu_ratios = [theirs.cpu_seconds / mine.cpu_seconds for mine, theirs in rounds]
    return {
        "name": name,
        "ratio": statistics.median(ratios),
        "low": min(ratios),
        "high": max(ratios),
        "cpu_ratio": statistics.median(cpu_ratios),
        "unit": "times as fast",
        "error": statistics.median(training.error for training in ours),
        "other_error": statistics.median(training.error for training in other),
    }
