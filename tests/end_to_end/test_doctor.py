"""`ae doctor` in a copy of the repository.

Interruptions and faults are real; after their mend, nothing is trained.
"""

import json
import shutil
from pathlib import Path

import pytest

from processes import Started
from repository import QUICK, Repository

pytestmark = pytest.mark.slow
NAME = "autoencoder-digits"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """One type, trained, with the lock committed."""
    repository = Repository(tmp_path_factory.mktemp("doctor"), QUICK, ["undercomplete"])
    repository.repro()
    repository.commit("lock")
    return repository


def doctor(repository: Repository, *options: str, **environment: str) -> tuple[int, str]:
    done = repository.run("ae", "doctor", *options, check=False, **environment)
    assert "Traceback" not in done.stdout
    return done.returncode, done.stdout


def broken(repository: Repository) -> str:
    """The problems that `ae doctor` prints."""
    code, shown = doctor(repository)
    assert code == 1, shown
    return "\n".join(line for line in shown.splitlines() if "WRONG" in line)


def mended(repository: Repository) -> None:
    code, shown = doctor(repository, "--fix")
    assert code == 0, shown
    assert "mended: " in shown


def assert_nothing_is_trained(shown: str) -> None:
    assert "> PYTHONPATH=src python pipeline/tune.py" not in shown
    assert "> PYTHONPATH=src python pipeline/train.py" not in shown


def test_a_repository_that_ran_is_well_and_looking_changes_nothing(whole: Repository):
    before = whole.git("status", "--porcelain")
    code, shown = doctor(whole)
    assert code == 0, shown
    assert whole.git("status", "--porcelain") == before == ""


def test_half_a_lock_stops_make_repro_in_one_message_and_is_mended_without_a_training(
    whole: Repository,
):
    lock = whole.folder / "dvc.lock"
    text = lock.read_text()
    lock.write_text(text[: text.index("  register:") + len("  register:")])
    shown = whole.run("make", "-o", ".venv/.ready", "repro", check=False)
    assert shown.returncode != 0
    assert "`ae doctor --fix` mends it" in shown.stdout
    assert "Running stage" not in shown.stdout
    assert "dvc.lock" in broken(whole)
    mended(whole)
    assert_nothing_is_trained(whole.repro())
    whole.git("checkout", "dvc.lock")
    assert "up to date" in whole.repro()


def test_params_that_no_yaml_reader_takes_stop_no_check(whole: Repository):
    (whole.folder / "params.yaml").write_text("seed: [1\n")
    code, shown = doctor(whole)
    whole.git("checkout", "params.yaml")
    assert code == 0, shown
    assert "edited, not committed" in shown


def test_an_experiment_that_is_killed_in_a_training_is_mended_and_nothing_is_trained_again(
    whole: Repository,
):
    experiment = Started(whole, "dvc", "exp", "run", "-S", "++train.epochs=100000")
    experiment.wait_for("epoch 5/")
    experiment.kill_all()
    experiment.log.unlink()
    found = broken(whole)
    assert "epochs: 100000" in found
    assert "git switch main" in found
    assert "git restore --staged --worktree params.yaml" in found
    mended(whole)
    assert whole.git("diff", "HEAD", "--", "params.yaml") == ""
    assert_nothing_is_trained(whole.repro())
    assert (
        "Ran experiment"
        in whole.run(
            "dvc", "exp", "run", "-n", "after", "-S", "++evaluate.bootstrap_samples=110"
        ).stdout
    )
    whole.git("checkout", "params.yaml", "dvc.lock")
    whole.repro()


def test_a_broken_database_is_mended_and_register_makes_runs_and_versions_again(
    whole: Repository, tmp_path: Path
):
    database = whole.folder / "mlruns/mlflow.db"
    database.write_bytes(database.read_bytes()[:50_000])
    assert "no whole database" in broken(whole)
    mended(whole)
    shown = whole.repro()
    assert "Running stage 'register'" in shown
    assert_nothing_is_trained(shown)
    (tmp_path / "link").symlink_to(whole.folder)
    (version,) = Repository.at(tmp_path / "link").client().search_model_versions(f"name = '{NAME}'")
    assert version.tags["kind"] == "undercomplete"
    assert doctor(whole)[0] == 0


def test_make_repro_fills_a_store_that_was_deleted(whole: Repository):
    for path in (whole.folder / "mlruns").glob("mlflow.db*"):
        path.unlink()
    shutil.rmtree(whole.folder / "mlruns/artifacts", ignore_errors=True)
    assert "was deleted" in broken(whole)
    shown = whole.run("make", "-o", ".venv/.ready", "repro").stdout
    assert "removed mlruns/registered.json" in shown
    assert "Running stage 'register'" in shown
    assert_nothing_is_trained(shown)
    assert doctor(whole)[0] == 0


def test_a_store_of_another_address_is_named_without_its_password(whole: Repository):
    registered = whole.folder / "mlruns/registered.json"
    text = registered.read_text()
    registered.write_text(json.dumps({"store": "local", "models": {}}))
    code, shown = doctor(whole, MLFLOW_TRACKING_URI="http://user:s3cret@127.0.0.1:9")
    registered.write_text(text)
    assert code == 1
    assert "registered in local, and the store is now http://127.0.0.1:9" in shown
    assert "can't be reached" in shown
    assert "s3cret" not in shown
