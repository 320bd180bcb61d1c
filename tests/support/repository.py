"""A copy of this repository in another folder.

It is a clone of the present files, with shrunk parameters.
"""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from ruamel.yaml import YAML

ROOT = Path(__file__).resolve().parents[2]
QUICK = {
    "train.epochs": 3,
    "tune.n_trials": 0,
    "network.nodes_per_layer": 32,
    "evaluate.bootstrap_samples": 100,
    "evaluate.importance_samples": 2,
    "evaluate.probe_rows": 100,
    "evaluate.figure_columns": 4,
    "registry.promote": True,  # after three epochs PCA rebuilds better
}
# variables of a bare environment: where things are, and what pip needs to reach its index; .ci/run
# says the same
BARE = (
    "HOME",
    "PATH",
    "LANG",
    "CI",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
)
BARE_PREFIXES = ("PIP_", "OPENBLAS_")
PATIENCE = 900  # seconds until what a test waits for has failed: no machine is so slow
yaml = YAML()


def bare_environment() -> dict[str, str]:
    """The variables that any machine has: tests must not pass by others."""
    return {k: v for k, v in os.environ.items() if k in BARE or k.startswith(BARE_PREFIXES)}


def stages_that_ran(told: str) -> list[str]:
    """The names of the stages that `dvc repro` says it ran, in their order."""
    return re.findall(r"^Running stage '(.+)'", told, re.MULTILINE)


class Repository:
    """A copy to run commands in; its git history has one commit, with all files."""

    def __init__(
        self, folder: Path, values: Mapping[str, Any], kinds: list[str] | None = None
    ) -> None:
        self.folder = folder
        listed = subprocess.run(
            ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in listed.stdout.splitlines():
            if (ROOT / name).is_file() and name != "dvc.lock":
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes((ROOT / name).read_bytes())
                (folder / name).chmod((ROOT / name).stat().st_mode)
        self.set(values)
        if kinds is not None:
            self.keep(kinds)
        self.git("init", "-q", "-b", "main")
        self.commit("copy")

    @classmethod
    def at(cls, folder: Path) -> Self:
        """A copy that is there already."""
        repository = cls.__new__(cls)
        repository.folder = folder
        return repository

    def set(self, values: Mapping[str, Any]) -> None:
        """Changes params.yaml by dotted keys."""
        tree = yaml.load(self.folder / "params.yaml")
        for key, value in values.items():
            *sections, name = key.split(".")
            node = tree
            for section in sections:
                node = node.setdefault(section, {})
            node[name] = value
        yaml.dump(tree, self.folder / "params.yaml")

    def keep(self, kinds: list[str]) -> None:
        """Leaves only these types in params.yaml."""
        tree = yaml.load(self.folder / "params.yaml")
        for kind in set(tree["models"]) - set(kinds):
            del tree["models"][kind]
        yaml.dump(tree, self.folder / "params.yaml")

    @property
    def environment(self) -> dict[str, str]:
        """The bare environment of a user who activated this Python's virtual environment."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        author = {
            f"GIT_{who}_{what}": "t@e.st"
            for who in ("AUTHOR", "COMMITTER")
            for what in ("NAME", "EMAIL")
        }
        git = {
            **author,
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
        }  # no hooks or signatures of the user
        return {
            **bare_environment(),
            **git,
            "PATH": path,
            "OMP_NUM_THREADS": "1",
        }  # tests run side by side

    def run(
        self, *command: str, check: bool = True, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Runs a command in the copy; its two outputs come as one."""
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment, **environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        assert not check or done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
        return done

    def git(self, *arguments: str) -> str:
        """A git command's output."""
        return self.run("git", *arguments).stdout

    def commit(self, message: str) -> None:
        """Commits everything."""
        self.git("add", "-A")
        self.git("commit", "-q", "-m", message)

    def repro(self, *arguments: str, **environment: str) -> str:
        """`dvc repro`'s output."""
        return self.run("dvc", "repro", *arguments, check=True, **environment).stdout

    def hashes(self) -> dict[str, str]:
        """Every output's hash in dvc.lock, by path."""
        stages = YAML(typ="safe").load(self.folder / "dvc.lock")["stages"]
        return {out["path"]: out["md5"] for stage in stages.values() for out in stage["outs"]}

    def client(self) -> Any:
        """A client of the copy's MLflow store."""
        import mlflow

        return mlflow.MlflowClient(f"sqlite:///{self.folder / 'mlruns' / 'mlflow.db'}")
