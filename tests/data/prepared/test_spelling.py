"""Numbers in text: each spelling gives the numbers that a person reads."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.data.prepared.spelling import NUMBER_MARKERS, Spelling, numbers_of

anything = settings(deadline=None, derandomize=True, database=None)


def read(texts: list[str | None], spelling: Spelling) -> list[float | None]:
    """The numbers that texts spell; "?" in place of one that spells none."""
    numbers, is_other = numbers_of(pa.array(texts, pa.string()), spelling, NUMBER_MARKERS)
    values: list[float | None] = numbers.to_pylist()
    assert all(value is None for value, other in zip(values, is_other, strict=True) if other)
    return values


@pytest.mark.parametrize(
    ("spelling", "texts", "numbers"),
    [
        (
            Spelling(),
            ["1", "-2.5", "+3", ".5", "5.", "1e3", "2E-1"],
            [1, -2.5, 3, 0.5, 5, 1e3, 0.2],
        ),
        (Spelling(), [" 1 ", "−2", "–3"], [1, -2, -3]),
        (Spelling(decimal=","), ["20,4", "-0,5", "7", ",5"], [20.4, -0.5, 7, 0.5]),
        (Spelling(groups=","), ["1,234.5", "12", "1,000,000"], [1234.5, 12, 1e6]),
        (Spelling(",", "."), ["1.234,5", "12", "1.000.000"], [1234.5, 12, 1e6]),
        (Spelling(",", " "), ["1 234,5", "1\u00a0234", "1\u202f000\u202f000"], [1234.5, 1234, 1e6]),
        (Spelling(groups="'"), ["1'234.5", "12"], [1234.5, 12]),
        (Spelling(groups="'"), ["1’234.5", "1'000"], [1234.5, 1000]),
        (Spelling(), ["5-", "(5)", "( 5 )", "- 5", "5 −"], [-5, -5, -5, -5, -5]),
        (Spelling(",", ".", "€"), ["5,00€-", "1.000€"], [-5, 1000]),
        (Spelling(unit="%"), ["32%", "5 %", "-4%"], [32, 5, -4]),
        (Spelling(unit="$"), ["$5", "-$5", "$ -5", "5 $"], [5, -5, -5, 5]),
        (Spelling(unit="km/h"), ["12 km/h", "7km/h"], [12, 7]),
        (Spelling(groups=",", unit="$"), ["$1,200.50", "($3.00)"], [1200.5, -3]),
    ],
)
def test_a_spelling_gives_the_numbers(spelling, texts, numbers):
    assert read(texts, spelling) == numbers


@pytest.mark.parametrize(
    ("spelling", "text"),
    [
        (Spelling(), "20,4"),
        (Spelling(), "1,234.5"),
        (Spelling(), "tall"),
        (Spelling(), "1.2.3"),
        (Spelling(decimal=","), "20.4"),
        (Spelling(decimal=","), "1,2,3"),
        (Spelling(groups=","), "1,23"),
        (Spelling(groups=","), "12,34,567"),
        (Spelling(",", "."), "20.4"),
        (Spelling(unit="%"), "32"),
        (Spelling(), "-5-"),
        (Spelling(), "(-5)"),
        (Spelling(), "1e-5-"),
        (Spelling(unit="kg"), "32 g"),
    ],
)
def test_a_text_in_another_spelling_is_no_number_and_never_another_one(spelling, text):
    numbers, is_other = numbers_of(pa.array([text, None, "NA"]), spelling, NUMBER_MARKERS)
    assert (numbers.to_pylist(), is_other.tolist()) == ([None] * 3, [True, False, False])


@anything
@given(st.lists(st.floats(-1e9, 1e9).map(lambda value: round(value, 2)), min_size=1))
def test_numbers_that_pythons_format_groups_are_read_back(values):
    grouped = [f"{value:,.2f}" for value in values]
    german = [text.translate(str.maketrans(",.", ".,")) for text in grouped]
    assert read([*grouped], Spelling(groups=",")) == pytest.approx(values)
    assert read([*german], Spelling(",", ".")) == pytest.approx(values)


def test_a_spelling_is_said_in_words():
    assert str(Spelling(",", ".", "€")) == (
        "with a decimal comma, with points between thousands, with € beside each"
    )
    assert str(Spelling()) == "written plainly"
