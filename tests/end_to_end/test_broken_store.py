"""The local MLflow store, broken in many ways: never a traceback.

It is cut, garbage, locked, read-only, on a full disk, or has flipped weights.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from mounts import read_only, replaced_by_small_disk
from repository import QUICK, Repository

pytestmark = pytest.mark.slow
NAME = "autoencoder-digits"
KIND = "undercomplete"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy in which the pipeline ran, with rows to ask about."""
    repository = Repository(tmp_path_factory.mktemp("store") / "repository", QUICK, [KIND])
    repository.repro()
    code = (
        "import numpy; from sklearn.datasets import load_digits; "
        "numpy.save('digits.npy', load_digits().data[:6])"
    )
    repository.run("python", "-c", code)
    return repository


@pytest.fixture
def copy(finished: Repository, tmp_path: Path) -> Repository:
    """A copy of that copy, for a test to break."""
    shutil.copytree(finished.folder, tmp_path / "copy", symlinks=True)
    return Repository.at(tmp_path / "copy")


def errors(repository: Repository, *command: str) -> list[str]:
    """The error messages of a command, which fails without a traceback."""
    done = repository.run(*command, check=False)
    assert done.returncode not in (0, None), done.stdout
    assert "Traceback" not in done.stdout
    return [line for line in done.stdout.splitlines() if line.startswith("error: ")]


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])


def garbage(path: Path) -> None:
    path.write_bytes(b"no database at all\n" * 5000)


@pytest.mark.parametrize("damage", [cut, garbage])
def test_a_broken_database_stops_no_training_and_is_made_again(copy, damage):
    damage(copy.folder / "mlruns/mlflow.db")
    for file in (copy.folder / "mlruns").glob("mlflow.db-*"):
        file.unlink()
    copy.set({"seed": 2})
    done = copy.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "Traceback" not in done.stdout
    assert "Running stage 'evaluate'" in done.stdout  # the training was not stopped
    (error,) = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert "mlflow.db: broken" in error
    assert "`ae doctor --fix`" in error
    (error,) = errors(copy, "ae", "score", "digits.npy", "-o", "scores.csv")
    assert "mlflow.db: broken" in error
    copy.run("ae", "doctor", "--fix")
    told = copy.repro()
    assert "Running stage 'train" not in told
    assert "is version 1" in told
    (run,) = copy.client().search_runs(["1"], "tags.stage = 'train'")
    assert run.info.status == "FINISHED"
    copy.run("ae", "score", "digits.npy", "-o", "scores.csv")
    assert len(list((copy.folder / "mlruns").glob("mlflow.db.broken*"))) == 1


def test_a_database_that_another_process_locks_is_one_message(copy):
    with closing(sqlite3.connect(copy.folder / "mlruns/mlflow.db")) as other:
        other.execute("BEGIN EXCLUSIVE")
        (error,) = errors(copy, "ae", "registry", "promote", "1")
    assert "mlflow.db: locked by another process" in error
    copy.run("ae", "registry", "promote", "1")


def test_a_store_that_can_only_be_read_still_answers(copy):
    with read_only(copy.folder / "mlruns"):
        copy.run("ae", "score", "digits.npy", "-o", "scores.csv")
        assert "verified" in copy.run("ae", "lineage", f"models:/{NAME}/1", "--verify").stdout
        assert "promoted" in copy.run("ae", "registry", "history").stdout
        (error,) = errors(copy, "ae", "registry", "promote", "1")
        assert "can't be written" in error
    assert (copy.folder / "scores.csv").read_text().count("\n") == 7


@contextmanager
def full(folder: Path, kilobytes: int) -> Iterator[None]:
    """A folder with its content on a small disk with so much room left."""
    with replaced_by_small_disk(folder, "64m") as content:
        shutil.copytree(content, folder, dirs_exist_ok=True)
        (folder / "filling").write_bytes(bytes(shutil.disk_usage(folder).free - kilobytes * 1024))
        yield


@pytest.mark.parametrize("room", [0, 64, 400], ids=lambda kilobytes: f"{kilobytes}k")
def test_a_full_disk_under_the_store_is_one_message_and_loses_nothing(copy, room):
    copy.set({"seed": 3})
    copy.repro("evaluate")
    with full(copy.folder / "mlruns", room):
        done = copy.run("dvc", "repro", check=False)
        assert done.returncode != 0, done.stdout
        assert "Traceback" not in done.stdout
        errors_of_the_stage = [
            line for line in done.stdout.splitlines() if line.startswith("error: ")
        ]
        assert len(errors_of_the_stage) == 1, done.stdout
        assert "make room" in errors_of_the_stage[0] or "the disk is full" in errors_of_the_stage[0]
    told = copy.repro()
    assert "Running stage 'train" not in told
    assert "is version 2" in told
    assert "verified" in copy.run("ae", "lineage", f"models:/{NAME}/2", "--verify").stdout


def test_weights_that_were_flipped_in_the_registry_are_refused(copy):
    (weights,) = (copy.folder / "mlruns/artifacts").rglob("model.safetensors")
    content = bytearray(weights.read_bytes())
    content[-100] ^= 1
    weights.write_bytes(content)
    (error,) = errors(copy, "ae", "score", "digits.npy", "-o", "scores.csv")
    assert "model.safetensors" in error
    assert not (copy.folder / "scores.csv").exists()
    copy.run(
        "python",
        "-c",
        f"import mlflow; mlflow.MlflowClient('sqlite:///mlruns/mlflow.db').delete_registered_model('{NAME}')",
    )
    (copy.folder / "mlruns/registered.json").unlink()
    copy.repro()
    copy.run("ae", "score", "digits.npy", "-o", "scores.csv")
