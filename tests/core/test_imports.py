"""Imports without the garbage collector, which is back afterwards."""

import gc
from collections.abc import Iterator

import pytest

from autoencoders.core.imports import importing


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


def test_what_was_imported_is_left_out_of_later_collections():
    module = {"of": ["a module"]}
    gc.unfreeze()
    assert any(tracked is module for tracked in gc.get_objects())
    with importing():
        pass
    assert not any(tracked is module for tracked in gc.get_objects())
