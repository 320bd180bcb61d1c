"""Dates and times that are given as text: whether a column holds them, and their order."""

import re
from collections.abc import Collection
from datetime import datetime

import pandas as pd

CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s*[AaPp][Mm])?"
ZONE = r"(?:Z|UTC|[-+]\d{2}:?\d{2})"
TIME = rf"{CLOCK}\s*{ZONE}?"
TIME_BEHIND = re.compile(rf"[T ]\s*{TIME}$")
TIME_ALONE = re.compile(TIME)
FORMATS = (  # of the date, in the order in which they are tried: the day comes before the month
    *("%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d"),
    *("%d.%m.%Y", "%d/%m/%Y", "%d-%m-%Y", "%m/%d/%Y", "%m-%d-%Y", "%m.%d.%Y"),
    *("%d.%m.%y", "%d/%m/%y", "%d-%m-%y", "%m/%d/%y", "%m-%d-%y"),
    *("%d %b %Y", "%d %B %Y", "%d-%b-%Y", "%d-%B-%Y", "%d/%b/%Y", "%d-%b-%y", "%d. %B %Y"),
    *("%b %d %Y", "%B %d %Y", "%b %d, %Y", "%B %d, %Y", "%b-%d-%Y", "%B-%d-%Y"),
    *("%Y-%b-%d", "%Y %b %d", "%Y-%m", "%Y/%m", "%b %Y", "%B %Y", "%b-%Y", "%b-%y", "%m/%Y"),
    *("%a %b %d %Y", "%a, %d %b %Y", "%A, %d %B %Y", "%A, %B %d, %Y"),
    "%Y%m%d",
)
TIMES = "times of day"
TRIED_FIRST = 20  # texts on which most formats fail


def date_formats(texts: Collection[str]) -> list[str]:
    """The formats that fit all texts, by strptime's letters, without the time behind the date.

    TIMES for times of day. Several where all days are also months: 05/06/2020. None where the
    texts are no dates of one format.
    """
    if not texts:
        return []
    if all(TIME_ALONE.fullmatch(text.strip()) for text in texts):
        return [TIMES]
    dates = {_without_time(text) for text in texts}
    some = sorted(dates)[:TRIED_FIRST]
    candidates = [layout for layout in FORMATS if all(_has_format(text, layout) for text in some)]
    return [layout for layout in candidates if all(_has_format(text, layout) for text in dates)]


def _without_time(text: str) -> str:
    return TIME_BEHIND.sub("", text.strip())


def _has_format(text: str, layout: str) -> bool:
    try:
        datetime.strptime(text, layout)
    except ValueError:
        return False
    return True


def in_time(texts: pd.Series, layout: str) -> pd.Series:
    """The moments that texts of a format stand for, in UTC where they name an offset.

    NaT where a text is missing or has another format.
    """
    text = texts.astype("string").str.strip()
    days = pd.Series(pd.Timestamp(0), index=texts.index)
    if layout != TIMES:
        dates = text.str.replace(TIME_BEHIND, "", regex=True)
        days = pd.to_datetime(dates, format=layout, errors="coerce")
    clock = text.str.extract(rf"({CLOCK})\s*{ZONE}?$", flags=re.IGNORECASE)[0].fillna("0:00")
    moments = pd.to_datetime(clock.str.replace(",", "."), format="mixed", errors="coerce")
    offsets = text.str.extract(r":\d{2}\S*\s*(?P<sign>[-+])(?P<hours>\d{2}):?(?P<minutes>\d{2})$")
    minutes = 60 * pd.to_numeric(offsets["hours"]) + pd.to_numeric(offsets["minutes"])
    minutes = minutes.where(offsets["sign"] != "-", -minutes).fillna(0)
    since_midnight = moments - moments.dt.normalize()
    return days + since_midnight - pd.to_timedelta(minutes.astype(float), unit="min")
