"""Numbers that stand far from all others of a column: gross outliers, and markers such as -999.

A marker stands for a missing value, which data.null_values says.
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from autoencoders.data.preparation.gross_outliers import ColumnOutliers
from autoencoders.data.preparation.survey import Survey
from autoencoders.params.reading import yaml_text

# 99, 98, 999.25 and such: the usual markers of measurements and of surveys
MARKER = re.compile(r"9+[6-9]|9{2,}\.\d+|8{2,}|7{2,}|32768|32767|65535")
SHORT_MARKER = re.compile("[789]")  # of surveys, below 0
FEW_DIFFERENT = 5  # values, up to which a note lists them
FEWEST_OTHERS = 3  # different values, of which the range says something


class _FarMarkers(NamedTuple):
    """Numbers of a column that are written as markers are and stand far from its others."""

    values: list[float]
    n_rows: int  # training rows that hold one
    lowest: float  # of the others
    highest: float


NO_MARKERS = _FarMarkers([], 0, 0.0, 0.0)


def far_value_notes(
    survey: Survey,
    outliers: Sequence[ColumnOutliers] = (),
    held_out: Mapping[str, str] | None = None,
) -> list[str]:
    """A note on each column of numbers, some of which stand far from all others.

    These are gross outliers; values as far away, which are too many to be errors; numbers that may
    stand for a missing value; or, where training rows have none of them, outliers of other rows.
    Numbers that may stand for a missing value are written as markers are, and stand beyond the
    others by more than their range, or are below 0 where all others are not.

    outliers: of each column. held_out: notes on validation and test rows, by column.
    """
    notes = []
    for place, name in enumerate(survey.numbers):
        markers = _far_markers(survey, place)
        note = (held_out or {}).get(name, "")
        if outliers and outliers[place].n_rows:
            note = _left_out(survey, place, outliers[place], markers)
        elif markers.values:
            note = _markers_note(markers)
        elif outliers and len(outliers[place].crowd):
            note = _crowd_note(outliers[place], survey.rate)
        if note:
            notes.append(f"column {name}: {note}")
    return notes


def _left_out(survey: Survey, place: int, column: ColumnOutliers, markers: _FarMarkers) -> str:
    """The note on gross outliers, with the mend where they may stand for a missing value."""
    verb = "is" if len(column.values) == 1 else "are"
    place_of_others = f"the others ({column.minimum:g} to {column.maximum:g})"
    distance = f"far from all of {place_of_others}"
    if column.iqr:
        n_ranges = f"{float(f'{column.nearest / column.iqr:.2g}'):,.0f}"
        distance = f"{n_ranges} interquartile ranges away from {place_of_others}"
    pronoun = "it" if len(column.values) == 1 else "them"
    note = (
        f"{_listed(column.values)} in {_training_rows(column.n_rows)} {verb} {distance}; the scale "
        f"leaves {pronoun} out, and errors take the nearest other value"
    )
    may_be_missing = set(markers.values)
    numbers = survey.sample[:, place]
    for value in column.values[:FEW_DIFFERENT]:
        if _is_like_marker(value) or (numbers == value).sum() > 1:
            may_be_missing.add(value)
    if not may_be_missing:
        return note
    return f"{note}; {_mend(sorted(may_be_missing))}"


def _listed(values: np.ndarray) -> str:
    """Different values in words, which rise."""
    if len(values) <= FEW_DIFFERENT:
        return ", ".join(f"{value:.10g}" for value in values)
    return f"{len(values)} values from {values[0]:.10g} to {values[-1]:.10g}"


def _training_rows(n: int) -> str:
    return "1 training row" if n == 1 else f"{n} training rows"


def _mend(markers: Sequence[float]) -> str:
    """The parameter that says of numbers that they stand for a missing value."""
    texts = [f"{value:.10g}" for value in markers]
    mend = yaml_text({"data.null_values": texts}, flow=True).strip()[1:-1]
    meaning = "it means" if len(texts) == 1 else "they mean"
    return f"if {meaning} missing, say {mend}"


def _crowd_note(column: ColumnOutliers, rate: float) -> str:
    """The note on values far from all others that are too many to be errors.

    rate: share of the training rows among which they were counted.
    """
    low, high = column.crowd[[0, -1]]
    n_rows = round(len(column.crowd) / rate)
    return (
        f"{low:.10g} to {high:.10g} in {_training_rows(n_rows)} stand far from all "
        "others: too many for errors, so that the scale holds them, and differences among the "
        "others are small beside it; if they are errors, remove them"
    )


def _markers_note(markers: _FarMarkers) -> str:
    """The note on numbers that may stand for a missing value."""
    verb = "stands" if len(markers.values) == 1 else "stand"
    return (
        f"{_listed(np.array(markers.values))} in {_training_rows(markers.n_rows)} {verb} far from "
        f"all others ({markers.lowest:g} to {markers.highest:g}); {_mend(markers.values)}"
    )


def _far_markers(survey: Survey, place: int) -> _FarMarkers:
    """The numbers of one column that may stand for a missing value."""
    ends = (survey.minimum[place], survey.maximum[place])
    if not any(map(_is_like_marker, ends)):
        return NO_MARKERS
    numbers = survey.sample[:, place]
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    is_like_marker = np.array([_is_like_marker(value) for value in values], bool)
    others = values[~is_like_marker]
    if len(others) < FEWEST_OTHERS:
        return NO_MARKERS
    is_far = is_like_marker & _is_far(values, others)
    if not is_far.any():
        return NO_MARKERS
    n_rows = round(counts[is_far].sum() / survey.rate)
    return _FarMarkers(values[is_far].tolist(), n_rows, float(others[0]), float(others[-1]))


def _is_far(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Whether each value (values,) lies beyond the others (others,), which are sorted."""
    low, high = others[0], others[-1]
    distance = np.maximum(low - values, values - high)
    is_below_zero = (values <= -10) & (low >= 0)
    return (distance > high - low) | is_below_zero


def _is_like_marker(value: float) -> bool:
    """Whether a number is written as markers of missing values are."""
    digits = f"{abs(value):.10g}"
    if MARKER.fullmatch(digits):
        return True
    return value < 0 and SHORT_MARKER.fullmatch(digits) is not None
