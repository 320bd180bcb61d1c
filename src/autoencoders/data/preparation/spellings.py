"""The decision how a column's numbers are spelled, from every distinct text of it."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from autoencoders.data.prepared.spelling import Spelling
from autoencoders.data.readers.codes import VersionSigns
from autoencoders.data.readers.texts import NumberText, number_text

ORDINALS = {"st", "nd", "rd", "th"}  # behind the numbers of an order
MOST_DIGITS = 15  # of a whole number that 64 bits keep exactly, whatever its digits are
FEW = 0.01  # share of the numbers; of ten codes, one begins with 0
NO_DIGITS_AT_END = re.compile("[^0-9]+$")


@dataclass
class SpellingEvidence:
    """The spellings that the texts of a column show."""

    units: dict[str, str] = field(default_factory=dict)  # each with the first text that has it
    decimals: dict[str, str] = field(default_factory=dict)  # certain decimal signs
    groups: dict[str, str] = field(default_factory=dict)  # certain separators of thousands
    ambiguous: dict[str, str] = field(default_factory=dict)  # signs that may be either
    longest_whole: int = 0  # digits of the longest text that has none of these signs
    leading_zero: str = ""  # the first text of a whole number such as 007
    long: str = ""  # the first text with more digits than a number keeps
    n: int = 0  # texts that spell numbers
    n_leading_zeros: int = 0
    n_long: int = 0
    written_negative: str = ""  # the first text with a minus behind it, or in brackets
    versions: VersionSigns = field(default_factory=VersionSigns)

    def add(self, texts: Iterable[str]) -> list[str]:
        """Adds texts; returns those that spell no number."""
        others = []
        for text in texts:
            number = number_text(text)
            if number is None:
                others.append(text)
            else:
                self._add_number(number, text)
        return others

    def _add_number(self, number: NumberText, text: str) -> None:
        """Adds the signs that one text of a number shows."""
        self.units.setdefault(number.unit, text)
        signs = (
            (number.decimal, self.decimals),
            (number.groups, self.groups),
            (number.ambiguous, self.ambiguous),
        )
        for sign, texts in signs:
            if sign:
                texts.setdefault(sign, text)
        self.versions.add(text)
        self.n += 1
        self.longest_whole = max(self.longest_whole, number.n_digits)
        if number.n_digits > MOST_DIGITS:
            self.n_long += 1
            self.long = self.long or text
        if number.has_leading_zero:
            self.n_leading_zeros += 1
            self.leading_zero = self.leading_zero or text
        if number.is_written_negative:
            self.written_negative = self.written_negative or text

    def codes(self) -> str:
        """The reason why the numbers are codes; nothing where they are none.

        Letters behind them that are no units, counts that run up behind the point, zeros before
        whole numbers, or more digits than a number keeps.
        """
        if self._have_letters():
            return "letters behind some numbers, as in codes"
        if self.versions.are_versions():
            return f"counts behind points, as in versions ({self.versions.same_number()})"
        if self.shows_signs():
            return ""
        if self.n_leading_zeros > FEW * self.n:
            return f"zeros before whole numbers, as in codes ({self.leading_zero.strip()})"
        if 2 * self.n_long > self.n:
            return f"more digits than a number keeps, as in codes ({self.long.strip()})"
        return ""

    def doubts(self, name: str) -> list[str]:
        """Notes on a column of numbers some of which may be codes after all."""
        notes = []
        mend = f"if they are codes, say data.types: {{{name}: category}}"
        if self.versions.same_number():
            same = self.versions.same_number()
            notes.append(f"column {name}: {same} are read as the same number; {mend}")
        if self.long and not self.shows_signs():
            notes.append(
                f"column {name}: numbers of over {MOST_DIGITS} digits are rounded "
                f"({self.long.strip()}); {mend}"
            )
        return notes

    def _have_letters(self) -> bool:
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


@dataclass(frozen=True)
class Disagreement:
    """The reason why a column's texts have no one spelling."""

    reason: str
    is_ambiguous: bool = False  # whether two spellings fit every text
    is_codes: bool = False  # whether the texts are no numbers after all


def spelling_of(
    evidence: SpellingEvidence,
    decimal: str = "auto",
    files_decimal: str = "",
    *,
    is_said_number: bool = False,
) -> Spelling | Disagreement:
    """The one spelling of all texts, or why there is none.

    decimal: point or comma where the user says so; else auto. files_decimal: the sign that the
    file's other columns show, . or a comma; nothing where they show none. is_said_number: whether
    the user says that these are numbers, not codes.
    """
    if evidence.codes() and not is_said_number:
        return Disagreement(evidence.codes(), is_codes=True)
    if evidence.leading_zero and not evidence.shows_signs() and not is_said_number:
        return Disagreement(f"zeros before a few whole numbers: {evidence.leading_zero.strip()!r}")
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
    ends_with_zero = NO_DIGITS_AT_END.sub("", example).endswith("0")
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
