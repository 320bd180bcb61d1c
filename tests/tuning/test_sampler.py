"""The sampler: draws depend on the seed, the type and the trials before, and on nothing else."""

from collections.abc import Callable
from typing import Any

import pytest
from optuna import Study, Trial, create_study
from optuna.trial import TrialState

from autoencoders.params.params import Params
from autoencoders.params.sections import Tune
from autoencoders.tuning.sampler import MANY_TRIALS, STARTUP, Repeatable
from autoencoders.tuning.storage import queue_again
from autoencoders.tuning.trials import REASON, VARIANCE, finished

N_TRIALS = STARTUP + 2  # a sampler has learned before the last ones
SAMPLERS = ["gp", "tpe", "random"]
LEAST = 20  # the smallest x that keeps the constraint of `judged`


@pytest.fixture
def tune(params: Params) -> Callable[..., Tune]:
    """The settings with a sampler, and others."""
    return lambda sampler="auto", objective="smallest_code", **values: params.tune.model_copy(
        update={"sampler": sampler, "objective": objective, **values}
    )


def opened(tune: Tune, model_type: str = "sparse") -> Study:
    study = create_study()
    study.sampler = Repeatable(tune, model_type, study)
    return study


def judged(trial: Trial) -> float:
    """Two values, of which the first is to be small, but at least LEAST."""
    x = trial.suggest_int("x", 1, 64, log=True)
    y = trial.suggest_float("y", 0.0, 1.0)
    trial.set_constraint(VARIANCE, (LEAST - x) / 64)
    return x + 0.9 * (y - 0.5) ** 2


def drawn(study: Study, n: int) -> list[dict[str, Any]]:
    """The values of a study's first n trials that count."""
    while len(finished(study, n)) < n:
        study.optimize(judged, n_trials=1)
    return [trial.params for trial in finished(study, n)]


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_the_same_seed_and_type_draw_the_same_values_and_others_draw_other_ones(tune, sampler):
    values = drawn(opened(tune(sampler)), N_TRIALS)
    assert drawn(opened(tune(sampler)), N_TRIALS) == values
    for other in (opened(tune(sampler, seed=2)), opened(tune(sampler), "variational")):
        assert not any(new in values for new in drawn(other, STARTUP))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_a_trial_that_is_killed_and_repeated_changes_no_draw(tune, sampler):
    whole = drawn(opened(tune(sampler)), N_TRIALS)
    study = opened(tune(sampler))
    drawn(study, N_TRIALS - 2)
    killed = study.ask()
    killed.suggest_int("x", 1, 64, log=True)  # the other value is drawn by its repetition
    killed.set_constraint(VARIANCE, 5.0)
    study.tell(killed, state=TrialState.FAIL)
    queue_again(study, study.trials[-1])
    assert drawn(study, N_TRIALS) == whole
    assert len(study.trials) == N_TRIALS + 1


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_each_repetition_of_a_trial_draws_the_same_values_as_it(tune, sampler):
    study = opened(tune(sampler))
    drawn(study, N_TRIALS)
    failed = study.ask()  # killed before it could be queued again: its number is the next one's
    first = [failed.suggest_int("x", 1, 64, log=True), failed.suggest_float("y", 0.0, 1.0)]
    study.tell(failed, state=TrialState.FAIL)
    assert REASON not in study.trials[-1].user_attrs
    again = study.ask()
    assert [again.suggest_int("x", 1, 64, log=True), again.suggest_float("y", 0.0, 1.0)] == first


@pytest.mark.parametrize("sampler", ["gp", "tpe"])
def test_a_sampler_that_has_learned_prefers_what_keeps_the_constraint(tune, sampler):
    study = opened(tune(sampler))
    for x in (1, 2, 4, 8, 16, 24, 32, 48, 64):
        study.enqueue_trial({"x": x, "y": 0.5})
    drawn(study, 9)
    later = [values["x"] for values in drawn(study, 15)[9:]]
    # without the constraint, the smallest x would be drawn
    assert sum(x >= LEAST / 2 for x in later) > len(later) / 2
    assert any(x >= LEAST for x in later)


@pytest.mark.parametrize(
    ("objective", "n_trials", "sampler"),
    [
        ("smallest_code", 2 * STARTUP, "gp"),
        ("smallest_code", MANY_TRIALS, "tpe"),
        ("smallest_error", 2 * STARTUP, "tpe"),
    ],
)
def test_auto_is_a_gaussian_process_for_up_to_many_trials_of_smallest_code_and_else_tpe(
    tune, objective, n_trials, sampler
):
    random = opened(tune("random"))
    drawn(random, n_trials)
    values = []
    for name in ("auto", sampler):
        study = opened(tune(name, objective))
        study.add_trials(random.trials)
        values.append(drawn(study, n_trials + 1)[-1])
    assert values[0] == values[1]
