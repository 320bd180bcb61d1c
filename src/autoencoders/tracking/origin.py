"""The origin of a run: commit, changes, experiment, and the data's hashes."""

import json
import os
import subprocess

from autoencoders.core import paths
from autoencoders.core.dvclock import output_hash
from autoencoders.data.prepared.prepared import Description

VERSIONED = ("src", "pipeline", "params.yaml", "dvc.yaml", "requirements.lock", "pyproject.toml")
EXPERIMENT_VARIABLES = {"dvc_experiment": "DVC_EXP_NAME", "experiment": paths.EXPERIMENT_VARIABLE}


def lineage(data: Description) -> dict[str, str]:
    """Returns the tags of the present state: commit, uncommitted changes, experiment, data."""
    tags = {
        "mlflow.source.name": os.environ.get("DVC_STAGE", "by hand"),
        "mlflow.source.type": "LOCAL",
    }
    commit = _git("rev-parse", "HEAD")
    if commit:
        changes = _git("status", "--porcelain", "--", *VERSIONED)
        tags["mlflow.source.git.commit"] = commit
        tags["git_dirty"] = str(bool(changes)).lower()
    for tag, variable in EXPERIMENT_VARIABLES.items():
        experiment = os.environ.get(variable)
        if experiment:
            tags[tag] = experiment
    tags["data"] = data.name
    tags["data_hash"] = output_hash(paths.DATA) or data.content_sha256
    tags["content_sha256"] = data.content_sha256
    tags["source"] = data.source
    tags["source_sha256"] = data.source_sha256
    tags["split"] = json.dumps(data.split_values)
    return tags


def _git(*arguments: str) -> str:
    """A git command's output; nothing where this is no git repository."""
    command = ["git", "-C", os.environ.get(paths.ROOT_VARIABLE, "."), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""
