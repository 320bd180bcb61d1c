"""Texts of digits that a number would not keep as they look: codes such as 007, 1.500 for 1500.

Versions are such texts, too: 2.10 follows 2.9, and is not 2.1.
"""

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from autoencoders.data.prepared.spelling import ColumnValues
from autoencoders.data.readers.encoding import BLOCK_BYTES, open_bytes

# zeros before a whole number, more digits than 64 bits keep, or a number of base 16
CODE = r"^\s*(0\d+|[-+]?\d{16,}|0[xX][0-9a-fA-F]+)\s*$"
THOUSANDS = r"^[-+]?[1-9]\d{0,2}\.\d{3}$"
VERSION = r"^(\d{1,4})(?:\.(0|[1-9]\d{0,2}))?$"  # counts never begin with 0 behind a point
IS_VERSION = re.compile(VERSION)
FIRST_DOUBTFUL = 10  # a count that may as well be a decimal place with a zero behind it
MANY_DIGITS = 16
OVERLAP = MANY_DIGITS + 4  # bytes that two blocks share: a code and what stands around it
LAST_SIGN, MINUS, ZERO, NINE = b",-09"


class VersionSigns:
    """The counts behind the points of a column's numbers, as long as all may be versions."""

    def __init__(self) -> None:
        """Starts without a number."""
        self.may_be = True
        self.counts: dict[str, set[int]] = defaultdict(set)  # by the number before the point

    def add(self, text: str) -> None:
        """Adds a number."""
        if not self.may_be:
            return
        match = IS_VERSION.match(text.strip())
        if match is None:
            self.may_be = False
            self.counts.clear()
        elif match[2]:
            self.counts[match[1]].add(int(match[2]))

    def same_number(self) -> str:
        """Two texts that are one number but two versions, such as 2.1 and 2.10; else nothing."""
        for whole, counts in self.counts.items():
            for count in sorted(_with_zero(counts)):
                return f"{whole}.{count} and {whole}.{10 * count}"
        return ""

    def are_versions(self) -> bool:
        """Whether counts run beyond 10, as those of versions do, where 2.1 and 2.10 both stand.

        Of prices such as 2.5 and 2.50, few of the counts up to the largest stand in a file, or
        some begin with 0, as 2.05 does.
        """
        doubtful = [counts for counts in self.counts.values() if _with_zero(counts)]
        if not doubtful:
            return False
        largest = max(doubtful, key=max)
        n_possible = max(largest) - min(largest) + 1
        return max(largest) > FIRST_DOUBTFUL and 2 * len(largest) > n_possible


def _with_zero(counts: set[int]) -> set[int]:
    """The counts that stand with a zero behind them, too, such as 1 beside 10."""
    return {count for count in counts if count and 10 * count in counts}


def holds_code(texts: ColumnValues) -> bool:
    """Whether one of the texts is a code."""
    return bool(pc.any(pc.match_substring_regex(texts, CODE)).as_py())


def holds_versions(texts: ColumnValues) -> bool:
    """Whether two of the texts may be different versions, which are the same number."""
    texts = pc.utf8_trim_whitespace(texts)
    has_zero_at_end = pc.match_substring_regex(texts, r"\.[1-9]\d?0$")
    if not pc.any(has_zero_at_end).as_py():
        return False
    has_text = pc.not_equal(texts, pa.scalar(""))
    texts = texts.filter(has_text)
    if not pc.all(pc.match_substring_regex(texts, VERSION)).as_py():
        return False
    signs = VersionSigns()
    for text in pc.unique(texts).to_pylist():
        signs.add(str(text))
    return bool(signs.same_number())


def holds_thousands(texts: ColumnValues) -> bool:
    """Whether points may separate thousands: three digits behind each, and whole numbers beside."""
    texts = pc.utf8_trim_whitespace(texts)
    has_points = texts.filter(pc.match_substring(texts, "."))
    n_points = len(has_points)
    n_thousands = len(has_points.filter(pc.match_substring_regex(has_points, THOUSANDS)))
    has_whole = pc.any(pc.match_substring_regex(texts, r"^[-+]?\d+$")).as_py()
    return bool(0 < n_points == n_thousands and has_whole)


def may_hold_codes(path: Path, encoding: str, delimiter: str) -> bool:
    """Whether a field of a file may be digits that begin with 0, or begin with very many digits.

    True where an encoding has several bytes a digit.
    """
    if encoding.startswith(("utf-16", "utf-32")) or len(delimiter.encode()) > 1:
        return True
    for block in _overlapping_blocks(path):
        if _has_zeros(block, ord(delimiter)) or _has_many_digits(block, ord(delimiter)):
            return True
    return False


def _overlapping_blocks(path: Path) -> Iterator[np.ndarray]:
    """Yields the bytes of a file in blocks, each with the last ones of the block before.

    A line's end stands before the first byte, and behind the last.
    """
    last = b"\n"
    with open_bytes(path) as stream:
        while block := stream.read(BLOCK_BYTES):
            overlapping = last + block
            yield np.frombuffer(overlapping, np.uint8)
            last = overlapping[-OVERLAP:]
    yield np.frombuffer(last + b"\n", np.uint8)


def _has_zeros(block: np.ndarray, delimiter: int) -> bool:
    """Whether digits that fill a field begin with 0, unlike those of 05/06/2020 and 09:30.

    What may stand around a field (ends of lines, quotes, blanks, the comma) is no byte above it.
    """
    before = block[:-2]
    is_start = before <= LAST_SIGN
    if delimiter > LAST_SIGN:
        is_start |= before == delimiter
    is_start &= block[1:-1] == ZERO
    places = np.flatnonzero(is_start) + 2
    places = places[_are_digits(block[places])]
    for _ in range(MANY_DIGITS):
        places = places[places < len(block) - 1] + 1
        bytes_behind = block[places]
        are_digits = _are_digits(bytes_behind)
        ends = bytes_behind[~are_digits]
        if ((ends <= LAST_SIGN) | (ends == delimiter)).any():
            return True
        places = places[are_digits]
    return False


def _are_digits(values: np.ndarray) -> np.ndarray:
    """Whether bytes are digits."""
    return np.asarray((values >= ZERO) & (values <= NINE))


def _has_many_digits(block: np.ndarray, delimiter: int) -> bool:
    """Whether a field begins with more digits than 64 bits keep, with or without a sign."""
    runs = _are_digits(block)
    for length in (1, 2, 4, 8):  # whether 2, 4, 8 and 16 digits begin at a byte
        runs = runs[:-length] & runs[length:]
    before = block[: max(0, len(runs) - 1)]
    is_start = (before <= MINUS) | (before == delimiter)
    return bool((runs[1:] & is_start).any())
