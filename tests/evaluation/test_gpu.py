"""Models that were trained on a GPU are evaluated as those of the CPU are."""

from pathlib import Path

import pytest
import torch

from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.evaluation.catalogue import EXPLAINED_VARIANCE, PSNR, SQUARED_ERROR, SSIM
from autoencoders.evaluation.leaderboard import Evaluation
from autoencoders.evaluation.row import Row
from autoencoders.models import AUTOENCODERS
from autoencoders.models.trained.saved import load, save
from autoencoders.params.plan import Plan
from autoencoders.params.sections import Evaluate
from autoencoders.training.fit import fit
from devices import Device, draw_on_cpu, train_on_cpu
from trainings import QUICK

pytestmark = [
    pytest.mark.gpu,
    # Lightning's, of the trainings on the CPU
    pytest.mark.filterwarnings("ignore:GPU available but not used"),
]
METRICS = (SQUARED_ERROR, EXPLAINED_VARIANCE, PSNR, SSIM)


def row(plan: Plan, data: Prepared, evaluate: Evaluate, folder: Path, device: str) -> Row:
    """The row of a model that was trained on the device, saved and loaded."""
    used = Device()
    with pytest.MonkeyPatch.context() as patch:
        if device == "cpu":
            train_on_cpu(patch)
        else:
            draw_on_cpu(patch)
        fitted = fit(plan, data, callbacks=[used])
    assert used.types == {device}
    save(fitted.model, fitted.history, folder / device)
    model = load(folder / device)
    return Evaluation(data, evaluate, "reconstruct").model_row(model)


@pytest.mark.parametrize("model_type", AUTOENCODERS)
def test_metrics_are_those_of_a_model_that_was_trained_on_the_cpu(
    model_type, params, digits, evaluate, tmp_path
):
    data = load_prepared(digits)
    params = params.override({**QUICK, "train.precision": "32-true"})
    plan = params.plan(model_type, data.description.facts)
    gpu = row(plan, data, evaluate, tmp_path, "cuda")
    cpu = row(plan, data, evaluate, tmp_path, "cpu")
    assert gpu.estimates.keys() == cpu.estimates.keys()
    for metric in METRICS:
        assert gpu.value(metric) == pytest.approx(cpu.value(metric), rel=1e-3)


def test_weights_that_were_trained_on_a_gpu_are_loaded_on_the_cpu(params, digits, tmp_path):
    data = load_prepared(digits)
    plan = params.override(QUICK).plan("variational", data.description.facts)
    fitted = fit(plan, data)
    save(fitted.model, fitted.history, tmp_path / "model")
    loaded = load(tmp_path / "model")
    weights = loaded.state_dict()
    assert {value.device.type for value in weights.values()} == {"cpu"}
    for name, value in fitted.model.state_dict().items():
        assert torch.equal(weights[name], value)
