"""The last evaluation's leaderboard, read from its file."""

from pathlib import Path

import pytest
from rich.console import Console

from autoencoders.core.errors import UserError
from autoencoders.core.files import write_json
from autoencoders.evaluation.latest import WIDTH, latest_evaluation
from autoencoders.evaluation.row import Row
from autoencoders.evaluation.verdict import INDENT, verdict
from autoencoders.params.params import Params
from repository import ROOT

FILE = Path("metrics/leaderboard.json")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which digits were prepared."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    write_json(Path("data/prepared/prepared.json"), {"name": "digits"})


def test_the_leaderboard_has_the_name_of_the_prepared_data_and_every_model(
    leaderboard: list[Row], capsys: pytest.CaptureFixture[str]
):
    write_json(FILE, [row.written() for row in leaderboard])
    Console(width=80).print(latest_evaluation().table)
    shown = capsys.readouterr().out
    assert shown.startswith("digits: test split, best first")
    assert all(row.model in shown for row in leaderboard)


def test_types_that_no_label_ranks_are_not_called_the_best(leaderboard: list[Row]):
    write_json(FILE, [{**row.written(), "goal": "anomaly"} for row in leaderboard])
    latest = latest_evaluation()
    assert latest.table.title == "digits: test split"
    assert (latest.goal, latest.is_reached) == ("anomaly", True)


def test_the_verdict_fits_a_terminal_and_its_commands_stay_whole(
    leaderboard: list[Row], params: Params
):
    """Of untrained models, none rebuilds better than PCA."""
    write_json(FILE, [row.written() for row in leaderboard])
    latest = latest_evaluation()
    whole = verdict(leaderboard, params.tune)
    assert " ".join(" ".join(latest.verdict).split()) == " ".join(" ".join(whole).split())
    commands = [line for line in whole if line.startswith(INDENT)]
    assert commands
    assert [line for line in latest.verdict if line.startswith(INDENT)] == commands
    assert all(len(line) <= WIDTH for line in latest.verdict if line not in commands)
    assert (latest.goal, latest.is_reached) == ("reconstruct", False)


def test_without_a_leaderboard_the_command_that_makes_it_is_named():
    with pytest.raises(UserError, match=r"leaderboard.json: no such file; `dvc repro` makes it"):
        latest_evaluation()


@pytest.mark.parametrize("content", [[1], {"rows": 1}])
def test_a_damaged_leaderboard_is_named(content: object):
    write_json(FILE, content)
    with pytest.raises(UserError, match=r"^metrics/leaderboard.json: not what evaluate wrote"):
        latest_evaluation()
