"""Dates and times that are given as text: whether a column holds them, and their order."""

import re
from collections.abc import Collection
from datetime import datetime

import pandas as pd

from autoencoders.data.prepared.schema import abridged
from autoencoders.data.readers.date_texts import (
    CLOCK,
    FORMATS,
    TIME_ALONE,
    TIME_BEHIND,
    ZONE,
    is_date,
    rewritten,
    without_time,
)

DIGIT = re.compile(r"\d")  # which every date holds
TIMES = "times of day"
OFFSET = r":\d{2}\S*\s*(?P<sign>[-+])(?P<hours>\d{2}):?(?P<minutes>\d{2})?$"
TRIED_FIRST = 20  # texts on which most formats fail


def date_formats(texts: Collection[str]) -> list[str]:
    """The formats that fit all texts, by strptime's letters, without the time behind the date.

    TIMES for times of day. Several where all days are also months: 05/06/2020. None where the
    texts are no dates of one format.
    """
    if not texts or not all(DIGIT.search(text) for text in texts):
        return []
    moments = {rewritten(text) for text in texts}
    if all(TIME_ALONE.fullmatch(text) for text in moments):
        return [TIMES]
    dates = {without_time(text) for text in moments}
    some = sorted(dates)[:TRIED_FIRST]
    candidates = [layout for layout in FORMATS if all(_has_format(text, layout) for text in some)]
    return [layout for layout in candidates if all(_has_format(text, layout) for text in dates)]


def mixed_dates(texts: Collection[str]) -> str:
    """The reason why texts, most of which are dates, have no format; nothing of other texts."""
    dates = sorted(text for text in texts if is_date(text))
    if 2 * len(dates) <= len(texts):
        return ""
    others = sorted(set(texts) - set(dates))
    if others:
        return f"{abridged(others)} among dates"
    first = date_formats(dates[:1])
    for other in dates:
        if not set(date_formats([other])) & set(first):
            return f"dates of different formats: {dates[0]!r}, {other!r}"
    return f"dates of different formats: {abridged(dates)}"


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
    distinct = texts.dropna().unique()
    text = texts.map({value: rewritten(value) for value in distinct}).astype("string")
    days = pd.Series(pd.Timestamp(0), index=texts.index)
    if layout != TIMES:
        dates = text.str.replace(TIME_BEHIND, "", regex=True)
        days = pd.to_datetime(dates, format=layout, errors="coerce")
    clock = text.str.extract(rf"({CLOCK})\s*{ZONE}?$", flags=re.IGNORECASE)[0].fillna("0:00")
    moments = pd.to_datetime(clock.str.replace(",", "."), format="mixed", errors="coerce")
    offsets = text.str.extract(OFFSET)
    minutes = 60 * pd.to_numeric(offsets["hours"])
    minutes = minutes + pd.to_numeric(offsets["minutes"].fillna("0"))
    minutes = minutes.where(offsets["sign"] != "-", -minutes).fillna(0)
    since_midnight = moments - moments.dt.normalize()
    return days + since_midnight - pd.to_timedelta(minutes.astype(float), unit="min")
