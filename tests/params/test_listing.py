"""The list of a training's values: those of the plan, each with the place that it comes from."""

import pytest

from autoencoders.core.errors import ParameterError
from autoencoders.params.architecture import DataFacts
from autoencoders.params.listing import Line, listed

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
    assert lines["models.sparse.penalty"].source == "params.yaml"
    assert lines["train.precision"].source == "auto: the machine decides"


def test_before_the_data_is_known_each_auto_waits_for_it(params):
    lines = by_key(listed(params, "variational", None, {}))
    assert lines["network.code_size"] == ("network.code_size", "auto", "auto: waits for the data")
    assert lines["models.variational.beta"].source == "auto: waits for the data"
    assert lines["train.learning_rate"].value == str(params.train.learning_rate)


def test_a_type_that_params_yaml_lacks_is_refused(params):
    with pytest.raises(ParameterError, match=r"models.no_such_type: not in params.yaml"):
        listed(params, "no_such_type", IMAGES, {})
