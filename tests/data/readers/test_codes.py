"""Codes of digits: seen in any row, whatever the delimiter, and numbers are none."""

import numpy as np
import pyarrow as pa
import pytest

from autoencoders.data.readers.codes import holds_code, holds_thousands, may_hold_zeros


@pytest.mark.parametrize("text", ["007", " 01234", "1234567890123456", "0x1F"])
def test_a_code_is_one(text):
    assert holds_code(pa.array(["5", text]))


@pytest.mark.parametrize("text", ["0", "-05", "0.5", "00.7", "10", "123456789012345", "1e20", ""])
def test_a_number_is_no_code(text):
    assert not holds_code(pa.array(["5", text]))


@pytest.mark.parametrize(
    "content", ["a;b\n1;2\n1;07\n", "a\n01", 'a\n"01"\n', "a\r05\r", "a; b\n1; 05"]
)
def test_zeros_before_digits_are_seen(tmp_path, content):
    path = tmp_path / "a.csv"
    path.write_text(content)
    assert may_hold_zeros(path, "utf-8", ";")


def test_other_zeros_are_none_whatever_the_block(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text(
        "a,b\n" + "".join(f"{v:.3f},100\n" for v in np.linspace(0, 1, 99)) + "2020-01-05,0\n"
    )
    for size in (3, 2**24):
        monkeypatch.setattr("autoencoders.data.readers.codes.BLOCK_BYTES", size)
        assert not may_hold_zeros(path, "utf-8", ",")
    path.write_text(path.read_text() + "1,05\n")
    for size in (1, 3, 2**24):
        monkeypatch.setattr("autoencoders.data.readers.codes.BLOCK_BYTES", size)
        assert may_hold_zeros(path, "utf-8", ",")


def test_points_may_be_of_thousands_where_whole_numbers_stand_beside_them():
    assert holds_thousands(pa.array(["1.500", "900", "-12.000"]))
    assert not holds_thousands(pa.array(["1.500", "2.500"]))
    assert not holds_thousands(pa.array(["1.500", "900", "2.5"]))
    assert not holds_thousands(pa.array(["1", "900"]))
