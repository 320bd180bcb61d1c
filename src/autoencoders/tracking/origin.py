"""The origin of a run: commit, changes, experiment, and the data's hashes."""

import os
import re
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from autoencoders import stage
from autoencoders.data.prepared import Description

LOCK_WAITS = (0.0, 0.1, 0.2, 0.4, 0.8)  # seconds before each look at dvc.lock
VERSIONED = ("src", "pipeline", "params.yaml", "dvc.yaml", "requirements.lock", "pyproject.toml")


def lineage(data: Description) -> dict[str, str]:
    """Returns tags: commit, whether files differ from it, DVC experiment, data."""
    tags = {"mlflow.source.name": os.environ.get("DVC_STAGE", "by hand"), "mlflow.source.type": "LOCAL"}
    commit = _git("rev-parse", "HEAD")
    if commit:
        tags["mlflow.source.git.commit"] = commit
        tags["git_dirty"] = str(bool(_git("status", "--porcelain", "--", *VERSIONED))).lower()
    for tag, variable in (("dvc_experiment", "DVC_EXP_NAME"), ("experiment", stage.EXPERIMENT_VARIABLE)):
        if os.environ.get(variable):
            tags[tag] = os.environ[variable]
    hashes = {name: getattr(data, name) for name in ("content_sha256", "source", "source_sha256")}
    data_hash = dvc_hash(stage.DATA) or data.content_sha256
    return {**tags, "data": data.name, "data_hash": data_hash, **hashes}


def _git(*arguments: str) -> str:
    """A git command's output; nothing where this is no git repository."""
    command = ["git", "-C", os.environ.get(stage.ROOT_VARIABLE, "."), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def dvc_hash(path: Path) -> str | None:
    """DVC's hash of a stage's output, from dvc.lock, where a stage has written it.

    Another `dvc` may be writing the file, which it does in place: what is read then is a part of it.
    """
    lock = Path("dvc.lock")
    for wait in LOCK_WAITS if lock.exists() else ():
        time.sleep(wait)
        with suppress(YAMLError, LookupError, TypeError, AttributeError):
            stages = YAML(typ="safe", pure=True).load(lock)["stages"]
            outs = [out for stage in stages.values() for out in stage.get("outs", [])]
            found = [str(out["md5"]) for out in outs if out["path"] == path.as_posix()]
            if found and re.fullmatch(r"[0-9a-f]{32}(\.dir)?", found[0]):
                return found[0]
    return None
