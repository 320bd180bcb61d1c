"""The curves of the best result by trial in a study's MLflow run."""

from collections.abc import Callable

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState, create_trial

from autoencoders.data.prepared.prepared import Description
from autoencoders.params.params import Params
from autoencoders.tracking.runs import Runs
from autoencoders.tuning.curve import BEST_SO_FAR, Curve
from autoencoders.tuning.trials import REASON, RESULT

Points = list[tuple[int, float]]


def complete(code_size: int, kept: float) -> FrozenTrial:
    result = {"squared_error": 1 - kept, "explained_variance": kept, "code_size": code_size}
    return create_trial(value=code_size + 1 - kept, user_attrs={RESULT: result})


FAILED = create_trial(state=TrialState.FAIL, user_attrs={REASON: "it diverged"})
TRIALS = [FAILED, complete(8, 0.85), complete(4, 0.8), complete(9, 0.95), FAILED, complete(7, 0.91)]
CODES = [(2, 8.0), (3, 8.0), (4, 9.0), (5, 9.0), (6, 7.0)]  # the first that keep 90 % are 9 and 7


@pytest.fixture
def drawn(
    tracked_root: object, description: Description, params: Params
) -> Callable[[list[FrozenTrial]], Points]:
    """Draws the curve of trials in the run of one study; returns MLflow's points of the code."""
    values = {"tune.objective": "smallest_code", "tune.explained_variance": 0.9}
    asked = params.override({**values, "tune.n_trials": len(TRIALS)})
    tune = asked.study(description.facts)

    def draw(trials: list[FrozenTrial]) -> Points:
        runs = Runs(description)
        study = optuna.create_study()
        begin = runs.recorder.study("s", "sparse", {}, private=True)
        with runs.recorder.studied(begin) as run:
            curve = Curve(study, tune, run)
            for trial in trials:
                study.add_trial(trial)
                curve.extend()
        runs.sender.finish_all()
        run_id = runs.stored.run_of(begin).run_id
        history = runs.client.get_metric_history(run_id, f"{BEST_SO_FAR}/code_size")
        return sorted((point.step, point.value) for point in history)

    return draw


def test_each_step_has_the_best_of_as_many_trials(drawn):
    assert drawn(TRIALS) == CODES


def test_a_study_that_goes_on_adds_to_its_curve_and_repeats_no_point(drawn):
    assert drawn(TRIALS[:3]) == CODES[:2]
    assert drawn(TRIALS) == CODES


def test_trials_behind_one_that_runs_wait_for_it_and_more_than_n_trials_are_not_drawn(drawn):
    running = create_trial(state=TrialState.RUNNING)
    assert drawn([*TRIALS[:3], running, *TRIALS[3:]]) == CODES[:2]
    assert drawn([*TRIALS, complete(1, 0.99)]) == CODES
