"""What people read of a study in optuna-dashboard, by that package's own functions."""

from pathlib import Path

import optuna
import optuna_dashboard
import pytest
from optuna import Study
from optuna.storages import BaseStorage, RDBStorage
from optuna.trial import create_trial
from optuna_dashboard._note import SYSTEM_ATTR_MAX_LENGTH, get_note_from_system_attrs

from autoencoders.data.prepared.prepared import Description, load_description
from autoencoders.params.params import Params
from autoencoders.params.sections import Tune
from autoencoders.tuning.dashboard import (
    EARLIER_NOTE,
    GOAL,
    TAKEN,
    TAKEN_NOTE,
    TAKEN_NUMBER,
    describe,
    mark_taken,
    note,
)
from autoencoders.tuning.trials import DATA_SET, MODEL_TYPE

OBJECTIVES = {
    "smallest_code": "code size and share of the variance lost",
    "smallest_error": "squared error",
}


@pytest.fixture
def data(digits: Path) -> Description:
    return load_description(digits)


@pytest.fixture
def tune(params: Params) -> Tune:
    values = {"tune.objective": "smallest_code", "tune.explained_variance": 0.85}
    return params.override(values).tune


@pytest.fixture(params=["journal", "database"])
def study(request: pytest.FixtureRequest, journal: BaseStorage, tmp_path: Path) -> Study:
    """The second study of a storage, so that no trial's id is its number."""
    storage = journal
    if request.param == "database":
        storage = RDBStorage(f"sqlite:///{tmp_path}/studies.db")
    optuna.create_study(storage=storage).add_trial(create_trial(values=[1.0]))
    return optuna.create_study(storage=storage)


def trial_note(study: Study, number: int) -> str:
    """A trial's note as optuna-dashboard reads it."""
    attributes = study._storage.get_study_system_attrs(study._study_id)
    trial_id = study.trials[number]._trial_id
    return get_note_from_system_attrs(attributes, trial_id)["body"]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_study_names_its_values_its_data_its_type_and_its_goal(journal, data, tune, objective):
    tune = tune.model_copy(update={"objective": objective})
    study = optuna.create_study(storage=journal)
    describe(study, "sparse", data, tune)
    assert study.metric_names == [OBJECTIVES[objective]]
    assert (study.user_attrs[DATA_SET], study.user_attrs[MODEL_TYPE]) == ("digits", "sparse")
    assert ("85 %" in study.user_attrs[GOAL]) == (objective == "smallest_code")
    text = optuna_dashboard.get_note(study)
    assert text == note("sparse", data, tune)
    assert len(text) <= SYSTEM_ATTR_MAX_LENGTH  # one piece, as it is written


def test_what_is_the_same_is_not_written_again_and_another_share_is(
    journal, data, tune, store_root
):
    study = optuna.create_study(storage=journal)
    describe(study, "sparse", data, tune)
    file = store_root / "studies" / "optuna.journal"
    before = file.read_bytes()
    describe(study, "sparse", data, tune)
    assert file.read_bytes() == before
    describe(study, "sparse", data, tune.model_copy(update={"explained_variance": 0.5}))
    assert "50 %" in study.user_attrs[GOAL]


def test_a_users_note_on_the_study_stays(study, data, tune):
    describe(study, "sparse", data, tune)
    optuna_dashboard.save_note(study, "mine")
    describe(study, "sparse", data, tune)
    assert optuna_dashboard.get_note(study) == "mine"


def test_the_taken_trial_is_marked_on_the_study_and_by_a_note_and_an_earlier_mark_is_taken_back(
    study,
):
    study.add_trials([create_trial(value=number) for number in (3, 2)])
    for number in (0, 1):
        mark_taken(study, study.trials[number], f"trial {number}")
        assert study.user_attrs[TAKEN] == f"trial {number}"
        assert trial_note(study, number) == TAKEN_NOTE
    assert trial_note(study, 0) == EARLIER_NOTE
    mark_taken(study, study.trials[0], "trial 0")
    assert [trial_note(study, number) for number in (0, 1)] == [TAKEN_NOTE, EARLIER_NOTE]


def test_where_the_untuned_values_are_taken_no_trial_is_marked_and_an_earlier_mark_is_taken_back(
    study,
):
    study.add_trial(create_trial(value=1.0))
    mark_taken(study, study.trials[0], "values of trial 0")
    mark_taken(study, None, "untuned values")
    assert trial_note(study, 0) == EARLIER_NOTE
    assert study.user_attrs[TAKEN] == "untuned values"
    assert study.user_attrs[TAKEN_NUMBER] is None


def test_a_users_note_on_a_trial_stays(study):
    running = study.ask()
    optuna_dashboard.save_note(running, "mine")
    study.tell(running, 1.0)
    mark_taken(study, study.trials[0], "trial 0")
    assert trial_note(study, 0) == "mine"
    assert study.user_attrs[TAKEN] == "trial 0"
