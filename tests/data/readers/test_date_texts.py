"""Single texts of dates: usual forms are dates, and are written in one way."""

import pytest

from autoencoders.data.readers.date_texts import is_date, rewritten


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("28. Januar 2020", "28. Jan 2020"),
        ("Di, 28.01.2020", "28.01.2020"),
        ("5 février 2020", "5 Feb 2020"),
        ("Jan. 28, 2020", "Jan 28, 2020"),
        ("January 28th, 2020", "Jan 28, 2020"),
        ("Tue Jan 28 07:05:09 2020", "Jan 28 2020 07:05:09"),
        ("20200128T070509Z", "2020-01-28 07:05:09Z"),
        ("2020-01-28-07.05.09", "2020-01-28 07:05:09"),
        ("28/Jan/2020:07:05:09 +0000", "28/Jan/2020 07:05:09 +0000"),
        ("28.01.2020, 07:05 Uhr", "28.01.2020 07:05"),
        ("28.01.2020 7.05", "28.01.2020 7:05"),
        ("2020年1月28日", "2020-1-28"),
        ("2020Q2", "2020-04"),
        ("Q4/2020", "2020-10"),
        ("2020-W05", "2020-W05-1"),
    ],
)
def test_a_date_is_written_in_a_known_form(text, form):
    assert rewritten(text) == form
    assert is_date(text)


@pytest.mark.parametrize(
    "text", ["", "red", "5", "12.5", "1.2.3.4", "2020-13-45", "Marble 12", "1/2", "5-10", "Q5 2020"]
)
def test_other_texts_are_no_dates(text):
    assert not is_date(text)
