"""A user's own file through the whole pipeline.

With the questions that are asked of its model, and the effect of an edit.
"""

import csv
from pathlib import Path

import pytest

from autoencoders.models.trained.reasons import DIVERGENCE
from repository import QUICK, Repository

pytestmark = pytest.mark.slow
NAME = "models:/autoencoder-sensors@champion"
SENSORS = "examples/sensors.csv"  # ignored by git: DVC's temporary copies don't have it


@pytest.fixture(scope="module")
def sensors(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """A repository whose pipeline was switched to a CSV file by its path alone."""
    repository = Repository(tmp_path_factory.mktemp("own"), QUICK, ["variational"])
    repository.run("python", "examples/make.py")
    repository.run("dvc", "exp", "run", "-S", f"data.path={SENSORS}")
    return repository


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_file_is_all_that_it_takes_and_gets_the_first_champion(sensors):
    assert sensors.client().get_model_version_by_alias(
        "autoencoder-sensors", "champion"
    ).version in (1, "1")
    assert "variational" in sensors.run("ae", "leaderboard").stdout


def test_scores_of_a_file_have_reasons_that_are_its_columns(sensors):
    sensors.run("ae", "score", "examples/new.csv", "-o", "scores.csv")
    new, scores = rows(sensors.folder / "examples/new.csv"), rows(sensors.folder / "scores.csv")
    assert [int(row["row"]) for row in scores] == list(range(1, len(new) + 1))
    assert all(
        {reason.rsplit(" ", 1)[0] for reason in row["reasons"].split("; ")} <= {*new[0], DIVERGENCE}
        for row in scores
    )


def test_samples_have_the_files_columns(sensors):
    sensors.run("ae", "sample", "-n", "5", "-o", "samples.csv")
    made = rows(sensors.folder / "samples.csv")
    assert len(made) == 5
    assert {row["mode"] for row in made} <= {"idle", "run", "flush", "other"}


def test_a_mistake_is_one_line_and_leaves_nothing(sensors):
    done = sensors.run("ae", "score", "README.md", "-o", "bad.csv", check=False)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout
    assert done.stdout.startswith("error: README.md: ")
    assert not (sensors.folder / "bad.csv").exists()


def test_a_relative_path_means_the_users_repository_in_a_temporary_copy_too(sensors):
    told = sensors.run(
        "dvc", "exp", "run", "--temp", "-S", f"data.path={SENSORS}", "-S", "seed=7"
    ).stdout
    assert "autoencoder-sensors: variational is version 2" in told


def test_an_edit_of_the_file_runs_the_pipeline_again_and_is_seen_by_verify(sensors):
    assert "verified" in sensors.run("ae", "lineage", NAME, "--verify").stdout
    assert "up to date" in sensors.repro()
    file = sensors.folder / SENSORS
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    changed = sensors.run("ae", "lineage", NAME, "--verify", check=False)
    assert changed.returncode == 1
    assert "source: " in changed.stdout
    told = sensors.repro()
    assert "Running stage 'preprocess'" in told
    assert "Running stage 'train@variational'" in told
    assert "Stage 'check' didn't change" in told
