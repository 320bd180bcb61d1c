"""Experiments: files of values over params.yaml, each run through the pipeline's stages in a workspace of its own.

The workspace is a copy of the repository below WORKSPACES, with the same DVC cache, the same MLflow store and the
experiment's params.yaml; the user's own params.yaml and outputs stay as they are.
"""

import io
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from configparser import ConfigParser
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from autoencoders.core.errors import UserError
from autoencoders.core.files import atomic_file, write_text
from autoencoders.core.paths import EXPERIMENT_VARIABLE, PARAMS_FILE, ROOT_VARIABLE, repository
from autoencoders.core.process import one_process
from autoencoders.params.params import load_tree, parse_params
from autoencoders.params.reading import likely, put

FILES, WORKSPACES = Path("experiments"), Path(".experiments")
STAGES = "dvc repro evaluate"  # nothing is registered: no experiment becomes a champion


def merged(name: str, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """params.yaml with an experiment's values over it, and these by dotted key; its `models` are the types to train.

    Raises ParameterError, or UserError where there is no such experiment.
    """
    path, known = FILES / f"{name}.yaml", sorted(path.stem for path in FILES.glob("*.yaml"))
    if name not in known:
        raise UserError(f"{path}: no such experiment: {likely(name, known)}")
    tree, changes = load_tree(PARAMS_FILE), load_tree(path)
    if "models" in changes:
        tree["models"] = {kind: tree["models"].get(kind) or {} for kind in changes["models"]}
    put(changes, values or {})
    tree = _over(tree, changes)
    parse_params(text(tree), name=str(path))
    return tree


def _over(tree: Any, changes: Any) -> Any:
    if not isinstance(tree, dict) or not isinstance(changes, dict):
        return changes
    return {**tree, **{key: _over(tree.get(key), value) for key, value in changes.items()}}


def text(tree: Mapping[str, Any]) -> str:
    """Values as YAML."""
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(tree, stream)
    return stream.getvalue()


def workspace(name: str, tree: Mapping[str, Any]) -> Path:
    """The folder in which an experiment runs, brought up to date with the repository's files; outputs stay."""
    root, folder = repository(), repository() / WORKSPACES / name
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    files = {
        file for file in listed.stdout.decode().split("\0") if file and (root / file).is_file()
    }
    marker = folder / ".dvc" / "copied"
    for gone in (
        set(marker.read_text(encoding="utf-8").split("\0") if marker.exists() else ()) - files
    ):
        (folder / gone).unlink(missing_ok=True)
    for file in files - {str(PARAMS_FILE)}:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / file, folder / file)
    write_text(marker, "\0".join(sorted(files)))
    write_text(folder / PARAMS_FILE, text(tree))
    config = ConfigParser(interpolation=None)
    config.read(root / ".dvc/config.local", encoding="utf-8")
    for section, option, value in (
        ("core", "no_scm", "true"),
        ("cache", "dir", str(root / ".dvc/cache")),
    ):
        if not config.has_section(section):
            config.add_section(section)
        if option == "no_scm" or not config.has_option(section, option):
            config.set(section, option, value)
    with (
        atomic_file(folder / ".dvc/config.local") as new,
        new.open("w", encoding="utf-8") as stream,
    ):
        config.write(stream)
    return folder


def run(
    name: str,
    values: Mapping[str, Any] | None = None,
    *,
    variant: str = "",
    commands: Sequence[str] = (STAGES,),
    log: Path | None = None,
    threads: int | None = None,
) -> Path:
    """Runs an experiment's commands in its workspace, which is given back.

    values: over the experiment's own, by dotted key; variant: of the experiment, with a workspace of its own; log:
    where the output goes, else to the terminal; threads: of each process. Raises ParameterError, and UserError where a
    command fails.
    """
    tree = merged(name, values)
    with one_process(repository() / WORKSPACES / f"{name}{variant}.lock", f"runs {name}{variant}"):
        return _run(name, workspace(name + variant, tree), commands, log, threads)


def _run(
    name: str, folder: Path, commands: Sequence[str], log: Path | None, threads: int | None
) -> Path:
    environment = {**os.environ, ROOT_VARIABLE: str(repository()), EXPERIMENT_VARIABLE: name}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment |= {"OMP_NUM_THREADS": str(threads)} if threads else {}
    for command in commands:
        with log.open("ab") if log else nullcontext() as output:
            run = partial(
                subprocess.run,
                cwd=folder,
                env=environment,
                stdout=output,
                stderr=output,
                check=False,
            )
            if run(command.split()).returncode:
                told = f"; its output: {log}" if log else ""
                raise UserError(f"experiment {name}: `{command}` failed in {folder}{told}")
    return folder
