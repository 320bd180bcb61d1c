"""The spelling of a column's numbers: decimal sign, groups of digits, and what stands beside them.

A spelling is decided once, from all rows of a file, and kept with the model: rows to score are read
as the training rows were.
"""

import re
from dataclasses import dataclass
from typing import Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

BLANKS = " \u00a0\u202f\u2009"  # that separate groups of digits: no-break, narrow and thin ones
ColumnValues: TypeAlias = "pa.Array[Any]"
MINUS = "−–"  # signs that stand for a minus: U+2212 and the dash
# of a number in the plain spelling
PLAIN = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
NOT_FINITE = r"(?i)^[-+]?(nan|inf|infinity)$"


@dataclass(frozen=True)
class Spelling:
    """How the numbers of a column are written."""

    decimal: str = "."  # or ","
    groups: str = ""  # between groups of three digits: one of , . ' or a blank
    unit: str = ""  # text beside each number: a percent sign, a currency, a unit

    @property
    def is_plain(self) -> bool:
        """Whether numbers are written as programs write them."""
        return self == PLAIN_SPELLING

    def __str__(self) -> str:
        """The spelling in words, for notes."""
        parts = []
        if self.decimal == ",":
            parts.append("a decimal comma")
        if self.groups:
            parts.append(f"groups of digits separated by {GROUP_NAMES[self.groups]}")
        if self.unit:
            parts.append(f"{self.unit} beside each number")
        return " and ".join(parts) or "plain numbers"


PLAIN_SPELLING = Spelling()
GROUP_NAMES = {",": "commas", ".": "points", "'": "apostrophes", " ": "blanks"}


def numbers(texts: ColumnValues, spelling: Spelling = PLAIN_SPELLING) -> ColumnValues:
    """The numbers (float64) that texts spell; null where a text is null or no such number."""
    texts = pc.utf8_trim_whitespace(texts)
    try:
        return pc.cast(texts, pa.float64())  # nearly always all of them are plain
    except pa.ArrowInvalid:
        plain = _plain(texts, spelling)
    is_number = pc.or_(
        pc.match_substring_regex(plain, PLAIN), pc.match_substring_regex(plain, NOT_FINITE)
    )
    plain = pc.if_else(is_number, plain, pa.scalar(None, pa.string()))
    return pc.cast(pc.replace_substring_regex(plain, r"^\+", ""), pa.float64())


def _plain(texts: ColumnValues, spelling: Spelling) -> ColumnValues:
    """The texts in the plain spelling; those in another one are no plain numbers after it."""
    texts = pc.replace_substring_regex(texts, f"[{MINUS}]", "-")
    texts = pc.replace_substring_regex(texts, r"^\((.*)\)$", r"-\1")  # of accountants
    if spelling.unit:
        texts = _without_unit(texts, spelling.unit)
    if spelling.groups:
        texts = _without_groups(texts, spelling)
    if spelling.decimal == ",":
        # a point is no part of such a number
        texts = pc.replace_substring_regex(texts, r"\.", "x")
        texts = pc.replace_substring(texts, ",", ".", max_replacements=1)
    return texts


def _without_unit(texts: ColumnValues, unit: str) -> ColumnValues:
    """The texts without the unit behind or before them; one without it is no number."""
    escaped = re.escape(unit)
    is_behind = pc.ends_with(texts, pattern=unit)
    behind = pc.replace_substring_regex(texts, rf"\s*{escaped}$", "")
    before = pc.replace_substring_regex(texts, rf"^([-+]?)\s*{escaped}\s*([-+]?)", r"\1\2")
    has_unit = pc.or_(is_behind, pc.not_equal(before, texts))
    return pc.if_else(has_unit, pc.if_else(is_behind, behind, before), pa.scalar("no unit"))


def _without_groups(texts: ColumnValues, spelling: Spelling) -> ColumnValues:
    """The texts without what separates groups of three digits; other groups are no number."""
    blank = spelling.groups == " "
    separator = f"[{BLANKS}]" if blank else re.escape(spelling.groups)
    decimal = re.escape(spelling.decimal)
    grouped = rf"^[-+]?\d{{1,3}}({separator}\d{{3}})+({decimal}\d*)?$"
    ungrouped = pc.replace_substring_regex(texts, separator, "")
    return pc.if_else(pc.match_substring_regex(texts, grouped), ungrouped, texts)
