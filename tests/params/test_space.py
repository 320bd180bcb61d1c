"""The search space: what may not be tuned is refused, and what a type can't be trained with."""

import math
from collections.abc import Sequence
from typing import Any

import pytest

from autoencoders.core.errors import ParameterError
from autoencoders.params.architecture import DataFacts
from autoencoders.params.dimension import Dimension
from autoencoders.params.params import Params
from autoencoders.params.space import TUNABLE, WHOLE, check_space, dimensions
from autoencoders.params.types import Models

DIGITS = DataFacts(n_features=64, unit_interval=True, shape=(8, 8))
CODE = {"param": "network.code_size", "low": 4, "high": 24}
TRAINED = ("undercomplete", "contractive", "denoising", "variational")  # beside the one refused
RATE = {"param": "train.learning_rate", "low": 1e-3, "high": 1e-2, "log": True}


def with_space(params: Params, *lines: dict[str, Any], **others: Any) -> Params:
    """The parameters with another search space.

    others: more values, by dotted name with __ for each dot.
    """
    return params.override(
        {"tune.space": list(lines)} | {key.replace("__", "."): v for key, v in others.items()}
    )


def refusal(params: Params) -> str:
    with pytest.raises(ParameterError) as caught:
        check_space(params, DIGITS)
    return str(caught.value)


def without(params: Params, kinds: Sequence[str]) -> Params:
    """The parameters of a file that lacks the sections of some types."""
    return params.model_copy(
        update={"models": params.models.model_copy(update=dict.fromkeys(kinds))}
    )


def test_the_ends_of_a_space_are_tried_before_the_data_is_read(params):
    bad = with_space(
        params,
        {"param": "network.n_layers", "low": 0, "high": 2},
        network__n_layers=0,
        models__contractive__jacobian="closed_form",
    )
    with pytest.raises(
        ParameterError, match=r"^tune.space: network.n_layers = 2 does not fit contractive"
    ):
        check_space(bad, None)
    check_space(
        with_space(
            params, {"param": "network.kind", "choices": ["mlp", "conv"]}, network__n_layers=1
        ),
        None,
    )


# the file as it is


def test_the_repositorys_space_is_sound_for_the_smallest_code(params):
    check_space(params.override({"tune.objective": "smallest_code"}), DIGITS)


def test_of_the_repositorys_space_the_smallest_error_refuses_the_code_size_alone(params):
    lines = params.model_dump(exclude_unset=True)["tune"]["space"]
    rest = [line for line in lines if line["param"] != CODE["param"]]
    place = [line["param"] for line in lines].index(CODE["param"])
    told = refusal(params.override({"tune.objective": "smallest_error"}))
    assert told.startswith(
        f"tune.space[{place}].param = network.code_size: the largest code would always win"
    )
    assert "choose tune.objective: smallest_code" in told
    check_space(with_space(params, *rest, tune__objective="smallest_error"), DIGITS)


def test_without_trials_nothing_is_checked(params):
    bad = with_space(params, {"param": "seed", "low": 100, "high": 1000})
    check_space(bad.override({"tune.n_trials": 0}), DIGITS)
    assert refusal(bad.override({"tune.n_trials": 1}))


# what may not be tuned


def own_parameters(params: Params) -> list[str]:
    names = []
    for kind in params.model_types:
        names += [f"models.{kind}.{name}" for name in params.type_section(kind).type_values()]
    return names


def test_every_parameter_of_a_type_that_weakens_its_constraint_is_refused_by_name(params):
    refused = [name for name in own_parameters(params) if name not in TUNABLE]
    constrained = {f"models.{kind}" for kind in params.model_types if kind != "undercomplete"}
    assert {name.rsplit(".", 1)[0] for name in refused} == constrained
    for name in refused:
        told = refusal(with_space(params, CODE, {"param": name, "choices": [1]}))
        assert told.startswith(
            f"tune.space[1].param = {name}: says how strong the type's own constraint is"
        )


def test_the_epochs_are_no_part_of_a_space(params):
    told = refusal(with_space(params, {"param": "train.epochs", "low": 1, "high": 9}))
    assert told.startswith(
        "tune.space[0].param = train.epochs: is no part of a space; tune.epochs says"
    )


LOSS = {"param": "network.loss", "choices": ["mse", "bce"]}


@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_losses_are_not_compared_by_a_pruner(params, pruner):
    told = refusal(with_space(params, LOSS, tune__objective="smallest_error", tune__pruner=pruner))
    assert (
        told == "tune.space[0].param = network.loss: pruning would compare different losses; "
        "choose tune.pruner: none"
    )


@pytest.mark.parametrize(
    ("objective", "pruner"), [("smallest_error", "none"), ("smallest_code", "median")]
)
def test_losses_may_be_tuned_where_nothing_is_pruned(params, objective, pruner):
    check_space(with_space(params, LOSS, tune__objective=objective, tune__pruner=pruner), DIGITS)


def test_a_line_that_stands_twice_is_refused_with_both_places(params):
    told = refusal(with_space(params, CODE, RATE, {"param": CODE["param"], "choices": [4]}))
    assert told == "tune.space[2].param = network.code_size: stands in tune.space[0] too"


@pytest.mark.parametrize(
    ("name", "likely"),
    [
        ("network.codesize", "network.code_size"),
        ("train.learning_rat", "train.learning_rate"),
        ("models.variational.warm_up", "models.variational.warmup"),
        ("models.sparse.train.warmup", None),
        ("models.variational.train.warmup", None),
        ("models.sparse.network", None),
        ("seed", None),
        ("tune.seed", None),
        ("data.split_seed", None),
        ("", None),
    ],
)
def test_what_is_no_value_to_tune_is_refused_with_what_may_be_tuned_and_the_likely_one(
    params, name, likely
):
    told = refusal(with_space(params, {"param": name, "low": 1, "high": 2}))
    assert told.startswith(
        f"tune.space[0].param = {name}: can't be tuned; allowed: {', '.join(TUNABLE)}"
    )
    assert likely is None or told.endswith(f"; did you mean {likely}?")


# values that a type can't use

REFUSED = [
    (
        {"param": "network.code_size", "low": 0, "high": 24},
        "network.code_size = 0",
        "undercomplete",
    ),
    (
        {"param": "train.learning_rate", "low": 0.001, "high": 20.0},
        "train.learning_rate = 20.0",
        "undercomplete",
    ),
    (
        {"param": "train.batch_size", "low": 8.0, "high": 64},
        "train.batch_size = 8.0",
        "undercomplete",
    ),
    (
        {"param": "network.activation", "choices": ["silu", "swish", "relu"]},
        "network.activation = swish",
        "undercomplete",
    ),
    (
        {"param": "network.n_layers", "choices": [1, 2, 33]},
        "network.n_layers = 33",
        "undercomplete",
    ),
    (
        {"param": "models.variational.warmup", "low": 0.0, "high": 1.0},
        "models.variational.warmup = 1.0",
        "variational",
    ),
    (
        {"param": "network.code_activation", "choices": ["sigmoid", "identity"]},
        "network.code_activation = identity",
        "sparse",
    ),
    (
        {"param": "network.code_activation", "choices": ["sigmoid"]},
        "network.code_activation = sigmoid",
        "variational",
    ),
    (
        {"param": "models.contractive.jacobian", "choices": ["auto", "closed_form"]},
        "models.contractive.jacobian = closed_form",
        "contractive",
    ),
]


@pytest.mark.parametrize(("line", "value", "kind"), REFUSED)
def test_both_ends_and_every_choice_must_fit_each_type_that_they_concern(params, line, value, kind):
    assert refusal(with_space(params, line)).startswith(
        f"tune.space: {value} does not fit {kind}: "
    )


@pytest.mark.parametrize(("line", "value", "kind"), REFUSED)
def test_a_value_concerns_only_the_types_that_are_trained(params, line, value, kind):
    others = [other for other in Models.model_fields if other != kind]
    assert f"does not fit {kind}: " in refusal(without(with_space(params, line), others))
    if "variational" in kind or "contractive" in kind:
        untrained = [
            other for other in Models.model_fields if other == kind or other not in TRAINED
        ]
        check_space(without(with_space(params, line), untrained), DIGITS)


def test_ends_that_fit_alone_must_fit_together(params):
    shallow = {"models__contractive__network__n_layers": 0}
    layers = {"param": "network.n_layers", "low": 0, "high": 1}
    jacobian = {"param": "models.contractive.jacobian", "choices": ["auto", "closed_form"]}
    for line in (layers, jacobian):
        check_space(with_space(params, line, **shallow), DIGITS)
    told = refusal(with_space(params, layers, jacobian, **shallow))
    assert told.startswith(
        "tune.space: network.n_layers = 1, models.contractive.jacobian = closed_form does not fit"
    )


def test_a_types_own_line_concerns_that_type_alone(params):
    lines = [CODE, {"param": "models.variational.warmup", "low": 0.0, "high": 0.5}]
    space = with_space(params, *lines)
    assert [d.param for d in dimensions(space.tune, space.plan("variational", DIGITS))] == [
        line["param"] for line in lines
    ]
    for kind in set(params.model_types) - {"variational"}:
        assert [d.param for d in dimensions(space.tune, space.plan(kind, DIGITS))] == [
            CODE["param"]
        ]


def code_sizes(params: Params, line: dict[str, Any], facts: DataFacts) -> Dimension:
    """The code sizes that a study of the undercomplete type tries where the space has this line."""
    spaced = with_space(params, {"param": "network.code_size", **line})
    (dimension,) = dimensions(spaced.tune, spaced.plan("undercomplete", facts))
    return dimension


@pytest.mark.parametrize(
    "line", [{"low": 4, "high": 63}, {"low": 4, "high": 63, "log": True}, {"choices": [2, 63]}]
)
def test_codes_below_the_number_of_features_are_tried_as_given(params, line):
    given = Dimension(param="network.code_size", **line)
    assert code_sizes(params, line, DIGITS) == given


@pytest.mark.parametrize("n_features", [2, 3, 5, 64])
@pytest.mark.parametrize(
    "line", [{"low": 4, "high": 64}, {"low": 100, "high": 200}, {"choices": [2, 64, 100]}]
)
def test_codes_of_a_small_table_are_kept_below_its_number_of_features(params, line, n_features):
    facts = DataFacts(n_features, unit_interval=False)
    ends = code_sizes(params, line, facts).ends
    assert all(1 <= size < n_features for size in ends)
    check_space(with_space(params, {"param": "network.code_size", **line}), facts)


def test_a_step_that_leaves_the_whole_numbers_is_refused(params):
    check_space(with_space(params, {**CODE, "step": 2}), DIGITS)
    assert "network.code_size" in refusal(with_space(params, {**CODE, "step": 2.5}))


@pytest.mark.parametrize(
    ("line", "n_features", "kept"),
    [
        ({"low": 4, "high": 64, "log": True}, 33, {"low": 4, "high": 32, "log": True}),
        ({"low": 4, "high": 64, "step": 8}, 33, {"low": 4, "high": 28, "step": 8}),
        ({"low": 4, "high": 16}, 11, {"low": 4, "high": 10}),
        ({"low": 4, "high": 16}, 5, {"low": 1, "high": 4}),
    ],
)
def test_what_fits_of_a_range_of_codes_stays(params, line, n_features, kept):
    found = code_sizes(params, line, DataFacts(n_features, unit_interval=False))
    assert found.model_dump(exclude_unset=True) == {"param": "network.code_size", **kept}


def test_shares_of_a_batch_are_not_compared_by_a_pruner(params):
    line = {"param": "train.trim", "low": 0.0, "high": 0.5}
    told = refusal(
        with_space(params, line, tune__objective="smallest_error", tune__pruner="median")
    )
    assert (
        told == "tune.space[0].param = train.trim: pruning would compare different losses; "
        "choose tune.pruner: none"
    )
    check_space(
        with_space(params, line, tune__objective="smallest_error", tune__pruner="none"), DIGITS
    )


def test_counts_are_drawn_whole_and_measures_are_not():
    assert {
        "network.code_size",
        "network.n_layers",
        "network.nodes_per_layer",
        "train.batch_size",
    } < set(WHOLE)
    assert not {
        "train.learning_rate",
        "train.warmup",
        "train.weight_decay",
        "train.trim",
        "train.augment",
        "train.augment_until",
        "models.variational.warmup",
    } & set(WHOLE)


# multiples of the untuned value


def around(params: Params, line: dict[str, Any], facts: DataFacts, **values: Any) -> Dimension:
    """The dimension of the undercomplete type that a line of multiples stands for."""
    spaced = with_space(params, {**line, "of": "auto"}, **values)
    (dimension,) = dimensions(spaced.tune, spaced.plan("undercomplete", facts))
    return dimension


@pytest.mark.parametrize("n_features", [2, 9, 64, 500])
def test_multiples_of_auto_are_those_of_the_value_that_auto_stands_for(params, n_features):
    facts = DataFacts(n_features, unit_interval=False)
    line = {"param": "network.code_size", "low": 0.25, "high": 4, "log": True}
    untuned = round(math.sqrt(n_features))
    dimension = around(params, line, facts)
    assert dimension.ends[0] == max(1, math.floor(untuned / 4))
    assert dimension.ends[-1] == min(4 * untuned, n_features - 1)
    assert dimension.holds(untuned)


def test_multiples_of_a_value_in_the_file_are_those_of_that_value(params):
    line = {"param": "train.learning_rate", "low": 0.5, "high": 3, "log": True}
    dimension = around(params, line, DIGITS, train__learning_rate=0.004)
    assert (dimension.low, dimension.high, dimension.log) == (0.5 * 0.004, 3 * 0.004, True)
    assert dimension.of is None


def test_a_types_own_value_is_the_one_whose_multiples_are_taken(params):
    line = {"param": "network.nodes_per_layer", "low": 0.5, "high": 2}
    own = {"models__undercomplete__network__nodes_per_layer": 10}
    assert around(params, line, DIGITS, **own).ends == [5, 20]


@pytest.mark.parametrize(
    ("line", "values", "untuned"),
    [
        ({"param": "network.activation"}, {"network__activation": "silu"}, "silu"),
        ({"param": "network.nodes_per_layer"}, {"network__nodes_per_layer": [32, 16]}, "[32, 16]"),
        ({"param": "network.tied"}, {"network__tied": False}, "False"),
    ],
)
def test_a_value_without_multiples_is_refused_with_what_to_write(params, line, values, untuned):
    spaced = with_space(params, {**line, "low": 0.5, "high": 2, "of": "auto"}, **values)
    assert refusal(spaced) == (
        f"tune.space: {line['param']} = {untuned}: has no multiples; give choices, or low "
        "and high without of, or remove the line"
    )


@pytest.mark.parametrize("facts", [DIGITS, DataFacts(2, unit_interval=False), None])
def test_the_repositorys_space_is_sound_for_each_kind_of_data(params, facts):
    check_space(params.override({"tune.n_trials": 1}), facts)
