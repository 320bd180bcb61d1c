"""Promotion: the first model becomes the champion at once, later ones if allowed and better."""

from dataclasses import replace

import pytest

from autoencoders.params.params import Params
from autoencoders.registry.promotion import register


@pytest.fixture
def one_type(params: Params) -> Params:
    """Parameters in which one type is trained."""
    return only(params, "undercomplete")


def only(params: Params, *model_types: str) -> Params:
    """Parameters in which no other types are trained."""
    others = [name for name in params.model_types if name not in model_types]
    models = params.models.model_copy(update=dict.fromkeys(others))
    return params.model_copy(update={"models": models})


def test_an_experiment_makes_the_first_champion_and_changes_no_later_one(
    workshop, one_type, params, monkeypatch
):
    assert workshop.registry.champion() is None
    monkeypatch.setenv("DVC_EXP_NAME", "tried")
    first, second = register(
        workshop.runs, [workshop.row("undercomplete")], workshop.data, one_type
    )
    version = workshop.registry.champion()
    assert first == f"autoencoder-table: undercomplete is version {version}"
    assert "now @champion" in second
    assert "the first champion" in second

    row = workshop.row("variational")
    better = replace(row, network=replace(row.network, code_size=1))
    rows = [workshop.row("undercomplete"), better]
    both = only(params, "undercomplete", "variational")
    *_, message = register(workshop.runs, rows, workshop.data, both)
    reason = (
        "an experiment changes no champion (registry.promote); "
        "`ae registry promote --best` compares it"
    )
    criterion = "by the smallest code that keeps 85% of the variance on validation, then the error"
    assert message == f"variational is the best {criterion}; {reason}"
    assert workshop.registry.champion() == version
    assert [decision.action for decision in workshop.registry.history()] == ["promoted"]

    monkeypatch.delenv("DVC_EXP_NAME")
    *_, message = register(workshop.runs, rows, workshop.data, both)
    assert [decision.action for decision in workshop.registry.history()] in (
        ["promoted"] * 2,
        ["promoted", "kept"],
    )
    assert workshop.registry.history()[-1].reason in message


def test_the_champion_challenges_nobody(workshop, one_type):
    version = workshop.add("undercomplete")
    workshop.registry.promote_by_hand(version, "a test")
    before = workshop.registry.history()
    *_, message = register(workshop.runs, [workshop.row("undercomplete")], workshop.data, one_type)
    already = f"it is already @champion: version {version}"
    assert message == f"undercomplete is the best by the error on validation; {already}"
    assert workshop.registry.history() == before
