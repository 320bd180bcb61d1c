"""Which version answers, and what becomes of data that it was not trained on."""

import json
from pathlib import Path
from typing import Any

import pytest
from mlflow.entities.model_registry import ModelVersion

from autoencoders.core.errors import UserError
from autoencoders.core.files import tree_sha256
from autoencoders.params.params import Params
from autoencoders.params.sections import Data
from autoencoders.registry.sources import check_source, id_note, introduction, split_note

MADE = 1_790_000_000_000  # milliseconds: 2026-09-21 14:13:20 UTC


def version(**tags: str) -> ModelVersion:
    """A registered version with these tags."""
    found = ModelVersion("autoencoder-data", "3", MADE)
    found._tags = tags
    return found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository, with two files of the same name."""
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        Path(name).mkdir()
        Path(name, "data.csv").write_text(f"x\n{name}\n")
    return tmp_path


def data(params: Params, path: Any) -> Data:
    """The data section of params.yaml with this path."""
    return params.override({"data.path": str(path)}).data


def trained_on(path: str) -> ModelVersion:
    """A version that was trained on the file as it is."""
    return version(source=path, source_sha256=tree_sha256(Path(path)), kind="sparse", data="data")


def test_a_version_says_its_type_its_data_and_when_it_was_made(folder):
    assert introduction(trained_on("a/data.csv")) == (
        "models:/autoencoder-data/3 answers: sparse, trained on data (a/data.csv), registered "
        "2026-09-21 14:13 UTC"
    )
    assert "a model, trained on unknown data" in introduction(version())


def test_the_same_content_is_the_same_source_wherever_it_lies(folder, params):
    model = trained_on("a/data.csv")
    assert check_source(data(params, "a/data.csv"), model) == ""
    (folder / "elsewhere.csv").write_text("x\na\n")
    assert check_source(data(params, "elsewhere.csv"), model) == ""


def test_the_same_of_a_folder(folder, params):
    model = trained_on("a")
    (folder / "a").rename(folder / "c")
    assert check_source(data(params, "c"), model) == ""
    (folder / "c" / "more.csv").write_text("x\n1\n")
    with pytest.raises(UserError):
        check_source(data(params, "c"), model)


def test_a_file_that_changed_is_noted_and_answered(folder, params):
    model = trained_on("a/data.csv")
    Path("a/data.csv").write_text("x\n7\n")
    assert "has changed since this version was trained" in check_source(
        data(params, "a/data.csv"), model
    )


def test_another_file_of_the_same_name_is_refused_with_both_ways_out(folder, params):
    with pytest.raises(UserError) as caught:
        check_source(data(params, "b/data.csv"), trained_on("a/data.csv"))
    message = str(caught.value)
    assert "params.yaml names b/data.csv" in message
    assert "was trained on a/data.csv" in message
    assert "--model models:/autoencoder-data/3" in message


@pytest.mark.parametrize("path", ["examples/built_in", "https://example.org/a.csv", "gone.csv"])
def test_data_sets_addresses_and_files_that_are_gone_are_not_compared(folder, params, path):
    assert check_source(data(params, path), trained_on("a/data.csv")) == ""


@pytest.mark.parametrize(
    ("values", "differences"),
    [
        ({}, ""),
        ({"split_seed": 2}, "data.split_seed = 2, not 1"),
        ({"test_fraction": 0.3}, "data.test_fraction = 0.3, not 0.2"),
        ({"split": "time:t"}, "data.split = time:t, not random"),
        ({"split": "column:t", "split_seed": 2}, "data.split = column:t, not random"),
        ({"protocol": "transductive"}, "data.protocol = transductive, not split"),
        ({"scaling": "robust", "missing": "impute"}, ""),
    ],
)
def test_another_split_is_noted_with_its_values(params, values, differences):
    model = version(split=json.dumps(params.data.split_values))
    changed = params.override({f"data.{name}": value for name, value in values.items()})
    note = split_note(changed.data, model)
    assert differences in note
    assert bool(note) == bool(differences)


def test_what_splits_no_row_makes_no_other_split(params):
    by_time = params.override({"data.split": "time:t"})
    model = version(split=json.dumps(by_time.data.split_values))
    assert split_note(by_time.override({"data.split_seed": 2}).data, model) == ""


def test_the_split_of_an_earlier_version_is_not_known(params):
    assert split_note(params.override({"data.split_seed": 2}).data, version()) == ""


def test_a_version_that_does_not_know_the_ids_of_params_yaml_is_noted(params):
    named = params.override({"data.id": "part"}).data
    assert "names data.id = part, which this version does not know" in id_note(named, "")
    assert id_note(named, "part") == ""
    assert id_note(params.data, "part") == ""
