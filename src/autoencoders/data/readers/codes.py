"""Texts of digits that a number would not keep as they look: codes such as 007, 1.500 for 1500."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.prepared.spelling import ColumnValues
from autoencoders.data.readers.encoding import BLOCK_BYTES, open_bytes

# zeros before a whole number, more digits than 64 bits keep, or a number of base 16
CODE = r"^\s*(0\d+|\d{16,}|0[xX][0-9a-fA-F]+)\s*$"
THOUSANDS = r"^[-+]?[1-9]\d{0,2}\.\d{3}$"
LAST_START, ZERO, NINE = b",09"


def holds_code(texts: ColumnValues) -> bool:
    """Whether one of the texts is a code."""
    return bool(pc.any(pc.match_substring_regex(texts, CODE)).as_py())


def holds_thousands(texts: ColumnValues) -> bool:
    """Whether points may separate thousands: three digits behind each, and whole numbers beside."""
    texts = pc.utf8_trim_whitespace(texts)
    has_points = texts.filter(pc.match_substring(texts, "."))
    n_points = len(has_points)
    n_thousands = len(has_points.filter(pc.match_substring_regex(has_points, THOUSANDS)))
    has_whole = pc.any(pc.match_substring_regex(texts, r"^[-+]?\d+$")).as_py()
    return bool(0 < n_points == n_thousands and has_whole)


def may_hold_zeros(path: Path, encoding: str, delimiter: str) -> bool:
    """Whether a field of a file may begin with 0 and another digit.

    True where an encoding has several bytes a digit.
    """
    if encoding.startswith(("utf-16", "utf-32")) or len(delimiter.encode()) > 1:
        return True
    return any(_has_zeros(block, ord(delimiter)) for block in _overlapping_blocks(path))


def _overlapping_blocks(path: Path) -> Iterator[np.ndarray]:
    """Yields the bytes of a file in blocks, each with the last two of the one before."""
    last = b"\n"
    with open_bytes(path) as stream:
        while block := stream.read(BLOCK_BYTES):
            overlapping = last + block
            yield np.frombuffer(overlapping, np.uint8)
            last = overlapping[-2:]


def _has_zeros(block: np.ndarray, delimiter: int) -> bool:
    """Whether a field begins with 0 and another digit.

    What may stand before a field (ends of lines, quotes, blanks, the comma) is no byte above it.
    """
    before = block[:-2]
    is_start = before <= LAST_START
    if delimiter > LAST_START:
        is_start |= before == delimiter
    is_start &= block[1:-1] == ZERO
    follows = block[np.flatnonzero(is_start) + 2]
    return bool(((follows >= ZERO) & (follows <= NINE)).any())


def whole_numbers(schema: pa.Schema) -> list[str]:
    """The columns that Arrow takes for whole numbers, or for numbers of many digits."""
    return [
        field.name
        for field in schema
        if pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
    ]
