"""The storage of studies.

A journal survives a torn line; a server's password is never shown.
"""

import socket
from pathlib import Path

import optuna
import pytest
from optuna.storages import BaseStorage
from optuna.trial import TrialState
from sqlalchemy.exc import OperationalError

from autoencoders.core.errors import UserError
from autoencoders.tuning.storage import (
    EXAMPLE,
    VARIABLE,
    open_storage,
    queue_again,
    reporting_database,
)
from autoencoders.tuning.trials import RETRIES, UNTUNED, VARIANCE

PASSWORD = "s3cret-w0rd"
TORN = [
    b"{",
    b'{"op_code":4,"worker_id":"a',
    b'{"op_code":8,"study_id":0}',
    b"\xff\x00",
]  # without an end of line


@pytest.fixture
def file(store_root: Path) -> Path:
    """The journal's file."""
    return store_root / "studies" / "optuna.journal"


def add_trial(storage: BaseStorage) -> list[float | None]:
    """The values of a study's trials after one more."""
    study = optuna.create_study(storage=storage, study_name="s", load_if_exists=True)
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    return [trial.value for trial in study.trials]


# a dead worker's trial


def test_a_trial_that_is_queued_again_has_none_of_the_dead_ones_constraints_and_attributes(journal):
    study = optuna.create_study(storage=journal, study_name="s")
    study.enqueue_trial({"x": 0.5}, user_attrs={UNTUNED: True})
    dying = study.ask()
    dying.suggest_float("x", 0, 1)
    dying.set_user_attr("squared error", 2.0)
    dying.set_constraint(VARIANCE, 0.7)
    study.tell(dying, state=TrialState.FAIL)
    queue_again(study, study.trials[0])
    again = study.ask()
    assert again.number == 1
    assert again.constraints == {}
    assert study.trials[1].user_attrs == {UNTUNED: True}
    assert study.trials[1].system_attrs[RETRIES] == [0]
    again.set_constraint(VARIANCE, -0.1)  # which counts, not the dead trial's
    study.tell(again, again.suggest_float("x", 0, 1))
    assert study.trials[1].constraints == {VARIANCE: -0.1}
    assert study.best_trial.number == 1


# journal


def test_a_study_in_the_journal_is_there_when_it_is_opened_again(store_root, file):
    first = add_trial(open_storage("journal"))
    assert file.exists()
    assert add_trial(open_storage("journal"))[:1] == first


@pytest.mark.parametrize("torn", TORN)
def test_a_torn_last_line_is_cut_off_and_nothing_else(store_root, file, torn):
    values = add_trial(open_storage("journal"))
    whole = file.read_bytes()
    file.write_bytes(whole + torn)
    storage = open_storage("journal")
    assert file.read_bytes() == whole
    assert add_trial(storage)[:-1] == values
    assert len(add_trial(open_storage("journal"))) == len(values) + 2


@pytest.mark.parametrize("broken", [TORN[0], TORN[1], TORN[3]])
def test_a_last_line_that_is_no_json_is_refused_and_left_as_it_is(store_root, file, broken):
    add_trial(open_storage("journal"))
    file.write_bytes(file.read_bytes() + broken + b"\n")
    before = file.read_bytes()
    with pytest.raises(UserError, match="ae doctor --fix"):
        open_storage("journal")
    assert file.read_bytes() == before


def test_a_journal_of_nothing_but_a_torn_line_is_begun_anew(store_root, file):
    file.parent.mkdir()
    file.write_bytes(TORN[1])
    assert len(add_trial(open_storage("journal"))) == 1


def test_opening_a_journal_changes_no_byte_and_leaves_no_lock(store_root, file):
    add_trial(open_storage("journal"))
    whole = file.read_bytes()
    open_storage("journal")
    assert file.read_bytes() == whole
    assert list(file.parent.iterdir()) == [file]


# server

NO_SERVER = [
    (None, "is not set"),
    ("", "is not set"),
    ("studies", "is no PostgreSQL URL"),
    (f"studies:{PASSWORD}@host", "is no PostgreSQL URL"),
    (f" postgresql://studies:{PASSWORD}@host/studies", "is no PostgreSQL URL"),
    ("sqlite:///studies.db", "is no PostgreSQL URL"),
    (f"mysql://studies:{PASSWORD}@host/studies", "is no PostgreSQL URL"),
    (f"postgres://studies:{PASSWORD}@host/studies", "is no PostgreSQL URL"),
    (f"postgresql://studies:{PASSWORD}@host:port/studies", "is no PostgreSQL URL"),
]


@pytest.mark.parametrize(("url", "result"), NO_SERVER)
def test_a_url_that_is_no_postgresql_servers_is_refused_with_an_example_and_without_its_password(
    store_root, monkeypatch, url, result
):
    monkeypatch.delenv(VARIABLE, raising=False)
    if url is not None:
        monkeypatch.setenv(VARIABLE, url)
    with pytest.raises(UserError) as caught:
        open_storage("environment")
    message = f"{VARIABLE}: {result}, which tune.storage = environment needs; for example {EXAMPLE}"
    assert str(caught.value) == message
    assert PASSWORD not in message


def closed_port() -> int:
    """A port of this machine on which nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("driver", ["postgresql", "postgresql+psycopg", "postgresql+psycopg2"])
@pytest.mark.parametrize("password", [PASSWORD, "s3cret%40w0rd%2F%25"])
def test_a_server_that_is_not_there_is_told_with_its_place_and_without_its_password(
    store_root, monkeypatch, driver, password
):
    port = closed_port()
    monkeypatch.setenv(VARIABLE, f"{driver}://studies:{password}@127.0.0.1:{port}/studies")
    with pytest.raises(UserError) as caught:
        open_storage("environment")
    message = str(caught.value)
    assert message.startswith(f"postgresql+psycopg://studies:***@127.0.0.1:{port}/studies: ")
    assert "refused" in message
    assert "no trial is lost: start the server" in message
    assert "s3cret" not in message
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__  # nor in a traceback


def test_a_server_that_goes_away_is_told_without_the_password_that_its_driver_repeats(monkeypatch):
    monkeypatch.setenv(VARIABLE, f"postgresql://studies:{PASSWORD}@host/studies")
    with pytest.raises(UserError) as caught, reporting_database("environment"):
        raise OperationalError(
            "SELECT 1", {}, ConnectionError(f"lost host with password={PASSWORD}\nand more")
        )
    assert "lost host with password=***" in str(caught.value)
    assert PASSWORD not in str(caught.value)


def test_with_a_journal_an_error_of_another_database_blames_no_server_of_studies(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(OperationalError, match="database is locked"), reporting_database("journal"):
        raise OperationalError("SELECT 1", {}, Exception("database is locked"))  # MLflow's
