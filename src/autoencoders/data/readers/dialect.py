"""The dialect of a delimited text file: its encoding, comments, delimiter and columns' names.

The delimiter is the one that gives every row the same number of fields, as van den Burg, Nazábal &
Sutton 2019 (clevercsv) choose it.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from autoencoders.core.errors import DataError
from autoencoders.data.readers.delimiters import (
    DELIMITER_NAMES,
    NO_DELIMITER,
    check_title,
    delimiter_of,
)
from autoencoders.data.readers.encoding import file_encoding, sample_lines
from autoencoders.data.readers.names import cleaned_names, heading, most_fields
from autoencoders.data.readers.splitting import (
    blank_lines_note,
    check_quotes,
    has_row_names,
    n_lines_of_rows,
    quote_of,
    split_rows,
)

SEPARATOR_LINE = re.compile(r'"?sep\s*=\s*(\\t|.)"?', re.IGNORECASE)  # of spreadsheets
COMMA = re.compile(r"\d,\d|^[-+]?,\d")


@dataclass(frozen=True)
class Dialect:
    """The dialect of a file: how its bytes become rows of named fields."""

    encoding: str  # Python's name
    delimiter: str  # one character; a blank stands for any number of blanks
    quote: str  # around values that hold a delimiter
    skipped_lines: int  # lines before the first row: comments, sep=, names
    names: tuple[str, ...]  # of all fields of a row; "" for row numbers
    unnamed: tuple[int, ...] = ()  # positions of the fields at the end without name and value
    has_names: bool = True  # whether the names stand in the file
    has_rows: bool = True  # below the names
    has_commas: bool = False  # whether numbers with a comma do, decimal or of thousands
    notes: list[str] = field(default_factory=list)


def read_dialect(
    path: Path,
    *,
    encoding: str = "auto",
    header: str = "auto",
    expected: Collection[str] = (),
    keeps_first: bool = False,
) -> Dialect:
    """The dialect of a file.

    encoding: Python's name, or auto: UTF-8, UTF-16 with its mark, else cp1252. header: first (the
    first line holds the names), none, or auto. expected: the columns of a model that waits for the
    rows, if one does. keeps_first: whether a first field without name is data, whatever it holds.
    Raises DataError where the file holds no rows, or where its first line may be names as well as
    values.
    """
    said_encoding = encoding
    encoding = file_encoding(path) if said_encoding == "auto" else said_encoding
    notes = [] if encoding == said_encoding else _notes_on_encoding(encoding)
    lines = sample_lines(path, encoding)
    preamble = _preamble(lines)
    body = lines[preamble.n_lines :]
    if not any(line.strip() for line in body):
        raise DataError(f"{path}: holds no rows")
    quote = quote_of(body)
    delimiter = preamble.delimiter or delimiter_of(body, quote)
    rows = split_rows(body, delimiter, quote)
    if header == "auto":
        header = _header_of(expected, rows[0])
    if header == "auto":
        _check_title(path, body, rows, delimiter, quote, first_line=preamble.n_lines + 1)
    check_quotes(path, body, delimiter, quote, first_line=preamble.n_lines + 1)
    notes += _notes_on(delimiter, quote, body)
    comments = split_rows([preamble.comment[1:]], delimiter, quote)
    head = heading(path, rows, header, next(iter(comments), []))
    if len(head.names) > 1 and has_row_names(body, delimiter, quote):
        head = head.with_row_names(rows)
    if preamble.n_comments and not head.is_comment:
        notes.append(f"left out, as comments: lines before the names ({preamble.n_comments})")
    names, unnamed, name_notes = cleaned_names(path, head.names, rows, keeps_first=keeps_first)
    n_skipped = preamble.n_lines
    if head.in_first_row:
        n_skipped += n_lines_of_rows(body, delimiter, quote)
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        skipped_lines=n_skipped,
        names=names,
        unnamed=unnamed,
        has_names=head.in_first_row or head.is_comment,
        has_rows=any(line.strip() for line in lines[n_skipped:]),
        has_commas=any(COMMA.search(value) for row in rows[1:] for value in row),
        notes=[*notes, *head.notes, *name_notes],
    )


def _notes_on_encoding(encoding: str) -> list[str]:
    """A note on an encoding other than UTF-8."""
    if encoding.startswith("utf-8"):
        return []
    return [f"read as {encoding}, as the file is not UTF-8"]


def _notes_on(delimiter: str, quote: str, lines: Sequence[str]) -> list[str]:
    """Notes on a delimiter other than the comma, quotes other than double ones, and blank lines."""
    notes = []
    if delimiter not in (",", NO_DELIMITER):
        between = DELIMITER_NAMES.get(delimiter, repr(delimiter))
        notes.append(f"read with {between} between fields")
    if quote != '"':
        notes.append("read with single quotes around values")
    blank_lines = blank_lines_note(lines, delimiter, quote)
    if blank_lines and delimiter != NO_DELIMITER:  # a missing value, where there is one column
        notes.append(blank_lines)
    return notes


def _check_title(
    path: Path,
    lines: Sequence[str],
    rows: list[list[str]],
    delimiter: str,
    quote: str,
    first_line: int,
) -> None:
    """Raises DataError where lines of a title stand above the names: they are shorter than rows."""
    n_missing = most_fields(rows[1:]) - len(rows[0])
    lacks_one = n_missing == 1 and len(rows[0]) > 1
    are_names = lacks_one and has_row_names(lines, delimiter, quote)
    if delimiter == NO_DELIMITER or (n_missing > 0 and not are_names):
        check_title(path, lines, quote, first_line)


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
            delimiter = separator[1].replace("\\t", "\t")
        elif line.startswith("#"):
            n_comments += 1
            comment = line
        elif line.strip():
            break
        n_lines += 1
    return _Preamble(n_lines, n_comments, comment, delimiter)
