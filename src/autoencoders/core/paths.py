"""Paths in the user's repository: params.yaml, the stages' outputs, and what lies beside them."""

import os
from pathlib import Path

PARAMS_FILE = Path("params.yaml")
CHECKED = Path("data/checked.txt")
RAW = Path("data/raw")
DATA = Path("data/prepared")
DESCRIPTION = DATA / "prepared.json"
TUNED = Path("tuned")  # a folder for each type's study
TUNED_VALUES = "tuned.yaml"  # in such a folder: the values that the training takes
TRIALS = "trials.csv"  # in such a folder: a line for each trial
STUDY = "study.json"  # in such a folder: what was taken and why; {} without a study
MODELS = Path("model")
METRICS = Path("metrics")
LEADERBOARD = METRICS / "leaderboard.json"
REPORTS = Path("reports")
REPORT_PAGE = REPORTS / "index.html"
FIGURES = REPORTS / "figures"
REGISTERED = Path("mlruns/registered.json")
STUDIES = "studies"  # outside DVC: Optuna's journal
RESUME = ".checkpoints"  # outside DVC: what a killed training goes on from
# set in an experiment's workspace: the user's repository, and the experiment's name
ROOT_VARIABLE = "AUTOENCODERS_ROOT"
EXPERIMENT_VARIABLE = "AUTOENCODERS_EXPERIMENT"


def repository() -> Path:
    """The user's repository, also for a stage that runs in a copy of it.

    Such copies are DVC's temporary folders and the experiments' workspaces.
    """
    root = os.environ.get(ROOT_VARIABLE) or os.environ.get("DVC_ROOT") or Path.cwd()
    return Path(root).resolve()
