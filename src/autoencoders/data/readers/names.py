"""The names of a delimited file's fields: where they stand, and one for each field."""

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import abridged
from autoencoders.data.prepared.spelling import NUMBER_MARKERS
from autoencoders.data.readers.date_texts import is_date
from autoencoders.data.readers.texts import number_text

SEVERAL = 5  # rows
MOSTLY = 0.9  # share of the rows that have to agree on the number of fields


@dataclass(frozen=True)
class Heading:
    """The names of the fields, and where they stand."""

    names: list[str]
    in_first_row: bool
    is_comment: bool = False


def heading(
    path: Path,
    rows: list[list[str]],
    header: str,
    comment: list[str],
    delimiter: str,
) -> Heading:
    """The names of the fields: in the first row, in the comment above it, or numbers.

    header: first, none or auto. comment: the fields of the last comment; empty without one. Raises
    DataError where the first row may be names as well as values.
    """
    first, *rest = rows
    width = most_fields(rest or rows)
    if header == "none":
        return Heading([f"x{i}" for i in range(width)], in_first_row=False)
    if header == "auto" and not are_names(first, rest):
        if comment and len(comment) == width and are_names(comment, rows):
            return Heading(comment, in_first_row=False, is_comment=True)
        if _are_values(first, rest):
            raise DataError(
                f"{path}: its first line looks like a row ({abridged(first)}), and no line holds "
                "the columns' names; write them above it, or set data.header: none where there are "
                "none, data.header: first where these are the names"
            )
    if 2 <= len(first) == width - 1 and delimiter in " \t":
        first = ["", *first]  # R's tables lack a name above the row names
    return Heading(first, in_first_row=True)


def are_names(first: list[str], rest: list[list[str]]) -> bool:
    """Whether a row is certainly one of names.

    Text above numbers, or above one text in all rows; names behind an empty field above row names,
    as R and pandas write them; or 0, 1, 2, ..., as pandas calls the columns of an array.
    """
    has_row_names = first[0] == "" and len(first) > 1 and len(_column(rest, 0)) == len(rest) > 0
    named = first[1:] if first[0] == "" else first
    if has_row_names and len(set(named)) == len(named) and "" not in named:
        return True
    if len(named) > 1 and named == [str(i) for i in range(len(named))]:
        return True
    offset = most_fields(rest) - len(first)
    for position, name in enumerate(first):
        is_text = name not in NUMBER_MARKERS and not is_value(name)
        column = _column(rest, position + max(0, offset))
        if is_text and (_are_all_values(column) or _is_one_other(name, column)):
            return True
    return False


def _is_one_other(name: str, column: list[str]) -> bool:
    """Whether a column holds one text alone, in several rows, and another one than the name."""
    return len(column) >= SEVERAL and len(set(column)) == 1 and column[0] != name


def _are_values(first: list[str], rest: list[list[str]]) -> bool:
    """Whether a row looks like those below it: a number above numbers, or a value of its column."""
    for position, value in enumerate(first):
        column = _column(rest, position)
        if is_value(value) and _are_all_values(column):
            return True
        if value not in NUMBER_MARKERS and value in column:
            return True
    return False


def most_fields(rows: list[list[str]]) -> int:
    """The number of fields that most rows have; 0 of no rows."""
    lengths = Counter(map(len, rows))
    return lengths.most_common(1)[0][0] if lengths else 0


def _column(rows: list[list[str]], position: int) -> list[str]:
    """The values of one field that are not missing."""
    values = [row[position] for row in rows if position < len(row)]
    return [value for value in values if value not in NUMBER_MARKERS]


@lru_cache(maxsize=2**16)
def is_value(text: str) -> bool:
    """Whether text is a number in a usual spelling, or a date."""
    return number_text(text) is not None or is_date(text)


def _are_all_values(column: list[str]) -> bool:
    """Whether a column has values, and nearly all of them are numbers or dates."""
    n_values = sum(map(is_value, column))
    return n_values > 0 and n_values >= MOSTLY * len(column)


def cleaned_names(
    path: Path, names: list[str], rows: list[list[str]]
) -> tuple[tuple[str, ...], tuple[int, ...], list[str]]:
    """One name for each field, the positions of the empty fields at the end, and notes.

    Raises DataError where rows hold more values than there are names.
    """
    width = max(most_fields(rows[1:]), len(names))
    last = max((i for i, name in enumerate(names) if name), default=-1)
    unnamed = tuple(range(last + 1, width))
    for position in unnamed:
        values = [value for value in _column(rows[1:], position) if value]
        if values and position >= len(names):
            raise DataError(
                f"{path}: its first line has {len(names)} fields, others have {width} "
                f"({abridged(values)}); write a name above each, or quote values that hold a "
                "delimiter"
            )
    empty = tuple(i for i in unnamed if not _column(rows[1:], i))
    cleaned: list[str] = []
    notes = []
    taken = set(names)
    used: set[str] = set()
    places_without_value = set(empty)
    for position in range(width):
        name = names[position] if position < len(names) else ""
        if name == "" and position > 0 and position not in places_without_value:
            name = f"column {position + 1}"
            notes.append(f"the field at place {position + 1} has no name: called {name}")
        if name and name in used:
            different = _different(name, taken)
            notes.append(f"the name {name} stands twice: the second is called {different}")
            name = different
        taken.add(name)
        used.add(name)
        cleaned.append(name)
    if empty:
        notes.append(f"left out, as fields without name and value: {len(empty)} at the end")
    return tuple(cleaned), empty, notes


def _different(name: str, taken: set[str]) -> str:
    """The name with a number behind it, as pandas writes it, that no other field has."""
    n = 1
    while f"{name}.{n}" in taken:
        n += 1
    return f"{name}.{n}"
