"""Single texts: what spells a number, and which signs it shows."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.data.prepared.spelling import NUMBER_MARKERS, Spelling, numbers_of
from autoencoders.data.readers.texts import NumberText, looks_like_number, number_text

anything = settings(deadline=None, derandomize=True, database=None)


@pytest.mark.parametrize(
    ("text", "signs"),
    [
        ("12", NumberText(n_digits=2)),
        ("-1.5e-3", NumberText(decimal=".")),
        ("1.234,5", NumberText(decimal=",", groups=".")),
        ("1’234.5", NumberText(decimal=".", groups="'")),
        ("1.234", NumberText(ambiguous=".")),
        ("007", NumberText(n_digits=3, has_leading_zero=True)),
        ("5-", NumberText(n_digits=1, is_written_negative=True)),
        ("(5 %)", NumberText(unit="%", n_digits=1, is_written_negative=True)),
        ("CHF 5.50", NumberText(unit="CHF", decimal=".")),
        ("₹ -5", NumberText(unit="₹", n_digits=1)),
        ("10 km/h", NumberText(unit="km/h", n_digits=2)),
    ],
)
def test_a_number_shows_its_signs(text, signs):
    assert number_text(text) == signs


@pytest.mark.parametrize(
    "text",
    [
        *("", "red", "--5", "+-5", "(-5)", "(5", "5)", "-5-", "$5$", "5kg-", "- - 5"),
        *(
            "1²",
            "1½",
            "½",
            "１２",
            "٣",
            "1.2.3",
            "1..5",
            "1_000",
            "0x1F",
            "5-10",
            "<5",
            "1/2",
            "12:30",
        ),
    ],
)
def test_other_texts_are_no_numbers(text):
    assert number_text(text) is None


@pytest.mark.parametrize(
    "text", ["<5", "~5", "5*", "5-10", "1/2", "1.2.3", "0x1F", "½", "∞", '="007"']
)
def test_a_text_that_begins_as_a_number_does_looks_like_one(text):
    assert looks_like_number(text)
    assert not looks_like_number(f"no {text}")


@anything
@given(st.text("0123456789.,'’- +()%$€eEk ", max_size=9))
def test_what_is_taken_for_a_number_can_be_read_as_one(text):
    signs = number_text(text)
    if signs is None or text.strip() in NUMBER_MARKERS:
        return
    decimal = signs.decimal or "."
    groups = signs.groups
    if signs.ambiguous:
        groups = "," if signs.ambiguous == "," else ""
    _, is_other = numbers_of(
        pa.array([text]), Spelling(decimal, groups, signs.unit), NUMBER_MARKERS
    )
    assert not is_other.any()
