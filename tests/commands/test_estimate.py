"""The command `ae estimate`: a table, both totals, and what to do next."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from autoencoders.commands.estimate import UNKNOWN
from autoencoders.commands.estimate import estimate as command
from autoencoders.core.errors import DataError, ParameterError
from autoencoders.core.files import write_json
from autoencoders.core.stage_times import FOLDER
from autoencoders.params.params import load_tree
from autoencoders.params.reading import put, yaml_text
from autoencoders.params.sections import NO_FILE
from repository import ROOT

TYPES = ("undercomplete", "sparse")
QUICK = {"train.epochs": 3, "tune.n_trials": 2, "tune.epochs": 1, "network.nodes_per_layer": 8}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with small parameters and nothing else."""
    monkeypatch.chdir(tmp_path)
    Path(NO_FILE).mkdir(parents=True)
    write_params(QUICK)
    return tmp_path


def write_params(values: Mapping[str, object]) -> None:
    """Writes the repository's params.yaml with two types and other values by dotted key."""
    tree = load_tree(ROOT / "params.yaml")
    tree["models"] = {name: tree["models"][name] for name in TYPES}
    put(tree, values)
    Path("params.yaml").write_text(yaml_text(tree))


def shown(*arguments: str) -> Result:
    return CliRunner().invoke(command, arguments, catch_exceptions=False)


def line(text: str, beginning: str) -> list[str]:
    """The words of the only line that begins so."""
    (words,) = [row.split() for row in text.splitlines() if row.strip().startswith(beginning)]
    return words


def test_each_stage_has_a_line_and_the_next_command_comes_last():
    text = shown().output
    does = " ".join(line(text, "tune@sparse")[1:])
    assert does.startswith("2 trials of 1 epoch; about 5 trainings in full 7 ")
    does = " ".join(line(text, "train@sparse")[1:])
    assert does.startswith("takes over its study's training")
    assert line(text, "all stages")[2] == "14"
    assert "`dvc repro`: " in text
    assert text.endswith("\nNext: make repro\n")


def test_last_times_stand_beside_the_estimate(folder):
    before = shown().output
    assert line(before, "stage")[-2:] == ["last", "time"]
    stages = ["check", "download", "preprocess", "evaluate", "register"]
    stages += [f"{stage}@{name}" for stage in ("tune", "train") for name in TYPES]
    for stage in stages:
        write_json(folder / FOLDER / f"{stage}.json", 3661.0)
    after = shown().output
    assert " ".join(line(after, "evaluate")).endswith(" 1 h 1 min")
    assert " ".join(line(after, "all stages")).endswith(" 9 h 9 min")
    assert "1 h 1 min" not in before


def test_nothing_is_written(folder):
    shown()
    assert sorted(path.name for path in folder.iterdir()) == ["examples", "params.yaml"]


def test_a_training_that_may_stop_early_takes_so_long_at_most():
    write_params({**QUICK, "train.patience": 1, "tune.n_trials": 0})
    text = shown().output
    assert " ".join(line(text, "train@sparse")).startswith("train@sparse at most 3 epochs")
    assert "`dvc repro`: at most " in text


def test_more_jobs_than_types_are_of_no_use(monkeypatch):
    monkeypatch.setattr("autoencoders.core.machine.usable_cores", lambda: 16)
    assert "2 types at a time" in shown("--jobs", "8").output
    assert "1 type at a time" in shown("--jobs", "1").output


def test_more_jobs_than_cores_are_of_no_use(monkeypatch):
    monkeypatch.setattr("autoencoders.core.machine.usable_cores", lambda: 1)
    assert "1 type at a time" in shown().output


def test_data_that_has_to_be_fetched_first_is_said_to_be_unknown():
    write_params({**QUICK, "data.openml": 61})
    assert shown().output == f"{UNKNOWN}\n"


def test_values_that_do_not_fit_are_refused_as_by_the_check_stage():
    write_params({**QUICK, "network.nodes_per_layer": [1, 2, 3]})
    with pytest.raises(ParameterError, match=r"network\.nodes_per_layer"):
        shown()


def test_a_missing_file_is_refused_as_by_the_check_stage():
    write_params({**QUICK, "data.path": "missing.csv"})
    with pytest.raises(DataError, match=r"data\.path = missing\.csv: no such file"):
        shown()
