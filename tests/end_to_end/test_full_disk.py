"""A full disk in each stage: one message with the folder and the way out.

With room, the same bytes.
"""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mounts import mount, replaced_by_small_disk
from repository import QUICK, Repository

pytestmark = pytest.mark.slow
CASES = [  # stage, the folder whose disk is small, its size, what the message names
    ("download", "data", "64k", "data/raw"),
    ("preprocess", "data", "64k", "data/prepared"),
    ("tune", "studies", "4k", "studies"),
    ("tune", "tuned", "8k", "tuned/undercomplete"),
    ("train", ".checkpoints", "16k", "last.ckpt"),
    ("train", "model", "8k", "model/undercomplete"),
    ("evaluate", "metrics", "4k", "metrics/leaderboard.json"),
    ("evaluate", "reports", "64k", "reports/figures/undercomplete"),
]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy in which the pipeline ran."""
    values = {**QUICK, "tune.n_trials": 2, "tune.epochs": 1}
    repository = Repository(tmp_path_factory.mktemp("full"), values, ["undercomplete"])
    repository.repro()
    return repository


@contextmanager
def small(folder: Path, size: str, *needed: str) -> Iterator[None]:
    """A folder on a disk of its own, with links to what a stage needs of it."""
    with replaced_by_small_disk(folder, size) as content:
        for name in needed:
            (folder / name).symlink_to(content / name)
        yield


def run(repository: Repository, stage: str) -> subprocess.CompletedProcess[str]:
    kind = ["undercomplete"] if stage in ("tune", "train") else []
    return repository.run(
        sys.executable, f"pipeline/{stage}.py", *kind, check=False, PYTHONPATH="src"
    )


@pytest.mark.parametrize(
    ("stage", "folder", "size", "named"), CASES, ids=[f"{s}-{f}" for s, f, *_ in CASES]
)
def test_a_full_disk_ends_a_stage_with_one_message_and_leaves_nothing_half_written(
    finished, stage, folder, size, named
):
    before, path = finished.hashes(), finished.folder / folder
    needed = {"preprocess": ["raw"]}.get(stage, [])
    with small(path, size, *needed):
        done = run(finished, stage)
        assert [file for file in path.rglob("*") if "~" in file.name or file.suffix == ".new"] == []
    errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1, done.stdout
    assert len(errors) == 1, done.stdout
    assert named in errors[0]
    assert "make room" in errors[0]
    assert "Traceback" not in done.stdout
    finished.repro("evaluate")
    assert finished.hashes() == before


def test_a_read_only_folder_ends_a_stage_with_one_message(finished):
    with small(finished.folder / "data", "64k", "raw"):
        mount("-o", "remount,ro", finished.folder / "data")
        done = run(finished, "preprocess")
    assert done.returncode == 1
    assert "error: data/prepared: Read-only file system; " in done.stdout
    assert "Traceback" not in done.stdout


def test_a_deleted_raw_folder_is_told_by_the_stage_and_brought_back_by_dvc(finished):
    before = finished.hashes()
    finished.run("rm", "-r", "data/raw")
    done = run(finished, "preprocess")
    assert (done.returncode, done.stdout) == (
        1,
        "error: data/raw/source.json: No such file or directory; "
        "`dvc repro` makes what the pipeline writes\n",
    )
    finished.repro()
    assert finished.hashes() == before
