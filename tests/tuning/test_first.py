"""The first act of a study: the untuned values in full and as a trial, and the forecast by both."""

import time
from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.params.params import Params
from autoencoders.params.plan import Plan
from autoencoders.params.space import CODE_SIZE
from autoencoders.tuning.finals import Final, Finals, percent
from autoencoders.tuning.first import FORECAST, FirstResults, awaited_forecast, first_results
from autoencoders.tuning.forecast import Forecast
from autoencoders.tuning.full import FullTrainings
from study_parts import FACTS, SHARE, Formula, diverges, loses, result_of, with_space
from trainings import QUICK

TRIAL_EPOCHS = 3


# by a formula


@pytest.fixture
def begun(params: Params) -> Callable[..., tuple[FirstResults, Finals, Formula]]:
    """The first results by a formula, with the untuned code size 8."""

    def run(
        kept: Callable[[Plan, int], float], objective: str = "smallest_code"
    ) -> tuple[FirstResults, Finals, Formula]:
        spaced = with_space(params, objective, epochs=TRIAL_EPOCHS)
        formula = Formula(spaced.plan("sparse", FACTS), kept)
        finals = Finals(spaced.study(FACTS), formula.trainings)
        return first_results(spaced.tune, finals), finals, formula

    return run


def in_trials(
    in_trial: Callable[[Plan, int], float], in_full: Callable[[Plan, int], float]
) -> Callable[[Plan, int], float]:
    """A formula of trials, and another one of trainings in full."""

    def kept(plan: Plan, seed: int) -> float:
        is_trial = plan.train.epochs == TRIAL_EPOCHS
        formula = in_trial if is_trial else in_full
        return formula(plan, seed)

    return kept


@pytest.mark.parametrize(
    ("share", "smallest"),
    [(0.15, 2), (0.55, 6), (0.75, 8), (1.55, 16), (50.0, None)],
)
def test_the_smallest_code_with_the_untuned_values_is_found(begun, share, smallest):
    results, finals, formula = begun(loses(share))
    assert results.smallest == smallest
    assert results.untuned == finals.tried[0].result
    assert results.untuned.code_size == 8
    assert {final.number for final in finals.tried} == {None}
    codes = [values.get(CODE_SIZE, 8) for values, _ in formula.trained]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("share", [0.15, 0.55, 0.65, 0.75, 1.55, 50.0])
def test_the_trial_has_the_code_size_whose_training_is_nearest_to_the_asked_share(begun, share):
    results, finals, _ = begun(loses(share))
    distances = {
        final.result.code_size: abs(share / final.result.code_size - (1 - SHARE))
        for final in finals.tried
    }
    nearest = min(distances, key=lambda size: distances[size])
    assert results.near.result.code_size == results.trial.code_size == nearest


def test_the_forecast_is_that_of_the_trial_and_the_training_near_the_asked_share(begun, capsys):
    # a trial of code size n loses 2 / n times as much as the training; both are nearest for 6
    def twice(plan: Plan, seed: int) -> float:
        return 1 - 12 / plan.network.code_size * (1 - loses(0.6)(plan, seed))

    results, finals, formula = begun(in_trials(twice, loses(0.6)))
    assert results.near.result.code_size == 6
    assert results.forecast.ratio == pytest.approx(0.5)
    needed = results.forecast.needed(SHARE)
    assert needed == pytest.approx(1 - 2 * (1 - SHARE), abs=1e-4)
    assert awaited_forecast(formula.study) == results.forecast
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(finals.tried) + 1
    assert lines[-1] == (
        "sparse: with code size 6, 9 epochs of a trial keep 80.0 %, 9 of a training in full "
        f"90.0 %: for 90 %, a trial needs {percent(needed)}"
    )


def test_a_trial_of_the_untuned_values_that_diverges_forecasts_nothing(begun, capsys):
    results, _, formula = begun(in_trials(diverges, loses(0.55)))
    assert results.trial is None
    assert results.smallest == 6
    assert awaited_forecast(formula.study) == results.forecast == Forecast()
    line = "sparse: a trial of the untuned values: the loss is nan in epoch 1"
    assert capsys.readouterr().out.splitlines()[-1] == line


def test_of_smallest_error_only_one_training_in_full_is_needed(begun):
    results, finals, formula = begun(in_trials(diverges, loses(0.55)), "smallest_error")
    (untuned,) = finals.tried
    assert results == FirstResults(untuned.result, None, untuned, None)
    assert awaited_forecast(formula.study) == results.forecast == Forecast()


@pytest.mark.parametrize("objective", ["smallest_code", "smallest_error"])
def test_untuned_values_that_diverge_leave_trials_that_stand_for_their_trainings(
    begun, capsys, objective
):
    results, finals, formula = begun(diverges, objective)
    assert results == FirstResults(None, None, None, None)
    assert finals.tried == []
    assert awaited_forecast(formula.study) == Forecast()
    line = "sparse: untuned values in full: the loss is nan in epoch 1\n"
    assert capsys.readouterr().out == line


def test_results_without_a_trial_or_a_training_forecast_nothing():
    result = result_of(8, 0.8)
    near = Final(None, {}, result)
    without_trial = FirstResults(result, None, near, None)
    without_training = FirstResults(None, None, None, result)
    for results in (without_trial, without_training):
        assert results.forecast == Forecast()


# by trainings


@pytest.fixture
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.fixture
def quick(params: Params) -> Params:
    """Parameters whose untuned code size is the largest of three."""
    return params.override(
        {
            **QUICK,
            "tune.objective": "smallest_code",
            "tune.epochs": TRIAL_EPOCHS,
            "tune.space": [{"param": CODE_SIZE, "low": 6, "high": 8}],
            "network.code_size": 8,
            "network.linear_path": False,
        }
    )


@pytest.fixture
def finals(quick: Params, data: Prepared, store_root: Path) -> Callable[[], Finals]:
    """The trainings in full of one study, as each process that goes on with it has them."""
    plan = quick.plan("undercomplete", data.description.facts)
    study = optuna.create_study(study_name="s")
    trainings = FullTrainings(study, plan, data, lambda: None)
    return lambda: Finals(quick.study(data.description.facts), trainings)


def test_a_trial_and_its_training_have_the_untuned_values_but_fewer_epochs(quick, finals):
    results = first_results(quick.tune, finals())
    assert results.trial is not None
    assert results.near is not None
    trial = results.trial
    near = results.near.result
    assert (trial.epochs, near.epochs) == (TRIAL_EPOCHS, QUICK["train.epochs"])
    assert trial.code_size == near.code_size
    assert results.forecast.kept(trial.explained_variance) == pytest.approx(near.explained_variance)
    assert list(trial.by_epoch) == ["1", "2"]
    for epoch, share in trial.by_epoch.items():
        lost = results.forecast.lost_after(int(epoch), share)
        assert lost == pytest.approx(1 - near.explained_variance)


def test_a_study_that_goes_on_has_the_same_first_results(quick, finals, monkeypatch):
    before = first_results(quick.tune, finals())
    monkeypatch.setattr("autoencoders.tuning.full.fit", lambda *_, **__: pytest.fail("trained"))
    assert first_results(quick.tune, finals()) == before


# workers that join


def test_a_worker_waits_for_the_forecast_and_says_so_once(monkeypatch, capsys):
    study = optuna.create_study(study_name="s")
    forecast = Forecast.of(0.8, 0.9, {"1": 0.5})
    waits = []

    def wait(_: float) -> None:
        waits.append(0)
        if len(waits) == 3:
            study.set_user_attr(FORECAST, forecast._asdict())

    monkeypatch.setattr(time, "sleep", wait)
    assert awaited_forecast(study) == forecast
    assert capsys.readouterr().out == "s: waiting for its first trainings in full\n"
