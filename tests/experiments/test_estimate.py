"""The arithmetic of `ae estimate` against counts by hand, and its probe."""

import copy
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.prepared import load_prepared
from autoencoders.experiments import estimate, probe
from autoencoders.experiments.estimate import Pace, Stage, Trainings, stages
from autoencoders.experiments.probe import Moment, Size, known_size, last_epochs, pace, random_rows
from autoencoders.models.trained.model import TrainedModel
from autoencoders.models.trained.saved import save
from autoencoders.params.architecture import DataFacts
from autoencoders.params.params import Params
from autoencoders.params.tuned import write_tuned

TYPES = ["undercomplete", "sparse", "contractive", "denoising", "variational"]
IMAGES = DataFacts(64, unit_interval=True, shape=(8, 8), rows=1221)
TABLE = DataFacts(11, unit_interval=False, rows=1000)
ROWS = {"train": 1221, "validation": 216, "test": 360}
NO_STUDY = {"tune.n_trials": 0}
PACE = Pace(start=2.0, epoch=0.5, end=3.0)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder without outputs of a run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def estimated(params: Params, facts: DataFacts = IMAGES, pace: Pace = PACE) -> dict[str, Stage]:
    """The stages by name, on the machine of the constants."""
    planned = probe.trainings(params, facts)
    listed = stages(params, planned, dict.fromkeys(params.model_types, pace), ROWS, 1.0)
    return {stage.name: stage for stage in listed}


def test_there_is_a_line_for_each_stage_in_dvcs_order(params):
    by_type = [f"{stage}@{name}" for name in TYPES for stage in ("tune", "train")]
    expected = ["check", "download", "preprocess", *by_type, "evaluate", "register"]
    assert list(estimated(params)) == expected


def test_the_trainings_are_all_trials_and_those_in_full(params):
    """The last training in full is that of `train`, which takes it over."""
    changed = params.override({"tune.n_trials": 7})
    in_full = estimate.FULL_TRAININGS["smallest_code"]
    assert sum(stage.trainings for stage in estimated(changed).values()) == 5 * (7 + in_full)
    several = changed.override({"train.devices": 2})
    assert sum(stage.trainings for stage in estimated(several).values()) == 5 * (7 + in_full + 1)


@pytest.mark.parametrize("model_type", TYPES)
def test_images_take_the_batches_and_epochs_of_the_plan(params, model_type):
    """1221 rows in batches of 64 are 19.1 steps, so 20; 4,000 steps are 200 epochs of these."""
    changed = params.override({"train.patience": 0})
    does = estimated(changed)[f"tune@{model_type}"].does
    assert does == "20 trials of 40 epochs; about 5 trainings in full"
    alone = changed.override(NO_STUDY)
    assert estimated(alone)[f"train@{model_type}"].does == "200 epochs of 20 steps"


def test_a_table_takes_its_own_batches_and_epochs(params):
    """1,000 rows in batches of 32 are 31.25 steps, so 32; 4,000 steps are 125 epochs of these."""
    changed = params.override({"train.patience": 0, **NO_STUDY})
    assert estimated(changed, TABLE)["train@sparse"].does == "125 epochs of 32 steps"


def test_more_trials_and_epochs_add_their_seconds(params):
    """Two trials more, of 25 epochs each; and 30 epochs more in each training in full."""
    values = {"train.epochs": 40, "train.patience": 0, "tune.epochs": 25, "tune.n_trials": 3}
    changed = params.override({**values, "tune.pruner": "none", "tune.sampler": "tpe"})
    few = estimated(changed)["tune@sparse"].seconds
    trials = estimated(changed.override({"tune.n_trials": 5}))["tune@sparse"].seconds
    longer = estimated(changed.override({"train.epochs": 70}))["tune@sparse"].seconds
    trial = PACE.start + 25 * PACE.epoch + estimate.TRIAL_SECONDS
    assert trials - few == pytest.approx(2 * trial)
    in_full = estimate.FULL_TRAININGS["smallest_code"]
    assert longer - few == pytest.approx(in_full * 30 * PACE.epoch)


def test_a_study_of_small_codes_stops_trials_and_draws_them_by_a_gaussian_process(params):
    values = {"train.patience": 0, "tune.epochs": 10, "tune.n_trials": 4}
    stopped = estimated(params.override(values))["tune@sparse"].seconds
    whole = {**values, "tune.pruner": "none", "tune.sampler": "tpe"}
    all_epochs = estimated(params.override(whole))["tune@sparse"].seconds
    training = PACE.start + 10 * PACE.epoch
    saved = (1 - estimate.TRAINED_SHARE) * training - estimate.DRAW_SECONDS
    assert all_epochs - stopped == pytest.approx(4 * saved)


def test_a_training_that_its_study_leaves_takes_its_start_and_its_end(params):
    stage = estimated(params)["train@sparse"]
    assert stage.does == "takes over its study's training"
    assert stage.seconds == pytest.approx(estimate.STAGE_SECONDS["train"] + PACE.start + PACE.end)


def test_a_training_takes_its_start_its_epochs_and_its_end(params):
    changed = params.override({"train.epochs": 40, "train.patience": 0, **NO_STUDY})
    stage = estimated(changed)["train@sparse"]
    assert stage.seconds == pytest.approx(estimate.STAGE_SECONDS["train"] + 2.0 + 40 * 0.5 + 3.0)


def test_a_trial_has_no_more_epochs_than_a_training(params):
    changed = params.override({"train.epochs": 6, "train.patience": 0, "tune.epochs": 25})
    assert estimated(changed)["tune@sparse"].does.startswith("20 trials of 6 epochs; ")


def test_without_trials_there_is_no_study(params):
    stage = estimated(params.override({"tune.n_trials": 0}))["tune@sparse"]
    assert (stage.does, stage.trainings) == ("no study", 0)
    assert stage.seconds == estimate.NO_STUDY_SECONDS


def test_workers_share_the_trials(params):
    """Five trials of two workers are three rounds."""
    alone = params.override({"tune.n_trials": 3})
    shared = params.override({"tune.n_trials": 5, "tune.workers": 2})
    stage = estimated(shared)["tune@sparse"]
    assert stage.does.startswith("5 trials of 40 epochs, by 2 workers; ")
    assert stage.seconds == estimated(alone)["tune@sparse"].seconds


def test_patience_makes_the_estimate_an_upper_one(params):
    changed = params.override({"train.epochs": 40, "train.patience": 5, "tune.pruner": "none"})
    assert estimated(changed)["tune@sparse"].ends_early
    patient = changed.override({"train.patience": 40})
    assert not estimated(patient)["tune@sparse"].ends_early
    stage = estimated(changed.override(NO_STUDY))["train@sparse"]
    assert stage.does == "at most 40 epochs of 20 steps"
    assert stage.ends_early
    assert not estimated(patient.override(NO_STUDY))["train@sparse"].ends_early


def test_a_pruner_makes_the_estimate_of_a_study_an_upper_one(params):
    space = [{"param": "train.learning_rate", "low": 1e-3, "high": 1e-2}]
    values = {"tune.space": space, "train.patience": 0, "tune.objective": "smallest_error"}
    changed = params.override(values)
    assert estimated(changed)["tune@sparse"].ends_early
    assert not estimated(changed.override({"tune.pruner": "none"}))["tune@sparse"].ends_early


def save_sparse(params: Params, untrained: dict[str, TrainedModel], epochs: int) -> None:
    """Saves a model of the type `sparse` as its training of the images would after these epochs."""
    model = copy.copy(untrained["sparse"])
    values = {**params.plan("sparse", IMAGES).flat(), "train.precision": "32-true"}
    model.description = replace(model.description, params=values, epochs=epochs)
    save(model, [{"val/reconstruction_loss": 1.0}], Path("model/sparse"))


def test_the_last_training_of_the_same_plan_says_how_many_epochs_it_takes(params, untrained):
    changed = params.override({"train.epochs": 40, "train.patience": 5, "tune.n_trials": 0})
    most = estimated(changed)["train@sparse"]
    save_sparse(changed, untrained, 17)
    stage = estimated(changed)["train@sparse"]
    assert stage.does == "at most 40 epochs of 20 steps; the last one took 17"
    assert not stage.ends_early
    assert most.seconds - stage.seconds == pytest.approx((40 - 17) * PACE.epoch)


def test_a_training_of_another_plan_says_nothing(params, untrained):
    save_sparse(params, untrained, 17)
    assert last_epochs(params.plan("sparse", IMAGES)) == 17
    changed = params.override({"train.learning_rate": 0.01})
    assert last_epochs(changed.plan("sparse", IMAGES)) == 0
    assert last_epochs(params.plan("denoising", IMAGES)) == 0


def test_the_last_studys_values_decide_the_training_but_not_the_trials(params):
    write_tuned(Path("tuned/sparse"), {"network.code_size": 5})
    by_type = {one.plan.model_type: one for one in probe.trainings(params, IMAGES)}
    assert by_type["sparse"].plan.architecture.code_size == 5
    assert by_type["sparse"].trial.architecture.code_size == 8
    assert by_type["denoising"].plan.architecture.code_size == 8


def test_a_study_of_other_parameters_is_left_out(params):
    write_tuned(Path("tuned/sparse"), {"network.code_size": 5, "network.kind": "conv"})
    by_type = {one.plan.model_type: one for one in probe.trainings(params, TABLE)}
    assert by_type["sparse"].plan.architecture.code_size == 3  # the square root of 11


def test_one_after_the_other_is_the_sum_and_what_dvc_takes():
    times = {"check": 1.0, "tune@a": 10.0, "train@a": 5.0, "tune@b": 2.0, "train@b": 1.0}
    overhead = estimate.DVC_SECONDS + 5 * estimate.DVC_STAGE_SECONDS
    assert estimate.in_turn(times, 1.0) == pytest.approx(19 + overhead)


@pytest.mark.parametrize(("jobs", "longest"), [(1, 70.0), (2, 35.0), (3, 30.0), (9, 30.0)])
def test_side_by_side_each_job_takes_the_next_type_when_it_is_free(monkeypatch, jobs, longest):
    """Types of 15, 30, 20 and 5 s: two jobs take 15 + 20 and 30 + 5; three 15 + 5, 30 and 20."""
    for name in ("DVC_SECONDS", "DVC_STAGE_SECONDS", "REPRO_SECONDS"):
        monkeypatch.setattr(estimate, name, 0.0)
    times = {"check": 1.0, "tune@a": 5.0, "train@a": 10.0, "tune@b": 20.0, "train@b": 10.0}
    times |= {"tune@c": 15.0, "train@c": 5.0, "tune@d": 4.0, "train@d": 1.0, "evaluate": 2.0}
    assert estimate.side_by_side(times, jobs, 1.0) == pytest.approx(3 + longest)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "under 1 s"),
        (7.4, "7 s"),
        (59.7, "1 min"),
        (65, "1 min 5 s"),
        (7230, "2 h 30 s"),
        (8000, "2 h 13 min"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, words):
    assert estimate.duration(seconds) == words


def test_a_slow_machine_takes_longer_for_all_but_what_was_timed(params):
    changed = params.override({"train.epochs": 40, "train.patience": 0, **NO_STUDY})
    planned = Trainings.of(changed, changed.plan("sparse", IMAGES), changed.plan("sparse", IMAGES))
    twice = planned.train(PACE, 2.0).seconds - planned.train(PACE, 1.0).seconds
    assert twice == pytest.approx(estimate.STAGE_SECONDS["train"])


@pytest.mark.parametrize(("waited", "expected"), [(5.0, 3.0), (30.0, 6.0), (45.0, 9.0)])
def test_a_slow_and_a_busy_processor_make_seconds_longer(monkeypatch, waited, expected):
    """A processor that is three times as slow, and a process that has worked for 15 s of it.

    It took 5 (several threads at once), 30 or 45 s on the clock.
    """
    seconds = [0.0]

    def work() -> None:
        seconds[0] += 3 * estimate.REFERENCE_SECONDS

    monkeypatch.setattr(probe, "reference_work", work)
    monkeypatch.setattr("time.process_time", lambda: 15.0 + seconds[0])
    monkeypatch.setattr("time.perf_counter", lambda: waited)
    assert probe.slowness(Moment(0.0, 0.0)) == pytest.approx(expected)


def test_the_size_of_a_data_set_by_name_is_known_before_it_is_there(params, digits):
    """Digits are split as the parameters say; MNIST has a test split of its own."""
    description = load_prepared(digits).description
    size = known_size(params.data)
    assert size == Size.of(description)
    mnist = known_size(params.data.model_copy(update={"name": "mnist"}))
    assert mnist is not None
    assert mnist.rows == {"train": 51_000, "validation": 9_000, "test": 10_000}
    assert mnist.facts.rows == 51_000


def test_a_table_is_read_for_its_size_and_nothing_is_written(params, frame, folder):
    """The table's numbers are two features, its colours three and one for others."""
    frame.to_csv("table.csv", index=False)
    data = params.data.model_copy(update={"path": "table.csv"})
    size = known_size(data)
    assert size is not None
    assert size.facts.n_features == 2 + 4
    assert size.rows == {"train": 272, "validation": 48, "test": 80}
    assert [path.name for path in folder.iterdir()] == ["table.csv"]


def test_a_table_that_is_refused_is_refused(params):
    pd.DataFrame({"a": [1.0] * 9, "b": ["x"] * 9}).to_csv("table.csv", index=False)
    with pytest.raises(DataError):
        known_size(params.data.model_copy(update={"path": "table.csv"}))


def test_images_in_an_array_are_read_for_their_size(params):
    pictures = np.random.default_rng(0).integers(0, 256, (100, 9, 9), np.uint8)
    np.save("pictures.npy", pictures, allow_pickle=False)
    size = known_size(params.data.model_copy(update={"path": "pictures.npy"}))
    assert size is not None
    assert size.facts.shape == (9, 9)
    assert sum(size.rows.values()) == 100


@pytest.mark.parametrize(
    "values", [{"openml": 61}, {"path": "https://example.org/a.csv", "sha256": "0" * 64}]
)
def test_what_has_to_be_fetched_is_not_known(params, values):
    assert known_size(params.data.model_copy(update=values)) is None


def test_large_files_are_left_to_preprocess(params, monkeypatch):
    Path("table.csv").write_text("a,b\n" + "1,2\n" * 100)
    monkeypatch.setattr(probe, "MOST_READ_BYTES", 100)
    assert known_size(params.data.model_copy(update={"path": "table.csv"})) is None


@pytest.mark.parametrize("facts", [IMAGES, TABLE])
def test_each_type_can_be_timed_on_random_rows(params, folder, facts):
    size = Size(facts, {"train": facts.rows, "validation": 40, "test": 40})
    data = random_rows(size, 0.1, folder)
    assert data.description.facts.n_features == facts.n_features
    for model_type in TYPES:
        probed = pace(params.plan(model_type, facts), data, least=1, seconds=0)
        assert probed.epoch > 0
        assert probed.start >= 0
        assert probed.end > 0


@pytest.mark.parametrize("epochs", [1, 2, 3])
def test_a_training_of_few_epochs_can_be_timed(params, folder, epochs):
    size = Size(TABLE, {"train": 64, "validation": 20, "test": 20})
    data = random_rows(size, 1.0, folder)
    plan = params.override({"train.epochs": epochs}).plan("sparse", TABLE)
    assert pace(plan, data, seconds=0).epoch > 0


def test_a_probe_ends_soon_after_its_seconds(params, folder, monkeypatch):
    """Of the 1,000 epochs that this table's training has, it runs three: the first, two timed.

    A clock that is a second later at each look counts them.
    """
    size = Size(TABLE, {"train": 64, "validation": 20, "test": 20})
    data = random_rows(size, 1.0, folder)
    plan = params.override({"train.epochs": 1000}).plan("sparse", TABLE)
    calls: list[float] = []

    def clock() -> float:
        calls.append(float(len(calls)))
        return calls[-1]

    monkeypatch.setattr("time.perf_counter", clock)
    probed = pace(plan, data, seconds=2.0)
    assert probed == Pace(start=0.0, epoch=1.0, end=1.0)
    n_begin, n_epochs, n_end = 1, 3, 3  # n_end: the start as PCA, its one epoch, its end
    assert len(calls) == n_begin + n_epochs + n_end


def test_rows_that_are_left_out_of_the_probe_count_in_the_epochs_seconds(params, monkeypatch):
    """A quarter of the rows is probed; for scores, 10,000 rows of each split count at most."""
    size = Size(TABLE._replace(rows=40_000), {"train": 40_000, "validation": 8000, "test": 8000})
    monkeypatch.setattr(probe, "PROBED_VALUES", 10_000 * 11)
    monkeypatch.setattr(probe, "pace", lambda plan, data: PACE)
    expected = Pace(PACE.start, epoch=4 * PACE.epoch, end=PACE.end * 18_000 / 12_000)
    assert probe.paces([params.plan("sparse", size.facts)], size) == {"sparse": expected}
