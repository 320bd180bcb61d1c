"""The first field of each row where no name stands above it: numbers or names of rows, or data."""

from collections.abc import Sequence

from autoencoders.data.prepared.schema import abridged

FIRST_NAME = "column 1"  # where it is data
MEND = "; if they are data, write a name above them"


def note_on(values: Sequence[str], n_rows: int) -> str:
    """The note that values (not missing) are no data; nothing where they are.

    Values that name rows differ from each other, and every row has one.
    """
    if not values:
        return "left out, as a field without name and value: the first"
    whole = _whole(values)
    if whole and _number_rows(whole):
        return "left out, as a column of row numbers: the one without a name"
    if len(values) < n_rows or len(set(values)) < len(values):
        return ""
    shown = abridged(list(values))
    return f"left out, as names of the rows, which have no name above them: {shown}{MEND}"


def _whole(values: Sequence[str]) -> list[int]:
    """The numbers that values spell, where all are whole; else none."""
    numbers = []
    for value in values:
        try:
            number = float(value)
        except ValueError:
            return []
        if not number.is_integer():
            return []
        numbers.append(int(number))
    return numbers


def _number_rows(numbers: list[int]) -> bool:
    """Whether whole numbers count rows: from 0 or 1, in any order and with gaps, or anew."""
    differ = len(set(numbers)) == len(numbers)
    if differ and min(numbers) in (0, 1):
        return True
    pairs = zip(numbers, numbers[1:], strict=False)
    counts_on = all(second in (first + 1, numbers[0]) for first, second in pairs)
    return counts_on and numbers[0] in (0, 1) and numbers[1:2] == [numbers[0] + 1]
