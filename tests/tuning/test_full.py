"""Trainings in full: remembered in the study, and taken over by `train` with the same bytes."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna import Study
from optuna.storages import BaseStorage

from autoencoders.core import identity
from autoencoders.core.errors import Interrupted
from autoencoders.core.paths import RESUME
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.models.trained.fidelity import fidelity
from autoencoders.models.trained.saved import save
from autoencoders.params.params import Params
from autoencoders.params.space import CODE_SIZE
from autoencoders.training.fit import Fitted, fit
from autoencoders.training.resume import ResumePoint
from autoencoders.tuning import full as module
from autoencoders.tuning.full import FullTrainings
from autoencoders.tuning.storage import open_storage
from trainings import QUICK

VALUES = {CODE_SIZE: 3, "train.learning_rate": 0.002}


@pytest.fixture
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.fixture
def trainings(params: Params, data: Prepared, journal: BaseStorage) -> Callable[..., FullTrainings]:
    """Trainings in full of a type in a study of the journal, as each process opens it."""

    def opened(
        model_type: str = "undercomplete",
        each_epoch: Callable[[], None] = lambda: None,
        **values: Any,
    ) -> FullTrainings:
        quick = params.override({**QUICK, **values})
        return FullTrainings(
            study(), quick.plan(model_type, data.description.facts), data, each_epoch
        )

    return opened


def study() -> Study:
    """The study in the journal."""
    storage = open_storage("journal")
    return optuna.create_study(storage=storage, study_name="s", load_if_exists=True)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The plans of the trainings that were begun."""
    plans = []

    def count(plan: Any, *arguments: Any, **options: Any) -> Fitted:
        plans.append(plan)
        return fit(plan, *arguments, **options)

    monkeypatch.setattr(module, "fit", count)
    return plans


def checkpoints(folder: Path) -> list[Path]:
    """The folders of checkpoints, one for each training."""
    return [path for path in (folder / RESUME).glob("*") if path.is_dir()]


def by_train_stage(
    trainings: FullTrainings, values: Mapping[str, Any], root: Path, folder: Path
) -> dict[str, bytes]:
    """The files that the `train` stage saves, from its checkpoint on where it finds one."""
    plan = trainings.plan.with_values(values)
    flat = plan.flat()
    fingerprint = identity.fingerprint("train", flat, trainings.data.description.content_sha256)
    with ResumePoint(root / RESUME / fingerprint) as resume:
        fitted = fit(plan, trainings.data, fingerprint=fingerprint, resume=resume)
        save(fitted.model, fitted.history, folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("model_type", ["undercomplete", "sparse", "denoising", "variational"])
def test_the_train_stage_takes_over_a_kept_training_with_the_bytes_of_one_of_its_own(
    trainings, store_root, tmp_path, capsys, model_type
):
    full = trainings(model_type)
    alone = by_train_stage(full, VALUES, tmp_path / "alone", tmp_path / "first")
    full.result(VALUES, keeps=True)
    assert len(checkpoints(store_root)) == 1
    capsys.readouterr()
    taken_over = by_train_stage(full, VALUES, store_root, tmp_path / "second")
    assert "with nothing left to train" in capsys.readouterr().out
    assert taken_over == alone
    assert checkpoints(store_root) == []


def test_a_training_in_full_is_that_of_the_train_stage_measured_on_validation(trainings, data):
    full = trainings("variational")
    result = full.result(VALUES)
    model = fit(full.plan.with_values(VALUES), data).model
    errors, kept = fidelity(model.reconstruct, data, "validation")
    assert result.squared_error == float(errors.mean())
    assert result.explained_variance == kept
    assert (result.code_size, result.epochs, result.by_epoch) == (3, QUICK["train.epochs"], {})
    assert set(result.purpose) == {"elbo"}


def test_a_study_that_was_killed_repeats_no_training_in_full(trainings, counted):
    values: list[dict[str, Any]] = [{}, VALUES]
    first = [trainings().result(each) for each in values]
    seeded = trainings().result(VALUES, seed=7)
    assert len(counted) == 3
    assert counted[-1].seed == 7
    assert [trainings().result(each) for each in values] == first
    assert trainings().result(VALUES, seed=7) == seeded != first[1]
    assert len(counted) == 3


def test_a_killed_training_in_full_goes_on_from_its_checkpoint(
    trainings, store_root, monkeypatch, capsys
):
    whole = trainings().result(VALUES, seed=1)
    study().set_user_attr(module.TRAINED_IN_FULL, {})
    monkeypatch.setattr("autoencoders.training.resume.SECONDS_BETWEEN", 0.0)
    epochs = []

    def kill() -> None:
        epochs.append(0)
        if len(epochs) == 3:
            raise Interrupted("the dvc that started this stage is gone")

    with pytest.raises(Interrupted):
        trainings(each_epoch=kill).result(VALUES)
    assert len(checkpoints(store_root)) == 1
    capsys.readouterr()
    assert trainings().result(VALUES) == whole
    assert "resuming from epoch 2\n" in capsys.readouterr().out


def test_checkpoints_are_left_where_they_are_kept_and_forgotten_by_their_values(
    trainings, store_root
):
    full = trainings()
    full.result(VALUES)
    assert checkpoints(store_root) == []
    other = {**VALUES, CODE_SIZE: 4}
    full.result(other, keeps=True)
    full.result({}, keeps=True)
    assert len(checkpoints(store_root)) == 2
    full.forget_checkpoint(other)
    full.forget_checkpoint(VALUES)  # which left none
    assert len(checkpoints(store_root)) == 1


@pytest.mark.parametrize("values", [{"train.devices": 2}, {"train.num_nodes": 2}])
def test_trainings_for_several_devices_leave_no_checkpoint(trainings, store_root, values):
    trainings(**values).result(VALUES, keeps=True)
    assert checkpoints(store_root) == []


def test_values_are_the_same_where_their_trainings_are(trainings):
    full = trainings()
    untuned = {CODE_SIZE: full.plan.network.code_size}
    assert full.are_same(untuned, {})
    assert not full.are_same(VALUES, {})


def test_a_trial_in_its_epochs_is_remembered_with_its_shares_and_leaves_no_checkpoint(
    trainings, store_root, counted
):
    full = trainings()
    plan = full.plan.with_values({"train.epochs": 3})
    trial = full.trial_result(plan)
    assert (trial.epochs, list(trial.by_epoch)) == (3, ["1", "2"])
    assert trainings().trial_result(plan) == trial
    assert len(counted) == 1
    assert checkpoints(store_root) == []
