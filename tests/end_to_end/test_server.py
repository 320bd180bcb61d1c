"""A team's MLflow server: real, on PostgreSQL.

With the whole pipeline, all of `ae`, two clones and outages.
"""

import json
import shutil
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import mlflow_server
from processes import Started
from repository import QUICK, Repository

pytestmark = pytest.mark.slow
NAME = "autoencoder-digits"
KINDS = ["undercomplete", "variational"]
CURVE = "val/reconstruction_loss"
STUDY = {
    "tune.n_trials": 2,
    "tune.epochs": 2,
    "tune.space": [{"param": "train.learning_rate", "low": 1.0e-3, "high": 1.0e-2, "log": True}],
}


class Team(Repository):
    """A clone whose MLflow is a server."""

    url = ""

    @property
    def environment(self) -> dict[str, str]:
        return {**super().environment, "MLFLOW_TRACKING_URI": self.url}

    def client(self) -> Any:
        import mlflow

        return mlflow.MlflowClient(self.url)

    def runs(self, query: str = "") -> list[Any]:
        client = self.client()
        experiment = client.get_experiment_by_name(NAME).experiment_id
        return list(client.search_runs([experiment], query))

    def pending(self) -> list[Path]:
        return sorted(Path(self.folder, "mlruns/pending").glob("*.jsonl"))


def clone(
    folder: Path, url: str, values: dict[str, Any] | None = None, kinds: list[str] | None = None
) -> Team:
    folder.mkdir(parents=True, exist_ok=True)
    repository = Team(folder, {**QUICK, **(values or {})}, kinds or KINDS)
    repository.url = url
    return repository


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[mlflow_server.Server]:
    with mlflow_server.server(tmp_path_factory.mktemp("server")) as started:
        yield started


@pytest.fixture(scope="module")
def first(server, tmp_path_factory) -> Team:
    """A clone in which the pipeline ran, with studies."""
    repository = clone(tmp_path_factory.mktemp("clones") / "first", server.url, STUDY)
    told = repository.repro()
    assert "Traceback" not in told
    return repository


def test_the_pipeline_leaves_nothing_local_and_every_run_on_the_server(first):
    assert not (first.folder / "mlruns/mlflow.db").exists()
    assert first.pending() == []
    found = {run.data.tags["kind"]: run for run in first.runs("tags.stage = 'train'")}
    assert set(found) == set(KINDS)
    metrics = json.loads((first.folder / "metrics/metrics.json").read_text())
    for kind, run in found.items():
        curve = first.client().get_metric_history(run.info.run_id, CURVE)
        assert [point.step for point in curve] == [1, 2, 3]
        assert run.info.status == "FINISHED"
        assert run.data.metrics["test/squared_error"] == metrics[kind]["test_squared_error"]
        figures = {
            Path(file.path).name
            for file in first.client().list_artifacts(run.info.run_id, "figures")
        }
        assert figures >= {"reconstructions.png", "curves.png"}
    assert len(first.runs("tags.stage = 'trial'")) == 2 * len(KINDS)
    assert {run.info.status for run in first.runs()} == {"FINISHED"}


def test_a_training_ends_when_it_ended_not_when_it_was_registered(first):
    registered = min(
        v.creation_timestamp for v in first.client().search_model_versions(f"name = '{NAME}'")
    )
    for run in first.runs("tags.stage = 'train'"):
        assert run.info.end_time < registered


def test_the_page_of_a_logged_model_names_its_version(first):
    client = first.client()
    for version in client.search_model_versions(f"name = '{NAME}'"):
        logged = client.get_logged_model(version.source.removeprefix("models:/"))
        (named,) = json.loads(logged.tags["mlflow.modelVersions"])
        assert named == {"name": NAME, "version": int(version.version)}


ANSWERS = (
    ("score", "digits.npy", "scores.csv"),
    ("encode", "digits.npy", "codes.npy"),
    ("reconstruct", "digits.npy", "rebuilt.npy"),
    ("denoise", "digits.npy", "clean.png"),
    ("interpolate", "digits.npy", "between.png"),
    ("decode", "codes.npy", "decoded.npy"),
)


def test_all_of_ae_answers_by_the_server(first):
    code = (
        "import numpy; from sklearn.datasets import load_digits; "
        "numpy.save('digits.npy', load_digits().data[:6])"
    )
    first.run("python", "-c", code)
    for op, source, out in ANSWERS:
        first.run("ae", op, source, "-o", out)
        assert (first.folder / out).stat().st_size > 0
    variational = next(
        v
        for v in first.client().search_model_versions(f"name = '{NAME}'")
        if v.tags["kind"] == KINDS[1]
    )
    uri = f"models:/{NAME}/{variational.version}"
    first.run("ae", "sample", "-n", "3", "-o", "samples.png", "--model", uri)
    assert "promoted" in first.run("ae", "registry", "history").stdout
    assert "verified" in first.run("ae", "lineage", uri, "--verify").stdout
    told = first.run("ae", "drift", "digits.npy").stdout
    assert "MLflow run" in told
    assert f"{first.url}: a server" in first.run("ae", "ui", check=False).stdout
    first.run("ae", "leaderboard")


def test_two_clones_have_one_champion_and_one_history_and_a_rollback_is_seen_by_both(
    first, server, tmp_path
):
    second = clone(tmp_path / "second", server.url)
    before = first.client().get_model_version_by_alias(NAME, "champion").version
    versions = sorted(
        int(v.version) for v in first.client().search_model_versions(f"name = '{NAME}'")
    )
    other = next(version for version in map(str, versions) if version != str(before))
    first.run("ae", "registry", "promote", other)
    assert (
        second.run("ae", "registry", "history").stdout
        == first.run("ae", "registry", "history").stdout
    )
    second.run("ae", "registry", "rollback")
    assert first.client().get_model_version_by_alias(NAME, "champion").version == before
    assert "rolled_back" in first.run("ae", "registry", "history").stdout.splitlines()[-1]


def test_two_clones_that_register_the_same_bytes_share_their_versions(first, server, tmp_path):
    versions = len(first.client().search_model_versions(f"name = '{NAME}'"))
    parents = len(first.runs("tags.stage = 'pipeline'"))
    second = clone(tmp_path / "second", server.url, STUDY)
    second.repro()
    assert second.hashes() == first.hashes()
    assert len(first.client().search_model_versions(f"name = '{NAME}'")) == versions
    assert len(first.runs("tags.stage = 'pipeline'")) == parents


def test_a_better_experiment_is_promoted_by_the_command_that_its_stage_names(server, tmp_path):
    repository = clone(tmp_path / "own", server.url, {"data.split_seed": 5}, KINDS[:1])
    repository.set({"data.name": "digits"})
    repository.repro()
    champion = repository.client().get_model_version_by_alias(NAME, "champion").version
    repository.run("ae", "registry", "promote", latest(repository))
    values = ("++train.epochs=30", "network.loss=mse", "registry.promote=auto")
    settings = [word for value in values for word in ("-S", value)]
    told = repository.run("dvc", "exp", "run", "-n", "big", *settings).stdout
    assert "`ae registry promote --best` compares it" in told
    told = repository.run("ae", "registry", "promote", "--best").stdout
    assert "undercomplete is the best by the error on validation; it is now @champion" in told
    assert "paired 95 % interval" in told
    assert repository.client().get_model_version_by_alias(NAME, "champion").version != champion


def latest(repository: Team) -> str:
    return str(
        max(int(v.version) for v in repository.client().search_model_versions(f"name = '{NAME}'"))
    )


def test_a_finished_clone_that_is_pointed_at_a_server_sends_it_everything(server, tmp_path):
    repository = clone(tmp_path / "local", "", kinds=KINDS[:1])
    repository.run("make", "-o", ".venv/.ready", "repro")
    assert (repository.folder / "mlruns/mlflow.db").exists()
    repository.url = server.url
    before = {run.info.run_id for run in repository.runs()}
    told = repository.run("make", "-o", ".venv/.ready", "repro").stdout
    assert "Running stage 'register'" in told
    assert "Running stage 'train" not in told
    new = [run for run in repository.runs("tags.stage = 'train'") if run.info.run_id not in before]
    for run in new:
        assert (
            len(repository.client().get_metric_history(run.info.run_id, CURVE))
            == QUICK["train.epochs"]
        )
    registered = json.loads((repository.folder / "mlruns/registered.json").read_text())
    assert registered["store"] == server.url


# outages


EPOCHS = 400


def check_the_run_is_whole(repository: Team, epochs: int = EPOCHS) -> None:
    (run,) = repository.runs(f"tags.stage = 'train' and tags.clone = '{clone_name(repository)}'")
    curve = repository.client().get_metric_history(run.info.run_id, CURVE)
    assert sorted(point.step for point in curve) == list(range(1, epochs + 1))
    assert run.info.status == "FINISHED"
    assert not {"reason", "mlflow.note.content"} & set(run.data.tags)
    assert repository.pending() == []


@pytest.fixture
def long(server, tmp_path) -> Iterator[Team]:
    """A clone whose training takes some seconds; the server lives again after the test."""
    values = {"train.epochs": EPOCHS, "train.patience": 0, "seed": time.monotonic_ns() % 10**6}
    yield clone(tmp_path / "long", server.url, values, KINDS[:1])
    server.kill()
    server.start()


@pytest.mark.parametrize("outage", ["killed", "frozen"])
def test_a_training_outlives_its_server_and_the_next_command_completes_its_run(
    long, server, outage
):
    long.repro("preprocess")
    stage = Started(long, "dvc", "repro", "train")
    stage.wait_for("epoch 50/")
    if outage == "killed":
        server.kill()
    else:
        server.signal(signal.SIGSTOP)
    told = stage.ended()
    assert told.count("does not answer") == 1
    assert "Traceback" not in told
    assert len(long.pending()) == 1
    server.kill()
    server.start()
    long.run("ae", "registry", "history")
    check_the_run_is_whole(long)


def test_a_server_that_comes_back_during_the_training_gets_all_of_it(long, server):
    epochs = 8000  # a training that is longer than a server's start
    long.set({"train.epochs": epochs})
    long.repro("preprocess")
    stage = Started(long, "dvc", "repro", "train")
    stage.wait_for("epoch 20/")
    server.kill()
    stage.wait_for("does not answer")
    server.start()
    told = stage.ended()
    assert "answers again" in told
    check_the_run_is_whole(long, epochs)


def test_a_training_that_is_killed_during_an_outage_and_resumed_is_one_run(long, server):
    long.repro("preprocess")
    stage = Started(long, "dvc", "repro", "train")
    stage.wait_for("epoch 20/")
    server.kill()
    stage.wait_for("epoch 60/")
    stage.kill_all()
    assert "resuming from epoch" in long.repro("train")
    server.start()
    long.run("ae", "registry", "history")
    check_the_run_is_whole(long)


def test_an_outage_fails_no_trial(server, long):
    long.set({**STUDY, "tune.n_trials": 4, "tune.epochs": 40})
    long.repro("preprocess")
    stage = Started(long, "dvc", "repro", "tune@undercomplete")
    stage.wait_for("trial 1/4")
    server.kill()
    assert "0 failed" in stage.ended()
    server.start()
    long.run("ae", "registry", "history")
    assert long.pending() == []
    (study,) = long.runs(f"tags.stage = 'tune' and tags.clone = '{clone_name(long)}'")
    trials = long.runs(
        f"tags.stage = 'trial' and tags.`mlflow.parentRunId` = '{study.info.run_id}'"
    )
    assert {run.info.status for run in [study, *trials]} == {"FINISHED"}
    assert len(trials) == 4
    for run in trials:
        assert len(long.client().get_metric_history(run.info.run_id, CURVE)) == 40


def clone_name(repository: Repository) -> str:
    return str(json.loads((repository.folder / "mlruns/clone.json").read_text())["clone"])


@pytest.mark.parametrize("outage", ["killed", "frozen"])
def test_register_and_ae_say_in_one_message_that_the_server_does_not_answer(long, server, outage):
    long.repro("evaluate")
    if outage == "killed":
        server.kill()
    else:
        server.signal(signal.SIGSTOP)
    for command in (
        ("dvc", "repro"),
        ("ae", "registry", "history"),
        ("ae", "registry", "rollback"),
    ):
        done = long.run(*command, check=False)
        assert done.returncode != 0
        errors = [line for line in done.stdout.splitlines() if line.startswith("error: ")]
        assert errors[0].startswith(f"error: MLflow at {server.url} does not answer")
        assert "Traceback" not in done.stdout
    server.kill()
    server.start()
    assert "autoencoder-digits: undercomplete is version" in long.repro()
    check_the_run_is_whole(long)


def test_a_server_that_dies_while_register_uploads_leaves_nothing_half_registered(long, server):
    long.repro("evaluate")
    stage = Started(long, "dvc", "repro")
    artifacts = server.folder / "artifacts"
    models = len(list(artifacts.rglob("MLmodel"))), len(list(artifacts.rglob("model.safetensors")))
    until = time.monotonic() + 120
    while (
        len(list(artifacts.rglob("model.safetensors"))) == models[1]
        and stage.process.poll() is None
    ):
        assert time.monotonic() < until
        time.sleep(0.001)
    server.kill()
    assert stage.process.wait(120) != 0
    assert "Traceback" not in stage.output()
    server.start()
    assert "autoencoder-digits: undercomplete is version" in long.repro()
    version = latest(long)
    shutil.rmtree(long.folder / "model")
    long.run("dvc", "checkout")
    assert "verified" in long.run("ae", "lineage", f"models:/{NAME}/{version}", "--verify").stdout
