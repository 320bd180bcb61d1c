"""The forms of single texts: numbers in every usual spelling, dates and times."""

import re
from typing import NamedTuple

from autoencoders.data.prepared.spelling import APOSTROPHES, BLANKS, MINUS

SIGN = rf"[-+{MINUS}]"
CURRENCY_SIGNS = "$£¥¢€\u20a0-\u20bf"  # all currency symbols of Unicode's block
CURRENCY_CODES = (  # ISO 4217, those that stand before amounts most often
    "USD|EUR|GBP|CHF|JPY|CNY|INR|AUD|CAD|NZD|SEK|NOK|DKK|PLN|CZK|HUF|BRL|MXN|ZAR|SGD|HKD"
)
CURRENCY = rf"(?:US|R|A|C)\$|[{CURRENCY_SIGNS}]|{CURRENCY_CODES}"
LETTERS = r"[^\W\d_²³¹\u2070-\u2189¼-¾]{1,4}"  # no powers and no fractions such as ½
UNIT = rf"[%‰°{CURRENCY_SIGNS}]|°?{LETTERS}[²³]?(?:/{LETTERS}[²³]?)?"  # such as %, kg, km/h, °C
NUMBER_TEXT = re.compile(
    rf"(?:{SIGN}\s*(?:(?P<signed>{CURRENCY})\s*)?|(?P<before>{CURRENCY})\s*{SIGN}?\s*)?"
    rf"(?P<digits>[0-9][0-9.,{APOSTROPHES}{BLANKS}]*|[.,][0-9]+)(?P<exponent>[eE][-+]?[0-9]+)?"
    rf"\s*(?P<behind>{UNIT})?\s*(?P<minus>[-{MINUS}])?"
)
IN_BRACKETS = re.compile(r"\(([^()]*)\)")  # negative, of accountants
STARTS_WITH_SIGN = re.compile(rf"\s*(?:{CURRENCY})?\s*{SIGN}")
GROUP_SIGNS = (",", ".", "'", " ")
GROUPED = {
    sign: re.compile(rf"[0-9]{{1,3}}(?:{re.escape(sign)}[0-9]{{3}})+(?P<rest>[.,][0-9]*)?")
    for sign in GROUP_SIGNS
}
# digits whose one comma or point may be a decimal sign as well as one of thousands
AMBIGUOUS = re.compile(r"[1-9][0-9]{0,2}[.,][0-9]{3}")
CERTAIN = re.compile(r"[0-9]*([.,])[0-9]*")


class NumberText(NamedTuple):
    """The signs that the text of a number shows."""

    unit: str = ""
    decimal: str = ""  # a certain decimal sign
    groups: str = ""  # a certain separator of thousands
    ambiguous: str = ""  # a sign that may be either
    n_digits: int = 0  # of a text that has none of these signs
    has_leading_zero: bool = False  # of such a text, as in 007
    is_written_negative: bool = False  # with the minus behind it, or in brackets


def number_text(text: str) -> NumberText | None:
    """The signs of a text that spells a number; None of any other text."""
    stripped = text.strip()
    in_brackets = IN_BRACKETS.fullmatch(stripped)
    if in_brackets:
        stripped = in_brackets[1].strip()
    match = NUMBER_TEXT.fullmatch(stripped)
    if match is None:
        return None
    before = match["signed"] or match["before"] or ""
    behind = match["behind"] or ""
    n_minus = bool(match["minus"]) + bool(in_brackets)
    has_sign = bool(STARTS_WITH_SIGN.match(stripped))
    has_two_signs = n_minus + has_sign > 1
    if has_two_signs or (before and behind) or (match["minus"] and behind.isalpha()):
        return None
    digits = re.sub(f"[{BLANKS}]", " ", match["digits"].strip(BLANKS))
    digits = re.sub(f"[{APOSTROPHES}]", "'", digits)
    signs = _signs(digits)
    if signs is None:
        return None
    is_plain = not (match["exponent"] or has_sign or n_minus)
    is_code = is_plain and digits.isdigit()
    return signs._replace(
        unit=before or behind,
        has_leading_zero=is_code and len(digits) > 1 and digits[0] == "0",
        is_written_negative=n_minus > 0,
    )


def _signs(digits: str) -> NumberText | None:
    """The decimal sign and groups of the digits of a number; None of what is none."""
    if digits.isdigit():
        return NumberText(n_digits=len(digits))
    if AMBIGUOUS.fullmatch(digits):
        return NumberText(ambiguous="," if "," in digits else ".")
    certain = CERTAIN.fullmatch(digits)
    if certain:
        return NumberText(decimal=certain[1])
    for sign, pattern in GROUPED.items():
        match = pattern.fullmatch(digits)
        if match is None:
            continue
        decimal = (match["rest"] or "")[:1]
        if decimal != sign:
            return NumberText(groups=sign, decimal=decimal)
    return None


# texts that a person takes for a number, a range or a fraction, whatever stands around it
LIKE_NUMBER = re.compile(r"[\W_]*[\d½¼¾∞]")


def looks_like_number(text: str) -> bool:
    """Whether a text begins as a number does: <5, ~5, 5-10, 1/2, 1.2.3, 0x1F."""
    return LIKE_NUMBER.match(text) is not None
