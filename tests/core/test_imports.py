"""Imports without the garbage collector, which is back afterwards."""

import gc
import signal
import sys
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from autoencoders.core.errors import Interrupted
from autoencoders.core.imports import importing
from autoencoders.core.reporting import ANSWERED, INTERRUPTED_CODE, reporting

LONG = 10.0  # seconds of a stage's work


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """The collector as it was before the test."""
    was_enabled = gc.isenabled()
    yield
    gc.unfreeze()
    if was_enabled:
        gc.enable()
    else:
        gc.disable()


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_collector_rests_during_imports_and_is_then_as_before(is_enabled: bool):
    if not is_enabled:
        gc.disable()
    with importing():
        assert not gc.isenabled()
    assert gc.isenabled() == is_enabled


def test_the_collector_is_back_after_an_import_that_fails():
    with pytest.raises(ImportError), importing():
        raise ImportError
    assert gc.isenabled()


def is_collected(value: object) -> bool:
    """Whether the collector looks at a value."""
    return any(tracked is value for tracked in gc.get_objects())


def test_what_was_imported_is_left_out_of_later_collections(monkeypatch: pytest.MonkeyPatch):
    module = ModuleType("new")
    gc.unfreeze()
    assert is_collected(module)
    with importing():
        monkeypatch.setitem(sys.modules, "new", module)
    assert not is_collected(module)


def test_where_nothing_new_is_imported_nothing_is_left_out_of_later_collections():
    garbage = ["of an earlier call"]
    gc.unfreeze()
    with importing():
        import json  # noqa: F401  (it was imported before)
    assert is_collected(garbage)


@pytest.fixture
def handlers() -> Iterator[None]:
    """The signals' handlers as they were before the test."""
    before = {number: signal.getsignal(number) for number in ANSWERED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("handlers")
def test_an_interruption_that_an_import_swallows_in_a_cycle_is_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    def swallow() -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except Interrupted as error:
            kept = error  # whose traceback has this frame, which has it: a cycle
            assert kept.__traceback__

    began = time.monotonic()

    def stage() -> None:
        with reporting():
            with importing():
                swallow()
                monkeypatch.setitem(sys.modules, "new", ModuleType("new"))
            while time.monotonic() < began + LONG:
                _ = [[] for _ in range(10_000)]  # work, which makes the collector look

    with pytest.raises(SystemExit) as end:
        stage()
    assert time.monotonic() < began + LONG, "not before the stage's own end"
    assert end.value.code == INTERRUPTED_CODE
    assert "interrupted by SIGTERM" in capsys.readouterr().err
