"""The registered models that `ae` answers by."""

from dataclasses import replace

import pytest

from autoencoders.core.errors import UserError
from autoencoders.params.params import Params
from autoencoders.registry import answering
from autoencoders.registry.answering import introduce, load_answering, load_for, locate
from autoencoders.registry.sources import goal_note
from workshop import Workshop


@pytest.fixture(scope="module")
def uris(workshop: Workshop) -> list[str]:
    """Two registered models; the first one is the champion."""
    versions = [workshop.add(model_type) for model_type in ("undercomplete", "variational")]
    workshop.registry.promote_by_hand(versions[0], "a test")
    return [f"models:/{workshop.registry.name}/{version}" for version in versions]


@pytest.fixture(autouse=True)
def registry_of_the_table(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    """The registry of the workshop's table, which its params.yaml does not name."""
    monkeypatch.setattr(answering, "present", lambda *, writing: workshop.registry)


def test_without_a_uri_the_champion_answers(workshop: Workshop, uris: list[str]):
    located = locate()
    assert located.uri == f"models:/{workshop.registry.name}@champion"
    assert located.graph == locate(uris[0]).graph != locate(uris[1]).graph
    assert not located.graph.exists()
    assert load_answering(located).description.model_type == "undercomplete"


def test_several_models_score_together(uris: list[str]):
    model = load_for("score", uris)
    assert model.description.model_type == "undercomplete"
    assert [other.description.model_type for other in model.models[1:]] == ["variational"]
    assert load_for("encode", uris[1:]).description.model_type == "variational"


def test_several_models_do_nothing_but_score(uris: list[str]):
    with pytest.raises(UserError, match="several models only score"):
        load_for("encode", uris)


def test_the_version_that_is_introduced_answers_whoever_is_champion_next(
    workshop: Workshop, uris: list[str], params: Params
):
    introduction = introduce([], params.data)
    assert introduction.uris == [uris[0]]
    assert introduction.lines[0].startswith(f"{uris[0]} answers: undercomplete, trained on table")
    workshop.registry.promote_by_hand(uris[1].rpartition("/")[2], "a test")
    model = load_for("score", introduction.uris)
    assert model.description.model_type == "undercomplete"
    assert introduce([], params.data).uris == [uris[1]]
    workshop.registry.rollback()


def test_models_that_were_trained_to_reconstruct_say_so_once_where_they_score(
    workshop: Workshop, uris: list[str]
):
    descriptions = load_for("score", uris).descriptions
    (first, second) = descriptions
    assert goal_note(descriptions) == (
        "undercomplete, variational: trained to reconstruct, as goal: anomaly was not set; "
        "`dvc exp run -S goal=anomaly` trains and ranks models that are to find anomalies"
    )
    finding = replace(first, params={**first.params, "goal": "anomaly"})
    before = {name: value for name, value in first.params.items() if name != "goal"}
    registered_before = replace(first, params=before)
    assert goal_note([finding, registered_before]) == ""
    assert goal_note([finding, second]).startswith("variational: ")


def test_the_champion_of_another_split_answers_and_says_so(
    workshop: Workshop, uris: list[str], params: Params
):
    assert len(introduce([], params.data).lines) == 1
    other = params.override({"data.split_seed": 7, "data.test_fraction": 0.3})
    introduction = introduce([], other.data)
    assert introduction.uris == [uris[0]]
    assert introduction.lines[1] == (
        "params.yaml names another split than this version was trained on "
        "(data.test_fraction = 0.3, not 0.2; data.split_seed = 7, not 1): `dvc repro` trains on it"
    )
    assert len(introduce(uris[:1], other.data).lines) == 1  # the user named the version
