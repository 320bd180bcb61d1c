"""Numbers that stand far from all others of a column, as markers of missing values do: -999."""

import re
from collections.abc import Iterator

import numpy as np

from autoencoders.data.preparation.survey import Survey
from autoencoders.params.reading import yaml_text

# 99, 98, 999.25 and such: the usual markers of measurements and of surveys
MARKER = re.compile(r"9+[6-9]|9{2,}\.\d+|8{2,}|7{2,}|32768|32767|65535")
SHORT_MARKER = re.compile("[789]")  # of surveys, below 0
FEWEST_OTHERS = 3  # different values, of which the range says something


def far_value_notes(survey: Survey) -> list[str]:
    """A note on each column of numbers, some of which may stand for a missing value.

    Such a number is written as markers are, and stands beyond the others by more than their range,
    or is below 0 where all others are not.
    """
    notes = []
    for place, name in enumerate(survey.numbers):
        ends = (survey.minimum[place], survey.maximum[place])
        if any(map(_is_like_marker, ends)):
            notes += [f"column {name}: {note}" for note in _notes(survey, place)]
    return notes


def _notes(survey: Survey, place: int) -> Iterator[str]:
    """The note on one column's numbers, if they need one."""
    numbers = survey.sample[:, place]
    values, counts = np.unique(numbers[~np.isnan(numbers)], return_counts=True)
    is_like_marker = np.array([_is_like_marker(value) for value in values], bool)
    others = values[~is_like_marker]
    if len(others) < FEWEST_OTHERS:
        return
    is_far = is_like_marker & _is_far(values, others)
    if not is_far.any():
        return
    n_rows = round(counts[is_far].sum() / survey.rate)
    markers = [f"{value:.10g}" for value in values[is_far]]
    mend = yaml_text({"data.null_values": markers}, flow=True).strip()[1:-1]
    verb, meaning = ("stands", "it means") if len(markers) == 1 else ("stand", "they mean")
    yield (
        f"{', '.join(markers)} in {n_rows} training rows {verb} far from all others "
        f"({others[0]:g} to {others[-1]:g}); if {meaning} missing, say {mend}"
    )


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
