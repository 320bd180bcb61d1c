"""The spelling of a column's numbers: decimal sign, groups of digits, and the text beside them.

A spelling is decided once, from all rows of a file, and kept with the model: rows to score are read
as the training rows were.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

# one column's values, whose type Arrow knows only at run time
ColumnValues: TypeAlias = "pa.Array[Any]"

TEXT_MARKERS = ("",)  # texts that stand for a missing text: a region may be called NA
NUMBER_MARKERS = (  # texts that stand for a missing number: those of pandas, and usual ones
    *("", "?", "-", "--", ".", "NA", "N/A", "n/a", "na", "<NA>", "#N/A", "#NA", "#N/A N/A"),
    *("NaN", "nan", "-NaN", "-nan", "null", "NULL", "Null", "None", "none"),
    *("1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN"),
)
EARLIER_TEXT_MARKERS = (  # of models without markers of their own: those of Arrow's CSV reader
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN"),
    *("N/A", "NA", "NULL", "NaN", "n/a", "nan", "null"),
)
BLANKS = " \u00a0\u202f\u2009"  # that separate groups of digits: no-break, narrow and thin ones
APOSTROPHES = "'’"
MINUS = "−–"  # signs that stand for a minus: U+2212 and the dash
GROUP_NAMES = {",": "commas", ".": "points", "'": "apostrophes", " ": "blanks"}
# of a number in the plain spelling
PLAIN = r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$"
NOT_FINITE = r"(?i)^[-+]?(inf|infinity)$"
NOT_SPELLED = "not a number"  # in place of a text that has another spelling


@dataclass(frozen=True)
class Spelling:
    """How the numbers of a column are written."""

    decimal: str = "."  # or ","
    groups: str = ""  # between groups of three digits: one of , . ' or a blank
    unit: str = ""  # text beside each number: a percent sign, a currency, a unit
    logical: bool = False  # whether true stands for 1, and false for 0

    def __str__(self) -> str:
        """The spelling in words, for messages and notes."""
        parts = []
        if self.logical:
            parts.append("with true for 1 and false for 0")
        if self.decimal == ",":
            parts.append("with a decimal comma")
        if self.groups:
            parts.append(f"with {GROUP_NAMES[self.groups]} between thousands")
        if self.unit:
            parts.append(f"with {self.unit} beside each")
        return ", ".join(parts) or "written plainly"


PLAIN_SPELLING = Spelling()
LOGICAL_SPELLING = Spelling(logical=True)


def is_marker(texts: ColumnValues, markers: Sequence[str]) -> ColumnValues:
    """Whether each text is one of the markers (rows,); false of null."""
    return pc.is_in(texts, pa.array(markers, pa.string()))


def marker_numbers(markers: Sequence[str]) -> tuple[float, ...]:
    """The numbers among the markers, such as -999: in a column of numbers they are no texts."""
    texts = [marker for marker in markers if re.match(PLAIN, marker)]
    return tuple(float(text) for text in texts)


def numbers_of(
    texts: ColumnValues, spelling: Spelling, markers: Sequence[str]
) -> tuple[ColumnValues, np.ndarray]:
    """The numbers (float64) that texts spell, and a mask (rows,) of texts that spell none.

    A text that is missing, or one of the markers, is null in the numbers, and not in the mask.
    """
    texts = pc.utf8_trim_whitespace(pc.cast(texts, pa.string()))
    texts = pc.if_else(is_marker(texts, markers), pa.scalar(None, pa.string()), texts)
    plain = _plain(texts, spelling)
    is_number = pc.or_(
        pc.match_substring_regex(plain, PLAIN), pc.match_substring_regex(plain, NOT_FINITE)
    )
    is_other = pc.invert(is_number).fill_null(False).to_numpy(zero_copy_only=False)
    plain = pc.if_else(is_number, plain, pa.scalar(None, pa.string()))
    numbers = pc.cast(pc.replace_substring_regex(plain, r"^\+", ""), pa.float64())
    return numbers, is_other


def _plain(texts: ColumnValues, spelling: Spelling) -> ColumnValues:
    """The texts in the plain spelling; those in another one are no plain numbers after it."""
    texts = pc.replace_substring_regex(texts, f"[{MINUS}]", "-")
    texts = pc.replace_substring_regex(texts, r"^\(\s*(.*?)\s*\)$", r"-\1")  # of accountants
    texts = pc.replace_substring_regex(texts, r"^([^-+]*)-$", r"-\1")  # behind the number
    texts = pc.utf8_trim_whitespace(pc.replace_substring_regex(texts, r"^([-+])\s+", r"\1"))
    if spelling == PLAIN_SPELLING:
        return texts
    if spelling.logical:
        texts = pc.replace_substring_regex(texts, "(?i)^true$", "1")
        return pc.replace_substring_regex(texts, "(?i)^false$", "0")
    if spelling.unit:
        texts = _without_unit(texts, spelling.unit)
    if spelling.groups:
        texts = _without_groups(texts, spelling)
    if spelling.decimal == ",":
        texts = pc.replace_substring(texts, ".", NOT_SPELLED)  # a point is no part of such a number
        texts = pc.replace_substring(texts, ",", ".", max_replacements=1)
    return texts


def _without_unit(texts: ColumnValues, unit: str) -> ColumnValues:
    """The texts without the unit behind or before them; one without it spells no number."""
    escaped = re.escape(unit)
    is_behind = pc.ends_with(texts, pattern=unit)
    behind = pc.replace_substring_regex(texts, rf"\s*{escaped}$", "")
    before = pc.replace_substring_regex(texts, rf"^([-+]?)\s*{escaped}\s*([-+]?)", r"\1\2")
    has_unit = pc.or_(is_behind, pc.not_equal(before, texts))
    return pc.if_else(has_unit, pc.if_else(is_behind, behind, before), pa.scalar(NOT_SPELLED))


def _without_groups(texts: ColumnValues, spelling: Spelling) -> ColumnValues:
    """The texts without signs between groups of three digits; other groups spell no number."""
    variants = {" ": f"[{BLANKS}]", "'": f"[{APOSTROPHES}]"}
    separator = variants.get(spelling.groups, re.escape(spelling.groups))
    decimal = re.escape(spelling.decimal)
    grouped = rf"^[-+]?\d{{1,3}}({separator}\d{{3}})+({decimal}\d*)?$"
    ungrouped = pc.replace_substring_regex(texts, separator, "")
    has_separator = pc.match_substring_regex(texts, separator)
    others = pc.if_else(has_separator, pa.scalar(NOT_SPELLED), texts)
    return pc.if_else(pc.match_substring_regex(texts, grouped), ungrouped, others)
