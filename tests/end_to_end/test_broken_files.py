"""Files that are cut, flipped or garbage.

One message has the file and the way out, which makes it again.
"""

import subprocess
import sys

import pytest

from autoencoders.tuning.journal import mend_journal
from processes import Started
from repository import QUICK, Repository

pytestmark = pytest.mark.slow
VALUES = {**QUICK, "tune.n_trials": 2, "tune.epochs": 1}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A copy in which the pipeline ran."""
    repository = Repository(tmp_path_factory.mktemp("broken"), VALUES, ["undercomplete"])
    repository.repro()
    return repository


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def flipped(content: bytes) -> bytes:
    return content[:-9] + bytes([content[-9] ^ 1]) + content[-8:]


DAMAGED = [  # file, damage, the stage that reads it
    ("data/raw/source.json", cut, "preprocess"),
    ("data/prepared/prepared.json", cut, "train"),
    ("data/prepared/train.npy", cut, "train"),
    ("tuned/undercomplete/tuned.yaml", lambda content: b"{\xff", "train"),
    ("tuned/undercomplete/study.json", cut, "evaluate"),
    ("model/undercomplete/model.json", cut, "evaluate"),
    ("model/undercomplete/model.safetensors", flipped, "evaluate"),
    ("model/undercomplete/history.csv", flipped, "evaluate"),
    ("metrics/leaderboard.json", cut, "register"),
    ("metrics/metrics.json", cut, "register"),
]


def one_message(done: subprocess.CompletedProcess[str], file: str) -> None:
    errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
    assert done.returncode == 1, done.stdout
    assert len(errors) == 1, done.stdout
    assert errors[0].startswith(f"error: {file}: ")
    assert "dvc repro" in done.stdout
    assert "Traceback" not in done.stdout


@pytest.mark.parametrize(("file", "damage", "stage"), DAMAGED, ids=[f for f, *_ in DAMAGED])
def test_a_damaged_file_is_told_by_the_stage_that_reads_it_and_made_again_by_dvc(
    finished, file, damage, stage
):
    before, path = finished.hashes(), finished.folder / file
    path.write_bytes(damage(path.read_bytes()))
    kind = ["undercomplete"] if stage == "train" else []
    one_message(
        finished.run(sys.executable, f"pipeline/{stage}.py", *kind, check=False, PYTHONPATH="src"),
        file,
    )
    if file == "metrics/leaderboard.json":
        one_message(finished.run("ae", "leaderboard", check=False), file)
    finished.repro()
    assert finished.hashes() == before


def test_weights_flipped_in_dvcs_cache_are_told_and_the_way_out_brings_them_back(finished):
    before, weights = finished.hashes(), finished.folder / "model/undercomplete/model.safetensors"
    whole = weights.read_bytes()
    (cached,) = [
        p
        for p in (finished.folder / ".dvc/cache").rglob("*")
        if p.is_file() and p.read_bytes() == whole
    ]
    cached.chmod(0o644)
    cached.write_bytes(flipped(whole))
    cached.chmod(0o444)
    finished.run("rm", "-r", "model", "metrics", "reports")
    finished.run("dvc", "checkout", "model/undercomplete")
    one_message(
        finished.run(sys.executable, "pipeline/evaluate.py", check=False, PYTHONPATH="src"),
        "model/undercomplete/model.safetensors",
    )
    finished.run("chmod", "-R", "u+w", ".dvc/cache")
    finished.repro()
    assert weights.read_bytes() == cached.read_bytes() == whole
    assert finished.hashes() == before


def test_a_broken_journal_stops_the_study_with_one_message_and_a_mend_lets_it_go_on(finished):
    before, path = finished.hashes(), finished.folder / "studies/optuna.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], b"\xff\x00 garbage\n", *lines[5:]]))
    told = finished.run("dvc", "repro", "-s", "-f", "tune@undercomplete", check=False).stdout
    assert (
        f"error: {path}: line 6 (from byte {sum(map(len, lines[:5]))} on) can't be read: " in told
    )
    assert "`ae doctor --fix`" in told
    assert "Traceback" not in told
    mend_journal(path)
    finished.repro()
    assert finished.hashes().keys() == before.keys()


@pytest.mark.parametrize("damage", [cut, flipped])
def test_a_broken_checkpoint_is_named_and_the_training_has_the_bytes_of_an_undisturbed_one(
    tmp_path, damage
):
    values = {**QUICK, "train.epochs": 60}
    whole, killed = (
        Repository(tmp_path / name, values, ["undercomplete"]) for name in ("whole", "killed")
    )
    whole.repro("train")
    stage = Started(killed, "dvc", "repro", "train")
    stage.wait_for("epoch 30/")
    stage.kill_all()
    (checkpoint,) = (killed.folder / ".checkpoints").glob("*/last.ckpt")
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    told = killed.repro("train")
    assert f"{checkpoint}: damaged" in told
    assert "resuming" not in told
    assert killed.hashes() == whole.hashes()


@pytest.mark.parametrize("command", ["score", "encode", "reconstruct", "drift"])
def test_a_file_that_is_missing_is_told_before_a_model_is_loaded(finished, command):
    out = [] if command == "drift" else ["-o", "out.csv"]
    tracer = (
        "import sys, runpy; sys.argv[0] = 'ae'\n"
        "try: runpy.run_module('autoencoders', run_name='__main__')\n"
    )
    tracer += "finally: print({'torch', 'mlflow'} & {*sys.modules})"
    done = finished.run(
        sys.executable, "-c", tracer, command, "none.csv", *out, check=False, PYTHONPATH="src"
    )
    assert done.returncode == 1
    assert done.stdout.splitlines() == ["error: none.csv: no such file or folder", "set()"]
