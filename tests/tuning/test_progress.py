"""The lines of a study in a log: each trial in view of the goal, and the best so far."""

from typing import Any

import optuna
import pytest
from optuna import Study
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params
from autoencoders.params.sections import FixedTune
from autoencoders.tuning.progress import outcome, progress
from autoencoders.tuning.trials import REASON, RESULT, SAME_AS, STOPPED

SPACE: dict[str, BaseDistribution] = {
    "network.n_layers": IntDistribution(0, 3),
    "network.nodes_per_layer": IntDistribution(1, 128),
}


@pytest.fixture
def by_code(params: Params) -> FixedTune:
    """Asks for 85 % of the variance, in 3 trials."""
    values = {"tune.objective": "smallest_code", "tune.explained_variance": 0.85}
    asked = params.override({**values, "tune.n_trials": 3})
    return asked.study(DataFacts(64, unit_interval=True))


@pytest.fixture
def by_error(by_code: FixedTune) -> FixedTune:
    return by_code.model_copy(update={"objective": "smallest_error"})


def complete(code_size: int, kept: float, **values: int) -> FrozenTrial:
    """A complete trial with an error of 2; values: of n_layers and nodes_per_layer."""
    params = {f"network.{name}": value for name, value in values.items()}
    distributions = {name: SPACE[name] for name in params}
    result = {"squared_error": 2.0, "explained_variance": kept, "code_size": code_size}
    return create_trial(
        value=code_size + 1 - kept,
        params=params,
        distributions=distributions,
        user_attrs={RESULT: result},
    )


@pytest.fixture
def study() -> Study:
    return optuna.create_study(study_name="s")


@pytest.mark.parametrize(
    ("values", "layers"),
    [
        ({"n_layers": 2, "nodes_per_layer": 96}, ", 2 layers of 96"),
        ({"n_layers": 1, "nodes_per_layer": 96}, ", 1 layer of 96"),
        ({"n_layers": 0, "nodes_per_layer": 96}, ", 0 layers"),
        ({"n_layers": 3}, ", 3 layers"),
        ({"nodes_per_layer": 96}, ", layers of 96"),
        ({}, ""),
    ],
)
def test_a_trial_says_what_its_code_keeps_what_it_needs_and_the_layers_that_are_tuned(
    by_code, by_error, values, layers
):
    trial = complete(11, 0.861, **values)
    assert outcome(trial, by_code) == f"code 11 keeps 86.1 % (needs 85 %){layers}"
    assert outcome(trial, by_error) == f"squared error 2.0000{layers}"


@pytest.mark.parametrize(("share", "text"), [(0.57, "57 %"), (0.995, "99.5 %"), (0.29, "29 %")])
def test_the_asked_share_is_written_as_in_the_parameters(by_code, share, text):
    assert by_code.model_copy(update={"explained_variance": share}).asked_share == text


def test_a_pruned_trial_says_after_how_many_epochs_and_a_failed_one_why(by_error):
    pruned = create_trial(state=TrialState.PRUNED, intermediate_values={1: 3.0})
    assert outcome(pruned, by_error) == "stopped after 1 epoch"
    pruned = create_trial(state=TrialState.PRUNED, intermediate_values={1: 3.0, 2: 2.0})
    assert outcome(pruned, by_error) == "stopped after 2 epochs"
    attributes: dict[str, Any] = {REASON: "DivergedError: it diverged\nand more"}
    failed = create_trial(state=TrialState.FAIL, user_attrs=attributes)
    assert outcome(failed, by_error) == "failed, DivergedError: it diverged"


def test_a_trial_that_was_far_from_the_share_says_its_code_and_one_that_repeats_says_which(
    by_code, by_error
):
    stopped = create_trial(
        value=5.9,
        params={"network.code_size": 5},
        distributions={"network.code_size": IntDistribution(1, 9)},
        user_attrs={STOPPED: 2},
    )
    assert outcome(stopped, by_code) == "code 5 stopped after 2 epochs, far from 85 %"
    assert outcome(stopped, by_error) == "stopped after 2 epochs"
    repeats = complete(11, 0.861)
    repeats.set_user_attr(SAME_AS, 4)
    assert outcome(repeats, by_code).endswith(", like trial 4")


def test_a_log_has_one_line_a_finished_trial_and_says_where_a_study_goes_on(study, by_code, capsys):
    failed = create_trial(state=TrialState.FAIL, user_attrs={REASON: "it diverged"})
    study.add_trial(failed)
    with progress(study, by_code) as show:
        study.add_trial(complete(12, 0.9))
        show()
        show()
        study.add_trial(complete(11, 0.8))  # by another worker, after the last look
    assert capsys.readouterr().out.splitlines() == [
        "s: goes on after 1 of 3 trials",
        "s: trial 1 (2/3): code 12 keeps 90.0 % (needs 85 %); "
        "best: code 12 keeps 90.0 % (needs 85 %), 0 stopped, 1 failed",
        "s: trial 2 (3/3): code 11 keeps 80.0 % (needs 85 %); "
        "best: code 12 keeps 90.0 % (needs 85 %), 0 stopped, 1 failed",
    ]


def test_without_a_complete_trial_there_is_no_best_one(study, by_code, capsys):
    with progress(study, by_code):
        study.add_trial(create_trial(state=TrialState.FAIL, user_attrs={REASON: "no"}))
    line = "s: trial 0 (1/3): failed, no; none complete, 0 stopped, 1 failed\n"
    assert capsys.readouterr().out == line
