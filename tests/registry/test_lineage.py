"""Lineage: where a version comes from, and what has changed since."""

import subprocess
from pathlib import Path

import pytest

from autoencoders.core.errors import UserError
from autoencoders.core.files import sha256_of
from autoencoders.registry.lineage import lineage, verify
from autoencoders.registry.versions import fetch

MODEL_TYPE = "undercomplete"


@pytest.fixture(scope="module")
def uri(workshop) -> str:
    """A registered version, and the champion."""
    version = workshop.add(MODEL_TYPE)
    workshop.registry.promote_by_hand(version, "a test")
    return f"models:/autoencoder-table/{version}"


@pytest.fixture
def restored():
    """Puts changed files back."""
    before: dict[Path, bytes] = {}

    def remember(path: Path) -> Path:
        before[path] = path.read_bytes()
        return path

    yield remember
    for path, content in before.items():
        path.write_bytes(content)


def test_lineage_names_where_a_version_comes_from(workshop, uri):
    origin = lineage(workshop.runs.client, uri)
    run = workshop.runs.client.get_run(origin["MLflow run"])
    assert origin["model"] == f"{uri} @champion"
    assert origin["type"] == MODEL_TYPE
    assert origin["data"].startswith(f"table, {workshop.folder / 'table.csv'}, SHA-256 ")
    assert workshop.data.description.source_sha256 in origin["data"]
    assert origin["study"] == "none"
    assert origin["experiment"] == "none: a plain `dvc repro`"
    for name, value in run.data.params.items():
        assert f"{name} = {value}" in origin["parameters"]
    assert "train.epochs = 20" in origin["parameters"]
    assert origin["make it again"].endswith("dvc repro")
    assert lineage(workshop.runs.client, "models:/autoencoder-table@champion") == origin


def test_the_commands_that_make_it_again_name_commit_and_experiment(workshop, monkeypatch):
    for command in (
        ["init", "-q"],
        ["-c", "user.name=t", "-c", "user.email=t@e.st", "commit", "-qm", "x", "--allow-empty"],
    ):
        subprocess.run(["git", *command], check=True)
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True
    ).stdout.strip()
    monkeypatch.setenv("DVC_EXP_NAME", "longer")
    version = workshop.add("variational")
    origin = lineage(workshop.runs.client, f"models:/autoencoder-table/{version}")
    assert origin["make it again"] == f"git checkout {commit} && dvc exp apply longer && dvc repro"
    assert origin["git commit"].startswith(commit)
    assert origin["experiment"] == "longer"


def test_an_untouched_version_is_verified(workshop, uri):
    assert verify(workshop.runs.client, uri) == []
    assert verify(workshop.runs.client, "models:/autoencoder-table@champion") == []


EDITS = {"source": "table.csv", "prepared data": "data/prepared/train.npy"}


@pytest.mark.parametrize("part", EDITS)
def test_what_was_edited_is_named_with_both_hashes(workshop, uri, restored, part):
    path = restored(workshop.folder / EDITS[part])
    path.write_bytes(path.read_bytes() + b"\n")
    (changed,) = verify(workshop.runs.client, uri)
    assert changed.startswith(f"{part}: ")
    tag = {"source": "source_sha256", "prepared data": "content_sha256"}[part]
    assert changed.endswith(f", but {getattr(workshop.data.description, tag)} when it was made")


@pytest.mark.parametrize("name", ["model.json", "model.safetensors", "history.csv"])
def test_an_edited_file_of_the_model_is_named(workshop, uri, restored, name):
    stored = fetch(uri) / name
    assert sha256_of(stored) == sha256_of(workshop.folder / "model" / MODEL_TYPE / name)
    path = restored(stored)
    path.write_bytes(path.read_bytes() + b"\n")
    (changed,) = verify(workshop.runs.client, uri)
    assert changed.startswith("model: ")


def test_everything_that_changed_is_named(workshop, uri, restored):
    for path in (*(workshop.folder / name for name in EDITS.values()), fetch(uri) / "model.json"):
        restored(path).write_bytes(b"")
    assert [line.split(":")[0] for line in verify(workshop.runs.client, uri)] == ["model", *EDITS]


def test_a_source_that_is_gone_is_named(workshop, uri, restored):
    restored(workshop.folder / "table.csv").unlink()
    assert [line.split(":")[0] for line in verify(workshop.runs.client, uri)] == ["source"]


@pytest.mark.parametrize(
    "wrong",
    ["models:/autoencoder-table/99", "models:/autoencoder-table@none", "models:/none/1", "x"],
)
def test_a_version_that_is_not_there_is_refused(workshop, uri, wrong):
    for ask in (lineage, verify):
        with pytest.raises(UserError, match="`ae registry history` lists the decisions"):
            ask(workshop.runs.client, wrong)


def test_a_version_that_another_tool_registered_without_a_run_is_refused(workshop, uri, tmp_path):
    client = workshop.runs.client
    other = client.create_model_version(workshop.registry.name, str(tmp_path))
    with pytest.raises(UserError, match="registered without a run"):
        lineage(client, f"models:/{other.name}/{other.version}")
    client.delete_model_version(other.name, other.version)
