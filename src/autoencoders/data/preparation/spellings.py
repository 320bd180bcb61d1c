"""The decision how a column's numbers are spelled, from every distinct text of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from autoencoders.data.prepared.spelling import BLANKS, MINUS, Spelling

SIGN = rf"[-+{MINUS}]?"
CURRENCIES = "$€£¥"
UNIT = (
    rf"[%‰°{CURRENCIES}]|°?[^\W\d_]{{1,4}}[²³]?(/[^\W\d_]{{1,4}}[²³]?)?"  # such as %, kg, km/h, °C
)
NUMBER_TEXT = re.compile(
    rf"\(?{SIGN}\s*(?P<before>[{CURRENCIES}])?\s*{SIGN}"
    rf"(?P<digits>\d[\d.,'{BLANKS}]*|[.,]\d+)(?P<exponent>[eE][-+]?\d+)?"
    rf"\s*(?P<behind>{UNIT})?\)?"
)
ORDINALS = {"st", "nd", "rd", "th"}  # behind the numbers of an order
GROUP_SIGNS = (",", ".", "'", " ")
# digits whose one comma or point may be a decimal sign as well as one of thousands
AMBIGUOUS = re.compile(r"[1-9]\d{0,2}[.,]\d{3}")


@dataclass
class SpellingEvidence:
    """The spellings that the texts of a column show."""

    units: dict[str, str] = field(default_factory=dict)  # each with the first text that has it
    decimals: dict[str, str] = field(default_factory=dict)  # certain decimal signs
    groups: dict[str, str] = field(default_factory=dict)  # certain separators of thousands
    ambiguous: dict[str, str] = field(default_factory=dict)  # signs that may be either
    longest_whole: int = 0  # digits of the longest text that has none of these signs

    def add(self, texts: Iterable[str]) -> list[str]:
        """Adds texts; returns those that spell no number."""
        others = []
        for text in texts:
            match = NUMBER_TEXT.fullmatch(text.strip())
            if match is None or not self._add_digits(match["digits"], text):
                others.append(text)
                continue
            unit = match["before"] or match["behind"] or ""
            self.units.setdefault(unit, text)
        return others

    def are_codes(self) -> bool:
        """Whether letters behind the numbers are no units.

        Of some numbers one letter, of others none or another one; or those of ordinals: 1st, 2nd.
        """
        units = set(self.units)
        letters = units - {""}
        if letters & ORDINALS:
            return True
        are_letters = all(len(unit) == 1 and unit.isalpha() for unit in letters)
        return len(units) > 1 and bool(letters) and are_letters

    def shows_signs(self) -> bool:
        """Whether a text holds a decimal sign, groups or a unit."""
        return bool(self.decimals or self.groups or self.ambiguous or set(self.units) - {""})

    def _add_digits(self, digits: str, text: str) -> bool:
        """Adds one number's digits; returns whether they are a number."""
        digits = re.sub(f"[{BLANKS}]", " ", digits.strip(BLANKS))
        if digits.isdigit():
            self.longest_whole = max(self.longest_whole, len(digits))
            return True
        if AMBIGUOUS.fullmatch(digits):
            sign = "," if "," in digits else "."
            self.ambiguous.setdefault(sign, text)
            return True
        for decimal in (".", ","):
            if re.fullmatch(rf"\d*{re.escape(decimal)}\d*", digits):
                self.decimals.setdefault(decimal, text)
                return True
        for groups in GROUP_SIGNS:
            match = re.fullmatch(rf"\d{{1,3}}({re.escape(groups)}\d{{3}})+([.,]\d*)?", digits)
            if match and (match[2] or "")[:1] != groups:
                self.groups.setdefault(groups, text)
                if match[2]:
                    self.decimals.setdefault(match[2][0], text)
                return True
        return False


@dataclass(frozen=True)
class Disagreement:
    """The reason why a column's texts have no one spelling."""

    reason: str
    is_ambiguous: bool = False  # whether two spellings fit every text
    is_codes: bool = False  # whether the texts are no numbers after all


def spelling_of(
    evidence: SpellingEvidence, decimal: str = "auto", files_decimal: str = ""
) -> Spelling | Disagreement:
    """The one spelling of all texts, or why there is none.

    decimal: point or comma where the user says so; else auto. files_decimal: the sign that the
    file's other columns show, . or a comma; nothing where they show none.
    """
    if evidence.are_codes():
        return Disagreement("letters behind some numbers, as in codes", is_codes=True)
    if len(evidence.units) > 1:
        shown = ", ".join(repr(text) for text in list(evidence.units.values())[:3])
        return Disagreement(f"units differ: {shown}")
    (unit,) = evidence.units or ("",)
    sign = {"point": ".", "comma": ","}.get(decimal) or _decimal_sign(evidence, files_decimal)
    if isinstance(sign, Disagreement):
        return sign
    groups = set(evidence.groups)
    groups |= {other for other in evidence.ambiguous if other != sign}
    wrong = (set(evidence.decimals) - {sign}) | (groups & {sign})
    if wrong or len(groups) > 1:
        examples = [*evidence.decimals.values(), *evidence.groups.values()]
        examples += evidence.ambiguous.values()
        shown = ", ".join(repr(text) for text in dict.fromkeys(examples))
        return Disagreement(f"numbers are spelled in different ways: {shown}")
    return Spelling(decimal=sign, groups="".join(groups), unit=unit)


def _decimal_sign(evidence: SpellingEvidence, files_decimal: str) -> str | Disagreement:
    """The decimal sign that the texts themselves show, or else the file's other columns."""
    if len(evidence.decimals) == 1:
        return next(iter(evidence.decimals))
    if len(evidence.decimals) == 2:
        first, second = evidence.decimals.values()
        return Disagreement(f"decimal points and commas: {first!r}, {second!r}")
    if evidence.groups:
        return "," if "." in evidence.groups else "."
    if len(evidence.ambiguous) == 2:
        return Disagreement(
            "points and commas, each of which may be decimal: "
            f"{evidence.ambiguous['.']!r}, {evidence.ambiguous[',']!r}",
            is_ambiguous=True,
        )
    for sign in evidence.ambiguous:
        return _ambiguous(sign, evidence, files_decimal)
    return files_decimal or "."


def _ambiguous(sign: str, evidence: SpellingEvidence, files_decimal: str) -> str | Disagreement:
    """The decimal sign where every number with a sign has three digits behind it.

    Whole numbers beside them tell: 950 beside 1,200 has no thousands, and 1500 beside 1,200 would
    be 1,500. Programs write points, and 1.2 rather than 1.200.
    """
    other = "," if sign == "." else "."
    example = evidence.ambiguous[sign]
    ends_with_zero = example.rstrip(f")%‰ {CURRENCIES}").endswith("0")
    if evidence.longest_whole > 3:
        return sign
    if sign == "." and files_decimal != "," and not (evidence.longest_whole and ends_with_zero):
        return sign
    if evidence.longest_whole and (sign == "," or files_decimal == ","):
        return other
    if sign == files_decimal == ",":
        return sign
    words = {".": "point", ",": "comma"}
    return Disagreement(
        f"a {words[sign]} that may be decimal or of thousands: {example!r}", is_ambiguous=True
    )
