"""What `auto` becomes: rules on kind, size and range of the data, which a given value overrules."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders import defaults
from autoencoders.defaults import FEWEST, LARGEST_BATCH, MOST_EPOCHS, STEPS, DataFacts, resolved
from autoencoders.params import Models, Params

IMAGES = DataFacts(784, unit_interval=True, shape=(28, 28), rows=50_000)
TABLE = DataFacts(12, unit_interval=False, rows=3000)
anything = settings(deadline=None, derandomize=True, database=None)
rows = st.integers(2, 10**7)
shapes = st.sampled_from([(), (8, 8)])


def facts(n_rows: int, shape: tuple[int, ...]) -> DataFacts:
    return DataFacts(64, unit_interval=bool(shape), shape=shape, rows=n_rows)


@anything
@given(rows, shapes)
def test_a_training_has_about_the_same_steps_whatever_the_rows_unless_its_epochs_reach_a_bound(n_rows, shape):
    known = facts(n_rows, shape)
    found = defaults.train(known, "auto")
    steps_an_epoch = math.ceil(n_rows / found["batch_size"])
    assert FEWEST[known.kind] <= found["epochs"] <= MOST_EPOCHS
    if FEWEST[known.kind] < found["epochs"] < MOST_EPOCHS:
        assert abs(found["epochs"] * steps_an_epoch - STEPS[known.kind]) <= steps_an_epoch / 2


@anything
@given(rows, rows, shapes)
def test_more_rows_never_make_a_smaller_batch_or_more_epochs_than_one_batch_size_allows(few, more, shape):
    few, more = sorted((few, more))
    small, large = (defaults.train(facts(n, shape), "auto") for n in (few, more))
    assert small["batch_size"] <= large["batch_size"] <= LARGEST_BATCH
    assert small["batch_size"] < large["batch_size"] or small["epochs"] >= large["epochs"]


@pytest.mark.parametrize(("n", "batch"), [(10_000, 64), (10_001, 256), (100_000, 256), (100_001, 1024)])
def test_an_images_batch_grows_with_the_rows(n, batch):
    assert defaults.train(facts(n, (8, 8)), "auto")["batch_size"] == batch


def test_a_given_batch_size_sets_the_epochs():
    known = facts(6400, (8, 8))
    assert defaults.train(known, 64)["epochs"] == 4000 // 100
    assert defaults.train(known, 640)["epochs"] == MOST_EPOCHS < 4000 // 10


def test_tables_leave_their_worst_rows_out_and_images_none():
    assert [defaults.train(known, "auto")["trim"] for known in (TABLE, IMAGES)] == [0.2, 0.0]


@pytest.mark.parametrize("inside", [True, False])
def test_the_loss_is_bce_for_data_in_the_unit_interval_alone(inside):
    assert defaults.network(TABLE._replace(unit_interval=inside))["loss"] == ("bce" if inside else "mse")


def test_only_what_is_auto_and_has_a_rule_is_replaced():
    given_values = {"a": "auto", "b": 3, "c": "auto"}
    assert resolved(given_values, {"a": 1, "b": 2}) == {"a": 1, "b": 3, "c": "auto"}


# through params.yaml


@pytest.mark.parametrize("kind", Models.model_fields)
@pytest.mark.parametrize("known", [IMAGES, TABLE], ids=["images", "table"])
def test_nothing_is_auto_any_more_once_the_data_is_known(kind, known, params: Params):
    values = {"network.n_layers": "auto", "network.nodes_per_layer": "auto", "network.code_size": "auto"}
    values |= {"train.epochs": "auto", "train.batch_size": "auto", "train.trim": "auto"}
    flat = params.override(values).flatten(kind, known)
    assert [name for name, value in flat.items() if value == "auto"] in ([], ["models.contractive.jacobian"])
    assert flat["network.code_size"] == round(math.sqrt(known.n_features))
    layers = {"image": (2, 128), "table": (1, 64)}[known.kind]
    assert (flat["network.n_layers"], flat["network.nodes_per_layer"]) == layers
    if kind == "variational":
        assert flat["models.variational.beta"] == {"image": 0.1, "table": 0.5}[known.kind]


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
    flat = params.override({key: value}).flatten("variational", known)
    prefix = "models.variational."
    name = key if key.endswith("beta") else key.removeprefix(prefix)
    assert flat[name] == value
