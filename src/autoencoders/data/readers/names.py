"""The names of a delimited file's fields: where they stand, and one for each field."""

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import abridged
from autoencoders.data.prepared.spelling import NUMBER_MARKERS
from autoencoders.data.readers.date_texts import is_date
from autoencoders.data.readers.first_column import note_on
from autoencoders.data.readers.texts import number_text

SEVERAL = 5  # rows
MOST_NOTES = 3  # of many that are alike
MOSTLY = 0.9  # share of the rows that have to agree on the number of fields


@dataclass(frozen=True)
class Heading:
    """The names of the fields, and where they stand."""

    names: list[str]
    in_first_row: bool
    is_comment: bool = False
    notes: list[str] = field(default_factory=list)

    def with_row_names(self, rows: list[list[str]]) -> "Heading":
        """The names behind an empty one, where rows have one value more, as R's tables do."""
        if not self.in_first_row or len(self.names) != most_fields(rows[1:]) - 1:
            return self
        return replace(self, names=["", *self.names])


def heading(
    path: Path,
    rows: list[list[str]],
    header: str,
    comment: list[str],
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
        if not rest and any(map(is_value, first)):
            raise DataError(
                f"{path}: its only line looks like a row ({abridged(first)}), and no line holds "
                "the columns' names; write them above it, or set data.header: none"
            )
        if _are_values(first, rest):
            raise DataError(
                f"{path}: its first line looks like a row ({abridged(first)}), and no line holds "
                "the columns' names; write them above it, or set data.header: none where there are "
                "none, data.header: first where these are the names"
            )
    notes = _notes_on_values(first, rest) if header == "auto" else []
    return Heading(first, in_first_row=True, notes=notes)


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


def _notes_on_values(first: list[str], rest: list[list[str]]) -> list[str]:
    """A note on names that look like values, unless they run as years or places do."""
    values = []
    for position, name in enumerate(first):
        if is_value(name) and _are_all_values(_column(rest, position)):
            values.append(name)
    if not values or len(values) == len(first) or _run(values):
        return []
    return [
        f"names that look like values: {abridged(values)}; if the first line is a row, say "
        "data.header: none, or if it is no part of the table, remove it"
    ]


def _run(names: list[str]) -> bool:
    """Whether names are whole numbers in order, of a few digits: years, places or doses."""
    if not all(name.isdecimal() for name in names):
        return False
    numbers = [int(name) for name in names]
    return len(numbers) > 2 and numbers == sorted(set(numbers))


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
    path: Path, names: list[str], rows: list[list[str]], *, keeps_first: bool = False
) -> tuple[tuple[str, ...], tuple[int, ...], list[str]]:
    """One name for each field, the positions of the empty fields at the end, and notes.

    The name of a first field that is no data is empty. keeps_first: whether a first field without
    name is data in any case. Raises DataError where rows hold more values than there are names.
    """
    width = max(most_fields(rows[1:]), len(names))
    last = max((i for i, name in enumerate(names) if name), default=-1)
    unnamed = tuple(range(last + 1, width))
    _check_named(path, names, rows, unnamed)
    empty = tuple(i for i in unnamed if not _column(rows[1:], i))
    cleaned: list[str] = []
    nameless = []
    repeated = []
    taken = set(names)
    used: set[str] = set()
    first_note = ""
    if names[0] == "" and not keeps_first:
        first_note = note_on(_column(rows[1:], 0), len(rows) - 1)
    places_to_leave = {*empty, 0} if first_note else set(empty)
    for position in range(width):
        name = names[position] if position < len(names) else ""
        if name == "" and position not in places_to_leave:
            name = f"column {position + 1}"
            nameless.append(f"the field at place {position + 1} has no name: called {name}")
        if name and name in used:
            different = _different(name, taken)
            repeated.append(f"the name {name} stands twice: the second is called {different}")
            name = different
        taken.add(name)
        used.add(name)
        cleaned.append(name)
    notes = [*_shortened(nameless, "fields"), *_shortened(repeated, "names")]
    if empty:
        notes.append(f"left out, as fields without name and value: {len(empty)} at the end")
    if first_note and 0 not in empty:
        notes.append(first_note)
    return tuple(cleaned), empty, notes


def _check_named(
    path: Path, names: list[str], rows: list[list[str]], unnamed: tuple[int, ...]
) -> None:
    """Raises DataError where rows hold values in places that the first line does not have."""
    for position in unnamed:
        values = [value for value in _column(rows[1:], position) if value]
        if values and position >= len(names):
            raise DataError(
                f"{path}: its first line has {len(names)} fields, others have "
                f"{most_fields(rows[1:])} ({abridged(values)}); write a name above each, or quote "
                "values that hold a delimiter"
            )


def _shortened(notes: list[str], things: str) -> list[str]:
    """The first notes of many alike, and how many there are besides."""
    n_others = len(notes) - MOST_NOTES
    if n_others < 2:
        return notes
    return [*notes[:MOST_NOTES], f"and so on: {n_others} more {things}"]


def _different(name: str, taken: set[str]) -> str:
    """The name with a number behind it, as pandas writes it, that no other field has."""
    n = 1
    while f"{name}.{n}" in taken:
        n += 1
    return f"{name}.{n}"
