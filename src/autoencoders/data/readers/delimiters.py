"""The delimiter of a text file: the one that gives every row the same number of fields."""

from collections.abc import Sequence
from pathlib import Path

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import abridged
from autoencoders.data.prepared.spelling import NUMBER_MARKERS
from autoencoders.data.readers.names import MOSTLY, are_names, is_value, most_fields
from autoencoders.data.readers.splitting import n_lines_of_rows, split_rows

DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
# of files that none of these splits: taken where names and rows have the same number of fields
RARE_DELIMITERS = {":": "colons", "~": "tildes", "^": "carets", "!": "exclamation marks"}
NO_DELIMITER = "\x1f"  # of a file of one column: a character that no text holds
DELIMITER_NAMES = {**DELIMITERS, **RARE_DELIMITERS}
MOST_TITLE_LINES = 50  # above the names


def delimiter_of(lines: Sequence[str], quote: str) -> str:
    """The delimiter that gives every row the same number of fields, of values that look whole.

    NO_DELIMITER where each row is one field.
    """
    best = 0.0
    chosen = NO_DELIMITER
    for delimiter in DELIMITERS:
        rows = split_rows(lines, delimiter, quote)
        score = _score(rows) if rows else 0.0
        if score > best:
            best = score
            chosen = delimiter
    if chosen == NO_DELIMITER:
        return _fitting_names(lines, quote)
    return chosen


def _fitting_names(lines: Sequence[str], quote: str) -> str:
    """The delimiter that gives the names as many fields as rows, where no delimiter is plain."""
    for delimiter in (",", ";", "\t", "|"):
        rows = split_rows(lines, delimiter, quote)
        n_split = sum(len(row) > 1 for row in rows[1:])
        if len(rows[0]) > 1 and 2 * n_split >= len(rows):
            return delimiter  # some rows are ragged, and are refused by their number
    texts = [line for line in lines if line.strip()]
    if sum(map(is_value, texts)) >= MOSTLY * (len(texts) - 1):
        return NO_DELIMITER  # such as times of day
    for delimiter in RARE_DELIMITERS:
        if _fits_names(split_rows(lines, delimiter, quote)):
            return delimiter
    return NO_DELIMITER


def _score(rows: list[list[str]]) -> float:
    """How well a delimiter splits rows: 0 where not, 1 where every field looks whole."""
    below = rows[1:] or rows
    n_fields = most_fields(below)
    share = sum(len(row) == n_fields for row in below) / len(below)
    is_within_values = len(rows[0]) == 1 < n_fields  # such as a comma below the only name
    if n_fields < 2 or share < MOSTLY or is_within_values:
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


def _fits_names(rows: list[list[str]]) -> bool:
    """Whether the first row has as many fields as nearly all rows below it."""
    below = rows[1:]
    n_fields = most_fields(below)
    if n_fields < 2 or len(rows[0]) != n_fields:
        return False
    return sum(len(row) == n_fields for row in below) >= MOSTLY * len(below)


def check_title(path: Path, lines: Sequence[str], quote: str, first_line: int) -> None:
    """Raises DataError where the names stand below lines that are no part of the table.

    first_line: number of the first of the lines.
    """
    for delimiter in DELIMITERS:
        rows = split_rows(lines, delimiter, quote)
        n_fields = most_fields(rows)
        if n_fields < 2:
            continue
        first = next(i for i, row in enumerate(rows) if len(row) == n_fields)
        below = rows[first + 1 :]
        if not 0 < first <= MOST_TITLE_LINES or not below:
            continue
        n_alike = sum(len(row) == n_fields for row in below)
        n_split = sum(len(row) > 1 for row in below)  # of footnotes, some are one field
        is_table = n_alike >= MOSTLY * n_split and 2 * n_alike > len(below)
        are_several_lines = first > 1 and delimiter != " "
        if is_table and (are_several_lines or are_names(rows[first], below)):
            line = first_line - 1 + n_lines_of_rows(lines, delimiter, quote, first + 1)
            names = [name for name in rows[first] if name]
            raise DataError(
                f"{path}: lines stand above the columns' names ({abridged(names)}), which "
                f"are no part of the table: {abridged(_texts(lines, first))}; the table begins in "
                f"line {line}: remove those above it, or write # in front of each; or quote values "
                "that hold a delimiter"
            )


def _texts(lines: Sequence[str], n: int) -> list[str]:
    """The first n lines that hold text."""
    texts = [line.strip() for line in lines if line.strip()]
    return texts[:n]
