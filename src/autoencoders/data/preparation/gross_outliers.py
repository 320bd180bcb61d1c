"""Gross outliers: values so far from a column's others that no scale can hold both.

One -9999 among a thousand temperatures makes their standard deviation a hundred times as large, so
that all others look alike to a model.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from autoencoders.data.preparation.survey import RESOLUTION, Survey
from autoencoders.data.prepared.schema import LARGEST

FEWEST_VALUES = 20  # of a column: of fewer, the quartiles and the tail say too little
RATIO = 10.0  # of a gross outlier's distance from the median to the others' largest, at least
CHANCE = 1e-5  # of such a gap among as many values from a Pareto tail like the others'
FEWEST_IN_TAIL = 10  # values behind the tail index
MOST_OUTLIERS = 0.05  # of a column's values
MOST_TOGETHER = 0.01  # of a column's values, that lie together and differ: more are no errors
TOGETHER = 2.0  # times the distance from the median, up to which values lie together
FEWEST_OTHERS = 3  # different values, where at least half of all are the median


@dataclass(frozen=True)
class ColumnOutliers:
    """The fences of a column, and what lies beyond them in the training rows."""

    low: float  # the fences
    high: float
    minimum: float  # of the training values between the fences
    maximum: float
    mean: float
    deviation: float
    iqr: float
    nearest: float  # distance from the median of the outlier nearest to it; 0 without outliers
    values: np.ndarray  # the outliers, each different one once, rising
    n_rows: int  # training rows that hold one
    crowd: np.ndarray  # values as far away that are too many to be errors, rising


NO_FENCES = ColumnOutliers(
    low=-np.inf,
    high=np.inf,
    minimum=-np.inf,
    maximum=np.inf,
    mean=0.0,
    deviation=0.0,
    iqr=0.0,
    nearest=0.0,
    values=np.zeros(0),
    n_rows=0,
    crowd=np.zeros(0),
)


def gross_outliers(survey: Survey) -> list[ColumnOutliers]:
    """The gross outliers of each column of numbers.

    Distances are measured from the median, which one row in twenty can't move far, and are 0 where
    32-bit numbers can't tell them from it. Beyond the others' largest distance r (at least an
    interquartile range), values are gross outliers

    - from `RATIO * r` on, and from `r * CHANCE ** -h` on, where h is Hill's estimate of the
      others' tail index (Hill 1975, "A simple general approach to inference about the tail of a
      distribution"): of a Pareto tail P(x > t) = t ** (-1 / h), the largest value lies so far
      beyond the next one with a probability of CHANCE. Amounts, which have such tails, stay whole;
    - if they are at most 5 % of the values, of which at most 1 % lie together, within a factor of
      two, and differ in most rows: more are another state of what is measured, while errors are
      scattered, and markers of missing values repeat one value;
    - and, where the interquartile range is 0 as with rare counts, if as many of the others lie off
      the median, 20 at least. The median distance of these then stands for the range.

    The first gap from the median on decides: beyond it all are outliers, however far they reach.
    """
    columns = []
    for place in range(len(survey.numbers)):
        values = _values(survey, place)
        columns.append(_Column(values, survey.rate).outliers())
    return columns


def _values(survey: Survey, place: int) -> np.ndarray:
    """A column's sampled values and its two ends, which a thinned sample may lack; rising."""
    values = survey.sample[:, place]
    values = values[~np.isnan(values)]
    if survey.rate < 1:
        values = np.append(values, [survey.minimum[place], survey.maximum[place]])
    return np.sort(values)


class _Column:
    """The values of one column by their distance from the median."""

    def __init__(self, values: np.ndarray, rate: float) -> None:
        """values: rising. rate: share of the rows that they come from."""
        self.values = values
        self.rate = rate
        self.is_judged = len(values) >= FEWEST_VALUES and bool(np.isfinite(values).all())
        if not self.is_judged:
            return
        low, self.median, high = np.quantile(values, [0.25, 0.5, 0.75])
        distance = np.abs(values - self.median)
        smallest = RESOLUTION * np.maximum(np.abs(values), abs(self.median))
        self.distance = np.where(distance < smallest, 0.0, distance)
        self.order = np.argsort(self.distance, kind="stable")
        self.rising = self.distance[self.order]
        self.iqr = float(high - low)
        if self.iqr < RESOLUTION * max(abs(low), abs(high)):
            self.iqr = 0.0

    def outliers(self) -> ColumnOutliers:
        """The fences of the column, and what lies beyond them."""
        if not self.is_judged:
            return NO_FENCES
        crowd = np.zeros(0)
        for n_others in self._before_gaps():
            low, high = self._fences(n_others)
            beyond = np.sort(self.values[self.order[n_others:]])
            if not ((beyond < low) | (beyond > high)).all():
                continue
            if self._are_errors(beyond, n_others):
                return self._between(low, high, crowd)
            if self.iqr and not len(crowd):
                crowd = beyond
        return self._between(*self._fences(len(self.rising)), crowd)

    def _before_gaps(self) -> Iterator[int]:
        """Yields the number of values before each wide gap, the one next to the median first.

        Before a gap are all but MOST_OUTLIERS of the values.
        """
        n = len(self.rising)
        first = n - int(MOST_OUTLIERS * n) - 1
        inner = np.maximum(self.rising[first:-1], self.iqr)
        is_gap = (inner > 0) & (self.rising[first + 1 :] > RATIO * inner)
        yield from (int(place) + first + 1 for place in np.flatnonzero(is_gap))

    def _fences(self, n_others: int) -> tuple[float, float]:
        """The fences below and above the median. n_others: values between them, the nearest."""
        others = self.rising[:n_others]
        spread = self.iqr
        if not spread:
            different = np.unique(others[others > 0])
            if not len(different):
                return -np.inf, np.inf
            spread = float(np.median(different))
        reach = max(float(others[-1]), spread)
        is_below = self.values[self.order[:n_others]] < self.median
        low = float(self.median) - reach * _ratio(others[is_below], spread)
        high = float(self.median) + reach * _ratio(others[~is_below], spread)
        return low if low >= -LARGEST else -np.inf, high if high <= LARGEST else np.inf

    def _are_errors(self, beyond: np.ndarray, n_others: int) -> bool:
        """Whether the values beyond a gap are no state of their own. n_others: values before it."""
        distance = beyond - self.median
        most = max(1, int(MOST_TOGETHER * len(self.rising)))
        for side in (distance[distance > 0], -distance[distance < 0][::-1]):
            if _are_together(side, most):
                return False
        if self.iqr:
            return True
        others = self.rising[:n_others]
        n_off_median = int((others > 0).sum())
        are_known = n_off_median >= max(FEWEST_VALUES, len(beyond))
        return are_known and len(np.unique(others)) >= FEWEST_OTHERS

    def _between(self, low: float, high: float, crowd: np.ndarray) -> ColumnOutliers:
        """The column with these fences. crowd: values far from the others that stay."""
        if not np.isfinite([low, high]).any():
            return replace(NO_FENCES, crowd=crowd)
        is_beyond = (self.values < low) | (self.values > high)
        others = self.values[~is_beyond]
        beyond = self.values[is_beyond]
        n_rows = 0
        nearest = 0.0
        if len(beyond):
            n_rows = max(1, round(len(beyond) / self.rate))
            nearest = float(self.distance[is_beyond].min())
        return ColumnOutliers(
            low=low,
            high=high,
            minimum=float(others[0]),
            maximum=float(others[-1]),
            mean=float(others.mean()),
            deviation=float(others.std()),
            iqr=self.iqr,
            nearest=nearest,
            values=np.unique(beyond),
            n_rows=n_rows,
            crowd=crowd,
        )


def _are_together(distance: np.ndarray, most: int) -> bool:
    """Whether more than `most` values lie together, of which more than half differ.

    distance: (values,), rising, from the median.
    """
    if len(distance) <= most:
        return False
    first = np.arange(len(distance))
    stop = np.searchsorted(distance, TOGETHER * distance, "right")
    number = np.cumsum(np.diff(distance, prepend=0.0) > 0)  # of the different value
    n_different = number[stop - 1] - number[first] + 1
    n = stop - first
    return bool(((n > most) & (2 * n_different > n)).any())


def _ratio(distance: np.ndarray, spread: float) -> float:
    """The factor from the others' reach to a fence.

    distance: (values,), rising, of the others on this side of the median. spread: of the others,
    below which a distance says nothing of the tail.
    """
    n_tail = min(max(FEWEST_IN_TAIL, math.isqrt(len(distance))), len(distance) // 2)
    tail = np.maximum(distance[len(distance) - n_tail - 1 :], spread)
    if not n_tail:
        return RATIO
    index = float(np.log(tail[1:] / tail[0]).mean())
    exponent = min(-index * math.log10(CHANCE), 300.0)  # of 10: as much as a number can be
    return max(RATIO, float(f"{10**exponent:.3g}"))  # whatever the processor rounds
