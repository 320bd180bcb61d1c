"""Lines of delimited text split into rows of fields, by Python's csv module."""

import csv
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from autoencoders.core.errors import DataError

if TYPE_CHECKING:
    from _csv import Reader

MOST_ROWS = 2000  # of the sample that every delimiter is tried on


def split_rows(lines: Iterable[str], delimiter: str, quote: str) -> list[list[str]]:
    """The fields of the first MOST_ROWS rows; empty lines are none."""
    rows = []
    with suppress(csv.Error):  # a quote that is never closed: the rows before it suffice
        for row in _csv_reader(lines, delimiter, quote):
            if row:
                rows.append([value.strip() for value in row])
            if len(rows) == MOST_ROWS:
                break
    return rows


def blank_lines_note(lines: Iterable[str], delimiter: str, quote: str) -> str:
    """The note on lines without text between the first MOST_ROWS rows; nothing without such."""
    n_rows = 0
    n_blank = 0
    n_behind = 0  # lines without text behind the last row
    with suppress(csv.Error):
        for row in _csv_reader(lines, delimiter, quote):
            if row:
                n_rows += 1
                n_blank += n_behind
                n_behind = 0
            else:
                n_behind += 1
            if n_rows == MOST_ROWS:
                break
    if not n_blank:
        return ""
    where = f" among the first {MOST_ROWS} rows" if n_rows == MOST_ROWS else ""
    return f"left out, as lines without text{where}: {n_blank}"


def _csv_reader(
    lines: Iterable[str],
    delimiter: str,
    quote: str,
    *,
    skips_blanks: bool = True,
    strict: bool = False,
) -> "Reader":
    texts = (f"{line.strip() if delimiter == ' ' else line}\n" for line in lines)
    return csv.reader(
        texts,
        delimiter=delimiter,
        quotechar=quote,
        skipinitialspace=skips_blanks,
        strict=strict,
    )


def n_lines_of_rows(lines: Sequence[str], delimiter: str, quote: str, n_rows: int = 1) -> int:
    """Lines up to the end of the first rows: a quoted name may hold a line's end."""
    reader = _csv_reader(lines, delimiter, quote)
    rows = (row for row in reader if row)
    for _ in range(n_rows):
        next(rows)
    return reader.line_num


def has_row_names(lines: Sequence[str], delimiter: str, quote: str) -> bool:
    """Whether rows may begin with a name that has none above it, as R writes them.

    Between commas, a person may have forgotten another name; but none but R quotes the numbers of
    rows while others stand without quotes.
    """
    if delimiter in " \t":
        return True
    row_number = re.compile(f"{quote}[0-9]+{quote}{re.escape(delimiter)}")
    number = re.compile(f"{re.escape(delimiter)}[-.]?[0-9]")
    texts = [line for line in lines[1:MOST_ROWS] if line.strip()]
    are_numbered = all(row_number.match(line) for line in texts)
    return bool(texts) and are_numbered and any(number.search(line) for line in texts)


def quote_of(lines: Sequence[str]) -> str:
    """The quote around values: a single one where it stands around the first line, else double."""
    first = next(line.strip() for line in lines if line.strip())
    is_single = len(first) > 1 and first[0] == first[-1] == "'" and '"' not in first
    return "'" if is_single else '"'


def check_quotes(
    path: Path, lines: Sequence[str], delimiter: str, quote: str, first_line: int
) -> None:
    """Raises DataError where a quote follows a blank, or is not closed in its line.

    Arrow would take the one for a part of the value, and all lines up to the next quote for one
    value of the other. first_line: number of the first of the lines.
    """
    if not any(quote in line for line in lines):
        return
    reader = _csv_reader(lines, delimiter, quote, skips_blanks=delimiter == " ")
    with suppress(csv.Error):
        for row in reader:
            for value in row:
                if value.startswith(" ") and value.lstrip().startswith(quote):
                    raise DataError(
                        f"{path}: line {first_line + reader.line_num - 1} has a blank before a "
                        f"quote ({value.strip()}); write no blank between delimiter and quote"
                    )
            if reader.line_num > MOST_ROWS:
                break
    _check_closed(path, lines, delimiter, quote, first_line)


def _check_closed(
    path: Path, lines: Sequence[str], delimiter: str, quote: str, first_line: int
) -> None:
    """Raises DataError where text stands behind a closing quote in another line."""
    reader = _csv_reader(lines, delimiter, quote, strict=True)
    start = 0
    try:
        for _ in reader:
            start = reader.line_num
            if start > MOST_ROWS:
                return
    except csv.Error:
        if start + 1 < reader.line_num < len(lines):
            raise DataError(
                f"{path}: a quote opens in line {first_line + start}, and text stands behind the "
                f"one that closes it, in line {first_line + reader.line_num - 1}; close each quote "
                "at the end of its value, and double those within"
            ) from None
