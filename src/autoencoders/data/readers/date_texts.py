"""The forms of dates and times in single texts, and their one way of writing."""

import re

CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*[AaPp][Mm])?"
ZONE = r"(?:Z|UTC|[-+]\d{2}(?::?\d{2})?)"
TIME = rf"{CLOCK}\s*{ZONE}?"
TIME_BEHIND = re.compile(rf"[T ]\s*{TIME}$")
TIME_ALONE = re.compile(TIME)
FORMATS = (  # of the date, in the order in which they are tried: the day comes before the month
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%Y %m %d"),
    *("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%d %m %Y"),
    *("%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y"),
    *("%d.%m.%y", "%d/%m/%y", "%d-%m-%y", "%m/%d/%y", "%m-%d-%y"),
    *("%d %b %Y", "%d-%b-%Y", "%d/%b/%Y", "%d. %b %Y", "%d.%b.%Y", "%d %b, %Y", "%d%b%Y"),
    *("%d-%b-%y", "%d %b %y", "%b %d %Y", "%b %d, %Y", "%b-%d-%Y"),
    *("%Y-%b-%d", "%Y %b %d", "%Y, %b %d", "%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y"),
    *("%b %Y", "%b-%Y", "%b-%y", "%b %y", "%b '%y"),
    "%G-W%V-%u",
    "%Y%m%d",
)
MONTHS = {  # by their names in English, German, French, Spanish
    "Jan": "january|januar|janvier|janv|enero|jan|ene",
    "Feb": "february|februar|février|fevrier|févr|fevr|febrero|feb|fév",
    "Mar": "march|märz|maerz|mars|marzo|mar|mär|mrz",
    "Apr": "april|avril|abril|apr|avr|abr",
    "May": "mayo|may|mai",
    "Jun": "june|junio|juni|juin|jun",
    "Jul": "july|juillet|julio|juli|juil|jul",
    "Aug": "august|août|aout|agosto|aug|ago",
    "Sep": "september|septembre|septiembre|sept|sep",
    "Oct": "october|oktober|octobre|octubre|oct|okt",
    "Nov": "november|novembre|noviembre|nov",
    "Dec": "december|dezember|décembre|decembre|diciembre|dec|dez|déc|dic",
}
NAMED_MONTH = re.compile(
    r"(?<![^\W\d_])(?:"
    + "|".join(rf"(?P<{month}>{names})" for month, names in MONTHS.items())
    + r")(?![^\W\d_])(?:\.(?=\s))?",
    re.IGNORECASE,
)
WEEKDAY = re.compile(
    r"^(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs)?|fri|sat(?:ur)?|sun)(?:day)?|mo|di|mi|do|fr|sa|so|"
    r"(?:mon|diens|donners|frei|sams|sonn)tag|mittwoch|sonnabend)[.,]{0,2}\s+(?=.*\d)",
    re.IGNORECASE,
)
REWRITINGS = (  # to forms that FORMATS know, each by what stands in its place
    (re.compile(r"^\[(.*)\]$"), r"\1"),
    (WEEKDAY, ""),
    (re.compile(r"(?<=\d) ?Uhr$"), ""),
    (re.compile(r"(?<=\d) ?GMT$"), " UTC"),
    (re.compile(r",\s+(?=\d{1,2}:)"), " "),
    (re.compile(r"^(\d{1,2})h(\d{2})$"), r"\1:\2"),
    (re.compile(r"^(\d{4})(\d{2})(\d{2})[T_ -](\d{2})(\d{2})(\d{2})(Z?)$"), r"\1-\2-\3 \4:\5:\6\7"),
    (re.compile(r"^(\d{4})(\d{2})(\d{2})[T_ -](\d{2})(\d{2})(Z?)$"), r"\1-\2-\3 \4:\5\6"),
    (re.compile(r"^(\d{4}-\d{2}-\d{2})[-_](\d{2})[.:-](\d{2})[.:-](\d{2})"), r"\1 \2:\3:\4"),
    (re.compile(r"^(\d{4}/\d{2}/\d{2}|\d{1,2}/?\w{3}/?\d{4})[-:](?=\d{2}:\d{2})"), r"\1 "),
    (re.compile(r"^(\d{1,2}\.\d{1,2}\.\d{4}) (\d{1,2})\.(\d{2})$"), r"\1 \2:\3"),
    (re.compile(r"^([A-Z][a-z]{2}) +(\d{1,2}) (\d{1,2}:\d{2}:\d{2}) (\d{4})$"), r"\1 \2 \4 \3"),
    (re.compile(r"^([A-Z][a-z]{2} \d{1,2}|\d{1,2}(?=.*[A-Z]))(?:st|nd|rd|th)(?=\W)"), r"\1"),
    (re.compile(r"^(\d{4}-\d{2}-\d{2})Z$"), r"\1"),
    (re.compile(r"^(\d{4})年(\d{1,2})月(\d{1,2})日"), r"\1-\2-\3"),
    (re.compile(r"^(\d{4})[- ]?W(\d{2})$"), r"\1-W\2-1"),
)
YEAR = r"(?P<year>\d{4})"
PARTS_OF_YEARS = (  # quarters, halves and months, each with the number of its months
    (3, re.compile(rf"{YEAR}[-/: ]?Q0?(?P<part>[1-4])", re.IGNORECASE)),
    (3, re.compile(rf"Q0?(?P<part>[1-4])[-/: ]?{YEAR}", re.IGNORECASE)),
    (6, re.compile(rf"{YEAR}[-/: ]?H(?P<part>[12])", re.IGNORECASE)),
    (6, re.compile(rf"H(?P<part>[12])[-/: ]?{YEAR}", re.IGNORECASE)),
    (1, re.compile(rf"{YEAR}[-/: ]?M(?P<part>0?[1-9]|1[0-2])", re.IGNORECASE)),
    # the first four may be quarters: they have the same order
    (1, re.compile(r"(?P<year>1[5-9]\d{2}|20\d{2}):(?P<part>0?[1-9]|1[0-2])")),
)
LONGEST = 60  # characters of a date with its time
DIRECTIVES = {
    "%Y": r"\d{4}",
    "%G": r"\d{4}",
    "%y": r"\d{2}",
    "%m": "(?:0?[1-9]|1[0-2])",
    "%d": r"(?:0?[1-9]|[12]\d|3[01])",
    "%b": f"(?:{'|'.join(MONTHS)})",
    "%V": r"(?:0[1-9]|[1-4]\d|5[0-3])",
    "%u": "[1-7]",
}


def _pattern(layout: str) -> str:
    """The regular expression of a format of strptime's."""
    pattern = re.sub(r"([.])", r"\\\1", layout).replace(" ", r"\s+")
    for directive, expression in DIRECTIVES.items():
        pattern = pattern.replace(directive, expression)
    return pattern


DATE_TEXT = re.compile("|".join(map(_pattern, FORMATS)))


def rewritten(text: str) -> str:
    """A date or time in a form that FORMATS know; other texts need not stay as they are.

    Months have their English names of three letters, weekdays are left out, a half of a year, a
    quarter or week is its first month or day.
    """
    text = text.strip()
    if len(text) > LONGEST:
        return text
    text = NAMED_MONTH.sub(lambda match: match.lastgroup or "", text)
    for pattern, replacement in REWRITINGS:
        text = pattern.sub(replacement, text)
    for n_months, pattern in PARTS_OF_YEARS:
        match = pattern.fullmatch(text)
        if match:
            return f"{match['year']}-{n_months * (int(match['part']) - 1) + 1:02}"
    return text


def without_time(text: str) -> str:
    """A rewritten date without the time of day behind it."""
    return TIME_BEHIND.sub("", text)


def is_date(text: str) -> bool:
    """Whether a text is a date of any of FORMATS, with or without a time, or a time of day."""
    if len(text) > LONGEST or not any(character.isdigit() for character in text):
        return False
    text = rewritten(text)
    return bool(TIME_ALONE.fullmatch(text) or DATE_TEXT.fullmatch(without_time(text)))
