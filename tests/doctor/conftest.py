"""A small DVC project in git, in which a stage waits to be killed; real dvc and git work in it."""

import os
import shutil
import signal
import subprocess
import threading
from pathlib import Path

import pytest

from autoencoders.core.files import tree_sha256
from repository import ROOT, Repository

STAGES = """stages:
  one:
    cmd: echo one ran >> ran.log; cp params.yaml one.txt
    params: [a]
    outs: [one.txt]
  two:
    cmd: if [ -p gate ]; then cat gate; fi; echo two ran >> ran.log; cp one.txt two.txt
    deps: [one.txt]
    params: [a]
    outs: [two.txt]
"""


class Project(Repository):
    """A project whose stage `two` waits for a writer where there is a named pipe `gate`."""

    def gate(self) -> None:
        """Makes the stage wait."""
        os.mkfifo(self.folder / "gate")

    def start(self, *command: str) -> subprocess.Popen[bytes]:
        """Starts a command in a process group of its own."""
        started = [
            "env",
            "--default-signal=INT",
            *command,
        ]  # where the tests run in the background, it is ignored
        with (self.folder / "command.log").open("w") as log:
            return subprocess.Popen(
                started,
                cwd=self.folder,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def wait_for_the_stage(self) -> None:
        """Waits until the stage waits."""
        opened = threading.Event()

        def opening() -> None:
            self.pipe = (self.folder / "gate").open("w")  # returns when the stage opens it
            opened.set()

        threading.Thread(target=opening, daemon=True).start()
        assert opened.wait(60), (self.folder / "command.log").read_text()

    def killed(self, *command: str, number: int = signal.SIGKILL) -> None:
        """Runs a command until its stage waits, then ends all of its processes."""
        self.gate()
        process = self.start(*command)
        self.wait_for_the_stage()
        os.killpg(process.pid, number)
        process.wait(60)
        self.pipe.close()
        (self.folder / "gate").unlink()

    def doctor(self, *options: str, **environment: str) -> tuple[int, dict[str, str]]:
        """`ae doctor`'s exit code and its lines, by check."""
        done = self.run("ae", "doctor", *options, check=False, **environment)
        assert "Traceback" not in done.stdout
        lines = [line.partition(" ") for line in done.stdout.splitlines()]
        return done.returncode, {name: rest.strip() for name, _, rest in lines}

    def wrong(self, **environment: str) -> dict[str, str]:
        """The problems that `ae doctor` finds, by check; it changes no file."""
        before = tree_sha256(*self.folder.iterdir())
        code, lines = self.doctor(**environment)
        assert tree_sha256(*self.folder.iterdir()) == before
        result = {
            name: line.removeprefix("WRONG: ")
            for name, line in lines.items()
            if line.startswith("WRONG")
        }
        assert code == bool(result)
        return result


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    project = Project.at(folder)
    (folder / "dvc.yaml").write_text(STAGES)
    (folder / "params.yaml").write_text("a: 1\n")
    (folder / ".gitignore").write_text(
        "/gate\n/*.log\n/mlruns\n/studies\n/.checkpoints\n*.broken-*\n"
    )
    for name in ("pyproject.toml", "requirements.lock"):
        shutil.copy(ROOT / name, folder)
    project.git("init", "-q", "-b", "main")
    project.run("dvc", "init", "-q")
    project.repro()
    project.commit("made")
    return folder


@pytest.fixture
def project(made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that ran, with its lock committed; the current folder."""
    folder = tmp_path / "project"
    shutil.copytree(made, folder, symlinks=True)
    monkeypatch.chdir(folder)
    for name in ("MLFLOW_TRACKING_URI", "DVC_ROOT", "AUTOENCODERS_ROOT"):
        monkeypatch.delenv(name, raising=False)
    copy = Project.at(folder)
    assert copy.git("status", "--porcelain") == ""
    return copy
