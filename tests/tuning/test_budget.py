"""The budget of a study: minutes in which trials were running."""

from datetime import datetime, timedelta

import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoencoders.tuning.budget import are_over, minutes_worked
from autoencoders.tuning.trials import RESULT, STOPPED

NOON = datetime(2026, 1, 1, 12)


def lasting(began: float, ended: float, state: TrialState = TrialState.COMPLETE) -> FrozenTrial:
    """A finished trial; began, ended: minutes after noon."""
    is_complete = state == TrialState.COMPLETE
    trial = create_trial(state=state, value=1.0 if is_complete else None)
    if is_complete:
        trial.set_user_attr(RESULT, {})
    trial.datetime_start = NOON + timedelta(minutes=began)
    trial.datetime_complete = NOON + timedelta(minutes=ended)
    return trial


@pytest.mark.parametrize(
    ("times", "minutes"),
    [
        ([], 0),
        ([(0, 5)], 5),
        ([(0, 5), (5, 7)], 7),
        ([(0, 5), (600, 602)], 7),  # a pause
        ([(0, 5), (1, 4)], 5),  # side by side
        ([(0, 5), (3, 8)], 8),
        ([(0, 9), (1, 2), (3, 4), (8, 10)], 10),
        ([(5, 3), (5, 6)], 1),  # a clock that was set back
    ],
)
def test_the_minutes_of_a_study_are_those_in_which_a_trial_was_running(times, minutes):
    trials = [lasting(began, ended) for began, ended in times]
    assert minutes_worked(trials) == pytest.approx(minutes)
    assert minutes_worked(trials[::-1]) == pytest.approx(minutes)


def test_minutes_are_over_when_they_are_used_up_and_never_where_there_is_no_limit():
    trials = [lasting(0, 5, TrialState.PRUNED), lasting(5, 7)]
    assert [are_over(minutes, trials) for minutes in (0, 6.9, 7, 7.1)] == [False, True, True, False]


def test_minutes_are_not_over_before_a_trial_is_complete():
    trials = [lasting(0, 5, TrialState.PRUNED), lasting(5, 7, TrialState.FAIL)]
    assert not are_over(1, trials)
    stopped = lasting(7, 9)
    stopped.user_attrs = {STOPPED: 2}  # which Optuna takes for complete
    assert not are_over(1, [*trials, stopped])
