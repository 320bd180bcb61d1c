"""Studies: another one for each state of what its trials depend on.

Where that is the same, a study is continued.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna import Study
from optuna.trial import TrialState

from autoencoders.core.errors import UserError
from autoencoders.data.prepared.prepared import Description, load_description
from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params
from autoencoders.params.space import dimensions
from autoencoders.tuning.dashboard import METRIC_NAMES
from autoencoders.tuning.objective import suggest
from autoencoders.tuning.sampler import Repeatable
from autoencoders.tuning.storage import open_storage
from autoencoders.tuning.study import described, join_study, open_study, trial_plan
from autoencoders.tuning.trials import DATA_SET, UNTUNED

MODEL_TYPE = "variational"
SPACE: list[dict[str, Any]] = [
    {"param": "network.code_size", "low": 4, "high": 24},
    {"param": "network.activation", "choices": ["silu", "relu"]},
    {"param": "train.learning_rate", "low": 1e-3, "high": 1e-2, "log": True},
    {"param": "models.variational.warmup", "low": 0.0, "high": 0.5},
]


@pytest.fixture
def spaced(params: Params) -> Params:
    """params.yaml with a space of every kind of line."""
    return params.override(
        {"tune.space": SPACE, "tune.objective": "smallest_code", "tune.epochs": 2}
    )


@pytest.fixture
def data(digits: Path) -> Description:
    return load_description(digits)


@pytest.fixture
def name(
    spaced: Params, data: Description, journal: object, capsys: pytest.CaptureFixture[str]
) -> str:
    """The name of the study of these parameters and data, which is there."""
    opened = open_study(
        open_storage("journal"), spaced.plan(MODEL_TYPE, data.facts), spaced.tune, data
    )
    assert capsys.readouterr().out == f"new study {opened.study_name}\n"
    return opened.study_name


def reopened(params: Params, data: Description, model_type: str = MODEL_TYPE) -> Study:
    return open_study(
        open_storage("journal"), params.plan(model_type, data.facts), params.tune, data
    )


def changed_line(place: int, **values: Any) -> dict[str, Any]:
    lines = [dict(line) for line in SPACE]
    lines[place] |= values
    return {"tune.space": lines}


CHANGES = [
    (changed_line(0, high=23), "the search space"),
    (changed_line(1, choices=["silu", "gelu"]), "the search space"),
    (changed_line(2, log=False), "the search space"),
    ({"tune.space": SPACE[:-1]}, "the search space"),
    ({"tune.objective": "smallest_error"}, "the parameters"),
    ({"tune.epochs": 3}, "the parameters"),
    ({"tune.sampler": "random"}, "the parameters"),
    ({"tune.seed": 5}, "the parameters"),
    ({"tune.pruner": "none"}, "the parameters"),
    ({"tune.explained_variance": 0.5}, "the parameters"),
    ({"train.epochs": 7}, "the parameters"),  # of the trainings in full
    ({"seed": 5}, "the parameters"),
    ({"train.batch_size": 65}, "the parameters"),
    ({"network.loss": "mse"}, "the parameters"),
    ({"models.variational.beta": 0.5}, "the parameters"),
    ({"models.variational.train": {"warmup": 0.5}}, "the parameters"),
    ({"train.batch_size": 65, **changed_line(0, high=23)}, "the search space, the parameters"),
]


@pytest.mark.parametrize(("values", "part"), CHANGES)
def test_another_space_or_other_parameters_make_another_study_that_says_what_changed(
    spaced, data, name, capsys, values, part
):
    other = reopened(spaced.override(values), data).study_name
    assert other != name
    assert (
        capsys.readouterr().out
        == f"new study {other}: {part} changed; the earlier studies are kept\n"
    )
    assert set(optuna.get_all_study_names(storage=open_storage("journal"))) == {name, other}


def test_other_data_make_another_study(spaced, data, name, capsys):
    other = reopened(spaced, replace(data, content_sha256="c" * 64)).study_name
    assert other != name
    assert "the data changed" in capsys.readouterr().out


def test_other_code_makes_another_study(spaced, data, journal, tmp_path, monkeypatch, capsys):
    (tmp_path / "dvc.yaml").write_text(
        "stages: {tune: {foreach: [], do: {deps: [src/model.py, data/prepared]}}}\n"
    )
    (tmp_path / "src").mkdir()
    monkeypatch.chdir(tmp_path)
    names = []
    for text in ("x = 1\n", "x = 2\n"):
        (tmp_path / "src" / "model.py").write_text(text)
        names.append(reopened(spaced, data).study_name)
    assert len(set(names)) == 2
    assert "the code changed" in capsys.readouterr().out


@pytest.mark.parametrize(
    "values",
    [
        {"tune.n_trials": 500},
        {"tune.minutes": 0.5},
        {"tune.workers": 7},
        {"tune.storage": "environment"},
        {"tune.gain_seeds": 3},
        {"models.sparse.weight": 0.5},
        {"evaluate.seed": 5},
    ],
)
def test_what_no_trial_depends_on_leaves_the_study(spaced, data, name, capsys, values):
    assert reopened(spaced.override(values), data).study_name == name
    assert capsys.readouterr().out == ""


def test_smallest_error_depends_on_no_share(spaced, data, journal):
    by_error = spaced.override({"tune.objective": "smallest_error"})
    other = by_error.override({"tune.explained_variance": 0.5})
    assert reopened(by_error, data).study_name == reopened(other, data).study_name


def test_a_study_with_two_objectives_of_an_earlier_version_is_left_aside_and_named(
    spaced, data, name, capsys
):
    old = f"{name[:-8]}0ld00000"
    storage = open_storage("journal")
    optuna.create_study(storage=storage, study_name=old, directions=["minimize"] * 2)
    new = reopened(spaced.override({"tune.seed": 5}), data)
    line = capsys.readouterr().out
    assert line.startswith(f"new study {new.study_name}: ")
    assert line.endswith(f"with two objectives, of an earlier version, are left aside: {old}\n")
    assert len(new.directions) == 1
    assert old in optuna.get_all_study_names(storage=storage)


def test_each_type_has_a_study_of_its_own_and_no_interest_in_the_others_lines(
    spaced, data, journal
):
    names = {
        model_type: reopened(spaced, data, model_type).study_name
        for model_type in spaced.model_types
    }
    assert all(name.startswith(f"digits-{model_type}-") for model_type, name in names.items())
    less = spaced.override({"tune.space": SPACE[:-1]})
    assert [k for k in spaced.model_types if reopened(less, data, k).study_name != names[k]] == [
        MODEL_TYPE
    ]


# the untuned parameters


def drawn(study: Study, params: Params) -> dict[str, object]:
    """The values of the study's next trial."""
    trial = study.ask()
    return {dimension.param: suggest(trial, dimension) for dimension in params.tune.space}


def untuned(study: Study) -> list[bool]:
    return [bool(trial.user_attrs.get(UNTUNED)) for trial in study.trials]


def test_the_first_trial_has_the_untuned_parameters(spaced, data, journal):
    study = reopened(spaced, data)
    assert untuned(study) == [True]
    flat = spaced.plan(MODEL_TYPE, data.facts).flat()
    assert drawn(study, spaced) == {line["param"]: flat[line["param"]] for line in SPACE}
    assert drawn(study, spaced) != {line["param"]: flat[line["param"]] for line in SPACE}


def test_the_untuned_parameters_are_tried_once(spaced, data, journal):
    for _ in range(3):
        study = reopened(spaced, data)
    assert untuned(study) == [True]
    drawn(study, spaced)
    assert untuned(reopened(spaced, data)) == [True]


@pytest.mark.parametrize(
    "values",
    [
        {"network.code_size": 25},
        {"train.learning_rate": 0.02},
        {"network.activation": "gelu"},
        {"models.variational.network": {"code_size": 3}},
        {"models.variational.warmup": 0.75},
    ],
)
def test_untuned_parameters_outside_of_the_space_are_not_tried(spaced, data, journal, values):
    assert reopened(spaced.override(values), data).trials == []


def test_untuned_parameters_between_the_steps_of_a_range_are_not_tried(spaced, data, journal):
    space = {"tune.space": [{"param": "network.code_size", "low": 4, "high": 24, "step": 4}]}
    assert reopened(spaced.override({**space, "network.code_size": 10}), data).trials == []


@pytest.mark.filterwarnings("ignore:Fixed parameter")
def test_a_range_of_a_real_parameter_with_whole_ends_takes_the_untuned_value(spaced, data, journal):
    space = {"tune.space": [{"param": "train.weight_decay", "low": 0, "high": 1}]}
    changed = spaced.override({**space, "train.weight_decay": 0.25})
    study = reopened(changed, data)
    drawn(study, changed)
    assert [trial.params for trial in study.trials] == [{"train.weight_decay": 0.25}]


def test_a_study_is_described_for_people_whatever_the_objective(spaced, data, journal):
    for objective in ("smallest_code", "smallest_error"):
        study = reopened(spaced.override({"tune.objective": objective}), data)
        assert study.metric_names == [METRIC_NAMES[objective]]
        assert study.user_attrs[DATA_SET] == data.name


POSSIBLE = {
    "digits": DataFacts(64, unit_interval=True, shape=(8, 8), rows=1000),
    "many images": DataFacts(784, unit_interval=True, shape=(28, 28), rows=60_000),
    "two columns": DataFacts(2, unit_interval=False, rows=100),
    "a table": DataFacts(9, unit_interval=False, rows=4000),
    "a wide table": DataFacts(500, unit_interval=False, rows=4000),
    "anomalies": DataFacts(9, unit_interval=False, rows=4000, anomaly_labels=True),
}


@pytest.mark.parametrize("facts", POSSIBLE.values(), ids=POSSIBLE)
def test_the_repositorys_space_holds_the_untuned_values_of_every_type(params, facts):
    for model_type in params.model_types:
        plan = params.plan(model_type, facts)
        untuned = trial_plan(plan, params.tune).flat()
        for dimension in dimensions(params.tune, plan):
            assert dimension.holds(untuned[dimension.param]), (model_type, dimension)


def test_the_untuned_values_are_the_first_trial_of_every_type(params, data, journal):
    for model_type in params.model_types:
        (first,) = reopened(params, data, model_type).trials
        assert first.user_attrs[UNTUNED]


# what a trial is


def test_a_trial_trains_as_long_as_the_study_says_and_else_as_the_type_does(spaced, data):
    own = spaced.override({"models.variational.train": {"epochs": 9, "batch_size": 65}})
    plan = own.plan(MODEL_TYPE, data.facts)
    assert trial_plan(plan, own.tune).train == plan.train.model_copy(update={"epochs": 2})
    for epochs, trained in (("full", 9), ("auto", 2)):  # a fifth of 9, rounded up
        tune = own.tune.model_copy(update={"epochs": epochs})
        assert trial_plan(plan, tune).train.epochs == trained


@pytest.mark.parametrize("epochs", [1, 2, 3, 1000])
def test_a_trial_never_trains_longer_than_the_training_that_takes_its_values(spaced, data, epochs):
    short = spaced.override({"train.epochs": 2, "tune.epochs": epochs})
    assert trial_plan(short.plan(MODEL_TYPE, data.facts), short.tune).train.epochs == min(2, epochs)


def test_what_mlflow_is_told_of_a_study_stays_the_same_while_it_goes_on(spaced, data):
    message = described(spaced.plan(MODEL_TYPE, data.facts), spaced.tune)
    more = spaced.override({"tune.n_trials": 500, "tune.minutes": 7, "tune.workers": 3})
    assert message == described(more.plan(MODEL_TYPE, data.facts), more.tune)
    assert {f"space.{line['param']}" for line in SPACE} < set(message)
    assert described(spaced.plan("sparse", data.facts), spaced.tune).keys() == message.keys() - {
        "space.models.variational.warmup"
    }


PRUNERS: Mapping[str, type[optuna.pruners.BasePruner]] = {
    "none": optuna.pruners.NopPruner,
    "median": optuna.pruners.MedianPruner,
    "hyperband": optuna.pruners.HyperbandPruner,
}


@pytest.mark.parametrize("pruner", PRUNERS)
def test_optuna_prunes_for_smallest_error_alone_and_each_objective_has_one_value(
    spaced, data, journal, pruner
):
    spaced = spaced.override({"tune.pruner": pruner})
    by_code, by_error = (
        reopened(spaced.override({"tune.objective": g}), data)
        for g in ("smallest_code", "smallest_error")
    )
    assert (len(by_code.directions), len(by_error.directions)) == (1, 1)
    assert type(by_code.pruner) is optuna.pruners.NopPruner
    assert type(by_error.pruner) is PRUNERS[pruner]


# joining


def joined(params: Params, data: Description) -> Study:
    return join_study(
        open_storage("journal"), params.plan(MODEL_TYPE, data.facts), params.tune, data
    )


def test_a_study_that_is_not_there_can_not_be_joined(spaced, data, journal):
    for _ in range(2):  # nor is it made by the attempt
        with pytest.raises(
            UserError,
            match=r"^digits-variational-\w+: no such study to join; start it with `dvc repro",
        ):
            joined(spaced, data)


def test_a_joined_study_is_the_one_that_runs(spaced, data, name):
    study = joined(spaced.override({"tune.n_trials": 500}), data)
    assert study.study_name == name
    assert isinstance(study.sampler, Repeatable)
    assert [trial.state for trial in study.trials] == [TrialState.WAITING]
    with pytest.raises(UserError, match="let parameters, data and code be the same"):
        joined(spaced.override({"train.batch_size": 65}), data)
