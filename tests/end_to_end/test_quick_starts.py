"""README's quick starts on small data: the models that they end in win.

Each is trained and judged as the stages do it, with the values of README's own command.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from dvc.utils.hydra import apply_overrides

from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.data.sources.source import download
from autoencoders.evaluation.catalogue import (
    DENOISED_PSNR,
    PCA_SQUARED_ERROR,
    SQUARED_ERROR,
)
from autoencoders.evaluation.leaderboard import Evaluation
from autoencoders.evaluation.ranking import earns
from autoencoders.evaluation.row import Row
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.goal import resolved_goal
from autoencoders.params.params import Params, load_params
from autoencoders.serving.inference import answer
from autoencoders.training.fit import fit
from commands_of_docs import COMMANDS, overrides
from repository import ROOT

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files that `examples/make.py` writes."""
    folder = tmp_path_factory.mktemp("quick") / "examples"
    folder.mkdir()
    shutil.copy(ROOT / "examples/make.py", folder)
    subprocess.run([sys.executable, folder / "make.py"], check=True)
    return folder


def parameters(examples: Path, source: str) -> Params:
    """The repository's parameters with the values of README's command for an example."""
    (command,) = [line for line in COMMANDS if f"data.path=examples/{source}" in line]
    path = examples.parent / f"{source}.yaml"
    shutil.copy(ROOT / "params.yaml", path)
    apply_overrides(path, overrides(command))
    return load_params(path).override({"data.path": str(examples / source)})


def trained(params: Params, folder: Path) -> tuple[list[Row], TrainedModel, Prepared]:
    """The leaderboard's rows, the only type's model, and the data."""
    download(params.data, folder / "raw")
    prepare(folder / "raw", folder / "prepared", params.data)
    data = load_prepared(folder / "prepared")
    (model_type,) = params.model_types
    facts = data.description.facts
    model = fit(params.plan(model_type, facts), data).model
    goal = resolved_goal(params.goal, facts)
    return Evaluation(data, params.evaluate, goal).rows([model]), model, data


def test_the_denoiser_of_images_beats_filters_and_its_codes_beat_pca(examples, tmp_path):
    rows, _, _ = trained(parameters(examples, "images"), tmp_path)
    by_name = {row.model: row for row in rows}
    denoising = by_name["denoising"]
    assert earns(denoising)
    assert denoising.value(SQUARED_ERROR) < denoising.value(PCA_SQUARED_ERROR)
    for other in ("wiener", "median", "pca denoised"):
        assert denoising.value(DENOISED_PSNR) > by_name[other].value(DENOISED_PSNR)


def test_every_faulty_reading_of_the_sensors_is_among_the_anomalies(examples, tmp_path):
    params = parameters(examples, "sensors.csv")
    rows, model, _ = trained(params, tmp_path)
    assert {row.goal for row in rows} == {"anomaly"}
    new = pd.read_csv(examples / "new.csv")
    scores = answer(model, "score", new, rate=params.evaluate.false_alarm_rate)
    assert isinstance(scores, pd.DataFrame)
    is_anomaly = scores["anomaly"].to_numpy()
    is_faulty = new["faulty"].to_numpy() == 1
    assert is_anomaly[is_faulty].all()
    assert np.mean(is_anomaly[~is_faulty]) < 0.1
