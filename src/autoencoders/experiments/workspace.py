"""Experiments: values over params.yaml, each run through the pipeline in a workspace of its own.

The workspace is a copy of the repository below WORKSPACES, with the same DVC cache, the same MLflow
store and the experiment's params.yaml; the user's own params.yaml and outputs stay as they are.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from configparser import ConfigParser
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from autoencoders.core.errors import UserError
from autoencoders.core.files import atomic_file, write_text
from autoencoders.core.paths import (
    EXPERIMENT_VARIABLE,
    LEADERBOARD,
    PARAMS_FILE,
    ROOT_VARIABLE,
    repository,
)
from autoencoders.core.process import one_process
from autoencoders.params.params import load_tree, parse_params
from autoencoders.params.reading import likely, put, yaml_text

FILES = Path("experiments")
WORKSPACES = Path(".experiments")
COPIED = Path(".dvc/copied")  # in a workspace: the names of the repository's files there
DVC_CONFIG = Path(".dvc/config.local")
STAGES = "dvc repro evaluate"  # nothing is registered: no experiment becomes a champion
RECORD_EVALUATION = "python -m autoencoders.experiments.evaluation"


def merged(name: str, values: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The tree of params.yaml with an experiment's values over it, and over these `values`.

    The experiment's `models` are the types to train. values: by dotted key. Raises ParameterError,
    and UserError where there is no such experiment.
    """
    path = FILES / f"{name}.yaml"
    known = sorted(file.stem for file in FILES.glob("*.yaml"))
    if name not in known:
        raise UserError(f"{path}: no such experiment: {likely(name, known)}")
    tree = load_tree(PARAMS_FILE)
    changes = load_tree(path)
    if "models" in changes:
        tree["models"] = {model: tree["models"].get(model) or {} for model in changes["models"]}
    put(changes, values or {})
    tree = _over(tree, changes)
    parse_params(yaml_text(tree), name=str(path))
    return tree


def _over(tree: Any, changes: Any) -> Any:
    """A tree with another one's values over its own."""
    if not isinstance(tree, dict) or not isinstance(changes, dict):
        return changes
    result = dict(tree)
    for key, value in changes.items():
        result[key] = _over(tree.get(key), value)
    return result


def workspace(name: str, tree: Mapping[str, Any]) -> Path:
    """The folder in which an experiment runs, with the repository's present files; outputs stay."""
    root = repository()
    folder = root / WORKSPACES / name
    _copy_files(root, folder)
    write_text(folder / PARAMS_FILE, yaml_text(tree))
    _write_dvc_config(root, folder)
    return folder


def _copy_files(root: Path, folder: Path) -> None:
    """Copies the repository's files, and removes those that it no longer has."""
    files = _files_in_git(root)
    for file in _copied_before(folder) - files:
        (folder / file).unlink(missing_ok=True)
    for file in files - {str(PARAMS_FILE)}:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(root / file, folder / file)
    write_text(folder / COPIED, "\0".join(sorted(files)))


def _files_in_git(root: Path) -> set[str]:
    """The repository's files that git knows or does not ignore."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=root,
        capture_output=True,
        check=True,
    )
    names = listing.stdout.decode().split("\0")
    return {name for name in names if name and (root / name).is_file()}


def _copied_before(folder: Path) -> set[str]:
    path = folder / COPIED
    if not path.exists():
        return set()
    return set(path.read_text(encoding="utf-8").split("\0"))


def _write_dvc_config(root: Path, folder: Path) -> None:
    """Writes the user's configuration of DVC, for a folder that is no git repository.

    Where the user names no cache, it is the repository's.
    """
    config = ConfigParser(interpolation=None)
    config.read(root / DVC_CONFIG, encoding="utf-8")
    for section in ("core", "cache"):
        if not config.has_section(section):
            config.add_section(section)
    config.set("core", "no_scm", "true")
    if not config.has_option("cache", "dir"):
        config.set("cache", "dir", str(root / ".dvc/cache"))
    with atomic_file(folder / DVC_CONFIG) as new, new.open("w", encoding="utf-8") as stream:
        config.write(stream)


def run(
    name: str,
    values: Mapping[str, Any] | None = None,
    *,
    variant: str = "",
    commands: Sequence[str] = (STAGES,),
    log: Path | None = None,
    threads: int | None = None,
) -> Path:
    """Runs an experiment's commands in its workspace, and returns the workspace.

    Where they have evaluated models, that is recorded for MLflow.

    values: over the experiment's, by dotted key; variant: of the experiment, with a workspace of
    its own; log: where the output goes, if not to the terminal; threads: of each process. Raises
    ParameterError, and UserError where a command fails.
    """
    tree = merged(name, values)
    lock = repository() / WORKSPACES / f"{name}{variant}.lock"
    with one_process(lock, f"runs {name}{variant}"):
        folder = workspace(name + variant, tree)
        environment = _environment(name, threads)
        for command in commands:
            _run_command(name, command, folder, environment, log)
        if (folder / LEADERBOARD).exists():
            _run_command(name, RECORD_EVALUATION, folder, environment, log)
    return folder


def _run_command(
    name: str, command: str, folder: Path, environment: Mapping[str, str], log: Path | None
) -> None:
    """Runs a command of an experiment. Raises UserError where it fails."""
    with _output(log) as output:
        done = subprocess.run(
            command.split(),
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=output,
            check=False,
        )
    if done.returncode:
        where = f"; its output: {log}" if log else ""
        raise UserError(f"experiment {name}: `{command}` failed in {folder}{where}")


def _environment(name: str, threads: int | None) -> dict[str, str]:
    """The environment variables of an experiment's commands."""
    environment = {
        **os.environ,
        ROOT_VARIABLE: str(repository()),
        EXPERIMENT_VARIABLE: name,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    if threads:
        environment["OMP_NUM_THREADS"] = str(threads)
    return environment


@contextmanager
def _output(log: Path | None) -> Iterator[IO[bytes] | None]:
    """The end of a log file, or the terminal."""
    if log is None:
        yield None
    else:
        with log.open("ab") as file:
            yield file
