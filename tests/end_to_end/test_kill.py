"""Stages that are killed: the next `dvc repro` says that it resumes.

It gives the bytes of an uninterrupted run.
"""

import os
import signal

import pytest

from processes import Started
from repository import PATIENCE, QUICK, Repository

pytestmark = pytest.mark.slow
EPOCHS = 120
KINDS = ["undercomplete", "denoising"]


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The hashes of two trainings that nobody disturbed; denoising draws noise in every batch."""
    repository = Repository(
        tmp_path_factory.mktemp("whole"), {**QUICK, "train.epochs": EPOCHS}, KINDS
    )
    repository.repro("train")
    return repository.hashes()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("victim", ["dvc alone", "all processes"])
def test_a_killed_training_resumes_with_the_same_bytes(uninterrupted, tmp_path, kind, victim):
    repository = Repository(tmp_path, {**QUICK, "train.epochs": EPOCHS}, KINDS)
    stage = Started(repository, "dvc", "repro", f"train@{kind}")
    stage.wait_for(f"epoch {EPOCHS // 2}/{EPOCHS}")
    if victim == "dvc alone":
        stage.kill()
    else:
        stage.kill_all()
    output = repository.repro(f"train@{kind}")
    (resumed,) = [line for line in output.splitlines() if line.startswith("resuming from epoch ")]
    epoch = int(resumed.split()[-1])
    assert EPOCHS // 4 < epoch <= EPOCHS
    assert f"epoch {epoch + 1}/{EPOCHS}" in output
    assert f"epoch {epoch}/{EPOCHS}" not in output
    assert repository.hashes()[f"model/{kind}"] == uninterrupted[f"model/{kind}"]
    assert not [path for path in (tmp_path / ".checkpoints").iterdir() if path.is_dir()]
    runs = repository.client().search_runs(["1"], "tags.stage = 'train'")
    assert [run.info.status for run in runs] == ["FINISHED"]
    curve = repository.client().get_metric_history(runs[0].info.run_id, "val/reconstruction_loss")
    assert sorted(point.step for point in curve) == list(range(1, EPOCHS + 1))


def test_an_interrupted_run_is_killed_and_a_diverged_one_failed_with_its_causes(tmp_path):
    repository = Repository(tmp_path, {**QUICK, "train.epochs": 100_000}, ["variational"])
    stage = Started(repository, "dvc", "repro", "train")
    stage.wait_for("epoch 5/")
    os.killpg(stage.process.pid, signal.SIGINT)
    stage.process.wait(PATIENCE)
    assert "interrupted by SIGINT" in stage.output()
    assert "Traceback" not in stage.output()
    # a step multiplies each weight by 1 - rate * decay: by less than 1 in the first epoch, by -39
    # in the last ones
    overflow = {
        "train.epochs": 30,
        "train.learning_rate": 1.0,
        "train.weight_decay": 40.0,
        "train.warmup": 0.9,
    }
    repository.set(overflow)
    diverged = repository.run("dvc", "repro", "train", check=False)
    assert diverged.returncode != 0
    assert "Likely causes: train.learning_rate = 1.0" in diverged.stdout
    assert "Traceback" not in diverged.stdout
    runs = repository.client().search_runs(["1"], "tags.stage = 'train'")
    assert {run.info.status for run in runs} == {"KILLED", "FAILED"}
    (failed,) = [run for run in runs if run.info.status == "FAILED"]
    assert "DivergedError" in failed.data.tags["reason"]
    kept = list((tmp_path / ".checkpoints").glob("*/last.ckpt"))
    assert len(kept) == 2
