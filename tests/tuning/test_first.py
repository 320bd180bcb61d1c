"""The first act of a study: the untuned values in full and as a trial, and the forecast by both."""

import time
from pathlib import Path

import optuna
import pytest

from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.params.params import Params
from autoencoders.tuning.first import FORECAST, FirstResults, awaited_forecast, first_results
from autoencoders.tuning.forecast import Forecast
from autoencoders.tuning.full import TRAINED_IN_FULL, FullTrainings
from studies import Formula, diverges, result_of
from trainings import QUICK


@pytest.fixture
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.fixture
def quick(params: Params) -> Params:
    return params.override(
        {**QUICK, "tune.objective": "smallest_code", "tune.epochs": 3, "network.linear_path": False}
    )


@pytest.fixture
def trainings(quick: Params, data: Prepared, store_root: Path) -> FullTrainings:
    plan = quick.plan("undercomplete", data.description.facts)
    return FullTrainings(optuna.create_study(study_name="s"), plan, data, lambda: None)


def test_the_forecast_is_that_of_the_untuned_values_as_a_trial_and_in_full(
    quick, trainings, capsys
):
    results = first_results(quick.tune, trainings)
    assert results.trial is not None
    assert results.untuned is not None
    assert (results.trial.epochs, results.untuned.epochs) == (3, QUICK["train.epochs"])
    kept = results.trial.explained_variance
    assert results.forecast.kept(kept) == pytest.approx(results.untuned.explained_variance)
    for epoch, share in results.trial.by_epoch.items():
        lost = results.forecast.lost_after(int(epoch), share)
        assert lost == pytest.approx(1 - results.untuned.explained_variance)
    assert list(results.trial.by_epoch) == ["1", "2"]
    assert awaited_forecast(trainings.study) == results.forecast
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("untuned values, trained in full: code size 8 keeps ")
    asked = quick.tune.explained_variance
    needed = f"{100 * results.forecast.needed(asked):.1f} %"
    assert second == (
        f"a trial's 3 epochs keep {100 * kept:.1f} % of it; so a trial needs {needed} "
        f"for a training to keep {quick.tune.asked_share}"
    )


def test_of_smallest_error_only_the_training_in_full_is_needed(quick, trainings):
    by_error = quick.tune.model_copy(update={"objective": "smallest_error"})
    results = first_results(by_error, trainings)
    assert results.trial is None
    assert results.forecast == Forecast() == awaited_forecast(trainings.study)
    assert len(trainings.study.user_attrs[TRAINED_IN_FULL]) == 1


def test_a_study_that_goes_on_has_the_same_first_results(quick, trainings, monkeypatch):
    before = first_results(quick.tune, trainings)
    monkeypatch.setattr("autoencoders.tuning.full.fit", lambda *_, **__: pytest.fail("trained"))
    assert first_results(quick.tune, trainings) == before


def test_untuned_values_that_diverge_leave_trials_that_stand_for_their_trainings(
    quick, trainings, monkeypatch, capsys
):
    monkeypatch.setattr(FullTrainings, "result", Formula(trainings.plan, diverges).result)
    results = first_results(quick.tune, trainings)
    assert results == FirstResults(None, None)
    assert awaited_forecast(trainings.study) == Forecast()
    line = "untuned values, trained in full: the loss is nan in epoch 1\n"
    assert capsys.readouterr().out == line


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
    assert capsys.readouterr().out == "s: waiting for its first training in full\n"


def test_results_without_a_trial_or_a_training_forecast_nothing():
    result = result_of(8, 0.8)
    for results in (FirstResults(result, None), FirstResults(None, result)):
        assert results.forecast == Forecast()
