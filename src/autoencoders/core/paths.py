"""The paths of params.yaml, of each stage's outputs and of what lies beside them, in the user's repository."""

import os
from pathlib import Path

PARAMS_FILE = Path("params.yaml")
CHECKED, RAW, DATA = Path("data/checked.txt"), Path("data/raw"), Path("data/prepared")
TUNED, TUNED_VALUES, TRIALS = (
    Path("tuned"),
    "tuned.yaml",
    "trials.csv",
)  # by type: what its study found
MODELS, METRICS, REPORTS, FIGURES = (
    Path("model"),
    Path("metrics"),
    Path("reports"),
    Path("reports/figures"),
)
REGISTERED = Path("mlruns/registered.json")
STUDIES = "studies"  # outside DVC: Optuna's journal
RESUME = ".checkpoints"  # outside DVC: what a killed training goes on from
ROOT_VARIABLE, EXPERIMENT_VARIABLE = (
    "AUTOENCODERS_ROOT",
    "AUTOENCODERS_EXPERIMENT",
)  # of an experiment's workspace


def repository() -> Path:
    """The user's repository: also where the stage runs in a copy of it, DVC's temporary one or an experiment's."""
    return Path(os.environ.get(ROOT_VARIABLE) or os.environ.get("DVC_ROOT") or Path.cwd()).resolve()
