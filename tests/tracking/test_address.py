"""Addresses: the user's own store wins, and no message, file or MLflow call holds a password."""

import os

import pytest

from autoencoders.tracking import address

PASSWORD = "s3cret-w0rd"


@pytest.mark.parametrize(
    ("uri", "shown", "named"),
    [
        (f"http://ann:{PASSWORD}@host:5000", "http://ann:***@host:5000", "http://host:5000"),
        (f"https://ann:{PASSWORD}@host/team", "https://ann:***@host/team", "https://host/team"),
        (
            f"postgresql://ann:{PASSWORD}@host/db",
            "postgresql://ann:***@host/db",
            "postgresql://host/db",
        ),
        ("http://host:5000", "http://host:5000", "http://host:5000"),
        (
            "sqlite:////elsewhere/mlflow.db",
            "sqlite:////elsewhere/mlflow.db",
            "sqlite:////elsewhere/mlflow.db",
        ),
        ("http://[::1]:5000", "http://[::1]:5000", "http://[::1]:5000"),
        ("foo bar", "foo bar", "foo bar"),
        (
            f"postgresql://host/db?user=u&password={PASSWORD}",
            "postgresql://host/db?user=u&password=***",
            "postgresql://host/db?user=u&password=***",
        ),
        (f"http://{PASSWORD}@host:5000", "http://***@host:5000", "http://host:5000"),
        ("http://ann:[brackets@host:5000/", "http://***@host:5000/", "http://host:5000"),
        ("http://ann:pass/word@host:5000", "http://***@host:5000", "http://host:5000"),
        ("http://ann:pass@word@host:5000/", "http://ann:***@host:5000/", "http://host:5000"),
    ],
)
def test_messages_and_files_name_the_store_without_its_password(
    store_root, monkeypatch, uri, shown, named
):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    assert address.uri() == uri
    assert address.hidden(uri) == shown
    assert address.destination() == named


def test_the_local_store_has_the_same_name_in_every_clone(
    store_root, monkeypatch, tmp_path_factory
):
    assert address.destination() == "local"
    monkeypatch.setenv("DVC_ROOT", str(tmp_path_factory.mktemp("other")))
    assert address.destination() == "local"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address.local())
    assert address.destination() == "local"


def test_user_and_password_move_from_the_address_to_mlflows_variables(monkeypatch):
    for name in (address.USER, address.PASSWORD):
        monkeypatch.setenv(name, "before")
    assert address.without_credentials("http://ann:p%40ss@host:5000") == "http://host:5000"
    assert (os.environ[address.USER], os.environ[address.PASSWORD]) == ("ann", "p@ss")
    assert address.without_credentials("http://host:5000") == "http://host:5000"
    assert os.environ[address.USER] == "ann"
    database = f"postgresql://ann:{PASSWORD}@host/db"
    assert address.without_credentials(database) == database


def test_no_text_keeps_a_password_wherever_it_stands(monkeypatch):
    monkeypatch.setenv(address.VARIABLE, "http://ann:p%40ss@host:5000")
    monkeypatch.setenv(address.PASSWORD, PASSWORD)
    text = f"GET http://ann:p%40ss@host:5000 with p@ss or {PASSWORD} failed"
    assert address.redacted(text) == "GET http://ann:***@host:5000 with *** or *** failed"
