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


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock's one value, which a test sets."""
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_the_seconds_of_the_last_run_are_kept_by_dvcs_name_of_the_stage(clock):
    with timed("check"):
        clock[0] += 0.5
    for seconds in (2.0, 0.25):
        with timed("tune", "sparse"):
            clock[0] += seconds
    assert last_times() == {"check": 0.5, "tune@sparse": 0.25}


def fail_later(clock: list[float]) -> None:
    """Raises KeyError after a moment."""
    clock[0] += 0.05
    raise KeyError


def test_a_stage_that_fails_leaves_the_time_of_the_last_whole_run(clock):
    with timed("check"):
        pass
    before = last_times()
    with pytest.raises(KeyError), timed("check"):
        fail_later(clock)
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
