"""The leaderboard's command: the verdict first, then the table, then what to do next."""

from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from autoencoders.commands.results import leaderboard as command
from autoencoders.core.files import write_json
from autoencoders.evaluation.catalogue import PCA_VALIDATION_SQUARED_ERROR
from autoencoders.evaluation.row import Estimate, Row
from repository import ROOT


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder in which digits were prepared."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    monkeypatch.chdir(tmp_path)
    write_json(Path("data/prepared/prepared.json"), {"name": "digits"})


def shown(rows: list[Row]) -> str:
    """The command's output for the rows."""
    write_json(Path("metrics/leaderboard.json"), [row.written() for row in rows])
    result = CliRunner().invoke(command, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def winning(row: Row) -> Row:
    """The row beside a PCA that is far worse on validation."""
    return replace(
        row, estimates={**row.estimates, PCA_VALIDATION_SQUARED_ERROR.key: Estimate(1e6)}
    )


def test_a_type_that_beats_pca_can_encode_and_reconstruct_next(leaderboard: list[Row]):
    text = shown([winning(row) for row in leaderboard])
    verdict, _, after = text.partition("\n\n")
    assert verdict.startswith("goal: reconstruct. ")
    assert "rebuilds best" in verdict
    assert after.startswith("digits: test split, best first")
    assert after.partition("\nNext:\n")[2].startswith("  ae encode FILE -o codes.csv ")


def test_where_none_beats_pca_there_is_no_champion_to_answer(leaderboard: list[Row]):
    text = shown(leaderboard)  # of untrained models
    assert text.startswith("goal: reconstruct. No type rebuilds the validation rows better")
    assert "ae encode" not in text
    assert "\nNext:\n  xdg-open reports/index.html " in text


def test_for_anomalies_scores_come_next(leaderboard: list[Row]):
    text = shown([replace(row, goal="anomaly") for row in leaderboard])
    assert text.startswith("goal: anomaly. No validation rows of both classes are labelled")
    assert "\nNext:\n  ae score NEW.csv -o scores.csv " in text
