"""The origin of a run: commit, changes, experiment, and the data's hashes."""

import os
import subprocess

from autoencoders.core import paths
from autoencoders.core.dvclock import output_hash
from autoencoders.data.prepared.prepared import Description

VERSIONED = ("src", "pipeline", "params.yaml", "dvc.yaml", "requirements.lock", "pyproject.toml")


def lineage(data: Description) -> dict[str, str]:
    """Returns tags: commit, whether files differ from it, DVC experiment, data."""
    tags = {
        "mlflow.source.name": os.environ.get("DVC_STAGE", "by hand"),
        "mlflow.source.type": "LOCAL",
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        tags["mlflow.source.git.commit"] = commit
        tags["git_dirty"] = str(bool(_git("status", "--porcelain", "--", *VERSIONED))).lower()
    for tag, variable in (
        ("dvc_experiment", "DVC_EXP_NAME"),
        ("experiment", paths.EXPERIMENT_VARIABLE),
    ):
        if os.environ.get(variable):
            tags[tag] = os.environ[variable]
    hashes = {name: getattr(data, name) for name in ("content_sha256", "source", "source_sha256")}
    data_hash = output_hash(paths.DATA) or data.content_sha256
    return {**tags, "data": data.name, "data_hash": data_hash, **hashes}


def _git(*arguments: str) -> str:
    """A git command's output; nothing where this is no git repository."""
    command = ["git", "-C", os.environ.get(paths.ROOT_VARIABLE, "."), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
