"""The dialect of a delimited text file: its encoding, comments, delimiter and columns' names.

The delimiter is the one that gives every row the same number of fields, as van den Burg, Nazábal &
Sutton 2019 (clevercsv) choose it; rows and quotes are split by Python's csv module.
"""

import csv
import re
from collections.abc import Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.spelling import NUMBER_MARKERS
from autoencoders.data.readers.encoding import file_encoding, sample_lines
from autoencoders.data.readers.names import (
    MOSTLY,
    cleaned_names,
    heading,
    is_value,
    most_fields,
)

if TYPE_CHECKING:
    from _csv import Reader

MOST_ROWS = 2000  # of the sample that every delimiter is tried on
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
NO_DELIMITER = "\x1f"  # of a file of one column: a character that no text holds
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # of spreadsheets
COMMA = re.compile(r"\d,\d|^[-+]?,\d")


@dataclass(frozen=True)
class Dialect:
    """The dialect of a file: how its bytes become rows of named fields."""

    encoding: str  # Python's name
    delimiter: str  # one character; a blank stands for any number of blanks
    skipped_lines: int  # lines before the first row: comments, sep=, names
    names: tuple[str, ...]  # of all fields of a row; "" for row numbers
    unnamed: tuple[int, ...] = ()  # positions of the fields at the end without name and value
    has_names: bool = True  # whether the names stand in the file
    has_commas: bool = False  # whether numbers with a comma do, decimal or of thousands
    notes: list[str] = field(default_factory=list)


def read_dialect(
    path: Path,
    *,
    encoding: str = "auto",
    header: str = "auto",
    expected: Collection[str] = (),
) -> Dialect:
    """The dialect of a file.

    encoding: Python's name, or auto: UTF-8, UTF-16 with its mark, else cp1252. header: first (the
    first line holds the names), none, or auto. expected: the columns of a model that waits for the
    rows, if one does. Raises DataError where the file holds no rows, or where its first line may be
    names as well as values.
    """
    notes: list[str] = []
    if encoding == "auto":
        encoding = file_encoding(path)
        if encoding in ("utf-16", "cp1252"):
            notes.append(f"read as {encoding}, as the file is not UTF-8")
    lines = sample_lines(path, encoding)
    preamble = _preamble(lines)
    body = lines[preamble.n_lines :]
    if not any(line.strip() for line in body):
        raise DataError(f"{path}: holds no rows")
    delimiter = preamble.delimiter or _delimiter(body)
    if delimiter not in (",", NO_DELIMITER):
        notes.append(f"read with {DELIMITERS.get(delimiter, repr(delimiter))} between fields")
    rows = _rows(body, delimiter)
    if header == "auto":
        header = _header_of(expected, rows[0])
    comment = _rows([preamble.comment[1:]], delimiter)
    head = heading(path, rows, header, comment[0] if comment else [], delimiter)
    if preamble.n_comments and not head.is_comment:
        notes.append(f"left out, as comments: lines before the names ({preamble.n_comments})")
    names, unnamed, name_notes = cleaned_names(path, head.names, rows)
    n_skipped = preamble.n_lines
    if head.in_first_row:
        n_skipped += _n_lines_of_first_row(body, delimiter)
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        skipped_lines=n_skipped,
        names=names,
        unnamed=unnamed,
        has_names=head.in_first_row or head.is_comment,
        has_commas=any(COMMA.search(value) for row in rows[1:] for value in row),
        notes=notes + name_notes,
    )


def _header_of(expected: Collection[str], first: list[str]) -> str:
    """The header that a model's columns tell: first where a name of theirs stands there."""
    names = set(expected)
    if names & set(first):
        return "first"
    if names and names <= {f"x{i}" for i in range(len(names) + 1)}:
        return "none"
    return "auto"


@dataclass(frozen=True)
class _Preamble:
    """The lines before the names and rows."""

    n_lines: int
    n_comments: int = 0
    comment: str = ""  # the last one, without its #
    delimiter: str = ""  # that a line sep= names


def _preamble(lines: Sequence[str]) -> _Preamble:
    """The empty lines, comments and the line sep= at the start."""
    n_comments = 0
    comment = ""
    delimiter = ""
    n_lines = 0
    for line in lines:
        separator = SEPARATOR_LINE.fullmatch(line.strip("\ufeff"))
        if separator:
            delimiter = separator[1]
        elif line.startswith("#"):
            n_comments += 1
            comment = line
        elif line.strip():
            break
        n_lines += 1
    return _Preamble(n_lines, n_comments, comment, delimiter)


def _rows(lines: Iterable[str], delimiter: str) -> list[list[str]]:
    """The fields of the first MOST_ROWS rows; empty lines are none."""
    rows = []
    with suppress(csv.Error):  # a quote that is never closed: the rows before it suffice
        for row in _csv_reader(lines, delimiter):
            if row:
                rows.append([value.strip() for value in row])
            if len(rows) == MOST_ROWS:
                break
    return rows


def _csv_reader(lines: Iterable[str], delimiter: str) -> "Reader":
    texts = (f"{line.strip() if delimiter == ' ' else line}\n" for line in lines)
    return csv.reader(texts, delimiter=delimiter, skipinitialspace=True)


def _n_lines_of_first_row(lines: Sequence[str], delimiter: str) -> int:
    """Lines up to the end of the first row: a quoted name may hold a line's end."""
    reader = _csv_reader(lines, delimiter)
    next(row for row in reader if row)
    return reader.line_num


def _delimiter(lines: Sequence[str]) -> str:
    """The delimiter that gives every row the same number of fields, of values that look whole.

    NO_DELIMITER where each row is one field.
    """
    best = 0.0
    chosen = NO_DELIMITER
    for delimiter in DELIMITERS:
        rows = _rows(lines, delimiter)
        score = _score(rows) if rows else 0.0
        if score > best:
            best = score
            chosen = delimiter
    return chosen


def _score(rows: list[list[str]]) -> float:
    """How well a delimiter splits rows: 0 where not, 1 where every field looks whole."""
    below = rows[1:] or rows
    n_fields = most_fields(below)
    share = sum(len(row) == n_fields for row in below) / len(below)
    is_decimal_comma = len(rows[0]) == 1 and n_fields == 2  # of a single column with a name
    if n_fields < 2 or share < MOSTLY or is_decimal_comma:
        return 0.0
    n_whole = 0
    n_values = 0
    for row in rows:
        n_values += len(row)
        n_whole += sum(map(_looks_whole, row))
    return share * n_whole / n_values


def _looks_whole(value: str) -> bool:
    """Whether a value is a number, a date, or text without another delimiter in it."""
    if value in NUMBER_MARKERS or is_value(value):
        return True
    return not any(delimiter in value for delimiter in ",;\t|")
