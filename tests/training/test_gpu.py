"""Trainings on a GPU: losses of the CPU, resumption, precision, rows, no wait for a value."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import pytorch_lightning as pl
import torch

from autoencoders.data.prepared.blocks import Blocks
from autoencoders.data.prepared.prepared import Prepared
from autoencoders.models import AUTOENCODERS
from autoencoders.params.params import Params
from autoencoders.training import batches
from autoencoders.training.batches import Batches, epoch_generator, held
from autoencoders.training.callbacks import SELECTION_METRIC
from autoencoders.training.fit import Fitted, fit
from devices import Device, draw_on_cpu, train_on_cpu
from trainings import QUICK, StopError, same, trained

pytestmark = [
    pytest.mark.gpu,
    # Lightning's, of the trainings on the CPU
    pytest.mark.filterwarnings("ignore:GPU available but not used"),
]
FULL = {**QUICK, "train.precision": "32-true"}
EPOCHS = 2
MANY_STEPS = {**FULL, "train.epochs": EPOCHS, "train.batch_size": 8}  # several chunks an epoch
CONV = {"network.kind": "conv", "network.nodes_per_layer": 8, "network.n_layers": 2}
OPTIONS = {"train.trim": 0.1, "train.augment": 1.0, "train.gradient_clip": 1.0}
TOP_K = {"models.sparse.penalty": "top_k", "models.sparse.k": 4}
CASES = [(model_type, values) for model_type in AUTOENCODERS for values in ({}, OPTIONS, CONV)]
CASES.append(("sparse", TOP_K))
WIDE = {"network.nodes_per_layer": [2048, 1024]}


def fitted(model_type: str, params: Params, data: Prepared, *callbacks: pl.Callback) -> Fitted:
    return fit(params.plan(model_type, data.description.facts), data, callbacks=callbacks)


def fitted_on(
    device_type: str,
    prepare: Callable[[pytest.MonkeyPatch], None],
    model_type: str,
    params: Params,
    data: Prepared,
) -> Fitted:
    """A training that is prepared by patches, and takes place on the device."""
    device = Device()
    with pytest.MonkeyPatch.context() as patch:
        prepare(patch)
        result = fitted(model_type, params, data, device)
    assert device.types == {device_type}
    return result


def on_gpu(model_type: str, params: Params, data: Prepared) -> Fitted:
    """A training with the CPU's noise, which takes place on the GPU."""
    return fitted_on("cuda", draw_on_cpu, model_type, params, data)


def on_cpu(model_type: str, params: Params, data: Prepared) -> Fitted:
    return fitted_on("cpu", train_on_cpu, model_type, params, data)


@pytest.mark.parametrize(("model_type", "values"), CASES, ids=str)
def test_losses_are_those_of_the_cpu(model_type, values, params, data):
    params = params.override({**FULL, **values})
    gpu = on_gpu(model_type, params, data)
    cpu = on_cpu(model_type, params, data)
    for mine, others in zip(gpu.history, cpu.history, strict=True):
        assert mine == pytest.approx(others, rel=1e-4)


def test_a_start_as_pca_has_the_error_that_it_has_on_the_cpu(params, data):
    params = params.override({**FULL, "network.linear_path": True, "network.loss": "mse"})
    gpu = on_gpu("undercomplete", params, data)
    cpu = on_cpu("undercomplete", params, data)
    assert gpu.history[0] == pytest.approx(cpu.history[0], rel=1e-4)


@pytest.mark.parametrize(("model_type", "values"), CASES, ids=str)
def test_a_stopped_training_ends_with_the_same_weights_and_curves(
    model_type, values, params, data, tmp_path
):
    params = params.override({**QUICK, **values})
    whole = trained(model_type, params, data, tmp_path / "whole")
    with pytest.raises(StopError):
        trained(model_type, params, data, tmp_path / "parts", until=3)
    assert same(trained(model_type, params, data, tmp_path / "parts"), whole)


def test_a_training_that_was_stopped_on_a_gpu_goes_on_on_the_cpu(params, data, tmp_path):
    params = params.override(FULL)
    whole = trained("undercomplete", params, data, tmp_path / "whole")
    with pytest.raises(StopError):
        trained("undercomplete", params, data, tmp_path / "parts", until=3)
    with pytest.MonkeyPatch.context() as patch:
        train_on_cpu(patch)
        resumed = trained("undercomplete", params, data, tmp_path / "parts")
    for mine, others in zip(resumed.history, whole.history, strict=True):
        assert mine == pytest.approx(others, rel=1e-4)


def test_the_trained_model_is_on_the_cpu(params, data):
    model = fitted("variational", params.override(FULL), data).model
    assert {value.device.type for value in (*model.parameters(), *model.buffers())} == {"cpu"}


@pytest.mark.parametrize("model_type", AUTOENCODERS)
def test_auto_takes_bf16_for_a_wide_network_whose_error_is_as_good(model_type, params, data):
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("this GPU has no bf16 products: its compute capability is below 8.0")
    params = params.override({**QUICK, **WIDE})
    auto = fitted(model_type, params, data)
    full = fitted(model_type, params.override({"train.precision": "32-true"}), data)
    assert auto.model.description.params["train.precision"] == "bf16-mixed"
    assert {weight.dtype for weight in auto.model.parameters()} == {torch.float32}
    assert auto.history[-1][SELECTION_METRIC] == pytest.approx(
        full.history[-1][SELECTION_METRIC], rel=0.05
    )


# rows


def test_rows_come_in_the_order_that_they_have_on_the_cpu(tmp_path):
    np.save(tmp_path / "rows.npy", np.arange(1000, dtype=np.float32)[:, None])
    rows = Blocks(tmp_path / "rows.npy")

    def chunks(device: str) -> list[torch.Tensor]:
        return list(Batches(held(rows, device), 64, lambda: epoch_generator(1, 2, 0)))

    for mine, others in zip(chunks("cuda"), chunks("cpu"), strict=True):
        assert mine.is_cuda
        assert torch.equal(mine.cpu(), others)


class Rows(pl.Callback):
    """Notes the addresses of the training rows in an epoch."""

    def __init__(self) -> None:
        self.addresses: list[int] = []

    def on_train_epoch_end(self, trainer: Any, pl_module: pl.LightningModule) -> None:
        rows = trainer.datamodule.splits["train"]
        assert rows.is_cuda
        self.addresses.append(rows.data_ptr())


def test_rows_stay_on_the_gpu_from_epoch_to_epoch(params, data):
    rows = Rows()
    fitted("undercomplete", params.override(QUICK), data, rows)
    assert len(rows.addresses) == QUICK["train.epochs"]
    assert len(set(rows.addresses)) == 1


def test_a_split_that_is_streamed_has_the_cpus_losses_too(params, data, monkeypatch):
    monkeypatch.setattr(batches, "IN_MEMORY", 0)
    monkeypatch.setattr(batches, "BLOCK_BYTES", 2**12)
    gpu = on_gpu("undercomplete", params.override(FULL), data)
    cpu = on_cpu("undercomplete", params.override(FULL), data)
    for mine, others in zip(gpu.history, cpu.history, strict=True):
        assert mine == pytest.approx(others, rel=1e-4)


# waiting for the GPU


class NoWait(pl.Callback):
    """Makes waiting for the GPU an error from an epoch's first step to its last, and in validation.

    Batches are fetched in between.
    """

    def __init__(self) -> None:
        self.chunks = 0

    def on_train_batch_start(self, *args: object) -> None:
        self.chunks += 1
        torch.cuda.set_sync_debug_mode("error")

    def on_train_batch_end(self, trainer: pl.Trainer, *args: object) -> None:
        if trainer.is_last_batch:
            torch.cuda.set_sync_debug_mode("default")

    def on_validation_batch_start(self, *args: object) -> None:
        torch.cuda.set_sync_debug_mode("error")

    def on_validation_batch_end(self, *args: object) -> None:
        torch.cuda.set_sync_debug_mode("default")


@pytest.fixture
def no_wait() -> Iterator[NoWait]:
    """The callback; afterwards waiting is no error, whatever happened."""
    yield NoWait()
    torch.cuda.set_sync_debug_mode("default")


# torch's, once a process, of the mode that finds what waits
@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed"])
@pytest.mark.parametrize(("model_type", "values"), CASES, ids=str)
def test_no_step_of_an_epoch_waits_for_the_gpu(
    model_type, values, precision, params, data, no_wait
):
    params = params.override({**MANY_STEPS, **values, "train.precision": precision})
    fitted(model_type, params, data, no_wait)
    assert no_wait.chunks > 2 * EPOCHS


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
def test_a_wait_for_the_gpu_would_be_noticed():
    """Otherwise the test before this one could not fail."""
    value = torch.ones(1, device="cuda")
    torch.cuda.set_sync_debug_mode("error")
    try:
        with pytest.raises(RuntimeError, match="synchronizing"):
            value.item()
    finally:
        torch.cuda.set_sync_debug_mode("default")
