"""`ae experiment` and `make anchors`, in a copy of the repository.

Stages, cache and MLflow store are the real ones.
"""

import json

import pytest
from ruamel.yaml import YAML

from repository import QUICK, Repository

pytestmark = pytest.mark.slow
TINY = {"models": {"undercomplete": {}}, "network": {"code_size": 4}}
ANCHOR = {
    "about": "a", "ours": "undercomplete.test_squared_error", "better": "lower",
    "published": 0.0, "target": 100.0, "unit": "squared error", "source": "s", "protocol": "p",
    "beside": {"PCA": "pca.test_squared_error"},
}  # fmt: skip


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    repository = Repository(tmp_path_factory.mktemp("experiments"), QUICK)
    for name, value in {"experiments/tiny.yaml": TINY, "anchors.yaml": {"tiny": ANCHOR}}.items():
        with (repository.folder / name).open("w") as file:
            YAML(typ="safe").dump(value, file)
    repository.commit("a tiny experiment")
    return repository


def test_an_experiment_runs_the_stages_and_leaves_the_users_files_alone(copy: Repository):
    shown = copy.run("ae", "experiment", "tiny", "--seed", "3").stdout
    assert ".experiments/tiny: metrics/leaderboard.json" in shown
    rows = json.loads((copy.folder / ".experiments/tiny/metrics/leaderboard.json").read_text())
    assert [row["model"] for row in rows] == ["undercomplete", "pca", "mean"]
    assert rows[0]["code_size"] == 4
    assert copy.git("status", "--porcelain") == ""
    assert not any(
        (copy.folder / name).exists() for name in ("model", "metrics", "reports", "dvc.lock")
    )


def test_its_runs_are_in_the_users_store_under_its_name(copy: Repository):
    client = copy.client()
    (experiment,) = [e for e in client.search_experiments() if e.name == "autoencoder-digits"]
    (run,) = client.search_runs([experiment.experiment_id], "tags.stage = 'train'")
    assert run.data.tags["experiment"] == "tiny"
    assert run.data.tags["git_dirty"] == "false"
    assert run.data.params["seed"] == "3"
    assert client.search_registered_models() == []
    (row, *_) = json.loads((copy.folder / ".experiments/tiny/metrics/leaderboard.json").read_text())
    assert run.data.metrics["test/squared_error"] == row["test_squared_error"]
    figures = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "figures")}
    assert "figures/reconstructions.png" in figures
    (parent,) = client.search_runs([experiment.experiment_id], "tags.stage = 'pipeline'")
    assert "pca/test/squared_error" in parent.data.metrics
    assert "index.html" in {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}


def test_anchors_tell_ours_beside_the_published_figure_and_keep_what_has_run(copy: Repository):
    shown = copy.run(
        "make", "-o", ".venv/.ready", "anchors", "SEEDS=1,2", COLUMNS="150", PYTHONPATH="src"
    ).stdout
    assert "1 of 1 meet their target" in shown
    (entry,) = json.loads((copy.folder / "anchors/results.json").read_text())
    assert entry["pass"]
    assert not entry["beats_published"]
    assert entry["low"] < entry["ours"] < entry["high"]
    assert entry["seconds"] > 0
    assert (copy.folder / "anchors/tiny.png").exists()
    copy.run("make", "-o", ".venv/.ready", "anchors", "ONLY=tiny", "SEEDS=2", PYTHONPATH="src")
    log = (copy.folder / ".experiments/tiny-2.log").read_text()
    assert "Stage 'train@undercomplete' didn't change, skipping" in log


def test_a_failed_experiment_names_its_command_and_log(copy: Repository):
    (copy.folder / "experiments/broken.yaml").write_text(
        "data: {path: nowhere.csv, name: nowhere}\n"
    )
    done = copy.run("ae", "experiment", "broken", check=False)
    assert done.returncode == 1
    assert "data.path = nowhere.csv: no such file" in done.stdout
    assert "experiment broken: `dvc repro evaluate` failed" in done.stdout
    assert "Traceback" not in done.stdout
    done = copy.run("python", "benchmarks/anchors.py", "--only", "timy", check=False)
    assert "error: no anchor timy: tiny; did you mean tiny?" in done.stdout
