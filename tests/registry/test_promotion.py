"""Who becomes the champion: the first one at once, later ones where they are allowed to and better."""

from dataclasses import replace

import pytest

from autoencoders.params.params import Params
from autoencoders.registry.promotion import register


@pytest.fixture
def one_kind(params: Params) -> Params:
    """Parameters in which one type is trained."""
    return params.model_copy(
        update={"models": params.models.model_copy(update=dict.fromkeys(others(params)))}
    )


def others(params: Params) -> list[str]:
    return [kind for kind in params.kinds if kind != "undercomplete"]


def two_kinds(params: Params) -> Params:
    left = [kind for kind in others(params) if kind != "variational"]
    return params.model_copy(
        update={"models": params.models.model_copy(update=dict.fromkeys(left))}
    )


def test_an_experiment_makes_the_first_champion_and_changes_no_later_one(
    workshop, one_kind, params, monkeypatch
):
    assert workshop.registry.champion() is None
    monkeypatch.setenv("DVC_EXP_NAME", "tried")
    first, second = register(
        workshop.runs, [workshop.row("undercomplete")], workshop.data, one_kind
    )
    version = workshop.registry.champion()
    assert first == f"autoencoder-table: undercomplete is version {version}"
    assert "now @champion" in second
    assert "the first champion" in second

    row = workshop.row("variational")
    better = replace(row, network=replace(row.network, code_size=1))
    rows, both = [workshop.row("undercomplete"), better], two_kinds(params)
    *_, told = register(workshop.runs, rows, workshop.data, both)
    reason = "an experiment changes no champion (registry.promote); `ae registry promote --best` compares it"
    assert told == f"variational is the best on validation; {reason}"
    assert workshop.registry.champion() == version
    assert [decision.action for decision in workshop.registry.history()] == ["promoted"]

    monkeypatch.delenv("DVC_EXP_NAME")
    *_, told = register(workshop.runs, rows, workshop.data, both)
    assert [decision.action for decision in workshop.registry.history()] in (
        ["promoted"] * 2,
        ["promoted", "kept"],
    )
    assert workshop.registry.history()[-1].reason in told


def test_the_champion_challenges_nobody(workshop, one_kind):
    version = workshop.add("undercomplete")
    workshop.registry.promote_by_hand(version, "a test")
    before = workshop.registry.history()
    *_, told = register(workshop.runs, [workshop.row("undercomplete")], workshop.data, one_kind)
    assert (
        told == f"undercomplete is the best on validation and already @champion: version {version}"
    )
    assert workshop.registry.history() == before
