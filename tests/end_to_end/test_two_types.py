"""A repository's life, in the order in which a user lives it.

Experiments, queues, clones, moves and promotions.
"""

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from repository import PATIENCE, QUICK, Repository, stages_that_ran

pytestmark = pytest.mark.slow
NAME = "autoencoder-digits"
LEFTOVERS = [
    "__pycache__/base.cpython-311.pyc",
    "base.py~",
    "#base.py#",
    ".base.py.swp",
    "base.py.orig",
    ".mypy_cache/base.json",
    ".ruff_cache/base",
    ".ipynb_checkpoints/base-checkpoint.ipynb",
    ".idea/workspace.xml",
    ".DS_Store",
]


def trainings(repository: Repository) -> list[Any]:
    client = repository.client()
    experiment = client.get_experiment_by_name(NAME).experiment_id
    return client.search_runs([experiment], "tags.stage = 'train'")


def ledger(repository: Repository) -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (repository.folder / "mlruns/registry.jsonl").read_text().splitlines()
    ]


def test_a_second_repro_runs_nothing_though_python_compiled_the_code_meanwhile(two_types):
    assert list(two_types.folder.glob("src/autoencoders/models/__pycache__/*.pyc"))
    assert stages_that_ran(two_types.repro()) == []


def test_what_tools_and_editors_leave_beside_the_code_is_no_change(two_types):
    for folder in ("models", "tracking", "tuning"):
        code = two_types.folder / "src/autoencoders" / folder
        for name in LEFTOVERS:
            (code / name).parent.mkdir(exist_ok=True)
            (code / name).write_text("left")
        (code / ".#base.py").symlink_to("someone@somewhere.123")  # an editor's lock
    assert "up to date" in two_types.run("dvc", "status").stdout
    assert stages_that_ran(two_types.repro()) == []
    source = two_types.folder / "src/autoencoders/tracking/__init__.py"
    text = source.read_text()
    source.write_text(f"{text}# a change\n")
    assert "src/autoencoders/tracking" in two_types.run("dvc", "status").stdout
    source.write_text(text)


def test_a_second_clone_at_another_path_gives_the_same_bytes(two_types, tmp_path):
    other = tmp_path / "a longer way" / "elsewhere"
    other.mkdir(parents=True)
    clone = Repository(other, QUICK, ["undercomplete", "sparse"])
    clone.repro()
    assert clone.hashes() == two_types.hashes()


def test_a_bad_parameter_is_refused_by_the_first_stage_and_the_last_model_is_still_there(two_types):
    before = (two_types.folder / "model/sparse/model.safetensors").read_bytes()
    bad = {
        "trian": {"epochs": 3},
        "network.loss": "huber",
        "models.sparse.sparsity": 1.4,
        "network.code_size": 64,
    }
    for key, value in bad.items():
        two_types.set({key: value})
        done = two_types.run("dvc", "repro", check=False)
        two_types.git("checkout", "params.yaml")
        assert done.returncode != 0
        assert key in done.stdout
        assert "Traceback" not in done.stdout
        assert stages_that_ran(done.stdout) == ["check"]
        assert (two_types.folder / "model/sparse/model.safetensors").read_bytes() == before
    (two_types.folder / "params.yaml").write_text("seed: [1\n")
    done = two_types.run("dvc", "repro", check=False)
    two_types.git("checkout", "params.yaml")
    assert done.returncode != 0
    assert "params.yaml" in done.stdout
    assert "Traceback" not in done.stdout


def test_an_experiment_adds_versions_and_changes_no_champion(two_types):
    champion = two_types.client().get_model_version_by_alias(NAME, "champion").version
    # by this loss, three epochs beat PCA, so that there is a candidate
    values = ("++network.code_size=4", "network.loss=mse", "registry.promote=auto")
    settings = [word for value in values for word in ("-S", value)]
    told = two_types.run("dvc", "exp", "run", "-n", "small-code", *settings).stdout
    assert "an experiment changes no champion" in told
    assert two_types.client().get_model_version_by_alias(NAME, "champion").version == champion
    tagged = [
        run for run in trainings(two_types) if run.data.tags.get("dvc_experiment") == "small-code"
    ]
    assert {run.data.params["network.code_size"] for run in tagged} == {"4"}
    two_types.git("checkout", "params.yaml", "dvc.lock")
    two_types.run("dvc", "checkout")


def test_a_temporary_experiment_lands_in_the_same_store(two_types):
    two_types.run(
        "dvc", "exp", "run", "--temp", "-n", "elsewhere", "-S", "++models.sparse.weight=0.5"
    )
    (run,) = [
        run for run in trainings(two_types) if run.data.tags.get("dvc_experiment") == "elsewhere"
    ]
    assert run.data.params["models.sparse.weight"] == "0.5"
    assert run.info.artifact_uri.startswith((two_types.folder / "mlruns").as_uri())


def test_a_queued_experiment_runs_the_code_that_it_was_queued_with(two_types):
    source = two_types.folder / "src/autoencoders/models/losses.py"
    two_types.run("dvc", "exp", "run", "--queue", "-n", "queued", "-S", "++train.epochs=2")
    text = source.read_text()
    source.write_text("raise RuntimeError('code of today')\n")
    two_types.run("dvc", "queue", "start")
    until = time.monotonic() + PATIENCE
    while "Running" in (told := two_types.run("dvc", "queue", "status").stdout) or "Queued" in told:
        assert time.monotonic() < until, told
        time.sleep(1)
    source.write_text(text)
    assert "Success" in told, two_types.run("dvc", "queue", "logs", "queued").stdout
    tagged = [
        run for run in trainings(two_types) if run.data.tags.get("dvc_experiment") == "queued"
    ]
    assert {run.data.params["train.epochs"] for run in tagged} == {"2"}


def test_a_worse_winner_becomes_the_challenger_and_a_better_one_the_champion_until_a_rollback(
    two_types,
):
    first = two_types.client().get_model_version_by_alias(NAME, "champion").version
    earlier = len(ledger(two_types))  # decisions of the experiments before
    two_types.set({"train.epochs": 1})
    assert "does not beat" in two_types.repro()
    assert two_types.client().get_model_version_by_alias(NAME, "champion").version == first
    two_types.set({"train.epochs": 20})
    assert "now @champion" in two_types.repro()
    assert two_types.client().get_model_version_by_alias(NAME, "champion").version != first
    two_types.run("ae", "registry", "rollback")
    assert two_types.client().get_model_version_by_alias(NAME, "champion").version == first
    assert [line["action"] for line in ledger(two_types)[earlier:]] == [
        "kept",
        "promoted",
        "rolled_back",
    ]
    assert "no promotion" not in two_types.run("ae", "registry", "history").stdout


def test_a_champion_of_another_split_is_not_scored_on_rows_that_it_may_have_seen(two_types):
    two_types.set({"data.split_seed": 9})
    assert "another split" in two_types.repro()
    version = str(two_types.client().get_model_version_by_alias(NAME, "challenger").version)
    told = two_types.run("ae", "registry", "promote", version).stdout
    assert f"@champion: version {version}" in told
    refused = two_types.run("ae", "registry", "promote", "999", check=False)
    assert refused.returncode == 1
    assert "no version 999" in refused.stdout
    two_types.git("checkout", "params.yaml", "dvc.lock")
    two_types.run("dvc", "checkout")


def test_a_stage_restored_from_the_cache_leaves_no_hole_in_a_fresh_store(two_types, tmp_path):
    shutil.rmtree(two_types.folder / "mlruns")
    two_types.git("checkout", "mlruns")
    shutil.rmtree(two_types.folder / "model")
    assert stages_that_ran(two_types.repro()) == ["register"]
    (tmp_path / "link").symlink_to(
        two_types.folder
    )  # this process still holds the deleted database by its old name
    check_the_store_is_whole(Repository.at(tmp_path / "link"))


def test_outputs_pulled_into_a_fresh_clone_make_its_runs_and_versions_again(two_types, tmp_path):
    two_types.git("clone", "-q", str(two_types.folder), str(tmp_path / "clone"))
    clone = Repository.at(tmp_path / "clone")
    clone.run("dvc", "pull")
    assert stages_that_ran(clone.repro()) == ["check", "register"]
    assert list(clone.folder.glob("src/autoencoders/models/__pycache__/*.pyc"))
    assert stages_that_ran(clone.repro()) == []
    check_the_store_is_whole(clone)


def check_the_store_is_whole(repository: Repository) -> None:
    found = {run.data.tags["kind"]: run for run in trainings(repository)}
    assert set(found) == {"undercomplete", "sparse"}
    metrics = json.loads((repository.folder / "metrics/metrics.json").read_text())
    for kind, run in found.items():
        curve = repository.client().get_metric_history(run.info.run_id, "val/reconstruction_loss")
        assert [point.step for point in curve] == [1, 2, 3]
        assert run.data.metrics["test/squared_error"] == metrics[kind]["test_squared_error"]
        figures = repository.client().list_artifacts(run.info.run_id, "figures")
        assert {Path(file.path).name for file in figures} >= {"reconstructions.png", "curves.png"}
    versions = repository.client().search_model_versions(f"name = '{NAME}'")
    assert {version.tags["kind"] for version in versions} == {"undercomplete", "sparse"}


def test_moving_the_repository_does_not_break_the_store(two_types, tmp_path):
    old = two_types.folder
    two_types.folder = Path(shutil.move(old, tmp_path / "moved"))
    two_types.set({"train.epochs": 4})
    two_types.repro()
    assert not old.exists()
    client = two_types.client()
    for version in client.search_model_versions(f"name = '{NAME}'"):
        local = client.get_model_version_download_uri(NAME, version.version)
        assert "moved" in local or local.startswith("models:/")
    for run in trainings(two_types):
        assert run.info.artifact_uri.startswith(two_types.folder.as_uri())
    assert "now @ch" in two_types.repro("-f", "register") or "already @champion" in two_types.repro(
        "-f", "register"
    )
