"""The trials of a study: the best one, and how each ended."""

from collections.abc import Callable
from typing import Any

import pytest
from optuna.trial import TrialState, create_trial

from autoencoders.core.errors import UserError
from autoencoders.params.params import Params
from autoencoders.params.sections import Tune
from autoencoders.tuning.trials import (
    STOPPED,
    best_trial,
    complete,
    last_epoch,
    state,
    stopped_and_failed,
)
from study_parts import SHARE, complete_trial, ended_trial, numbered, with_space


@pytest.fixture
def tune(params: Params) -> Callable[[str], Tune]:
    """The settings for an objective."""
    return lambda objective: with_space(params, objective).tune


@pytest.mark.parametrize(
    ("trials", "best"),
    [
        (
            [(8, 1.0, 0.95), (4, 2.0, 0.91), (3, 3.0, 0.89)],
            1,
        ),  # the smallest of those that keep enough
        ([(8, 1.0, 0.95), (4, 2.0, SHARE)], 1),  # just enough is enough
        ([(4, 2.0, 0.91), (4, 1.5, 0.93), (4, 1.7, 0.99)], 1),  # of equal codes the least error
        ([(2, 3.0, 0.5), (8, 1.0, 0.89), (4, 2.0, 0.7)], 1),  # none keeps enough: the least error
        ([(4, 1.0, 0.95), (4, 1.0, 0.95)], 0),  # of equal ones the first
    ],
)
def test_smallest_code_takes_the_smallest_code_that_keeps_the_variance_and_else_the_least_error(
    tune, trials, best
):
    made = numbered([complete_trial(*trial) for trial in trials])
    assert best_trial(made, tune("smallest_code")).number == best


def test_smallest_error_takes_the_least_error_whatever_the_code_and_the_variance(tune):
    trials = [(4, 2.0, 0.95), (8, 1.0, 0.5)]
    made = numbered([complete_trial(*trial, "smallest_error") for trial in trials])
    assert best_trial(made, tune("smallest_error")).number == 1


def test_only_complete_trials_are_taken(tune):
    attributes: dict[str, Any] = {STOPPED: 1}
    stopped = complete_trial(2, 0.5, 0.95, **attributes)
    made = numbered(
        [
            ended_trial(TrialState.PRUNED, epochs=2),
            ended_trial(TrialState.FAIL, reason="it diverged"),
            stopped,
            complete_trial(8, 5.0, 0.1),
        ]
    )
    assert [trial.number for trial in complete(made)] == [3]
    assert best_trial(made, tune("smallest_code")).number == 3


def test_without_a_complete_trial_the_reasons_are_told(tune):
    made = numbered(
        [
            ended_trial(TrialState.FAIL, reason="it diverged"),
            ended_trial(TrialState.PRUNED),
            create_trial(value=5.9, user_attrs={STOPPED: 2}),
        ]
    )
    message = r"^none of 3 trials is complete: it diverged; stopped; raise tune.n_trials"
    with pytest.raises(UserError, match=message):
        best_trial(made, tune("smallest_error"))


def test_a_trial_that_was_stopped_is_so_for_both_objectives_though_optuna_says_otherwise():
    pruned = ended_trial(TrialState.PRUNED, epochs=3)
    far = create_trial(value=5.9, user_attrs={STOPPED: 2}, intermediate_values={1: 0.5})
    failed = ended_trial(TrialState.FAIL)
    trials = [pruned, far, failed, complete_trial(8, 1.0, 0.95)]
    assert [state(trial) for trial in trials] == ["stopped", "stopped", "fail", "complete"]
    assert stopped_and_failed(trials) == "2 stopped, 1 failed"
    assert [last_epoch(trial) for trial in trials] == [3, 2, None, None]
