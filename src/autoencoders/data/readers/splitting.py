"""Lines of delimited text split into rows of fields, by Python's csv module."""

import csv
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


def n_lines_of_first_row(lines: Sequence[str], delimiter: str, quote: str) -> int:
    """Lines up to the end of the first row: a quoted name may hold a line's end."""
    reader = _csv_reader(lines, delimiter, quote)
    next(row for row in reader if row)
    return reader.line_num


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
