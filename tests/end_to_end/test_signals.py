"""SIGINT and SIGTERM in every stage, from its imports to its last write.

One message, code 130, nothing half there.
"""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from repository import QUICK, ROOT, Repository

pytestmark = pytest.mark.slow
FIRST_CHECKPOINT = 3  # writes, at least, of a training's first checkpoint, which is always written
MOMENTS = 10  # of each sort, spread over a stage; both signals in turn
OUTPUTS = {
    "check": ["data/checked.txt"],
    "download": ["data/raw"],
    "preprocess": ["data/prepared"],
    "tune": ["tuned/undercomplete"],
    "train": ["model/undercomplete"],
    "evaluate": ["metrics", "reports"],
    "register": ["mlruns/registered.json"],
}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy in which the pipeline ran."""
    values = {**QUICK, "tune.n_trials": 2, "tune.epochs": 1}
    repository = Repository(tmp_path_factory.mktemp("signals"), values, ["undercomplete"])
    repository.repro()
    return repository


def run(repository: Repository, stage: str, name: str, at: str) -> subprocess.CompletedProcess[str]:
    """Runs a stage from its beginning, which sends itself a signal."""
    for left in (".checkpoints", "studies"):
        shutil.rmtree(repository.folder / left, ignore_errors=True)
    kind = ["undercomplete"] if stage in ("tune", "train") else []
    script: list[str | Path] = [
        sys.executable,
        ROOT / "tests/support/signalled.py",
        name,
        at,
        f"pipeline/{stage}.py",
        *kind,
    ]
    environment = {**repository.environment, "PYTHONPATH": "src"}
    return subprocess.run(
        script, cwd=repository.folder, env=environment, capture_output=True, text=True, check=False
    )


def contents(repository: Repository, stage: str) -> dict[str, bytes]:
    """The outputs of a stage, by path."""
    tops = [repository.folder / output for output in OUTPUTS[stage]]
    files = [path for top in tops for path in (top, *top.rglob("*")) if path.is_file()]
    return {path.relative_to(repository.folder).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("stage", OUTPUTS)
def test_a_stage_that_is_signalled_at_any_moment_says_so_once_and_leaves_nothing_half_there(
    finished, stage
):
    # a stage that opens MLflow's store first sends what interrupted ones left unsent
    assert run(finished, stage, "count", "-").returncode == 0
    counted = run(finished, stage, "count", "-")
    assert counted.returncode == 0, counted.stderr
    imports, writes, checkpoints = map(int, counted.stdout.split()[-3:])
    whole = contents(finished, stage)
    assert (checkpoints >= FIRST_CHECKPOINT) == (stage == "train")
    moments = [f"checkpoint:{n}" for n in range(1, min(checkpoints, FIRST_CHECKPOINT) + 1)]
    for sort, n in (("import", imports), ("write", writes)):
        moments += [f"{sort}:{1 + moment * (n - 3) // MOMENTS}" for moment in range(MOMENTS)]
    for i, at in enumerate(moments):
        name = ("SIGINT", "SIGTERM")[i % 2]
        done = run(finished, stage, name, at)
        told = f"interrupted by {name}; `dvc repro` goes on from here\n"
        assert (done.returncode, done.stderr) == (130, told), at
        found = contents(finished, stage)
        assert found.items() <= whole.items(), at
        assert [path for path in found if "~" in path] == []
    assert run(finished, stage, "count", "-").returncode == 0
    assert contents(finished, stage) == whole


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
@pytest.mark.parametrize("at", ["import:1", "import:20", "import:100"])
def test_ae_answers_a_signal_in_its_imports(finished, name, at):
    script = finished.folder / "ae.py"
    script.write_text("from autoencoders.__main__ import main\nmain()\n")
    command = [
        sys.executable,
        ROOT / "tests/support/signalled.py",
        name,
        at,
        "ae.py",
        "leaderboard",
    ]
    environment = {**finished.environment, "PYTHONPATH": "src"}
    done = subprocess.run(
        command, cwd=finished.folder, env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (130, "")
    assert done.stderr == f"interrupted by {name}; the same command goes on from here\n"
