"""The times of the stages' last runs: written beside DVC, and never in a stage's way."""

import json
import time
from pathlib import Path

import pytest

from autoencoders.core.stage_times import FOLDER, last_times, timed


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which DVC was set up."""
    (tmp_path / ".dvc").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_there_are_no_times_before_the_first_run():
    assert last_times() == {}


def test_the_seconds_of_the_last_run_are_kept_by_dvcs_name_of_the_stage():
    with timed("check"):
        time.sleep(0.05)
    for seconds in (0.2, 0.05):
        with timed("tune", "sparse"):
            time.sleep(seconds)
    times = last_times()
    assert set(times) == {"check", "tune@sparse"}
    assert times["check"] >= 0.05
    assert 0.05 <= times["tune@sparse"] < 0.2


def fail_later() -> None:
    """Raises KeyError after a moment."""
    time.sleep(0.05)
    raise KeyError


def test_a_stage_that_fails_leaves_the_time_of_the_last_whole_run():
    with timed("check"):
        pass
    before = last_times()
    with pytest.raises(KeyError), timed("check"):
        fail_later()
    assert last_times() == before


def test_nothing_is_written_where_dvc_has_no_folder(folder):
    (folder / ".dvc").rmdir()
    with timed("check"):
        pass
    assert list(folder.iterdir()) == []


def test_a_time_that_cant_be_written_stops_no_stage(folder):
    (folder / ".dvc/tmp").write_text("no folder")
    with timed("check"):
        pass
    assert last_times() == {}


@pytest.mark.parametrize("text", ["", "{", '"3"', "[1]"])
def test_a_broken_time_counts_as_none(text):
    path = Path(FOLDER) / "check.json"
    path.parent.mkdir(parents=True)
    path.write_text(text)
    path.with_name("evaluate.json").write_text(json.dumps(2.5))
    assert last_times() == {"evaluate": 2.5}
