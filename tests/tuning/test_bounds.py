"""The bounds that taken values touch: each is said where it can be widened."""

import pytest

from autoencoders.params.architecture import DataFacts
from autoencoders.params.dimension import Dimension
from autoencoders.tuning.bounds import NEAR, touched

FACTS = DataFacts(64, unit_interval=True)
CODE = Dimension(param="network.code_size", low=4, high=24)
RATE = Dimension(param="train.learning_rate", low=1e-4, high=1e-2, log=True)


@pytest.mark.parametrize(("size", "end"), [(4, "smallest"), (5, None), (23, None), (24, "largest")])
def test_a_whole_number_touches_an_end_that_it_equals(size, end):
    sentences = touched({CODE.param: size}, [CODE], FACTS)
    line = f"code size {size} is the {end} of the space: widen network.code_size in tune.space"
    assert sentences == ([line] if end else [])


@pytest.mark.parametrize(
    ("share", "end"),
    [
        (0, "smallest"),
        (NEAR / 2, "smallest"),
        (2 * NEAR, None),
        (0.5, None),
        (1 - 2 * NEAR, None),
        (1 - NEAR / 2, "largest"),
        (1, "largest"),
    ],
)
def test_a_measure_touches_an_end_that_it_is_near_to_on_the_scale_of_the_draws(share, end):
    rate = 1e-4 * 100**share
    sentences = touched({RATE.param: rate}, [RATE], FACTS)
    assert [sentence.startswith("learning rate ") for sentence in sentences] == [True] * bool(end)
    assert end is None or f"is the {end} of the space" in sentences[0]


def test_an_end_beyond_which_nothing_is_possible_is_not_said():
    ends = [
        (CODE.model_copy(update={"low": 1}), 1),
        (CODE.model_copy(update={"high": 63}), 63),  # one less than the features
        (Dimension(param="network.n_layers", low=0, high=2), 0),
        (Dimension(param="network.nodes_per_layer", low=1, high=9), 1),
        (Dimension(param="models.variational.warmup", low=0.0, high=0.5), 0.0),
    ]
    for dimension, value in ends:
        assert touched({dimension.param: value}, [dimension], FACTS) == []


def test_one_layer_can_be_less():
    layers = Dimension(param="network.n_layers", low=1, high=3)
    (sentence,) = touched({layers.param: 1}, [layers], FACTS)
    assert sentence.startswith("number of layers 1 is the smallest")


def test_choices_and_values_that_are_not_tuned_touch_nothing():
    choices = Dimension(param="network.code_size", choices=[4, 8])
    assert touched({choices.param: 4}, [choices], FACTS) == []
    assert touched({}, [CODE, RATE], FACTS) == []
