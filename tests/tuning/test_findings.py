"""Findings: what was taken and why, in numbers and words."""

import json
from typing import Any

import pytest
from optuna.trial import TrialState

from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.finals import Final
from autoencoders.tuning.findings import ENOUGH_FOR_IMPORTANCES
from autoencoders.tuning.gain import ErrorChange, Gain
from study_parts import (
    SHARE,
    TAKEN,
    UNTUNED,
    complete_trial,
    ended_trial,
    findings_of,
    numbered,
    result_of,
    values_of,
    with_space,
)

TRIALS = numbered(
    [
        complete_trial(8, 2.0, 0.86),
        complete_trial(5, 1.0, 0.85),
        ended_trial(TrialState.FAIL, reason="it diverged"),
        ended_trial(TrialState.PRUNED),
    ]
)
BEST = Final(1, values_of(5), result_of(5, 0.89))


def test_the_summary_says_how_many_were_tried_and_what_is_taken(params):
    lines = findings_of(with_space(params), TRIALS, TAKEN, UNTUNED, BEST).summary()
    assert lines[0] == "4 trials (1 stopped, 1 failed), then 3 trainings in full"
    assert lines[1] == (
        "taken: values of trial 1: code size 6 keeps 92.0 % (asked 90 %), squared error 8.0000"
    )
    assert not any("no code of the space" in line for line in lines)
    assert not any("no trial is better" in line for line in lines)


def test_a_missed_share_is_said_with_what_to_do(params):
    missing = Final(1, {**values_of(5), CODE_SIZE: 32}, result_of(32, 0.89))
    lines = findings_of(with_space(params), TRIALS, missing, UNTUNED).summary()
    assert (
        "no code of the space keeps 90 % of the variance, so the least error is taken: widen "
        "network.code_size in tune.space, or ask for less in tune.explained_variance" in lines
    )
    assert any(line.startswith("code size 32 is the largest of the space") for line in lines)
    by_error = with_space(params, "smallest_error")
    lines = findings_of(by_error, TRIALS, BEST._replace(values={}), UNTUNED).summary()
    assert not any("of the variance" in line for line in lines)


def test_where_only_untuned_values_were_trained_no_trial_is_better(params):
    lines = findings_of(with_space(params), TRIALS, UNTUNED).summary()
    assert lines[1].startswith("taken: untuned values: code size 8 ")
    assert lines[-1] == "no trial is better than the one with the untuned values"


def test_the_gain_stands_in_the_summary_and_in_the_metrics(params):
    gain = Gain(ErrorChange(8, 2.0, 1.5, -0.25, None, {}), 6, 9)
    findings = findings_of(with_space(params), TRIALS, TAKEN, UNTUNED, gain=gain)
    lines = findings.summary()
    assert lines[-2].startswith("tuning changes the error at code size 8 by -25.0 %")
    assert lines[-1].endswith("tuned values need code size 6, untuned ones 9")
    assert findings.metrics() == {
        "taken/code_size": 6,
        "taken/squared_error": TAKEN.result.squared_error,
        "taken/explained_variance": 0.92,
        "untuned/code_size": 8,
        "untuned/squared_error": UNTUNED.result.squared_error,
        "untuned/explained_variance": 0.88,
        "gain/error_change": -0.25,
    }


def test_untuned_values_that_diverged_have_no_metrics(params):
    metrics = findings_of(with_space(params), TRIALS, TAKEN).metrics()
    assert {name.split("/")[0] for name in metrics} == {"taken"}


def test_findings_are_written_as_json_with_the_share_that_trials_needed(params):
    findings = findings_of(with_space(params), TRIALS, TAKEN, UNTUNED, BEST, trial_kept=0.76)
    written: dict[str, Any] = json.loads(json.dumps(findings.written()))
    assert written["asked"] == SHARE
    assert written["needed_by_trials"] == pytest.approx(0.8)  # trials lose twice as much
    assert written["n_trials"] == len(TRIALS)
    assert written["taken"]["trial"] == 1
    assert written["taken"]["values"] == TAKEN.values
    assert written["taken"]["code_size"] == 6
    assert [final["trial"] for final in written["in_full"]] == [None, 1, 1]
    assert {**written["untuned"], "trial": None} == written["in_full"][0]
    assert written["gain"] is None
    assert written["summary"] == findings.summary()


@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_importances_are_those_of_enough_complete_trials(params, objective):
    trials = []
    for number in range(ENOUGH_FOR_IMPORTANCES):
        size = 2 + number
        trials.append(complete_trial(size, 1 / size, 1 - 1 / size))
    failed = ended_trial(TrialState.FAIL, reason="it diverged")
    spaced = with_space(params, objective)
    enough = findings_of(spaced, numbered([failed, *trials]), UNTUNED).importances
    assert sum(enough.values()) == pytest.approx(1)
    few = findings_of(spaced, numbered([failed, *trials[1:]]), UNTUNED)
    assert few.importances == {}
    same = [complete_trial(8, 1.0, 0.9)] * ENOUGH_FOR_IMPORTANCES
    assert findings_of(spaced, numbered(same), UNTUNED).importances == {}
