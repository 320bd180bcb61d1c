"""Codes of digits: seen in any row, whatever the delimiter, and numbers are none."""

import numpy as np
import pyarrow as pa
import pytest

from autoencoders.data.readers.codes import (
    VersionSigns,
    holds_code,
    holds_thousands,
    holds_versions,
    may_hold_codes,
)


@pytest.mark.parametrize("text", ["007", " 01234", "1234567890123456", "-1234567890123456", "0x1F"])
def test_a_code_is_one(text):
    assert holds_code(pa.array(["5", text]))


@pytest.mark.parametrize("text", ["0", "-05", "0.5", "00.7", "10", "123456789012345", "1e20", ""])
def test_a_number_is_no_code(text):
    assert not holds_code(pa.array(["5", text]))


@pytest.mark.parametrize(
    "content", ["a;b\n1;2\n1;07\n", "a\n01", 'a\n"01"\n', "a\r05\r", "a; b\n1; 05", "a\n000000000"]
)
def test_zeros_before_digits_are_seen(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert may_hold_codes(path, "utf-8", ";")


def test_other_zeros_are_none_whatever_the_block(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text(
        "a,b\n" + "".join(f"{v:.3f},100\n" for v in np.linspace(0, 1, 99)) + "2020-01-05,0\n"
    )
    for size in (3, 2**24):
        monkeypatch.setattr("autoencoders.data.readers.codes.BLOCK_BYTES", size)
        assert not may_hold_codes(path, "utf-8", ",")
    path.write_text(path.read_text() + "1,05\n")
    for size in (1, 3, 2**24):
        monkeypatch.setattr("autoencoders.data.readers.codes.BLOCK_BYTES", size)
        assert may_hold_codes(path, "utf-8", ",")


def test_points_may_be_of_thousands_where_whole_numbers_stand_beside_them():
    assert holds_thousands(pa.array(["1.500", "900", "-12.000"]))
    assert not holds_thousands(pa.array(["1.500", "2.500"]))
    assert not holds_thousands(pa.array(["1.500", "900", "2.5"]))
    assert not holds_thousands(pa.array(["1", "900"]))


@pytest.mark.parametrize("size", [1, 7, 2**18])
def test_zeros_of_dates_times_and_fractions_are_none(tmp_path, monkeypatch, size):
    monkeypatch.setattr("autoencoders.data.readers.codes.BLOCK_BYTES", size)
    path = tmp_path / "a.csv"
    path.write_text("a,b,c\n05/06/2020,2020-01-05 09:30,0.5\n06.07.2021,09:30:00,00.5\n")
    assert not may_hold_codes(path, "utf-8", ",")
    path.write_text(path.read_text() + "06.07.2021,09:30:00,005")
    assert may_hold_codes(path, "utf-8", ",")


@pytest.mark.parametrize("content", ["a;b\n1;{}\n2;3", "a\n{}", 'a\n"{}"\n', "a\n-{}\n", "a\r{}"])
@pytest.mark.parametrize("size", [1, 5, 2**18])
def test_many_digits_at_a_fields_beginning_are_seen(tmp_path, monkeypatch, content, size):
    monkeypatch.setattr("autoencoders.data.readers.codes.BLOCK_BYTES", size)
    path = tmp_path / "a.csv"
    path.write_text(content.format("1234567890123456"))
    assert may_hold_codes(path, "utf-8", ";")
    path.write_text(content.format("123456789012345"))
    assert not may_hold_codes(path, "utf-8", ";")


def test_many_digits_behind_a_point_are_no_code(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("a,b\n0.12345678901234567,1\n-3.14159265358979312,2\n")
    assert not may_hold_codes(path, "utf-8", ",")


def signs_of(texts):
    """The signs of versions that texts show."""
    signs = VersionSigns()
    for text in texts:
        signs.add(text)
    return signs


def test_counts_that_run_behind_points_are_versions():
    versions = [f"2.{count}" for count in range(13)]
    assert signs_of(versions).are_versions()
    assert signs_of(["1", *versions, "3.0"]).same_number() == "2.1 and 2.10"
    assert holds_versions(pa.array([*versions, ""]))


@pytest.mark.parametrize(
    "texts",
    [
        ["2.5", "2.50", "3.99"],  # prices, some with a zero
        ["2.1", "2.10", "2.05"],
        ["0.1", "0.2", "0.3", "0.9", "0.10"],  # a zero too many
        [f"{number / 100:.2f}" for number in range(200)],
        [f"{number / 10}" for number in range(99)],
        ["-2.9", "-2.1", "-2.10", "-2.11"],
    ],
)
def test_numbers_are_no_versions(texts):
    assert not signs_of(texts).are_versions()


def test_one_number_in_two_writings_is_doubtful_but_not_beside_decimal_places():
    assert holds_versions(pa.array(["2.5", "2.50", "3.99"]))
    assert not holds_versions(pa.array(["2.5", "2.50", "3.05"]))
    assert not holds_versions(pa.array(["2.5", "3.0", "10"]))
