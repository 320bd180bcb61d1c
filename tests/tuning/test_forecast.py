"""The forecast: what a training keeps, by what its trial keeps."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.params.params import Params
from autoencoders.tuning.forecast import DIGITS, LEAST_SHARE, Forecast

SETTINGS = settings(deadline=None, derandomize=True, database=None)
shares = st.floats(0.01, 0.99)


@SETTINGS
@given(shares, shares, shares)
def test_a_training_loses_the_same_multiple_of_what_its_trial_loses(trial, training, other):
    forecast = Forecast.of(trial, training)
    assert forecast.kept(trial) == pytest.approx(training)
    ratio = (1 - training) / (1 - trial)
    assert forecast.kept(other) == pytest.approx(1 - ratio * (1 - other))


@SETTINGS
@given(shares, shares, st.floats(0.5, 0.99))
def test_a_trial_needs_no_more_than_a_ten_thousandth_above_what_its_training_keeps_of_the_asked(
    trial, training, asked
):
    forecast = Forecast.of(trial, training)
    needed = forecast.needed(asked)
    assert 0 < needed < 1
    assert needed == pytest.approx(round(needed, DIGITS), abs=1e-12)
    if LEAST_SHARE < needed < 1 - LEAST_SHARE:
        assert forecast.kept(needed) >= asked - 1e-9
        assert forecast.kept(needed - 10**-DIGITS) < asked + 1e-9


def test_without_a_forecast_a_trial_stands_for_its_training():
    assert Forecast().kept(0.7) == pytest.approx(0.7)
    assert Forecast().needed(0.85) == pytest.approx(0.85)
    assert Forecast().lost_after(1, 0.7) is None


@pytest.mark.parametrize(("trial", "training"), [(1.0, 0.9), (1.5, 0.9), (0.8, 1.0), (0.8, 1.2)])
def test_where_nothing_is_lost_a_trial_needs_a_share_between_0_and_1(trial, training):
    assert 0 < Forecast.of(trial, training).needed(0.85) < 1


def test_a_trial_that_loses_more_than_the_variance_makes_a_forecast_too():
    forecast = Forecast.of(-1.0, 0.9)  # 2 are lost, and 0.1 by the training
    assert forecast.kept(-1.0) == pytest.approx(0.9)
    assert forecast.needed(0.9) == LEAST_SHARE


def test_on_its_way_a_trial_is_compared_with_the_untuned_trial_after_as_many_epochs():
    forecast = Forecast.of(0.8, 0.9, {"2": 0.5, "4": 0.7})
    assert forecast.lost_after(2, 0.5) == pytest.approx(0.1)
    assert forecast.lost_after(4, 0.7) == pytest.approx(0.1)
    assert forecast.lost_after(4, 0.4) == pytest.approx(0.2)
    assert forecast.lost_after(3, 0.5) is None


def test_a_forecast_is_the_same_after_it_was_stored():
    forecast = Forecast.of(0.8, 0.9, {"2": 0.5})
    assert Forecast(**forecast._asdict()) == forecast


def test_only_trials_of_smallest_code_are_judged_by_another_share(params: Params):
    forecast = Forecast(0.5)
    by_code = params.override({"tune.objective": "smallest_code"}).tune
    judged = forecast.judge(by_code)
    assert judged.explained_variance == forecast.needed(by_code.explained_variance)
    assert judged.model_dump(exclude={"explained_variance"}) == by_code.model_dump(
        exclude={"explained_variance"}
    )
    by_error = by_code.model_copy(update={"objective": "smallest_error"})
    assert forecast.judge(by_error) == by_error
