"""What every stage shares: where the repository is, what the stage depends on, how a user's mistake is shown."""

import json
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from ruamel.yaml import YAML

from autoencoders.errors import Interrupted, UserError
from autoencoders.files import sha256, tree_sha256

CHECKED, RAW, DATA = Path("data/checked.txt"), Path("data/raw"), Path("data/prepared")
TUNED, TUNED_VALUES, TRIALS = Path("tuned"), "tuned.yaml", "trials.csv"  # by type: what its study found
MODELS, METRICS, REPORTS, FIGURES = Path("model"), Path("metrics"), Path("reports"), Path("reports/figures")
REGISTERED = Path("mlruns/registered.json")
STUDIES = "studies"  # outside DVC: Optuna's journal
RESUME = ".checkpoints"  # outside DVC: what a killed training goes on from
CODE = ("src/", "pipeline/", "requirements")  # how dependencies that are code begin


def repository() -> Path:
    """The user's repository: also where DVC runs the stage in a temporary copy of it."""
    return Path(os.environ.get("DVC_ROOT") or Path.cwd()).resolve()


@contextmanager
def reporting() -> Iterator[None]:
    """Shows a user's mistake as one message and ends the process with code 1; Ctrl-C and SIGTERM raise Interrupted."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    try:
        yield
    except UserError as error:
        sys.stdout.flush()
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except Interrupted as reason:
        print(f"{reason}; `dvc repro` goes on from here", file=sys.stderr)
        raise SystemExit(130) from None


def _interrupt(number: int, frame: FrameType | None) -> None:  # noqa: ARG001
    raise Interrupted(f"interrupted by {signal.Signals(number).name}")


def code_sha256(stage: str) -> str:
    """Hash of the code that dvc.yaml declares for a stage: the one place where it is listed."""
    declared = YAML(typ="safe", pure=True).load(Path("dvc.yaml"))["stages"][stage]
    dependencies = declared.get("do", declared)["deps"]
    return tree_sha256(*(Path(path) for path in dependencies if path.startswith(CODE)))


def fingerprint(stage: str, values: Mapping[str, Any], data_sha256: str) -> str:
    """Hash of a stage's parameters, data and code: equal for equal executions, wherever they run."""
    return sha256(json.dumps([values, data_sha256, code_sha256(stage)], sort_keys=True).encode())[:32]
