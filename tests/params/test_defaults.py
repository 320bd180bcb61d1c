"""The values of `auto`: rules over kind, size and range of the data."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.core.errors import ParameterError
from autoencoders.data.sources.catalogue import SOURCES
from autoencoders.data.sources.source import facts
from autoencoders.params.architecture import DataFacts
from autoencoders.params.defaults import FEWEST, MOST_EPOCHS, STEPS, network, resolved, train
from autoencoders.params.params import Params
from autoencoders.params.sections import FixedNetwork, FixedTrain, Network, Train
from autoencoders.params.types import Models
from autoencoders.params.types.variational import Variational

anything = settings(deadline=None, derandomize=True, database=None)
shapes = st.sampled_from([(), (8, 8), (32, 32, 3)])
rows = st.integers(1, 10**8)

MACHINES = {"precision", "threads"}  # where the training runs decides
OF_THE_PLAN = {"linear_path"}  # the type, and other values, decide


def of(shape: tuple[int, ...], n_rows: int = 1000, n_features: int = 64) -> DataFacts:
    return DataFacts(n_features, unit_interval=bool(shape), shape=shape, rows=n_rows)


@pytest.mark.parametrize("side", [1, 2, 8, 28, 64])
def test_the_automatic_code_of_a_square_image_has_as_many_units_as_the_image_has_rows(side):
    assert network(of((side, side), n_features=side * side))["code_size"] == side


LINEAR = {"network.linear_path": "auto", "data.name": "table"}


def has_path(params: Params, facts: DataFacts, model_type: str, **values: object) -> bool:
    """Whether `auto` gives a linear path."""
    return params.override({**LINEAR, **values}).plan(model_type, facts).architecture.linear_path


@pytest.mark.parametrize("model_type", ["undercomplete", "contractive", "denoising", "variational"])
def test_an_automatic_linear_path_is_taken_where_a_network_can_start_as_pca(params, model_type):
    assert has_path(params, of(()), model_type)
    own = f"models.{model_type}.network"
    assert not has_path(params, of((8, 8)), model_type)  # pixels in [0, 1]: bce
    assert not has_path(params, of(()), model_type, **{f"{own}.loss": "l1"})
    assert not has_path(params, of((), n_rows=8), model_type)  # as many code units as rows
    assert has_path(params, of((), n_rows=9), model_type)
    conv = {f"{own}.kind": "conv", f"{own}.loss": "mse", f"{own}.nodes_per_layer": 8}
    assert not has_path(params, of((8, 8)), model_type, **conv)


def test_sparse_codes_of_sigmoids_and_of_the_largest_units_are_no_pcas(params):
    assert not has_path(params, of(()), "sparse")  # the KL penalty needs a sigmoid
    identity = {"models.sparse.network.code_activation": "identity"}
    assert has_path(params, of(()), "sparse", **identity, **{"models.sparse.penalty": "l1"})
    assert not has_path(params, of(()), "sparse", **identity, **{"models.sparse.penalty": "top_k"})


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
@given(st.integers(1, 10**6))
def test_the_automatic_code_is_the_whole_number_nearest_to_the_root(n_features):
    code_size = network(of((), n_features=n_features))["code_size"]
    assert code_size >= 1
    others = {max(1, code_size - 1), code_size + 1}
    root = math.sqrt(n_features)
    assert all(abs(code_size - root) <= abs(other - root) for other in others)


@pytest.mark.parametrize(("unit_interval", "loss"), [(True, "bce"), (False, "mse")])
def test_the_automatic_loss_is_cross_entropy_for_data_in_the_unit_interval_alone(
    unit_interval, loss
):
    assert network(DataFacts(64, unit_interval))["loss"] == loss


def test_images_get_wider_and_deeper_networks_than_tables():
    image, table = network(of((8, 8))), network(of(()))
    assert image["n_layers"] > table["n_layers"]
    assert image["nodes_per_layer"] > table["nodes_per_layer"]


@anything
@given(shapes, rows)
def test_a_training_takes_the_steps_of_its_kind_within_the_bounds_on_epochs(shape, n_rows):
    facts = of(shape, n_rows)
    found = train(facts, "auto")
    a_step_more = math.ceil(n_rows / found["batch_size"])  # steps of an epoch
    assert FEWEST[facts.kind] <= found["epochs"] <= MOST_EPOCHS
    if FEWEST[facts.kind] < found["epochs"] < MOST_EPOCHS:
        assert abs(found["epochs"] * a_step_more - STEPS[facts.kind]) <= a_step_more / 2


@anything
@given(shapes, rows, rows)
def test_more_rows_never_make_smaller_batches_nor_more_epochs_of_one_batch_size(
    shape, first, second
):
    fewer, more = sorted([first, second])
    assert (
        train(of(shape, fewer), "auto")["batch_size"]
        <= train(of(shape, more), "auto")["batch_size"]
    )
    assert train(of(shape, fewer), 64)["epochs"] >= train(of(shape, more), 64)["epochs"]


@pytest.mark.parametrize("batch_size", [1, 100, 1000])
def test_the_epochs_follow_from_the_batch_size_that_is_given(batch_size):
    found = train(of((8, 8), 10_000), batch_size)
    steps_an_epoch = 10_000 / batch_size
    assert found["batch_size"] == batch_size
    assert found["epochs"] == min(
        max(round(STEPS["image"] / steps_an_epoch), FEWEST["image"]), MOST_EPOCHS
    )


@pytest.mark.parametrize(
    ("shape", "n_rows", "batch_size"),
    [
        ((8, 8), 10_000, 64),
        ((8, 8), 10_001, 256),
        ((8, 8), 100_000, 256),
        ((8, 8), 100_001, 1024),
        ((), 100_000, 128),
        ((), 100_001, 1024),
    ],
)
def test_the_batch_size_changes_where_the_docstring_says(shape, n_rows, batch_size):
    assert train(of(shape, n_rows), "auto")["batch_size"] == batch_size


def test_tables_alone_are_trimmed_and_held_closer_to_the_prior():
    assert train(of((8, 8)), "auto")["trim"] == 0
    assert train(of(()), "auto")["trim"] > 0
    assert Variational.auto(of((8, 8)))["beta"] < Variational.auto(of(()))["beta"]


def test_only_auto_is_resolved_and_only_where_there_is_a_rule():
    values = {"a": "auto", "b": "auto", "c": 3, "d": "mse"}
    assert resolved(values, {"a": 1, "c": 2, "d": 4}) == {"a": 1, "b": "auto", "c": 3, "d": "mse"}


def test_every_rule_is_for_a_value_that_may_be_auto_and_leaves_none_open():
    for rules, section, fixed in (
        (network(of(())), Network, FixedNetwork),
        (train(of(()), "auto"), Train, FixedTrain),
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
    flat = params.override(values).plan(kind, known).flat()
    left = {name for name, value in flat.items() if value == "auto"}
    assert left - {"models.contractive.jacobian"} == {
        f"train.{name}" for name in (*MACHINES, "strategy")
    }
    assert flat["network.code_size"] == round(math.sqrt(known.n_features))
    layers = {"image": (2, 128), "table": (1, 64)}[known.kind]
    assert (flat["network.n_layers"], flat["network.nodes_per_layer"]) == layers
    if kind == "variational":
        assert flat["models.variational.beta"] == {"image": 0.1, "table": 2.0}[known.kind]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("network.n_layers", 3),
        ("network.nodes_per_layer", 17),
        ("network.code_size", 5),
        ("network.loss", "l1"),
        ("train.epochs", 3),
        ("train.batch_size", 17),
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
