"""Dates that a column holds as numbers: the time since 1970, or digits such as 20240131."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.prepared.spelling import ColumnValues, is_marker

UNITS = {"seconds": 1, "milliseconds": 10**3, "microseconds": 10**6, "nanoseconds": 10**9}
EARLIEST = int(datetime(1980, 1, 1, tzinfo=UTC).timestamp())  # in seconds since 1970
LATEST = int(datetime(2100, 1, 1, tzinfo=UTC).timestamp())
DIGITS = "digits such as 20240131"
FIRST_DIGITS = 19000101
LAST_DIGITS = 21001231
# words of a name that say that a column holds moments
MOMENT_WORDS = {"timestamp", "timestamps", "ts", "date", "dates", "datetime", "epoch", "unix"}
MOMENT_WORDS |= {"created", "updated", "modified", "datum", "zeitstempel", "zeitpunkt"}
TIME_WORDS = {"time", "times", "zeit"}  # moments, or how long something lasts
DURATION_WORDS = {"elapsed", "duration", "run", "cpu", "gpu", "lead", "response", "wait", "delay"}
DURATION_WORDS |= {"latency", "travel", "cycle", "processing", "service", "up", "down", "total"}
UNIT_WORDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), "seconds"),
    **dict.fromkeys(("ms", "msec", "millis", "milliseconds"), "milliseconds"),
    **dict.fromkeys(("us", "usec", "micros", "microseconds"), "microseconds"),
    **dict.fromkeys(("ns", "nsec", "nanos", "nanoseconds"), "nanoseconds"),
}
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
PLAIN_DIGITS = r"^\d{8,19}(\.\d*)?$"
FEWEST_STEPS = 20  # of a column whose name does not say that it holds dates
MOST_STEPS = 1000  # different ones that are counted
REGULAR = 0.5  # the share of steps that have to be equal there


@dataclass
class NumericDates:
    """The numbers of a column, as long as they may be dates."""

    is_possible: bool = True
    are_whole: bool = True
    are_digits: bool = True  # whether each is a day of the calendar as 20240131
    rises: bool = True  # whether no value is below the one before
    minimum: float = np.inf
    maximum: float = -np.inf
    last: float = np.nan
    n_steps: int = 0  # upwards, from row to row
    steps: Counter[float] = field(default_factory=Counter)  # how often each step occurs

    def add(self, values: ColumnValues) -> None:
        """Adds a column's values of some rows."""
        if self.is_possible:
            self._add(values.drop_null().to_numpy(zero_copy_only=False).astype(np.float64))

    def add_texts(self, texts: ColumnValues, markers: tuple[str, ...]) -> None:
        """Adds texts of digits. markers: those that stand for a missing number."""
        if not self.is_possible:
            return
        texts = pc.utf8_trim_whitespace(pc.cast(texts, pa.string())).drop_null()
        texts = texts.filter(pc.invert(is_marker(texts, markers)))
        are_digits = pc.match_substring_regex(texts, PLAIN_DIGITS)
        if pc.all(are_digits, min_count=0).as_py():
            self._add(pc.cast(texts, pa.float64()).to_numpy(zero_copy_only=False))
        else:
            self.is_possible = False

    def _add(self, numbers: np.ndarray) -> None:
        numbers = numbers[~np.isnan(numbers)]
        if not len(numbers):
            return
        self.minimum = min(self.minimum, float(numbers.min()))
        self.maximum = max(self.maximum, float(numbers.max()))
        self.are_digits = self.are_digits and _are_days(numbers)
        self.are_whole = self.are_whole and bool((numbers == np.floor(numbers)).all())
        self.is_possible = self.are_digits or bool(self._unit())
        if self.is_possible and self.rises:
            self._add_steps(np.diff(numbers, prepend=self.last))
        self.last = float(numbers[-1])

    def _add_steps(self, steps: np.ndarray) -> None:
        """Adds the differences between rows, of which the very first is NaN."""
        self.rises = not (steps < 0).any()
        sizes, counts = np.unique(steps[steps > 0], return_counts=True)
        self.n_steps += int(counts.sum())
        for i in np.argsort(-counts, kind="stable")[:MOST_STEPS]:
            self.steps[float(sizes[i])] += int(counts[i])
        if len(self.steps) > MOST_STEPS:
            self.steps = Counter(dict(self.steps.most_common(MOST_STEPS)))

    def _unit(self) -> str:
        """The unit in which all numbers lie between EARLIEST and LATEST; "" without one."""
        for unit, factor in UNITS.items():
            if EARLIEST * factor <= self.minimum and self.maximum < LATEST * factor:
                return unit
        return ""

    def meaning(self, name: str) -> str:
        """The dates that the numbers of a column of this name are, in words; "" of other numbers.

        Time since 1970 needs a name that says so, or steps of which most are equal.
        """
        if not self.is_possible or self.minimum > self.maximum:
            return ""
        if self.are_digits:
            return DIGITS
        unit = self._unit()
        if says_time(name, unit) or self._is_regular():
            return f"{unit} since 1970"
        return ""

    def doubtful_unit(self, name: str) -> str:
        """The unit of time since 1970 that rising whole numbers may be; "" of other numbers.

        Nothing else says that they are.
        """
        if not self.is_possible or self.meaning(name) or not self._rises_long():
            return ""
        return self._unit()

    def _rises_long(self) -> bool:
        """Whether whole numbers rise throughout many rows."""
        return self.are_whole and self.rises and self.n_steps >= FEWEST_STEPS

    def _is_regular(self) -> bool:
        """Whether whole numbers rise throughout, and most by one step, which counts no rows."""
        if not self._rises_long():
            return False
        [(step, n_equal)] = self.steps.most_common(1)
        return step > 1 and n_equal > REGULAR * self.n_steps

    def range(self, meaning: str) -> str:
        """The first and the last day, as ISO dates. meaning: as `meaning` gives it."""
        if meaning == DIGITS:
            ends = pd.to_datetime([f"{self.minimum:.0f}", f"{self.maximum:.0f}"], format="%Y%m%d")
        else:
            factor = UNITS[meaning.split()[0]]
            ends = pd.to_datetime([self.minimum / factor, self.maximum / factor], unit="s")
        return f"{ends[0]:%Y-%m-%d} to {ends[1]:%Y-%m-%d}"


def _are_days(numbers: np.ndarray) -> bool:
    """Whether each number is a day of the calendar, written as 20240131."""
    if numbers.min() < FIRST_DIGITS or numbers.max() > LAST_DIGITS:
        return False
    different = np.unique(numbers)
    if (different != np.floor(different)).any():
        return False
    texts = pd.Series(different.astype(np.int64).astype(str))
    return bool(pd.to_datetime(texts, format="%Y%m%d", errors="coerce").notna().all())


def says_time(name: str, unit: str) -> bool:
    """Whether a column's name says that it holds moments, and no other unit of time."""
    words = [word.lower() for word in WORD.findall(name)]
    if not words or UNIT_WORDS.get(words[-1], unit) != unit:
        return False
    if MOMENT_WORDS.intersection(words) or words[-1] == "at":
        return True
    return bool(TIME_WORDS.intersection(words)) and not DURATION_WORDS.intersection(words)
