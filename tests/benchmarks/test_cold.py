"""Imports of the stages, each in a fresh process: none of a package that its work does not need."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cold import SCRIPTS, imports
from repository import ROOT, yaml

TRAINING = {"pytorch_lightning", "torchmetrics", "torch._dynamo"}
TUNING = {"optuna", "sqlalchemy"}
TRACKING = {"mlflow", "alembic"}
DRAWING = {"matplotlib"}
TABLES = {"pandas"}
LEARNING = {"sklearn"}
LIGHT = {*TRAINING, *TUNING, *TRACKING, *DRAWING, *LEARNING, "torch", "scipy"}
UNNEEDED = {
    "check": {*LIGHT, *TABLES, "numpy", "pyarrow"},
    "download": {*LIGHT, *TABLES, "numpy", "pyarrow"},
    "preprocess": LIGHT,
    "tune": {*TRACKING, *TABLES, *LEARNING},
    "train": {*TRACKING, *TUNING, *TABLES, *LEARNING},
    "evaluate": {*TRACKING, *TUNING, *TRAINING, "autoencoders.tracking"},
    "register": {*TRAINING, *DRAWING, *LEARNING, "optuna", "scipy.stats"},
    "writer": {*TRAINING, *DRAWING, *LEARNING, "optuna", "torch", "scipy.stats"},
}
DIGITS = "from autoencoders.data.sources import fetch; fetch.built_in('digits', Path('files'))"


def imported(code: str, folder: Path | None = None) -> set[str]:
    """The names of all modules that a fresh process has after running the code."""
    shown = f"{code}\nimport json, sys\nprint(json.dumps([*sys.modules]))"
    done = subprocess.run(
        [sys.executable, "-c", shown], cwd=folder, capture_output=True, text=True, check=True
    )
    return set(json.loads(done.stdout))


def test_every_stage_is_measured():
    stages = yaml.load(ROOT / "dvc.yaml")["stages"]
    assert set(SCRIPTS) == {*stages, "writer"} == set(UNNEEDED)


@pytest.mark.parametrize("stage", UNNEEDED)
def test_a_stage_imports_nothing_that_its_work_does_not_need(stage: str):
    assert imported("\n".join(imports(stage))) & UNNEEDED[stage] == set()


def test_the_reader_of_scripts_sees_imports_inside_of_functions():
    assert imported("\n".join(imports("tune"))) >= {"optuna", "torch", "pytorch_lightning"}
    assert "mlflow" in imported("\n".join(imports("writer")))


def test_the_digits_need_no_library_of_other_sources(tmp_path: Path):
    names = imported(f"from pathlib import Path\n{DIGITS}", tmp_path)
    assert (tmp_path / "files/X.npy").exists()
    assert names & {*LIGHT, *TABLES, "pooch", "pyarrow", "requests"} == set()
