"""Numbers that are dates, and those that look like some but are not."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from autoencoders.data.preparation.numeric_dates import UNITS, NumericDates, says_time

N = 300
RNG = np.random.default_rng(0)
HOURLY = 1_700_000_000 + 3600 * np.arange(N)
DAYS = pd.date_range("2023-12-01", periods=N).strftime("%Y%m%d").astype(int).to_numpy()
LOGGED = 1_700_000_000 + np.sort(RNG.integers(0, 10**6, N))  # when something happened


def collected(values: np.ndarray, cuts: int = 3) -> NumericDates:
    dates = NumericDates()
    for part in np.array_split(values, cuts):
        dates.add(pa.array(part.astype(float)))
    return dates


@pytest.mark.parametrize("unit", UNITS)
def test_time_since_1970_is_a_date_where_it_rises_evenly(unit):
    assert collected(HOURLY * UNITS[unit]).meaning("x") == f"{unit} since 1970"
    assert collected(HOURLY * UNITS[unit]).range(f"{unit} since 1970") == "2023-11-14 to 2023-11-27"


def test_gaps_and_several_rows_a_moment_do_not_change_that():
    assert collected(np.delete(HOURLY, [5, 6, 90])).meaning("x")
    assert collected(np.repeat(HOURLY, 4)).meaning("x")


@pytest.mark.parametrize("name", ["time", "ts", "Timestamp", "created_at", "eventTime", "DATE"])
def test_time_since_1970_is_a_date_in_any_order_where_its_name_says_so(name):
    shuffled = RNG.permutation(LOGGED)
    assert collected(shuffled).meaning(name) == "seconds since 1970"
    assert collected(shuffled + 0.25).meaning(name) == "seconds since 1970"
    assert collected(shuffled).meaning("count") == ""


def test_rising_numbers_without_such_a_name_are_doubtful():
    assert collected(LOGGED).meaning("x") == ""
    assert collected(LOGGED).doubtful_unit("x") == "seconds"
    assert collected(LOGGED).doubtful_unit("time") == ""


@pytest.mark.parametrize(
    "values",
    [
        np.sort(RNG.integers(4 * 10**8, 4 * 10**9, N)),
        np.sort(RNG.integers(15 * 10**8, 15 * 10**8 + 10**6, N)),
        RNG.integers(15 * 10**8, 15 * 10**8 + 100, N),
        1_500_000_000 + np.arange(N),
        HOURLY[:15],
        HOURLY + 0.5,
        HOURLY - HOURLY[0],
        np.full(N, 1_500_000_000),
        np.full(N, np.nan),
        np.append(HOURLY, 0),
    ],
    ids=[
        "populations in order",
        "prices in order",
        "prices",
        "running numbers",
        "few rows",
        "fractions",
        "seconds since the start",
        "one number",
        "no number",
        "a zero at the end",
    ],
)
def test_other_numbers_are_no_dates(values):
    assert collected(values).meaning("x") == ""


def test_digits_are_dates_where_each_is_a_day_of_the_calendar():
    for values in (DAYS, RNG.permutation(DAYS), np.repeat(DAYS, 3)):
        assert collected(values).meaning("x") == "digits such as 20240131"
    assert collected(DAYS).range("digits such as 20240131") == "2023-12-01 to 2024-09-25"
    assert collected(np.append(DAYS, 20240230)).meaning("date") == ""
    assert collected(np.append(DAYS, 20241301)).meaning("date") == ""
    assert collected(DAYS + 0.5).meaning("date") == ""
    assert collected(20_240_000 + np.arange(N)).meaning("article") == ""


@pytest.mark.parametrize(
    ("texts", "meaning"),
    [
        (DAYS.astype(str), "digits such as 20240131"),
        (HOURLY.astype(str), "seconds since 1970"),
        ([f" {value} " for value in HOURLY], "seconds since 1970"),
        (["NA", *HOURLY.astype(str)], "seconds since 1970"),
        (["late", *HOURLY.astype(str)], ""),
        ([*HOURLY.astype(str), "20,5"], ""),
    ],
)
def test_texts_of_digits_are_read_alike(texts, meaning):
    dates = NumericDates()
    dates.add_texts(pa.array(list(texts)), ("", "NA"))
    assert dates.meaning("x") == meaning


@pytest.mark.parametrize(
    ("name", "is_time"),
    [
        ("run_date", True),
        ("logged at", True),
        ("time_s", True),
        ("TS", True),
        ("time_ns", False),
        ("cpu_time", False),
        ("response time", False),
        ("lifetime", False),
        ("update", False),
        ("counts", False),
        ("heat", False),
        ("", False),
    ],
)
def test_words_of_a_name_say_that_it_holds_moments(name, is_time):
    assert says_time(name, "seconds") is is_time
