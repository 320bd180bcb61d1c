"""A trial: an ordinary training, judged on validation.

It is reported to MLflow whatever becomes of it.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
import pytorch_lightning as pl
from mlflow.entities import Run as MlflowRun
from optuna import Study
from optuna.trial import FrozenTrial, TrialState

from autoencoders.core.errors import DivergedError, Interrupted
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.params.params import Params
from autoencoders.tracking.runs import Runs
from autoencoders.training.callbacks import SELECTION_METRIC
from autoencoders.training.fit import Fitted, fit
from autoencoders.tuning import objective as module
from autoencoders.tuning.forecast import Forecast
from autoencoders.tuning.objective import Objective, suggest
from autoencoders.tuning.sampler import Repeatable
from autoencoders.tuning.study import trial_plan
from autoencoders.tuning.trials import (
    DATA_SET,
    ERROR,
    KEPT,
    MODEL_TYPE,
    REASON,
    RESULT,
    SAME_AS,
    STOPPED,
    TRIAL,
    VARIANCE,
    state,
)
from autoencoders.tuning.worker import work
from repository import ROOT

EPOCHS = 2
NO_FORECAST = Forecast()
SPACE = [
    {"param": "network.code_size", "low": 2, "high": 32, "log": True},
    {"param": "network.nodes_per_layer", "low": 8, "high": 16, "step": 4},
    {"param": "network.activation", "choices": ["silu", "relu", "tanh"]},
    {"param": "train.learning_rate", "low": 1e-3, "high": 1e-2, "log": True},
    {"param": "train.batch_size", "choices": [32, 64]},
    {"param": "models.variational.warmup", "low": 0.0, "high": 0.5, "step": 0.25},
]
CODE_SIZE = 5
VALUES = {
    "network.code_size": CODE_SIZE,
    "network.nodes_per_layer": 12,
    "network.activation": "relu",
    "train.learning_rate": 0.004,
    "train.batch_size": 32,
}


@pytest.fixture(scope="module")
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.fixture(scope="module")
def spaced(params: Params) -> Params:
    return params.override(
        {"tune.space": SPACE, "tune.epochs": EPOCHS, "tune.objective": "smallest_code"}
    )


@pytest.fixture(scope="module")
def runs(data: Prepared, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    """A real store, for all tests of this file."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        patch.setenv("DVC_ROOT", str(tmp_path_factory.mktemp("store")))
        patch.setenv("MLFLOW_TRACKING_URI", "")
        yield Runs(data.description)


@pytest.fixture
def tried(
    spaced: Params, data: Prepared, runs: Runs
) -> Callable[..., tuple[FrozenTrial, MlflowRun]]:
    """Runs trials with given values; returns the last as the study and as MLflow have it."""

    def run(
        model_type: str,
        values: Mapping[str, Any] = VALUES,
        *,
        params: Params = spaced,
        data: Prepared = data,
        pruner: optuna.pruners.BasePruner | None = None,
        forecast: Forecast = NO_FORECAST,
        each_epoch: Callable[[], None] = lambda: None,
        trials: int = 1,
    ) -> tuple[FrozenTrial, MlflowRun]:
        study = study_of(params, pruner)
        for _ in range(trials):
            study.enqueue_trial(dict(values))
        above = runs.recorder.study(f"study {id(study)}", model_type, {}, private=True)
        plan = trial_plan(params.plan(model_type, data.description.facts), params.tune)
        objective = Objective(plan, params.tune, forecast, data, runs.recorder, above, each_epoch)
        with suppress(Interrupted):
            work(study, objective, trials, lambda: None)
        runs.sender.finish_all()
        parent = runs.stored.run_of(above).run_id
        found = runs.stored.search(runs.experiment, f"tags.`mlflow.parentRunId` = '{parent}'")
        assert len(found) == trials
        (last,) = [other for other in found if other.info.run_name == f"trial {trials - 1}"]
        return study.trials[-1], last

    return run


def study_of(params: Params, pruner: optuna.pruners.BasePruner | None = None) -> Study:
    study = optuna.create_study(pruner=pruner or optuna.pruners.NopPruner())
    tune = params.tune.model_copy(update={"sampler": "tpe"})
    study.sampler = Repeatable(tune, "variational", study)
    return study


@pytest.mark.parametrize("model_type", ["undercomplete", "denoising", "variational"])
def test_a_trials_result_is_that_of_an_ordinary_training_with_its_values(
    tried, spaced, data, model_type
):
    own = {"models.variational.warmup": 0.25} if model_type == "variational" else {}
    trial, _ = tried(model_type, {**VALUES, **own})
    fitted = fit(
        spaced.override({**VALUES, **own, "train.epochs": EPOCHS}).plan(
            model_type, data.description.facts
        ),
        data,
    )
    x = data.sample("validation") / data.scale
    errors = np.square(
        x - fitted.model.reconstruct(data.sample("validation")) / data.scale, dtype=np.float64
    )
    deviations = np.square(x - (data.sample("train") / data.scale).mean(0), dtype=np.float64)
    assert trial.user_attrs[RESULT] == {
        "squared_error": errors.sum(1).mean(),
        "explained_variance": pytest.approx(1 - errors.sum() / deviations.sum(), rel=1e-5),
        "code_size": VALUES["network.code_size"],
        "epochs": EPOCHS,
    }


def test_the_types_own_overrides_give_way_to_a_trials_values(tried, spaced, data):
    own = spaced.override({"models.sparse.network.code_size": 3, "models.sparse.train.epochs": 5})
    trial, _ = tried("sparse", params=own)
    assert trial.user_attrs[RESULT]["code_size"] == VALUES["network.code_size"]
    assert trial.user_attrs[RESULT]["epochs"] == EPOCHS
    assert trial.user_attrs[RESULT] == tried("sparse")[0].user_attrs[RESULT]


def test_smallest_code_minimises_code_and_lost_share_under_the_share_that_a_training_would_miss(
    tried, spaced
):
    forecast = Forecast(0.5)
    params = spaced.override({"network.loss": "mse"})  # so that it starts as PCA
    trial, _ = tried("undercomplete", params=params, forecast=forecast)
    kept = trial.user_attrs[RESULT]["explained_variance"]
    assert 0 < kept < 1
    assert trial.values == [CODE_SIZE + 1 - kept]
    missed = spaced.tune.explained_variance - (1 - 0.5 * (1 - kept))
    assert trial.constraints == {VARIANCE: pytest.approx(missed)}


def test_a_code_that_loses_everything_stays_before_the_next_larger_one(tried, monkeypatch):
    monkeypatch.setattr(module, "fidelity", lambda *_: (np.full(3, 2.0), -5.0))
    trial, _ = tried("undercomplete")
    assert CODE_SIZE < trial.value < CODE_SIZE + 1
    assert trial.constraints[VARIANCE] > 0


def test_a_trial_that_is_far_from_the_share_is_stopped_with_a_forecast_value_and_constraint(
    tried, spaced
):
    lost = 1 - spaced.tune.explained_variance
    trial, run = tried("undercomplete", forecast=Forecast(1.0, {"1": 1.0}))
    assert state(trial) == "stopped"
    assert trial.state == TrialState.COMPLETE
    assert (trial.user_attrs[STOPPED], list(trial.intermediate_values)) == (1, [1])
    forecast = trial.intermediate_values[1]  # the share that a training would lose
    assert forecast > module.FAR * lost
    assert trial.value == CODE_SIZE + min(forecast, module.MOST_LOST)
    assert trial.constraints[VARIANCE] == pytest.approx(forecast - lost)
    assert trial.constraints[VARIANCE] > 0
    assert not {RESULT, REASON} & trial.user_attrs.keys()
    assert (run.info.status, run.data.tags["state"]) == ("FINISHED", "stopped")


@pytest.mark.parametrize(
    ("ratio", "pruner"), [(1e-3, "median"), (1.0, "none")], ids=["near", "no pruner"]
)
def test_a_trial_that_is_near_the_share_or_has_no_pruner_is_trained_to_its_end(
    tried, spaced, ratio, pruner
):
    params = spaced.override({"tune.pruner": pruner})
    trial, run = tried("undercomplete", params=params, forecast=Forecast(1.0, {"1": ratio}))
    assert state(trial) == "complete"
    assert list(trial.intermediate_values) == [1]
    assert STOPPED not in trial.user_attrs
    assert "state" not in run.data.tags


@pytest.mark.parametrize("ratios", [{}, {"1": 1.0}], ids=["complete", "stopped"])
def test_a_trial_with_an_earlier_ones_values_takes_its_result_without_a_training(
    tried, monkeypatch, ratios
):
    trainings = []

    def counted(*arguments: Any, **options: Any) -> Fitted:
        trainings.append(arguments)
        return fit(*arguments, **options)

    monkeypatch.setattr(module, "fit", counted)
    forecast = Forecast(1.0, ratios)
    trial, run = tried("undercomplete", forecast=forecast, trials=2)
    assert len(trainings) == 1
    first, _ = tried("undercomplete", forecast=forecast)
    assert trial.user_attrs[SAME_AS] == 0
    assert run.data.tags["same_as"] == "trial 0"
    assert state(trial) == state(first)
    assert (trial.value, trial.constraints) == (first.value, first.constraints)
    assert trial.intermediate_values == first.intermediate_values
    for name in (ERROR, KEPT, RESULT, STOPPED):
        assert trial.user_attrs.get(name) == first.user_attrs.get(name)


def test_smallest_error_minimises_the_error_alone_and_reports_each_epochs(tried, spaced, data):
    spaced = spaced.override({"tune.objective": "smallest_error"})
    trial, _ = tried("undercomplete", params=spaced)
    history = fit(
        spaced.override({**VALUES, "train.epochs": EPOCHS}).plan(
            "undercomplete", data.description.facts
        ),
        data,
    ).history
    assert trial.values == [trial.user_attrs[RESULT]["squared_error"]]
    assert trial.intermediate_values == {
        epoch: means[SELECTION_METRIC] for epoch, means in enumerate(history, 1)
    }


def test_a_trial_takes_one_machine_however_many_a_training_takes(tried, spaced, monkeypatch):
    machines = []

    def start(trainer: pl.Trainer, *args: object, **kwargs: object) -> None:
        machines.append(trainer.num_nodes)
        raise RuntimeError  # the other machines would be waited for

    monkeypatch.setattr(pl.Trainer, "fit", start)
    tried("undercomplete", params=spaced.override({"train.num_nodes": 3}))
    assert machines == [1]


def test_mlflow_has_a_finished_trials_values_result_and_curve(tried):
    trial, run = tried("undercomplete")
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "trial 0"
    assert run.data.params == {name: str(value) for name, value in VALUES.items()}
    for name in ("squared_error", "explained_variance"):
        assert run.data.metrics[f"val/{name}"] == trial.user_attrs[RESULT][name]
    assert SELECTION_METRIC in run.data.metrics
    tags = {"stage": "trial", "kind": "undercomplete", "data": "digits"}
    assert run.data.tags == run.data.tags | tags


def test_a_trial_has_its_number_type_data_error_and_share_for_the_dashboard(tried):
    trial, _ = tried("undercomplete")
    result = trial.user_attrs[RESULT]
    attributes = {
        TRIAL: 0,
        MODEL_TYPE: "undercomplete",
        DATA_SET: "digits",
        ERROR: result["squared_error"],
        KEPT: result["explained_variance"],
    }
    assert trial.user_attrs == trial.user_attrs | attributes


def test_a_pruned_trial_ends_well_and_says_so(tried, spaced):
    params = spaced.override({"tune.objective": "smallest_error"})
    trial, run = tried(
        "undercomplete", params=params, pruner=optuna.pruners.ThresholdPruner(upper=0.0)
    )
    assert trial.state == TrialState.PRUNED
    assert list(trial.intermediate_values) == [1]
    assert not {RESULT, REASON} & trial.user_attrs.keys()
    assert (run.info.status, run.data.tags["state"]) == ("FINISHED", "stopped")


def test_no_pruner_of_optuna_stops_a_trial_of_smallest_code(tried):
    trial, run = tried("undercomplete", pruner=optuna.pruners.ThresholdPruner(upper=0.0))
    assert trial.state == TrialState.COMPLETE
    assert "state" not in run.data.tags


def test_a_trial_that_diverges_keeps_its_reason_in_the_study_and_in_mlflow(tried, spaced, data):
    huge = replace(data, scale=data.scale / 1e30)
    trial, run = tried("undercomplete", params=spaced.override({"network.loss": "mse"}), data=huge)
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs[REASON].startswith(f"{DivergedError.__name__}: ")
    assert "epoch 1" in trial.user_attrs[REASON]
    assert RESULT not in trial.user_attrs
    assert run.info.status == "FAILED"
    assert run.data.tags["reason"].startswith(trial.user_attrs[REASON])


def test_an_error_that_is_no_number_fails_the_trial_and_its_run(tried, monkeypatch):
    monkeypatch.setattr(module, "fidelity", lambda *_: (np.full(3, np.nan), 0.0))
    trial, run = tried("undercomplete")
    assert trial.state == TrialState.FAIL
    assert "squared error on validation is nan" in trial.user_attrs[REASON]
    assert trial.constraints == {}
    assert run.info.status == "FAILED"


def test_values_that_do_not_fit_fail_their_trial_alone(tried, spaced):
    params = spaced.override({"models.sparse.penalty": "top_k", "models.sparse.k": 4})
    trial, run = tried("sparse", {**VALUES, "network.code_size": 3}, params=params)
    assert trial.state == TrialState.FAIL
    assert trial.user_attrs[REASON].startswith(
        "ParameterError: models.sparse.k = 4: must be at most the code size, 3"
    )
    assert run.info.status == "FAILED"


def test_a_long_reason_is_cut(tried):
    def fail() -> None:
        raise RuntimeError("x" * 5000)

    trial, run = tried("undercomplete", each_epoch=fail)
    assert trial.user_attrs[REASON] == "RuntimeError: xxx".ljust(1000, "x")
    assert run.info.status == "FAILED"


def test_an_interrupted_trial_is_left_to_be_tried_again(tried):
    def interrupt() -> None:
        raise Interrupted("the dvc that started this stage is gone")

    trial, run = tried("undercomplete", each_epoch=interrupt)
    assert trial.state == TrialState.RUNNING
    assert not {RESULT, REASON} & trial.user_attrs.keys()
    assert (run.info.status, run.data.tags["reason"]) == (
        "KILLED",
        "the dvc that started this stage is gone",
    )


def test_drawn_values_are_of_the_parameters_own_kind_and_inside_of_the_space(spaced):
    study = study_of(spaced)
    for _ in range(20):
        trial = study.ask()
        values = {dimension.param: suggest(trial, dimension) for dimension in spaced.tune.space}
        assert all(dimension.holds(values[dimension.param]) for dimension in spaced.tune.space)
        assert values["network.nodes_per_layer"] in (8, 12, 16)
        assert values["models.variational.warmup"] in (0.0, 0.25, 0.5)
        spaced.with_tuned("variational", values)  # a whole number where the schema wants one
        study.tell(trial, 0.0)
