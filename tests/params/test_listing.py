"""The list of a training's values: those of the plan, each with the place that it comes from."""

import itertools

import pytest

from autoencoders.core.errors import ParameterError
from autoencoders.params.architecture import DataFacts
from autoencoders.params.listing import Line, full_text, listed
from autoencoders.params.params import load_params, parse_params
from autoencoders.params.section import Section
from repository import ROOT

IMAGES = DataFacts(64, unit_interval=True, shape=(8, 8), rows=1221)


def by_key(lines: list[Line]) -> dict[str, Line]:
    return {line.key: line for line in lines}


@pytest.mark.parametrize(
    "kind", ["undercomplete", "sparse", "contractive", "denoising", "variational"]
)
def test_the_values_are_those_of_the_plan(params, kind):
    flat = params.plan(kind, IMAGES).flat()
    lines = by_key(listed(params, kind, IMAGES, {}))
    assert {key: line.value for key, line in lines.items()} == {
        key: str(value) for key, value in flat.items() if key not in ("kind", "widths")
    }


def test_each_value_says_where_it_comes_from(params):
    params = params.override(
        {"train.learning_rate": 0.01, "models.sparse.train": {"batch_size": 32}}
    )
    lines = by_key(listed(params, "sparse", IMAGES, {"network.code_size": 5}))
    assert lines["network.code_size"] == ("network.code_size", "5", "tuned/sparse/tuned.yaml")
    assert lines["network.n_layers"].source == "auto: the data decides"
    assert lines["train.learning_rate"] == ("train.learning_rate", "0.01", "params.yaml")
    assert lines["train.batch_size"] == ("train.batch_size", "32", "params.yaml, models.sparse")
    assert lines["models.sparse.sparsity"].source == "params.yaml"
    assert lines["models.sparse.k"].source == "default"
    assert lines["train.warmup"].source == "default"
    assert lines["train.patience"].source == "auto: the data decides"
    assert lines["goal"] == ("goal", "reconstruct", "auto: the data decides")
    assert lines["train.precision"].source == "auto: the machine decides"


def test_before_the_data_is_known_each_auto_waits_for_it(params):
    lines = by_key(listed(params, "variational", None, {}))
    assert lines["network.code_size"] == ("network.code_size", "auto", "auto: waits for the data")
    assert lines["models.variational.beta"].source == "auto: waits for the data"
    assert lines["train.learning_rate"].value == str(params.train.learning_rate)


def test_a_type_that_params_yaml_lacks_is_refused(params):
    with pytest.raises(ParameterError, match=r"models.no_such_type: not in params.yaml"):
        listed(params, "no_such_type", IMAGES, {})


# the list of everything


def test_the_full_text_is_a_params_yaml_of_the_same_values(params):
    assert parse_params(full_text(params)) == params


def test_the_full_text_holds_every_value_with_its_meaning_and_whether_it_is_the_default(params):
    text = full_text(params)
    assert "  # The share of the steps in which the learning rate rises" in text
    assert "\n  warmup: 0.05 # default\n" in text
    assert "\n  learning_rate: 0.003\n" in text
    written = parse_params(text)
    sparse = written.models.sparse
    assert sparse is not None
    sections: list[Section] = [written, written.data, written.train, written.tune, sparse]
    for section in sections:
        values = set(type(section).model_fields) - {"network", "train"}
        assert values <= section.model_fields_set


def test_every_value_has_a_meaning():
    lines = full_text(load_params(ROOT / "params.yaml")).splitlines()
    for above, line in itertools.pairwise(lines):
        is_value = (
            ":" in line and not line.endswith(":") and not line.lstrip().startswith(("#", "-"))
        )
        if is_value and line != "  undercomplete: {}":
            assert above.lstrip().startswith("# "), line


def test_the_words_that_a_value_may_be_are_listed(params):
    assert "One of mlp" not in full_text(params)
    assert "by TPE. One of auto, gp, tpe, random." in full_text(params)


def test_a_type_that_is_not_trained_stands_in_comments(params):
    models = params.models.model_copy(update={"sparse": None})
    text = full_text(params.model_copy(update={"models": models}))
    assert "\n  # not trained:\n  # sparse:\n" in text
    assert "\n  #   k: 4 # default\n" in text
    assert parse_params(text).model_types == [
        kind for kind in params.model_types if kind != "sparse"
    ]
