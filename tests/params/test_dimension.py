"""One line of the search space: what it may hold, and ranges of multiples."""

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from autoencoders.params.dimension import Dimension

PARAM = "network.code_size"
SETTINGS = settings(deadline=None, derandomize=True, database=None)
SPACE = {"low": 0.25, "high": 4, "of": "auto"}


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"choices": [1, 2], "of": "auto"}, "choices don't go with of"),
        ({"of": "auto"}, "needs low and high, or choices"),
        ({**SPACE, "low": 0}, "low is above 0 and at most 1"),
        ({**SPACE, "low": 1.5}, "low is above 0 and at most 1"),
        ({**SPACE, "high": 0.5}, "high is at least 1"),
        ({**SPACE, "step": 0.25}, "there is no step"),
        ({**SPACE, "low": 4, "high": 4}, "low must be below high"),
    ],
)
def test_multiples_that_do_not_hold_the_value_itself_are_refused_by_the_rule(
    values: dict[str, Any], rule: str
):
    with pytest.raises(ValidationError, match=rule):
        Dimension(param=PARAM, **values)


@pytest.mark.parametrize(
    "values", [SPACE, {**SPACE, "log": True}, {**SPACE, "low": 1}, {**SPACE, "high": 1}]
)
def test_multiples_from_at_most_one_to_at_least_one_are_allowed(values: dict[str, Any]):
    assert Dimension(param=PARAM, **values).of == "auto"


factors = st.floats(0.01, 0.99)
multiples = st.floats(1, 100)


@SETTINGS
@given(factors, multiples, st.integers(1, 10_000), st.booleans())
def test_whole_ends_are_rounded_away_from_the_value_and_are_at_least_1(low, high, value, log):
    line = Dimension(param=PARAM, low=low, high=high, log=log, of="auto")
    around = line.around(value, whole=True)
    assert around.holds(value)
    assert around.ends[0] == max(1, math.floor(low * value))
    assert around.ends[-1] == math.ceil(high * value)
    assert all(isinstance(end, int) for end in around.ends)
    assert (around.log, around.of) == (log and around.choices is None, None)


@SETTINGS
@given(factors, multiples, st.floats(1e-6, 1e6))
def test_the_ends_of_a_measure_are_its_multiples(low, high, value):
    line = Dimension(param="train.learning_rate", low=low, high=high, of="auto")
    around = line.around(value, whole=False)
    assert around.ends == [low * value, high * value]
    assert around.holds(value)


@pytest.mark.parametrize("value", [0, 0.0, 1])
def test_of_multiples_without_room_the_value_alone_is_left(value: float):
    line = Dimension(param=PARAM, low=0.5, high=1, of="auto")
    assert line.around(value, whole=True) == Dimension(param=PARAM, choices=[value])


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        ({"low": 2, "high": 5}, [2, 3, 4, 5]),
        ({"low": 2, "high": 7, "step": 2}, [2, 4, 6]),
        ({"low": 1, "high": 3, "log": True}, [1, 2, 3]),
        ({"choices": [8, 2, 4]}, [2, 4, 8]),
    ],
)
def test_the_whole_numbers_of_a_dimension_come_in_order(values: dict[str, Any], numbers: list[int]):
    assert Dimension(param=PARAM, **values).whole_numbers() == numbers
