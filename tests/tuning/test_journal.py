"""A broken journal: the line that is named, and what a mend keeps of the studies."""

import json
import random
from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState

from autoencoders.core.errors import UserError
from autoencoders.tuning.journal import broken_journal, mend_journal
from autoencoders.tuning.storage import open_storage, reporting_database

GARBAGE = [
    b"garbage",
    b"\xff\x00\xfe random bytes \x80",
    b"{}",
    b"[1, 2]",
    b"3",
    b'{"op_code":4,"worker_id":"a',
    b'{"op_code":99,"worker_id":"a"}',
    b'{"op_code":6,"worker_id":"a","trial":0}',
    b'{"op_code":0,"worker_id":"a","study_name":"t"}',
    b"",
]
every_garbage = pytest.mark.parametrize("garbage", GARBAGE, ids=[repr(line) for line in GARBAGE])


def add_trials(storage: BaseStorage, n: int = 1) -> None:
    study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=n)


def values(state: TrialState = TrialState.COMPLETE) -> list[float | None]:
    """States of the trials in the journal, read anew."""
    study = optuna.load_study(study_name="s", storage=open_storage("journal"))
    return [trial.value for trial in study.get_trials(states=(state,))]


@pytest.fixture
def path(store_root: Path) -> Path:
    """A journal with three complete trials."""
    add_trials(open_storage("journal"), 3)
    return store_root / "studies" / "optuna.journal"


def lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines()


def write(path: Path, content: list[bytes]) -> bytes:
    path.write_bytes(b"".join(line + b"\n" for line in content))
    return path.read_bytes()


def number_of(path: Path, operation: int, nth: int = 0) -> int:
    """The place of the n-th line with this op_code."""
    return [n for n, line in enumerate(lines(path)) if json.loads(line)["op_code"] == operation][
        nth
    ]


def test_a_journal_that_is_whole_cut_or_missing_is_nothing_to_tell(path):
    assert broken_journal(path) is None
    path.write_bytes(path.read_bytes()[:-5])
    assert broken_journal(path) is None
    assert broken_journal(path.with_name("none")) is None


@every_garbage
@pytest.mark.parametrize("at", [0, 5, -1])
def test_the_first_broken_line_is_named_with_its_place_and_the_way_out(path, garbage, at):
    content = lines(path)
    at = at if at >= 0 else len(content)
    write(path, [*content[:at], garbage, *content[at:], garbage])
    message = broken_journal(path) or ""
    offset = sum(len(line) + 1 for line in content[:at])
    assert message.startswith(
        f"{path}: line {at + 1} (from byte {offset} on) can't be read: {garbage[:40]!r}; "
    )
    assert "`ae doctor --fix`" in message
    if at < len(content) or garbage[:1] != b"{":
        with pytest.raises(UserError) as caught:
            open_storage("journal")
        assert str(caught.value) == message


@every_garbage
def test_a_mend_moves_the_broken_file_aside_and_loses_no_trial_to_a_line_between_two(path, garbage):
    before, at = values(), number_of(path, 4, 1)
    content = lines(path)
    broken = write(path, [*content[:at], garbage, *content[at:]])
    aside = mend_journal(path)
    assert aside.name.startswith("optuna.journal.broken-")
    assert sorted(path.parent.iterdir()) == sorted([path, aside])  # no lock is left
    assert aside.read_bytes() == broken
    assert lines(path) == content
    assert values() == before
    add_trials(open_storage("journal"))
    assert values()[:-1] == before


@pytest.mark.parametrize("operation", [5, 6])
def test_a_trial_that_a_broken_line_told_of_is_failed_and_the_others_are_kept(path, operation):
    before, content = values(), lines(path)
    at = number_of(path, operation, 1)
    assert json.loads(content[at])["trial_id"] == 1
    write(path, [*content[:at], b"\0" * 10, *content[at + 1 :]])
    mend_journal(path)
    assert values() == [before[0], before[2]]
    assert len(values(TrialState.FAIL)) == 1
    assert broken_journal(path) is None


def test_a_trial_that_was_running_is_ended_once_however_many_lines_are_broken(path):
    whole = values()
    study = optuna.load_study(study_name="s", storage=open_storage("journal"))
    study.ask()
    before = lines(path)
    write(path, [*before, b"garbage", b"more garbage"])
    mend_journal(path)
    *kept, end = lines(path)
    assert kept == before
    assert json.loads(end)["trial_id"] == len(whole)
    assert len(values(TrialState.FAIL)) == 1
    assert values() == whole


@pytest.mark.parametrize("nth", [0, 1, 2])
def test_where_the_line_that_made_a_trial_is_broken_only_what_comes_before_is_kept(path, nth):
    before, content = values(), lines(path)
    at = number_of(path, 4, nth)
    write(path, [*content[:at], b"\xff" * 10, *content[at + 1 :]])
    mend_journal(path)
    assert lines(path) == content[:at]
    assert values() == before[:nth]


def test_no_trial_gets_the_value_of_one_whose_line_is_broken_from_another_worker(path):
    workers = [optuna.load_study(study_name="s", storage=open_storage("journal")) for _ in range(2)]
    trial = workers[0].ask()
    workers[1].ask()
    trial.suggest_float("x", 0, 1)
    content, at = lines(path), number_of(path, 4, 3)
    write(path, [*content[:at], b"broken", *content[at + 1 :]])
    mend_journal(path)
    assert lines(path) == content[:at]


def test_where_the_line_that_made_a_study_is_broken_its_trials_go_to_no_other(path):
    content = lines(path)
    made = content[0].replace(b'"s"', b'"t"')
    # as `open_study` sets it
    attribute = b'{"op_code":2,"worker_id":"b","study_id":1,"user_attr":{"made_of":"x"}}'
    write(path, [b"broken", made, *content[1:], attribute])
    mend_journal(path)
    assert lines(path) == []


def test_any_bytes_written_over_a_journal_are_told_and_mended(path):
    whole, chance = path.read_bytes(), random.Random(0)
    before = values()
    for _ in range(60):
        at, n = chance.randrange(len(whole) - 30), chance.randrange(1, 30)
        path.write_bytes(whole[:at] + chance.randbytes(n) + whole[at + n :])
        if broken_journal(path) is None:
            continue  # inside of a name or a number: that is no garbage for a reader
        with pytest.raises(UserError, match="ae doctor --fix"):
            open_storage("journal")
        mend_journal(path)
        assert broken_journal(path) is None
        result = values() if lines(path) else []
        assert len(set(result) & set(before)) >= len(result) - 1
    assert len(list(path.parent.glob("*.broken-*"))) > 30


def test_a_line_that_breaks_while_a_study_runs_is_told(path, store_root):
    storage = open_storage("journal")
    with path.open("ab") as file:
        file.write(b"garbage\n")
    with pytest.raises(UserError, match=r"line \d+ .*garbage"), reporting_database("journal"):
        add_trials(storage)
