"""The dialect of a delimited text file: its encoding, comments, delimiter and columns' names.

The delimiter is the one that gives every row the same number of fields, as van den Burg, Nazábal &
Sutton 2019 (clevercsv) choose it; rows and quotes are split by Python's csv module.
"""

import codecs
import csv
import gzip
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import abridged

if TYPE_CHECKING:
    from _csv import Reader

SAMPLE_BYTES = 2**20  # from which delimiter and names are decided
BLOCK_BYTES = 2**24  # read at once where the whole file is looked at
MOST_ROWS = 2000  # of the sample that every delimiter is tried on
DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
NO_DELIMITER = "\x1f"  # of a file of one column: a character that no text holds
SEVERAL = 5  # rows
MOSTLY = 0.9  # share of the rows that have to agree on the number of fields
MISSING_MARKERS = frozenset(("", "?", "-", "NA", "N/A", "n/a", "na", "NaN", "nan", "null", "NULL"))
BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?', re.IGNORECASE)  # of spreadsheets
# a number in any usual spelling: sign, currency, digits with groups, exponent, percent or unit
NUMBER = re.compile(
    r"[(]?[-+−]?\s*[$€£¥]?\s*[-+−]?"
    r"(\d[\d.,'\u00a0\u202f]*|[.,]\d+)([eE][-+−]?\d+)?"
    r"\s*([%‰$€£¥]|[^\W\d]{1,3})?[)]?"
)
COMMA = re.compile(r"\d,\d|^[-+]?,\d")
# a date or a time: three groups of digits, or of a month's name among them
DATE = re.compile(r"\d{1,4}[-/.: ](\d{1,2}|[A-Za-z]{3,9})[-/.: ]\d{1,4}([T ].*)?|\d{1,2}:\d{2}.*")


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


def read_dialect(path: Path, *, encoding: str = "auto", header: str = "auto") -> Dialect:
    """The dialect of a file.

    encoding: Python's name, or auto: UTF-8, UTF-16 with its mark, else cp1252. header: first (the
    first line holds the names), none, or auto. Raises DataError where the file holds no rows, or
    where its first line may be names as well as values.
    """
    notes: list[str] = []
    if encoding == "auto":
        encoding = file_encoding(path)
        if encoding in ("utf-16", "cp1252"):
            notes.append(f"read as {encoding}, as the file is not UTF-8")
    lines = _sample_lines(path, encoding)
    preamble = _preamble(lines)
    body = lines[preamble.n_lines :]
    if not any(line.strip() for line in body):
        raise DataError(f"{path}: holds no rows")
    delimiter = preamble.delimiter or _delimiter(body)
    if delimiter not in (",", NO_DELIMITER):
        notes.append(f"read with {DELIMITERS.get(delimiter, repr(delimiter))} between fields")
    rows = _rows(body, delimiter)
    heading = _heading(path, rows, header, preamble.comment, delimiter)
    if preamble.n_comments and not heading.is_comment:
        notes.append(f"left out, as comments: lines before the names ({preamble.n_comments})")
    names, unnamed, name_notes = _cleaned_names(path, heading.names, rows)
    n_skipped = preamble.n_lines
    if heading.in_first_row:
        n_skipped += _n_lines_of_first_row(body, delimiter)
    return Dialect(
        encoding=encoding,
        delimiter=delimiter,
        skipped_lines=n_skipped,
        names=names,
        unnamed=unnamed,
        has_names=heading.in_first_row or heading.is_comment,
        has_commas=any(COMMA.search(value) for row in rows[1:] for value in row),
        notes=notes + name_notes,
    )


def first_fields(path: Path, encoding: str) -> list[str]:
    """The fields of the first line that is no comment. Raises DataError."""
    if encoding == "auto":
        encoding = file_encoding(path)
    lines = _sample_lines(path, encoding)
    preamble = _preamble(lines)
    body = lines[preamble.n_lines :]
    rows = _rows(body, preamble.delimiter or _delimiter(body) or ",")
    return rows[0] if rows else []


def open_bytes(path: Path) -> IO[bytes]:
    """The bytes of a file, which may be compressed with gzip."""
    if path.suffix.lower() == ".gz":
        return cast("IO[bytes]", gzip.open(path, "rb"))
    return path.open("rb")


def file_encoding(path: Path) -> str:
    """The encoding of a whole file: utf-8, utf-8-sig, utf-16, or cp1252.

    Raises DataError where it is none of these.
    """
    with open_bytes(path) as stream:
        start = stream.read(4)
        for mark, encoding in BYTE_ORDER_MARKS:
            if start.startswith(mark):
                return encoding
        stream.seek(0)
        if _is_utf8(path, stream):
            return "utf-8"
        stream.seek(0)
        if _decodes(stream, "cp1252"):
            return "cp1252"
    raise DataError(
        f"{path}: is neither UTF-8, UTF-16 nor cp1252 text; save it as UTF-8, or name its encoding "
        "in data.encoding"
    )


def _is_utf8(path: Path, stream: IO[bytes]) -> bool:
    """Whether all that a stream holds is UTF-8.

    Raises DataError where a byte is 0: no text holds one, but UTF-16 without its mark does.
    """
    decoder = codecs.getincrementaldecoder("utf-8")()
    is_utf8 = True
    n = 0
    while block := stream.read(BLOCK_BYTES):
        if b"\0" in block:
            raise DataError(
                f"{path}: byte {n + block.index(0) + 1} is 0, so that this is no text in UTF-8 or "
                "cp1252; save it as UTF-8, or name its encoding in data.encoding"
            )
        if is_utf8:
            is_utf8 = _can_decode(decoder, block)
        n += len(block)
    return is_utf8 and _can_decode(decoder, b"", final=True)


def _can_decode(decoder: codecs.IncrementalDecoder, block: bytes, *, final: bool = False) -> bool:
    """Whether a decoder takes the next bytes."""
    try:
        decoder.decode(block, final)
    except UnicodeDecodeError:
        return False
    return True


def _decodes(stream: IO[bytes], encoding: str) -> bool:
    """Whether all that a stream holds is text of this encoding."""
    decoder = codecs.getincrementaldecoder(encoding)()
    while block := stream.read(BLOCK_BYTES):
        if not _can_decode(decoder, block):
            return False
    return _can_decode(decoder, b"", final=True)


def _sample_lines(path: Path, encoding: str) -> list[str]:
    """The first lines of a file, whole ones, without their ends."""
    with open_bytes(path) as stream:
        block = stream.read(SAMPLE_BYTES)
        is_whole = not stream.read(1)
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(block, final=is_whole)
    except (UnicodeDecodeError, LookupError) as error:
        raise DataError(f"{path}: can't be read as {encoding} ({error})") from None
    lines = re.split(r"\r\n|\n|\r", text)
    if not is_whole and len(lines) > 1:
        lines.pop()  # it may go on
    return lines


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
    lengths = Counter(map(len, rows[1:] or rows))
    n_fields, n_agreeing = lengths.most_common(1)[0]
    share = n_agreeing / lengths.total()
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
    if value in MISSING_MARKERS or NUMBER.fullmatch(value) or DATE.fullmatch(value):
        return True
    return not any(delimiter in value for delimiter in ",;\t|")


@dataclass(frozen=True)
class _Heading:
    """The names of the fields, and where they stand."""

    names: list[str]
    in_first_row: bool
    is_comment: bool = False


def _heading(
    path: Path, rows: list[list[str]], header: str, comment: str, delimiter: str
) -> _Heading:
    """The names of the fields: in the first row, in the comment above it, or numbers.

    Raises DataError where the first row may be names as well as values.
    """
    first, *rest = rows
    width = Counter(map(len, rest or rows)).most_common(1)[0][0]
    if header == "none":
        return _Heading([f"x{i}" for i in range(width)], in_first_row=False)
    if header == "auto" and not _are_names(first, rest):
        commented = _rows([comment[1:]], delimiter)
        if commented and len(commented[0]) == width and _are_names(commented[0], rows):
            return _Heading(commented[0], in_first_row=False, is_comment=True)
        if _are_values(first, rest):
            raise DataError(
                f"{path}: its first line looks like a row ({abridged(first)}), and no line holds "
                "the columns' names; write them above it, or set data.header: none where there are "
                "none, data.header: first where these are the names"
            )
    if 2 <= len(first) == width - 1 and delimiter in " \t":
        first = ["", *first]  # R's tables lack a name above the row names
    return _Heading(first, in_first_row=True)


def _are_names(first: list[str], rest: list[list[str]]) -> bool:
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
    offset = _width(rest) - len(first)
    for position, name in enumerate(first):
        is_text = name not in MISSING_MARKERS and not _is_value(name)
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
        if _is_value(value) and _are_all_values(column):
            return True
        if value not in MISSING_MARKERS and value in column:
            return True
    return False


def _width(rows: list[list[str]]) -> int:
    """The number of fields that most rows have; 0 of no rows."""
    lengths = Counter(map(len, rows))
    return lengths.most_common(1)[0][0] if lengths else 0


def _column(rows: list[list[str]], position: int) -> list[str]:
    """The values of one field that are not missing."""
    values = [row[position] for row in rows if position < len(row)]
    return [value for value in values if value not in MISSING_MARKERS]


def _is_value(text: str) -> bool:
    """Whether text is a number in a usual spelling, or a date."""
    return bool(NUMBER.fullmatch(text) or DATE.fullmatch(text))


def _are_all_values(column: list[str]) -> bool:
    """Whether a column has values, and nearly all of them are numbers or dates."""
    n_values = sum(map(_is_value, column))
    return n_values > 0 and n_values >= MOSTLY * len(column)


def _cleaned_names(
    path: Path, names: list[str], rows: list[list[str]]
) -> tuple[tuple[str, ...], tuple[int, ...], list[str]]:
    """One name for each field, the positions of the empty fields at the end, and notes.

    Raises DataError where rows hold more values than there are names.
    """
    width = max(_width(rows[1:]), len(names))
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
