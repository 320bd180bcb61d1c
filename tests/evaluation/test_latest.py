"""The last evaluation's leaderboard, read from its file."""

from pathlib import Path

import pytest
from rich.console import Console

from autoencoders.core.errors import UserError
from autoencoders.core.files import write_json
from autoencoders.evaluation.latest import latest_leaderboard
from autoencoders.evaluation.row import Row

FILE = Path("metrics/leaderboard.json")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which digits were prepared."""
    monkeypatch.chdir(tmp_path)
    write_json(Path("data/prepared/prepared.json"), {"name": "digits"})


def test_the_leaderboard_has_the_name_of_the_prepared_data_and_every_model(
    leaderboard: list[Row], capsys: pytest.CaptureFixture[str]
):
    write_json(FILE, [row.written() for row in leaderboard])
    Console(width=80).print(latest_leaderboard())
    shown = capsys.readouterr().out
    assert shown.startswith("digits: test split, best first")
    assert all(row.model in shown for row in leaderboard)


def test_without_a_leaderboard_the_command_that_makes_it_is_named():
    with pytest.raises(UserError, match=r"leaderboard.json: no such file; `dvc repro` makes it"):
        latest_leaderboard()


@pytest.mark.parametrize("content", [[1], {"rows": 1}])
def test_a_damaged_leaderboard_is_named(content: object):
    write_json(FILE, content)
    with pytest.raises(UserError, match=r"^metrics/leaderboard.json: not what evaluate wrote"):
        latest_leaderboard()
