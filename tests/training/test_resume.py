"""A killed training is resumed in any epoch, with the same result."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl
from filelock import FileLock, Timeout

from autoencoders.models import AUTOENCODERS
from autoencoders.training.fit import fit
from autoencoders.training.resume import ResumePoint
from trainings import QUICK, StopError, same, trained


@pytest.mark.parametrize("model_type", AUTOENCODERS)
@pytest.mark.parametrize("epoch", [2, 4])
def test_a_training_that_was_stopped_in_any_epoch_ends_with_the_same_weights_and_curves(
    model_type, epoch, params, data, tmp_path, capsys
):
    params = params.override(QUICK)
    whole = trained(model_type, params, data, tmp_path / "whole")
    with pytest.raises(StopError):
        trained(model_type, params, data, tmp_path / "parts", until=epoch)
    capsys.readouterr()
    resumed = trained(model_type, params, data, tmp_path / "parts")
    assert f"resuming from epoch {epoch - 1}\n" in capsys.readouterr().out
    assert same(resumed, whole)


def test_a_log_says_at_once_from_which_epoch_a_training_goes_on(tmp_path, monkeypatch):
    trainer: Any = SimpleNamespace(
        current_epoch=3, is_global_zero=True, should_stop=False, max_epochs=4
    )
    with (tmp_path / "log").open("w") as log:  # a file's lines wait in a buffer
        monkeypatch.setattr(sys, "stdout", log)
        ResumePoint(tmp_path).on_train_start(trainer, pl.LightningModule())
        assert (tmp_path / "log").read_text() == "resuming from epoch 3\n"


def test_the_checkpoint_is_gone_after_success(params, data, tmp_path):
    trained("undercomplete", params.override({**QUICK, "train.epochs": 1}), data, tmp_path)
    assert not (tmp_path / "resume").exists()


@pytest.mark.parametrize(
    "values",
    [{}, {"train.epochs": 30, "train.patience": 1, "train.learning_rate": 0.1}],
    ids=["all epochs", "stopped early"],
)
def test_a_kept_checkpoint_is_that_of_the_last_epoch_and_is_taken_over_without_a_training(
    params, data, tmp_path, capsys, values
):
    plan = params.override({**QUICK, **values}).plan("variational", data.description.facts)
    with ResumePoint(tmp_path / "resume", keeps=True) as kept:
        kept.every = 1000.0  # seconds: the first epoch's is the only one that is due
        first = fit(plan, data, fingerprint="f", resume=kept)
    assert kept.path.exists()
    epochs = len(first.history)
    capsys.readouterr()
    trained_epochs = []
    with ResumePoint(tmp_path / "resume") as resume:
        second = fit(
            plan,
            data,
            fingerprint="f",
            resume=resume,
            log=lambda epoch, _: trained_epochs.append(epoch),
        )
    line = f"taking over a training of {epochs} epochs, with nothing left to train\n"
    assert capsys.readouterr().out == line
    assert same(first, second)
    assert not (tmp_path / "resume").exists()


def is_locked(lock: Path) -> bool:
    try:
        with FileLock(lock).acquire(timeout=0):
            return False
    except Timeout:
        return True


@pytest.mark.parametrize(("rank", "holds"), [("0", True), ("1", False)])
def test_the_first_devices_process_holds_the_lock_of_a_training_until_its_end(
    rank, holds, tmp_path, monkeypatch
):
    monkeypatch.setenv("LOCAL_RANK", rank)
    with ResumePoint(tmp_path / "sparse"):
        assert is_locked(tmp_path / "sparse.lock") == holds
    assert not is_locked(tmp_path / "sparse.lock")


def test_the_process_of_another_device_leaves_the_new_checkpoint_to_the_first(tmp_path):
    new = tmp_path / "last.new"
    new.write_bytes(b"written by the first device's process")
    trainer: Any = SimpleNamespace(
        world_size=2,
        is_global_zero=False,
        save_checkpoint=lambda path: None,
        should_stop=False,
        current_epoch=0,
        max_epochs=2,
    )
    ResumePoint(tmp_path).on_train_epoch_end(trainer, pl.LightningModule())
    assert new.exists()
