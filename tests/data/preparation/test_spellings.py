"""The spelling of a column: the one that all its texts share, or a refusal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.data.preparation.spellings import Disagreement, SpellingEvidence, spelling_of
from autoencoders.data.prepared.spelling import Spelling

anything = settings(deadline=None, derandomize=True, database=None)


def decided(texts: list[str], decimal: str = "auto", files: str = "") -> Spelling | Disagreement:
    """The spelling of a column of numbers."""
    evidence = SpellingEvidence()
    assert evidence.add(texts) == []
    return spelling_of(evidence, decimal, files)


@pytest.mark.parametrize(
    ("texts", "spelling"),
    [
        (["1", "2.5", "1e3", "−4"], Spelling()),
        (["20,4", "19"], Spelling(",")),
        (["1,234.5", "12"], Spelling(groups=",")),
        (["1,234,567"], Spelling(groups=",")),
        (["1.234,5", "7"], Spelling(",", ".")),
        (["1.234.567", "1.000"], Spelling(",", ".")),
        (["1 234,5", "12"], Spelling(",", " ")),
        (["1\u202f234", "12"], Spelling(".", " ")),
        (["1'000", "2'500.5"], Spelling(groups="'")),
        (["1’000", "2'500.5"], Spelling(groups="'")),
        (["5-", "6"], Spelling()),
        (["(5)", "6"], Spelling()),
        (["EUR 5", "6 EUR"], Spelling(unit="EUR")),
        (["00.7", "0.5"], Spelling()),
        (["32%", "5 %"], Spelling(unit="%")),
        (["$5", "-$7.50"], Spelling(unit="$")),
        (["3 kg", "2.5kg"], Spelling(unit="kg")),
        (["21 °C"], Spelling(unit="°C")),
        (["12 m/s"], Spelling(unit="m/s")),
        (["1.234", "2.5"], Spelling()),  # a decimal point elsewhere says that this is one
        (["1.234", "12.567"], Spelling()),  # programs write points
        (["1,200", "950"], Spelling(groups=",")),  # 950 would be 950,000 with three decimals
        (["1,200", "1500"], Spelling(",")),  # 1500 would be 1,500 with groups
        (["0.125", "0.250"], Spelling()),
    ],
)
def test_the_spelling_is_the_one_that_every_text_has(texts, spelling):
    assert decided(texts) == spelling
    assert decided(texts[::-1]) == spelling


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        (["5.1", "5,2"], "decimal points and commas: '5.1', '5,2'"),
        (["32%", "5"], "units differ: '32%', '5'"),
        (["3 kg", "5 g"], "units differ: '3 kg', '5 g'"),
        (["3 kg", "5"], "units differ: '3 kg', '5'"),
        (["1,234,567", "1.234.567"], "different ways"),
        (["1,234.5", "1.234,5"], "decimal points and commas"),
    ],
)
def test_a_column_of_two_spellings_has_none(texts, reason):
    found = decided(texts)
    assert isinstance(found, Disagreement)
    assert reason in found.reason
    assert not found.is_ambiguous


CODES = [["170", "171a", "171b"], ["1A", "2B"], ["12", "13B"], ["1st", "2nd"]]
CODES += [
    ["01234", "98765"],
    ["007", "12"],
    ["9007199254740993"],
    ["5", "1234567890123456", "2345678901234567"],
]


@pytest.mark.parametrize("texts", CODES)
def test_numbers_with_letters_behind_some_are_codes(texts):
    found = decided(texts)
    assert isinstance(found, Disagreement)
    assert found.is_codes


@pytest.mark.parametrize(
    ("texts", "files"),
    [(["1,200", "3,500"], ""), (["1.234", "1,234"], ""), (["1.200", "950"], ""), (["1.234"], ",")],
)
def test_what_may_be_read_in_two_ways_is_not_guessed_and_can_be_said(texts, files):
    found = decided(texts, files=files)
    assert isinstance(found, Disagreement)
    assert found.is_ambiguous
    said = [decided(texts, decimal, files) for decimal in ("point", "comma")]
    assert {spelling.decimal for spelling in said if isinstance(spelling, Spelling)} <= {".", ","}


def test_a_file_of_decimal_commas_says_what_a_comma_is():
    assert decided(["1,200", "3,500"], files=",") == Spelling(",")
    assert decided(["1.200", "950"], files=",") == Spelling(",", ".")


@pytest.mark.parametrize(
    "text", ["10:30", "2020-01-01", "A1", "1.2.3", "v1", "12 Main Street", "-"]
)
def test_a_text_that_spells_no_number_is_given_back(text):
    evidence = SpellingEvidence()
    assert evidence.add(["1", text, "2.5"]) == [text]


@anything
@given(st.lists(st.floats(-1e6, 1e6).map(lambda v: round(v, 2)), min_size=3))
def test_numbers_as_python_prints_them_are_plain(values):
    assert decided([str(value) for value in values if abs(value) >= 1e-4] or ["1.5"]) == Spelling()


def test_few_codes_among_many_numbers_are_named_and_a_long_number_is_one():
    few = decided(["007", *map(str, range(1, 500))])
    assert isinstance(few, Disagreement)
    assert few.reason == "zeros before a few whole numbers: '007'"
    assert decided(["1", "2", "9" * 20]) == Spelling()


def test_the_user_may_say_that_codes_are_numbers():
    evidence = SpellingEvidence()
    evidence.add(["007", "12"])
    assert spelling_of(evidence, is_said_number=True) == Spelling()


def test_versions_are_codes_unless_they_are_said_to_be_numbers():
    evidence = SpellingEvidence()
    evidence.add([f"2.{count}" for count in range(13)])
    found = spelling_of(evidence)
    assert isinstance(found, Disagreement)
    assert found.is_codes
    assert found.reason == "counts behind points, as in versions (2.1 and 2.10)"
    assert spelling_of(evidence, is_said_number=True) == Spelling()


def test_numbers_that_may_be_codes_are_noted():
    prices = SpellingEvidence()
    prices.add(["2.5", "2.50", "3.99"])
    assert spelling_of(prices) == Spelling()
    (note,) = prices.doubts("price")
    assert note.startswith("column price: 2.5 and 2.50 are read as the same number; if they are")
    long = SpellingEvidence()
    long.add(["1", "2", "1234567890123457"])
    (note,) = long.doubts("n")
    assert "numbers of over 15 digits are rounded (1234567890123457)" in note
    assert note.endswith("say data.types: {n: category}")
    plain = SpellingEvidence()
    plain.add(["1", "2.5", "0.12345678901234567"])
    assert plain.doubts("x") == []
