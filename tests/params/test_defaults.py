"""The values of `auto`: rules over kind, size and range of the data."""

import math
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.core.errors import ParameterError
from autoencoders.data.sources.catalogue import SOURCES
from autoencoders.data.sources.source import facts
from autoencoders.params.architecture import DataFacts
from autoencoders.params.defaults import (
    ANOMALY_EPOCHS,
    EPOCHS,
    network,
    resolved,
    steps_to_rebuild,
    train,
)
from autoencoders.params.goal import Goal, resolved_goal
from autoencoders.params.params import Params
from autoencoders.params.sections import FixedNetwork, FixedTrain, Network, Train
from autoencoders.params.types import Models
from autoencoders.params.types.variational import Variational

GOALS: tuple[Goal, ...] = get_args(Goal)
goals = st.sampled_from(GOALS)
anything = settings(deadline=None, derandomize=True, database=None)
shapes = st.sampled_from([(), (8, 8), (32, 32, 3)])
rows = st.integers(1, 10**8)

MACHINES = {"precision", "threads"}  # where the training runs decides
OF_THE_PLAN = {"linear_path", "code_activation"}  # the type, and other values, decide


def of(shape: tuple[int, ...], n_rows: int = 1000, n_features: int = 64) -> DataFacts:
    return DataFacts(n_features, unit_interval=bool(shape), shape=shape, rows=n_rows)


@pytest.mark.parametrize("side", [1, 2, 8, 28, 64])
def test_the_automatic_code_of_a_square_image_has_as_many_units_as_the_image_has_rows(side):
    assert network(of((side, side), n_features=side * side), "reconstruct")["code_size"] == side


LINEAR = {"network.linear_path": "auto", "data.name": "table"}


def has_path(params: Params, facts: DataFacts, model_type: str, **values: object) -> bool:
    """Whether `auto` gives a linear path."""
    return params.override({**LINEAR, **values}).plan(model_type, facts).architecture.linear_path


@pytest.mark.parametrize("model_type", ["undercomplete", "contractive", "denoising", "variational"])
def test_an_automatic_linear_path_is_taken_where_a_network_can_start_as_pca(params, model_type):
    assert has_path(params, of(()), model_type)
    own = f"models.{model_type}.network"
    assert not has_path(params, of(()), model_type, goal="anomaly")
    assert not has_path(params, of((8, 8)), model_type)  # many pictures in [0, 1]: bce
    assert has_path(params, of((8, 8), n_rows=100), model_type)
    assert not has_path(params, of(()), model_type, **{f"{own}.loss": "l1"})
    assert not has_path(params, of((), n_rows=8), model_type)  # as many code units as rows
    assert has_path(params, of((), n_rows=9), model_type)
    conv = {f"{own}.kind": "conv", f"{own}.loss": "mse", f"{own}.nodes_per_layer": 8}
    assert not has_path(params, of((8, 8)), model_type, **conv)


def test_sparse_codes_of_sigmoids_and_of_the_largest_units_are_no_pcas(params):
    assert has_path(params, of(()), "sparse", **{"models.sparse.penalty": "l1"})
    assert not has_path(params, of(()), "sparse", **{"models.sparse.penalty": "kl"})
    assert not has_path(params, of(()), "sparse", **{"models.sparse.penalty": "top_k"})


@pytest.mark.parametrize(
    ("facts", "goal", "penalty"),
    [
        (of(()), "reconstruct", "l1"),
        (of(()), "anomaly", "kl"),
        (of((8, 8), n_rows=100), "reconstruct", "l1"),
        (of((8, 8)), "reconstruct", "kl"),
    ],
)
def test_automatic_sparse_codes_start_as_pcas_where_other_types_do(facts, goal, penalty, params):
    """The KL penalty needs codes in (0, 1), which a linear code is not."""
    changed = params.override({"goal": goal, "data.name": "table"})
    plan = changed.plan("sparse", facts)
    assert plan.type_values["penalty"] == penalty
    assert plan.network.linear_path == (penalty == "l1")
    assert plan.network.code_activation == ("sigmoid" if penalty == "kl" else "identity")
    assert plan.network.linear_path == changed.plan("contractive", facts).network.linear_path


CONV = {"network.kind": "conv", "network.nodes_per_layer": 8}


@pytest.mark.parametrize(
    ("facts", "values", "starts"),
    [
        (of(()), {}, True),
        (of(()), {"network.loss": "l1"}, False),
        (of(()), {"network.linear_path": False}, False),
        (of((8, 8), n_rows=100), {}, True),
        (of((8, 8), n_rows=100), CONV, False),
        (of((8, 8)), {}, False),
        (of((8, 8)), {"network.loss": "mse"}, True),
        (of(()), {"goal": "anomaly"}, False),
        (of(()), {"goal": "anomaly", "network.linear_path": True}, True),
    ],
)
def test_the_divergence_needs_no_warm_up_where_this_network_starts_as_pca(
    facts, values, starts, params
):
    changed = params.override({**LINEAR, **values})
    variational = changed.plan("variational", facts)
    assert variational.network.linear_path == starts
    assert (variational.type_values["warmup"] == 0) == starts


def test_a_code_activation_of_ones_own_is_kept_or_refused_but_not_changed(params):
    named = {"network.code_activation": "tanh"}
    assert params.override(named).plan("denoising", of(())).network.code_activation == "tanh"
    with pytest.raises(ParameterError, match="code_activation = tanh: must be sigmoid"):
        params.override({**named, "models.sparse.penalty": "kl"}).plan("sparse", of(()))


@pytest.mark.parametrize(("side", "strength"), [(8, 1), (15, 1), (16, 2), (64, 2)])
def test_few_images_are_augmented_and_the_more_so_the_larger_they_are(side, strength):
    pixels = side * side
    enough = 10 * pixels
    for goal in GOALS:
        few = of((side, side), n_rows=enough - 1, n_features=pixels)
        assert train(few, goal, "auto")["augment"] == strength
        assert network(few, goal)["loss"] == "mse"
        many = of((side, side), n_rows=enough, n_features=pixels)
        assert train(many, goal, "auto")["augment"] == 0
        assert network(many, goal)["loss"] == "bce"
    assert train(of(()), "reconstruct", "auto")["augment"] == 0


REFUSED: dict[str, tuple[str, dict[str, object]]] = {
    "needs the loss mse, which PCA minimises, but it is l1": (
        "undercomplete",
        {"network.loss": "l1"},
    ),
    "needs code_activation: identity": ("undercomplete", {"network.code_activation": "tanh"}),
    "can't be where models.sparse.penalty = top_k": (
        "sparse",
        {"models.sparse.penalty": "top_k", "models.sparse.network.code_activation": "identity"},
    ),
    "needs a code smaller than features and training rows": (
        "denoising",
        {"network.code_size": 64},
    ),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_linear_path_that_can_not_be_is_refused_by_name(params, reason):
    model_type, values = REFUSED[reason]
    changed = params.override({**LINEAR, **values, "network.linear_path": True})
    with pytest.raises(ParameterError) as caught:
        changed.plan(model_type, of(()))
    message = str(caught.value)
    assert "network.linear_path = True: " in message
    assert reason in message
    assert "choose auto or false" in message


@anything
@given(st.integers(1, 10**6), goals)
def test_the_automatic_code_is_the_whole_number_nearest_to_the_root(n_features, goal):
    code_size = network(of((), n_features=n_features), goal)["code_size"]
    assert code_size >= 1
    others = {max(1, code_size - 1), code_size + 1}
    root = math.sqrt(n_features)
    assert all(abs(code_size - root) <= abs(other - root) for other in others)


@pytest.mark.parametrize("goal", GOALS)
@pytest.mark.parametrize("shape", [(), (8, 8)])
@pytest.mark.parametrize("unit_interval", [True, False])
def test_the_automatic_loss_is_cross_entropy_in_the_unit_interval_but_for_tables_to_rebuild(
    unit_interval, shape, goal
):
    loss = network(DataFacts(64, unit_interval, shape, rows=640), goal)["loss"]
    table_to_rebuild = not shape and goal == "reconstruct"
    assert (loss == "bce") == (unit_interval and not table_to_rebuild)


@pytest.mark.parametrize("anomaly_labels", [True, False])
def test_an_automatic_goal_is_anomaly_where_labels_mean_anomalies(anomaly_labels, params):
    facts = DataFacts(12, unit_interval=False, anomaly_labels=anomaly_labels)
    goal = "anomaly" if anomaly_labels else "reconstruct"
    assert resolved_goal("auto", facts) == goal
    assert params.plan("sparse", facts).goal == goal
    for named in GOALS:
        assert resolved_goal(named, facts) == named
        assert params.override({"goal": named}).plan("sparse", facts).flat()["goal"] == named


def test_a_table_of_50_000_rows_gets_all_its_steps_and_a_wide_one_more():
    table = of((), n_rows=34_000, n_features=100)
    values = train(table, "reconstruct", "auto")
    steps_an_epoch = math.ceil(table.rows / values["batch_size"])
    assert values["epochs"] == round(steps_to_rebuild(table) / steps_an_epoch) > EPOCHS[0]
    wide = table._replace(n_features=200)
    assert steps_to_rebuild(wide) == 2 * steps_to_rebuild(table)
    assert steps_to_rebuild(table._replace(n_features=10)) == steps_to_rebuild(table)
    wider = table._replace(n_features=10**6)
    assert steps_to_rebuild(wider) < 3 * steps_to_rebuild(table)
    images = of((28, 28), n_features=784)
    assert steps_to_rebuild(images) == steps_to_rebuild(table)


def test_only_networks_for_anomalies_in_tables_are_narrow_and_shallow():
    for_anomalies = network(of(()), "anomaly")
    others: list[tuple[DataFacts, Goal]] = [(of(()), "reconstruct"), (of((8, 8)), "anomaly")]
    for known, goal in others:
        values = network(known, goal)
        assert values["n_layers"] > for_anomalies["n_layers"]
        assert values["nodes_per_layer"] > for_anomalies["nodes_per_layer"]


@anything
@given(shapes, rows, goals)
def test_epochs_and_patience_are_steps_of_the_batch_size_within_bounds(shape, n_rows, goal):
    facts = of(shape, n_rows)
    values = train(facts, goal, "auto")
    steps_an_epoch = math.ceil(n_rows / values["batch_size"])
    fewest, most = ANOMALY_EPOCHS if goal == "anomaly" and not shape else EPOCHS
    assert fewest <= values["epochs"] <= most
    assert values["patience"] >= 1
    twice = train(facts, goal, 2 * values["batch_size"])
    assert twice["epochs"] >= values["epochs"]
    assert twice["patience"] >= values["patience"]
    if fewest < twice["epochs"] < most:
        steps = values["epochs"] * steps_an_epoch
        steps_twice = twice["epochs"] * math.ceil(n_rows / twice["batch_size"])
        assert abs(steps - steps_twice) <= 2 * steps_an_epoch


@anything
@given(shapes, rows, rows, goals)
def test_more_rows_never_make_smaller_batches_nor_more_epochs_of_one_batch_size(
    shape, first, second, goal
):
    fewer, more = sorted([first, second])
    assert (
        train(of(shape, fewer), goal, "auto")["batch_size"]
        <= train(of(shape, more), goal, "auto")["batch_size"]
    )
    epochs_of_fewer = train(of(shape, fewer), goal, 64)["epochs"]
    assert epochs_of_fewer >= train(of(shape, more), goal, 64)["epochs"]


@pytest.mark.parametrize(
    ("shape", "n_rows", "batch_size"),
    [
        ((8, 8), 10_000, 64),
        ((8, 8), 10_001, 256),
        ((8, 8), 100_000, 256),
        ((8, 8), 100_001, 1024),
        ((), 1000, 32),
        ((), 1001, 128),
        ((), 100_000, 128),
        ((), 100_001, 1024),
    ],
)
def test_the_batch_size_changes_where_the_docstring_says(shape, n_rows, batch_size):
    assert train(of(shape, n_rows), "reconstruct", "auto")["batch_size"] == batch_size


def test_only_tables_that_may_hold_anomalies_are_trimmed_and_held_closer_to_the_prior():
    for_anomalies = train(of(()), "anomaly", "auto")
    assert for_anomalies["trim"] > 0
    assert for_anomalies["epochs"] < train(of(()), "reconstruct", "auto")["epochs"]
    beta = Variational.auto(of(()), "anomaly", linear_path=False)["beta"]
    others: list[tuple[DataFacts, Goal]] = [(of(()), "reconstruct"), (of((8, 8)), "reconstruct")]
    for known, goal in [*others, (of((8, 8)), "anomaly")]:
        assert train(known, goal, "auto")["trim"] == 0
        assert Variational.auto(known, goal, linear_path=True)["beta"] < beta


def test_only_auto_is_resolved_and_only_where_there_is_a_rule():
    values = {"a": "auto", "b": "auto", "c": 3, "d": "mse"}
    assert resolved(values, {"a": 1, "c": 2, "d": 4}) == {"a": 1, "b": "auto", "c": 3, "d": "mse"}


def test_every_rule_is_for_a_value_that_may_be_auto_and_leaves_none_open():
    for rules, section, fixed in (
        (network(of(()), "anomaly"), Network, FixedNetwork),
        (train(of(()), "anomaly", "auto"), Train, FixedTrain),
    ):
        open_fields = (
            {
                name
                for name, field in section.model_fields.items()
                if "auto" in str(field.annotation)
            }
            - MACHINES
            - OF_THE_PLAN
        )
        assert set(rules) == open_fields
        assert set(fixed.model_fields) == set(section.model_fields)


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_known_of_a_data_set_by_name_is_an_image(params: Params, name: str):
    found = facts(params.override({"data.name": name}).data)
    assert found is not None
    assert found.kind == "image"
    assert found.n_features == math.prod(found.shape)


IMAGES = DataFacts(784, unit_interval=True, shape=(28, 28), rows=50_000)
TABLE = DataFacts(12, unit_interval=False, rows=3000)


@pytest.mark.parametrize("kind", Models.model_fields)
@pytest.mark.parametrize("known", [IMAGES, TABLE], ids=["images", "table"])
def test_nothing_is_auto_any_more_once_the_data_is_known(kind, known, params: Params):
    values = {
        "network.n_layers": "auto",
        "network.nodes_per_layer": "auto",
        "network.code_size": "auto",
    }
    values |= {"train.epochs": "auto", "train.batch_size": "auto", "train.trim": "auto"}
    values |= {"train.patience": "auto"}
    flat = params.override(values).plan(kind, known).flat()
    left = {name for name, value in flat.items() if value == "auto"}
    assert left - {"models.contractive.jacobian"} == {
        f"train.{name}" for name in (*MACHINES, "strategy")
    }
    assert flat["network.code_size"] == round(math.sqrt(known.n_features))
    assert (flat["network.n_layers"], flat["network.nodes_per_layer"]) == (2, 128)
    if kind == "variational":
        assert flat["models.variational.beta"] == 0.1


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("network.n_layers", 3),
        ("network.nodes_per_layer", 17),
        ("network.code_size", 5),
        ("network.loss", "l1"),
        ("train.epochs", 3),
        ("train.batch_size", 17),
        ("train.patience", 7),
        ("train.trim", 0.1),
        ("models.variational.beta", 3.0),
        ("models.variational.train.trim", 0.3),
        ("models.variational.network.n_layers", 1),
    ],
)
@pytest.mark.parametrize("known", [IMAGES, TABLE], ids=["images", "table"])
def test_a_given_value_wins_and_the_types_own_wins_over_it(key, value, known, params: Params):
    flat = params.override({key: value}).plan("variational", known).flat()
    prefix = "models.variational."
    name = key if key.endswith("beta") else key.removeprefix(prefix)
    assert flat[name] == value
