"""Dates in text: usual forms are dates, other texts are not, and their order is that of time."""

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from autoencoders.data.preparation.dates import TIMES, date_formats, in_time, mixed_dates

START = datetime(2020, 1, 28, 7, 5, 9, tzinfo=UTC)
DAYS = [START + timedelta(days=9 * i, hours=5 * i) for i in range(60)]
FORMS = [
    *("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%m/%d/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y"),
    *("%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d-%b-%Y", "%b-%d-%Y", "%d %B %Y", "%d-%b-%y"),
    *("%Y%m%d", "%d.%m.%y", "%m/%d/%y", "%a, %d %b %Y", "%A %d %B %Y", "%a %d.%m.%Y", "%d%b%Y"),
    *(
        "%d. %B %Y",
        "%d.%b.%Y",
        "%d %B, %Y",
        "%b. %d, %Y",
        "%B %dth, %Y",
        "%Y %m %d",
        "%Y年%m月%d日",
    ),
]
CLOCKS = ["", " %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M:%SZ", " %H:%M:%S.%f", " %I:%M %p"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("clock", CLOCKS)
def test_usual_forms_are_dates_and_sort_in_time(form, clock):
    texts = [day.strftime(form + clock) for day in DAYS]
    (found,) = date_formats(texts)
    moments = in_time(pd.Series(texts), found)
    assert moments.is_monotonic_increasing
    expected = DAYS[1].replace(tzinfo=None) if clock else DAYS[1].replace(tzinfo=None).date()
    assert abs(moments[1] - pd.Timestamp(expected)) < pd.Timedelta(minutes=1)


def test_an_offset_is_part_of_the_moment():
    texts = pd.Series(["2020-01-31 01:00:00+02:00", "2020-01-30 23:30:00Z", None])
    moments = in_time(texts, "%Y-%m-%d")
    assert moments[0] == pd.Timestamp("2020-01-30 23:00")
    assert moments[0] < moments[1]
    assert pd.isna(moments[2])


def test_times_of_day_are_times():
    assert date_formats(["12:30", "9:15:20"]) == [TIMES]
    assert in_time(pd.Series(["9:15", "12:30"]), TIMES).is_monotonic_increasing


@pytest.mark.parametrize(
    "texts", [[], ["red"], ["12.5", "3"], ["2020-01-31", "soon"], ["2020-13-45"], ["1.2.3.4"]]
)
def test_other_texts_are_none(texts):
    assert date_formats(texts) == []


def test_a_date_that_can_be_read_in_two_ways_has_both_formats():
    assert date_formats(["05/06/2020", "01/12/2020"]) == ["%d/%m/%Y", "%m/%d/%Y"]


@pytest.mark.parametrize(
    ("form", "clock"),
    [
        *(("%Y%m%dT", "%H%M%S"), ("%Y-%m-%d_", "%H-%M-%S"), ("%d/%b/%Y:", "%H:%M:%S +0000")),
        *(("%d.%m.%Y, ", "%H:%M Uhr"), ("%Y-%m-%d ", "%H:%M:%S GMT"), ("%Y-%m-%dT", "%H:%M:%S+00")),
    ],
)
def test_a_time_may_follow_in_other_ways(form, clock):
    texts = [day.strftime(form + clock) for day in DAYS]
    (found,) = date_formats(texts)
    moments = in_time(pd.Series(texts), found)
    expected = pd.Series([pd.Timestamp(day).tz_localize(None) for day in DAYS])
    assert ((moments - expected).abs() < pd.Timedelta(minutes=1)).all()


@pytest.mark.parametrize(
    ("texts", "months"),
    [
        (["1974Q1", "1974Q4"], [1, 10]),
        (["1960q1", "1960q2"], [1, 4]),
        (["1959Q01", "1959Q03"], [1, 7]),
        (["q2 1960", "q3 1960"], [4, 7]),
        (["2020H1", "2020H2"], [1, 7]),
        (["H2 2020", "h1 2020"], [7, 1]),
        (["1990M02", "1990m12"], [2, 12]),
        (["1950:1", "1950:12"], [1, 12]),
    ],
)
def test_a_part_of_a_year_is_its_first_month(texts, months):
    (layout,) = date_formats(texts)
    assert in_time(pd.Series(texts), layout).dt.month.tolist() == months


@pytest.mark.parametrize("text", ["1920-21", "1/86", "1000:1", "1974Q5", "2020H3", "1950:13"])
def test_a_text_that_may_be_no_part_of_a_year_is_no_date(text):
    assert date_formats([text]) == []


def test_quarters_and_weeks_are_their_first_day():
    quarters = pd.Series(["2020Q1", "2020Q4", "2021Q2", None])
    (layout,) = date_formats(set(quarters.dropna()))
    assert in_time(quarters, layout).tolist()[:3] == [
        *(pd.Timestamp("2020-01-01"), pd.Timestamp("2020-10-01"), pd.Timestamp("2021-04-01"))
    ]
    weeks = pd.Series(["2020-W01", "2020-W53"])
    (layout,) = date_formats(set(weeks))
    assert in_time(weeks, layout).tolist() == [
        pd.Timestamp("2019-12-30"),
        pd.Timestamp("2020-12-28"),
    ]


def test_months_may_have_their_german_names():
    texts = pd.Series(["31. Januar 2024", "1. März 2024", "2. Mai 2024"])
    (layout,) = date_formats(set(texts))
    assert in_time(texts, layout).is_monotonic_increasing


def test_dates_of_several_formats_and_other_texts_among_dates_are_named():
    assert "different formats" in mixed_dates({"2020-01-31", "31.12.2020"})
    assert mixed_dates({"2020-01-31", "2020-02-01", "soon"}) == "soon among dates"
    assert mixed_dates({"2020-01-31", "soon", "later"}) == ""
