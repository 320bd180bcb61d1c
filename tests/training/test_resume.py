"""A killed training is resumed in any epoch, with the same result."""

from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as pl

from autoencoders.models import AUTOENCODERS
from autoencoders.training.resume import ResumePoint
from trainings import QUICK, StopError, same, trained


@pytest.mark.parametrize("kind", AUTOENCODERS)
@pytest.mark.parametrize("epoch", [2, 4])
def test_a_training_that_was_stopped_in_any_epoch_ends_with_the_same_weights_and_curves(
    kind, epoch, params, data, tmp_path, capsys
):
    params = params.override(QUICK)
    whole = trained(kind, params, data, tmp_path / "whole")
    with pytest.raises(StopError):
        trained(kind, params, data, tmp_path / "parts", until=epoch)
    capsys.readouterr()
    resumed = trained(kind, params, data, tmp_path / "parts")
    assert f"resuming from epoch {epoch - 1}\n" in capsys.readouterr().out
    assert same(resumed, whole)


def test_the_checkpoint_is_gone_after_success(params, data, tmp_path):
    trained("undercomplete", params.override({**QUICK, "train.epochs": 1}), data, tmp_path)
    assert not (tmp_path / "resume").exists()


def test_the_process_of_another_device_leaves_the_new_checkpoint_to_the_first(tmp_path):
    new = tmp_path / "last.new"
    new.write_bytes(b"written by the first device's process")
    trainer: Any = SimpleNamespace(
        world_size=2, is_global_zero=False, save_checkpoint=lambda path: None
    )
    ResumePoint(tmp_path).on_train_epoch_end(trainer, pl.LightningModule())
    assert new.exists()
