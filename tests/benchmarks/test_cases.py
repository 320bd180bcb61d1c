"""The benchmark's cases, and the recipe that switches the closed form off."""

import importlib
import sys
from types import ModuleType

import pytest

import recipes
from cases import CASES, TABLE_ROWS, prepared_case
from timing import Trained


@pytest.mark.parametrize("name", ["digits", "table"])
def test_a_case_has_the_network_and_the_batches_that_auto_gives(name, params, tmp_path):
    prepared = prepared_case(name, tmp_path / name)
    facts = prepared.data.description.facts
    plan = prepared.params.plan("undercomplete", facts)
    default = params.plan("undercomplete", facts)
    assert plan.architecture.widths == default.architecture.widths
    assert plan.architecture.code_size == default.architecture.code_size
    assert plan.architecture.activation == default.architecture.activation
    assert plan.train.batch_size == default.train.batch_size
    assert plan.architecture.linear_path == default.architecture.linear_path
    assert plan.architecture.loss == "mse"


def test_the_table_has_as_many_rows_as_the_benchmark_says(tmp_path):
    prepared = prepared_case("table", tmp_path / "table")
    assert sum(prepared.data.description.rows.values()) == TABLE_ROWS
    assert not prepared.data.description.facts.shape


def test_only_tables_start_as_pca_which_no_loop_does():
    assert [name for name, case in CASES.items() if case.linear_path] == ["table"]


@pytest.fixture
def closed_form(monkeypatch):
    """A stand-in for the module that says which networks have a step in closed form."""
    module = ModuleType(recipes.CLOSED_FORM)
    module.covers = lambda autoencoder: True  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, recipes.CLOSED_FORM, module)
    monkeypatch.setattr("autoencoders.training.closed_form", module, raising=False)


def test_autograds_recipe_switches_the_closed_form_off(closed_form, monkeypatch):
    asked: list[bool] = []

    def training() -> Trained:
        asked.append(importlib.import_module(recipes.CLOSED_FORM).covers(None))
        return Trained(1.0, 1.0, 0.0)

    monkeypatch.setattr(recipes, "ours", lambda case, precision: training)
    recipes.autograd(None)()  # type: ignore[arg-type]
    training()
    assert asked == [False, True]


def test_autograds_recipe_fails_where_nothing_was_switched(closed_form, monkeypatch):
    monkeypatch.setattr(recipes, "ours", lambda case, precision: lambda: Trained(1.0, 1.0, 0.0))
    with pytest.raises(RuntimeError, match="was not asked"):
        recipes.autograd(None)()  # type: ignore[arg-type]
