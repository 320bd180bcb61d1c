"""params.yaml: every bad value is refused by its dotted key, what was found and what is allowed."""

import copy
import io
import json
import math
from typing import Any, get_args

import pytest
from ruamel.yaml import YAML

from autoencoders.core.errors import ParameterError
from autoencoders.data.sources.catalogue import SOURCES
from autoencoders.data.sources.source import facts
from autoencoders.models.losses import RECONSTRUCTION_LOSSES
from autoencoders.params import defaults
from autoencoders.params.architecture import DataFacts, layer_widths
from autoencoders.params.dimension import Dimension
from autoencoders.params.params import Params, load_params, parse_params
from autoencoders.params.sections import BUILT_IN, NO_FILE, Data, Network, Train, Tune
from autoencoders.params.types import Models
from known_facts import known_facts
from repository import ROOT


def named_by_dvc() -> list[str]:
    """The dotted names in dvc.yaml, which DVC does not find in a file that lacks them."""
    stages = YAML(typ="safe", pure=True).load(ROOT / "dvc.yaml")["stages"]
    names = set()
    for stage in stages.values():
        for name in stage.get("do", stage)["params"]:
            if isinstance(name, str) and "${" not in name:
                names.add(name)
    return sorted(names)


FILE = ROOT / "params.yaml"
TEXT = FILE.read_text(encoding="utf-8")
TREE: dict[str, Any] = YAML(typ="safe", pure=True).load(TEXT)
SPARSE_OVERRIDE = "models.sparse.network.code_activation"
MISSING = object()  # in place of a value: the key is left out
MODEL_TYPES = list(Models.model_fields)
NEEDED_BY_DVC = named_by_dvc()
# besides them: the search space, a type's section, and its overrides
NEEDED = [*NEEDED_BY_DVC, "tune.space", "models.undercomplete", SPARSE_OVERRIDE]
every_type = pytest.mark.parametrize("kind", MODEL_TYPES)


def edited(values: dict[str, Any]) -> dict[str, Any]:
    """The file's tree with other values, by dotted key."""
    tree = copy.deepcopy(TREE)
    for key, value in values.items():
        *sections, name = key.split(".")
        node = tree
        for section in sections:
            node = node.setdefault(section, {})
        if value is MISSING:
            node.pop(name, None)
        else:
            node[name] = value
    return tree


def parsed(values: dict[str, Any]) -> Params:
    """The file with other values."""
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(edited(values), stream)
    return parse_params(stream.getvalue())


def value_in_file(key: str) -> Any:
    """The file's value, by dotted key."""
    value = TREE
    for part in key.split("."):
        value = value[part]
    return value


def dotted(tree: dict[str, Any], prefix: str = "") -> list[str]:
    """The dotted keys of a tree's values."""
    keys = []
    for name, value in tree.items():
        is_section = isinstance(value, dict) and value
        keys += dotted(value, f"{prefix}{name}.") if is_section else [f"{prefix}{name}"]
    return keys


def checked(values: dict[str, Any]) -> Params:
    """The file with other values, found to fit its data."""
    params = parsed(values)
    params.check(facts(params.data))
    return params


UNKNOWN = {"data.path": "own.csv"}  # data that no stage has read yet


@pytest.mark.parametrize(
    "values",
    [
        {"models.sparse.penalty": "kl", "models.sparse.network.code_activation": "relu"},
        {"network.n_layers": 2, "network.nodes_per_layer": [1, 2]},
        {"network.n_layers": 3, "network.nodes_per_layer": [3, 2]},
        {"models.contractive.jacobian": "closed_form", "network.n_layers": 1},
        {"models.sparse.penalty": "top_k", "models.sparse.k": 9, "network.code_size": 8},
    ],
)
def test_rules_that_need_no_data_hold_before_it_is_read(values: dict[str, Any]):
    assert refusal(values | UNKNOWN) == refusal(values)


@pytest.mark.parametrize(
    "values",
    [
        {"network.kind": "conv"},
        {"train.augment": 1.0},
        {"network.loss": "bce"},
        {"network.code_size": 65_536},
        {"network.nodes_per_layer": [8]},  # auto: one layer for anomalies in tables
        {"network.nodes_per_layer": [9, 8]},  # else two
        {"models.sparse.network.code_activation": "relu"},  # auto: no KL penalty for tables
    ],
)
def test_what_the_data_may_allow_is_not_refused_before_it_is_read(values: dict[str, Any]):
    checked(values | UNKNOWN)


def refusal(values: dict[str, Any]) -> str:
    """The message that refuses the file with other values, as it is read or checked."""
    with pytest.raises(ParameterError) as caught:
        checked(values)
    return str(caught.value)


# the file as it is


def test_the_repositorys_file_fits_its_data():
    params = load_params(FILE)
    params.check(facts(params.data))
    assert params.model_types == [kind for kind in MODEL_TYPES if kind in TREE["models"]]


def test_every_value_of_the_file_arrives_unchanged_and_nothing_is_added():
    assert load_params(FILE).model_dump(exclude_unset=True) == TREE


def test_the_schema_names_the_data_sets_and_losses_that_the_code_knows():
    assert set(BUILT_IN) == set(SOURCES)
    assert set(get_args(Network.model_fields["loss"].annotation)) == {
        "auto",
        *RECONSTRUCTION_LOSSES,
    }


def test_the_readers_are_strict_about_yaml_1_2():
    assert (
        parse_params(
            TEXT.replace("learning_rate: 3.0e-3", "learning_rate: 1e-3")
        ).train.learning_rate
        == 0.001
    )


# the data's name in MLflow


@pytest.mark.parametrize(
    ("values", "title"),
    [
        ({"data.name": "mnist"}, "mnist"),
        ({"data.path": "some/where/my table.v2.csv.gz"}, "my-table"),
        ({"data.path": "some/folder/"}, "folder"),
        ({"data.path": "https://example.org/a/b.parquet"}, "b"),
        ({"data.path": "größe.csv"}, "gr-e"),
        ({"data.path": "..."}, "data"),
        ({"data.openml": 61}, "openml-61"),
        ({"data.name": "sales", "data.path": "a.csv"}, "sales"),
        ({"data.name": "sales", "data.openml": 61}, "sales"),
    ],
)
def test_the_title_is_the_users_name_for_the_data_else_its_files(values, title):
    data = parsed(values).data
    assert data.title == title
    assert data.is_own == (data.path != NO_FILE or data.openml > 0)


# single values

OUT_OF_RANGE = [
    ("seed", -1, "greater than or equal to 0"),
    ("seed", 2**31, f"less than {2**31}"),
    ("data.split_seed", -1, "greater than or equal to 0"),
    ("data.split_seed", 2**31, f"less than {2**31}"),
    ("data.validation_fraction", 0, "greater than 0"),
    ("data.validation_fraction", 1, "less than 1"),
    ("data.test_fraction", 0.0, "greater than 0"),
    ("data.test_fraction", 1.0, "less than 1"),
    ("data.openml", -1, "greater than or equal to 0"),
    ("data.image_side", 1, "'auto' or must be greater than or equal to 2"),
    ("data.image_side", 4097, "'auto' or must be less than or equal to 4096"),
    ("network.code_size", 0, "'auto' or must be greater than or equal to 1"),
    ("network.code_size", -8, "'auto' or must be greater than or equal to 1"),
    ("network.code_size", 65_537, "'auto' or must be less than or equal to 65536"),
    ("network.n_layers", -1, "greater than or equal to 0"),
    ("network.n_layers", 33, "less than or equal to 32"),
    ("network.nodes_per_layer", 0, "greater than or equal to 1"),
    ("network.nodes_per_layer", 65_537, "less than or equal to 65536"),
    ("train.epochs", 0, "greater than or equal to 1"),
    ("train.epochs", 1_000_001, "less than or equal to 1000000"),
    ("train.batch_size", 0, "greater than or equal to 1"),
    ("train.batch_size", 1_000_001, "less than or equal to 1000000"),
    ("train.learning_rate", 0, "greater than 0"),
    ("train.learning_rate", -0.001, "greater than 0"),
    ("train.learning_rate", 10.5, "less than or equal to 10"),
    ("train.warmup", -0.1, "greater than or equal to 0"),
    ("train.warmup", 1, "less than 1"),
    ("train.weight_decay", -0.1, "greater than or equal to 0"),
    ("train.gradient_clip", -1, "greater than or equal to 0"),
    ("train.patience", -1, "greater than or equal to 0"),
    ("train.trim", -0.1, "'auto' or must be greater than or equal to 0"),
    ("train.trim", 0.6, "'auto' or must be less than or equal to 0.5"),
    ("models.sparse.weight", -0.1, "greater than or equal to 0"),
    ("models.sparse.sparsity", 0, "greater than 0"),
    ("models.sparse.sparsity", 1.4, "less than 1"),
    ("models.sparse.k", 0, "greater than or equal to 1"),
    ("models.contractive.weight", -1, "greater than or equal to 0"),
    ("models.denoising.level", -0.25, "greater than or equal to 0"),
    ("models.denoising.level", 1.25, "less than or equal to 1"),
    ("models.variational.beta", -1, "greater than or equal to 0"),
    ("models.variational.warmup", 1.0, "less than 1"),
    ("tune.n_trials", -1, "'auto' or must be greater than or equal to 0"),
    ("tune.gain_seeds", -1, "greater than or equal to 0"),
    ("tune.gain_seeds", 1001, "less than or equal to 1000"),
    ("tune.n_trials", 1_000_001, "less than or equal to 1000000"),
    ("tune.minutes", -1, "greater than or equal to 0"),
    ("tune.minutes", 1_000_001, "less than or equal to 1000000"),
    ("tune.epochs", 0, "'auto' or 'full' or must be greater than or equal to 1"),
    ("tune.explained_variance", 0, "greater than 0"),
    ("tune.explained_variance", 1.0, "less than 1"),
    ("tune.seed", -1, "greater than or equal to 0"),
    ("tune.workers", 0, "greater than or equal to 1"),
    ("tune.workers", 1025, "less than or equal to 1024"),
    ("rate_distortion.workers", 0, "greater than or equal to 1"),
    ("evaluate.seed", -1, "greater than or equal to 0"),
    ("evaluate.bootstrap_samples", 99, "greater than or equal to 100"),
    ("evaluate.bootstrap_samples", 100_001, "less than or equal to 100000"),
    ("evaluate.importance_samples", 0, "greater than or equal to 1"),
    ("evaluate.importance_samples", 100_001, "less than or equal to 100000"),
    ("evaluate.probe_rows", 99, "greater than or equal to 100"),
    ("evaluate.probe_l2", 0, "'auto' or must be greater than 0"),
    ("evaluate.false_alarm_rate", 0, "greater than 0"),
    ("evaluate.false_alarm_rate", 1, "less than 1"),
    ("evaluate.figure_columns", 1, "greater than or equal to 2"),
    ("evaluate.figure_columns", 51, "less than or equal to 50"),
]
WRONG_TYPE = [
    ("seed", "one", "a whole number"),
    ("data.name", 3, "a string"),
    ("data.label", 3, "a string"),
    ("data.ignore", "age", "a list"),
    ("data.openml", "iris", "a whole number"),
    ("seed", None, "a whole number"),
    ("train.epochs", 200.0, "a whole number"),
    ("train.epochs", True, "a whole number"),
    ("train.epochs", "200", "a whole number"),
    ("train.learning_rate", "fast", "a number"),
    ("train.learning_rate", True, "a number"),
    ("train.learning_rate", [0.001], "a number"),
    ("network.code_size", 8.0, "'auto' or must be a whole number"),
    ("network.code_size", True, "'auto' or must be a whole number"),
    ("network.code_size", [8], "'auto' or must be a whole number"),
    ("network.n_layers", [2], "a whole number"),
    ("network.nodes_per_layer", "128", "a whole number or must be a list"),
    ("network.loss", ["mse"], "'auto', 'mse', 'bce' or 'l1'"),
    ("models.sparse.k", 4.5, "a whole number"),
    ("tune.n_trials", 2.0, "a whole number"),
    ("tune.epochs", True, "'auto' or 'full' or must be a whole number"),
    ("tune.space", {}, "a list"),
    ("rate_distortion.code_sizes", 8, "a list"),
    ("registry.promote", "sometimes", "'auto' or must be a boolean"),
    ("models.denoising.clip", 1, "a boolean"),
    ("registry.promote", 1, "'auto' or must be a boolean"),
]
UNKNOWN_CHOICE = [
    ("data.scaling", "maxabs", "'auto', 'pixels', 'minmax', 'standard', 'robust' or 'none'"),
    ("data.label_means", "outlier", "'auto', 'class' or 'anomaly'"),
    ("data.missing", "drop", "'refuse' or 'impute'"),
    ("data.image_side", "own", "'auto'"),
    ("data.protocol", "inductive", "'split' or 'transductive'"),
    ("network.kind", "transformer", "'auto', 'mlp' or 'conv'"),
    ("network.code_size", "big", "'auto'"),
    ("network.loss", "mae", "'auto', 'mse', 'bce' or 'l1'"),
    ("network.activation", "swish", "'silu', 'gelu', 'relu', 'tanh' or 'sigmoid'"),
    ("network.code_activation", "silu", "'auto', 'identity', 'relu', 'tanh' or 'sigmoid'"),
    ("models.sparse.penalty", "l2", "'auto', 'kl', 'l1' or 'top_k'"),
    ("models.contractive.jacobian", "hutchinson", "'auto', 'closed_form', 'exact' or 'estimate'"),
    ("models.denoising.corruption", "dropout", "'gaussian', 'masking' or 'salt_and_pepper'"),
    ("tune.objective", "shrink", "'smallest_code' or 'smallest_error'"),
    ("tune.epochs", "all", "'auto' or 'full'"),
    ("evaluate.probe_l2", "none", "'auto'"),
    ("tune.sampler", "cma", "'auto', 'gp', 'tpe' or 'random'"),
    ("tune.pruner", "wilcoxon", "'none', 'median' or 'hyperband'"),
    ("tune.storage", "sqlite", "'journal' or 'environment'"),
]
PATTERNS = [
    ("data.name", ""),
    ("data.name", "my data"),
    ("data.name", "../digits"),
    ("data.name", "-digits"),
    ("data.sha256", "abc"),
    ("data.sha256", "A" * 64),
    ("data.sha256", "0" * 65),
    ("data.split", "shuffled"),
    ("data.split", "time:"),
    ("data.split", "column:"),
]
SHORT_LISTS = [
    ("tune.space", [], 1),
    ("rate_distortion.code_sizes", [8], 2),
    ("rate_distortion.seeds", [], 1),
]
NOT_FINITE = [
    ("train.learning_rate", math.nan, "a finite number"),
    ("train.weight_decay", math.inf, "a finite number"),
    ("models.sparse.weight", math.inf, "a finite number"),
    ("models.variational.beta", math.nan, "a finite number"),
    ("models.denoising.level", -math.inf, "a finite number"),
    ("train.epochs", math.inf, "a whole number"),
]
IN_AN_OVERRIDE = [
    ("models.sparse.network.code_size", 0, "'auto' or must be greater than or equal to 1"),
    ("models.denoising.network.n_layers", 33, "less than or equal to 32"),
    ("models.contractive.train.epochs", 0, "greater than or equal to 1"),
    ("models.variational.train.learning_rate", "fast", "a number"),
    (
        "models.undercomplete.network.activation",
        "swish",
        "'silu', 'gelu', 'relu', 'tanh' or 'sigmoid'",
    ),
]
NOT_A_SECTION = [
    ("train", 3, "a dictionary"),
    ("data", None, "a dictionary"),
    ("models", ["sparse"], "a dictionary"),
    ("models.sparse", True, "a dictionary"),
    ("models.sparse.network", "small", "a dictionary"),
]


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        *OUT_OF_RANGE,
        *WRONG_TYPE,
        *UNKNOWN_CHOICE,
        *NOT_FINITE,
        *IN_AN_OVERRIDE,
        *NOT_A_SECTION,
    ],
)
def test_a_bad_value_is_refused_with_its_key_the_value_and_what_is_allowed(key, value, allowed):
    (line,) = refusal({key: value}).splitlines()
    assert line.startswith(f"params.yaml: {key} = {value!r}: ")
    assert f"must be {allowed}" in line


@pytest.mark.parametrize(("key", "value"), PATTERNS)
def test_a_text_of_another_form_is_refused_with_its_key_and_the_form(key, value):
    (line,) = refusal({key: value}).splitlines()
    assert line.startswith(f"params.yaml: {key} = {value!r}: String should match pattern ")


@pytest.mark.parametrize(
    "key",
    [
        "train.weight_decay",
        "network.nodes_per_layer",
        "network.activation",
        "rate_distortion",
        "models.undercomplete",
        "models.sparse.network",
        "models.denoising.train",
        "models.sparse.network.loss",
    ],
)
def test_an_optional_key_without_a_value_is_refused_instead_of_ignored(key):
    assert refusal({key: None}).startswith(
        f"params.yaml: {key} = None: must not be null; leave the key out"
    )


@pytest.mark.parametrize(
    ("key", "value", "index", "allowed"),
    [
        ("network.nodes_per_layer", [128, 0], 1, "greater than or equal to 1"),
        ("network.nodes_per_layer", ["a", 64], 0, "a whole number"),
        ("network.nodes_per_layer", [64, 2.5], 1, "a whole number"),
        ("rate_distortion.code_sizes", [8, 0], 1, "greater than or equal to 1"),
        ("rate_distortion.seeds", [1, 2, -1], 2, "greater than or equal to 0"),
    ],
)
def test_a_bad_member_of_a_list_is_refused_with_its_position(key, value, index, allowed):
    assert f"{key}.{index} = {value[index]!r}: must be {allowed}" in refusal({key: value})


@pytest.mark.parametrize(("key", "value", "least"), SHORT_LISTS)
def test_a_list_that_is_too_short_is_refused_with_its_key(key, value, least):
    assert refusal({key: value}).startswith(
        f"params.yaml: {key} = {value!r}: List should have at least {least} item"
    )


# a line of the search space


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ({}, "needs low and high, or choices"),
        ({"low": 4}, "needs low and high, or choices"),
        ({"high": 4}, "needs low and high, or choices"),
        ({"low": 4, "high": 4}, "low must be below high"),
        ({"low": 4, "high": 3.5}, "low must be below high"),
        ({"low": 0, "high": 8, "log": True}, "with log, low must be above 0 and there is no step"),
        (
            {"low": 1, "high": 8, "log": True, "step": 1},
            "with log, low must be above 0 and there is no step",
        ),
        ({"low": 1, "high": 8, "choices": [4]}, "choices don't go with low, high"),
        ({"choices": [4, 8], "log": False}, "choices don't go with log"),
        ({"choices": [4, 8], "step": 1}, "choices don't go with step"),
    ],
)
def test_a_line_of_the_space_that_is_neither_range_nor_choices_is_refused_with_its_place(
    line, rule
):
    good = TREE["tune"]["space"][0]
    message = refusal({"tune.space": [good, {"param": "network.n_layers", **line}]})
    assert message.startswith("params.yaml: tune.space[1] = {")
    assert message.endswith(f"}}: {rule}")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            {"low": "a", "high": 8},
            "tune.space[0].low = 'a': must be a whole number or must be a number",
        ),
        (
            {"low": 1, "high": math.inf},
            "tune.space[0].high = inf: must be a whole number or must be a finite number",
        ),
        ({"low": 1, "high": None}, "tune.space[0].high = None: must not be null"),
        ({"low": 1, "high": 8, "step": 0}, "tune.space[0].step = 0: must be greater than 0"),
        ({"choices": []}, "tune.space[0].choices = []: List should have at least 1 item"),
        ({"choices": [8, [4]]}, "tune.space[0].choices.1 = [4]: must be "),
        (
            {"lo": 1, "high": 8},
            "tune.space[0].lo: unknown key; allowed here: param, low, high, log, step, choices",
        ),
        ({"param": MISSING, "low": 1, "high": 8}, "tune.space[0].param: missing"),
    ],
)
def test_a_bad_value_in_a_line_of_the_space_is_refused_with_its_place(line, message):
    values = {"param": "network.n_layers", **line}
    told = refusal(
        {"tune.space": [{key: value for key, value in values.items() if value is not MISSING}]}
    )
    assert told.startswith(f"params.yaml: {message}")


def dimension(**values: Any) -> Dimension:
    return Dimension(param="network.n_layers", **values)


def test_a_range_holds_both_ends_and_what_lies_between_and_choices_hold_themselves():
    whole, real, choices = (
        dimension(low=2, high=4),
        dimension(low=0.5, high=2.0),
        dimension(choices=[8, "auto"]),
    )
    assert [whole.holds(value) for value in (1, 2, 3, 4, 5, "auto", [3])] == [
        False,
        *[True] * 3,
        *[False] * 3,
    ]
    assert [real.holds(value) for value in (0.4, 0.5, 1, 2.0, 2.1)] == [False, *[True] * 3, False]
    assert [choices.holds(value) for value in (8, "auto", 9)] == [True, True, False]
    assert (whole.ends, real.ends, choices.ends) == ([2, 4], [0.5, 2.0], [8, "auto"])


ALLOWED_BOUNDS = [
    *[("seed", value) for value in (0, 2**31 - 1)],
    *[("network.code_size", value) for value in ("auto", 1)],
    *[("models.sparse.network.code_size", value) for value in (1, 65_536)],
    *[("network.n_layers", value) for value in (0, 32)],
    *[("network.nodes_per_layer", value) for value in (1, 65_536, [1, 1])],
    *[("train.epochs", value) for value in (1, 1_000_000)],
    *[("train.learning_rate", value) for value in (5e-324, 10, 10.0)],
    *[("train.warmup", value) for value in (0, 0.999)],
    *[("train.patience", value) for value in (0, 10**9)],
    *[("models.denoising.level", value) for value in (0, 1)],
    *[("models.sparse.weight", value) for value in (0, 0.0)],
    *[("evaluate.bootstrap_samples", value) for value in (100, 100_000)],
    *[("evaluate.figure_columns", value) for value in (2, 50)],
    *[("tune.n_trials", value) for value in ("auto", 0, 1_000_000)],
    *[("tune.minutes", value) for value in (0, 0.5, 1_000_000)],
    *[("tune.epochs", value) for value in ("auto", "full", 1, 1_000_000)],
    *[("tune.workers", value) for value in (1, 1024)],
    ("rate_distortion.code_sizes", [1, 65_536]),
    *[("registry.promote", value) for value in ("auto", True, False)],
    *[("train.trim", value) for value in ("auto", 0, 0.5)],
    *[("data.image_side", value) for value in ("auto", 2, 4096)],
    *[
        ("data.split", value)
        for value in ("random", "time:when", "column:part", "column:with: colon")
    ],
    *[("data.sha256", value) for value in ("", "0" * 64)],
]


@pytest.mark.parametrize(("key", "value"), ALLOWED_BOUNDS)
def test_the_bounds_themselves_are_allowed(key, value):
    assert checked({key: value}).model_dump(exclude_unset=True) == edited({key: value})


# keys


@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("learning_rate", list(Params.model_fields)),
        ("optimizer", list(Params.model_fields)),
        ("data.shuffle", list(Data.model_fields)),
        ("network.dropout", list(Network.model_fields)),
        ("train.momentum", list(Train.model_fields)),
        ("models.adversarial", MODEL_TYPES),
        ("models.undercomplete.weight", ["network", "train"]),
        ("models.sparse.beta", ["network", "train", "penalty", "weight", "sparsity", "k"]),
        ("models.sparse.network.dropout", list(Network.model_fields)),
        ("models.denoising.train.momentum", list(Train.model_fields)),
        ("tune.trials", list(Tune.model_fields)),
        ("rate_distortion.epochs", ["code_sizes", "seeds", "workers"]),
        ("evaluate.metric", ["seed", "bootstrap_samples"]),
        ("registry.alias", ["promote"]),
    ],
)
def test_an_unknown_key_is_refused_with_the_keys_that_are_allowed_there(key, allowed):
    (line,) = refusal({key: 1}).splitlines()
    assert line.startswith(f"params.yaml: {key}: unknown key; allowed here: {', '.join(allowed)}")


@pytest.mark.parametrize(
    ("right", "misspelt"),
    [
        ("data.missing", "data.misssing"),
        ("train.learning_rate", "train.learningrate"),
        ("models.sparse.sparsity", "models.sparse.sparcity"),
    ],
)
def test_a_misspelt_key_is_refused_with_the_likely_one(right, misspelt):
    (line,) = refusal({right: MISSING, misspelt: value_in_file(right)}).splitlines()
    assert line.startswith(f"params.yaml: {misspelt}: unknown key; allowed here: ")
    assert line.endswith(f"; did you mean {right.rpartition('.')[2]}?")


@pytest.mark.parametrize(
    ("right", "misspelt"),
    [("train", "trian"), ("evaluate", "evalute"), ("data.name", "data.nmae")],
)
def test_a_misspelt_key_that_must_be_there_is_refused_with_the_gap_that_it_leaves(right, misspelt):
    lines = refusal({right: MISSING, misspelt: value_in_file(right)}).splitlines()
    assert f"params.yaml: {right}: missing; params.yaml must hold it" in lines
    (unknown,) = [line for line in lines if line.startswith(f"params.yaml: {misspelt}: unknown")]
    assert unknown.endswith(f"; did you mean {right.rpartition('.')[2]}?")


def test_a_misspelt_type_is_refused_with_the_likely_one():
    section = TREE["models"]["contractive"]
    (line,) = refusal({"models.contractive": MISSING, "models.contractiv": section}).splitlines()
    assert line.startswith(
        "params.yaml: models.contractiv: unknown key; allowed here: undercomplete, "
    )
    assert line.endswith("; did you mean contractive?")


@pytest.mark.parametrize("key", NEEDED_BY_DVC)
def test_a_key_that_dvc_yaml_names_must_be_there(key):
    assert refusal({key: MISSING}).splitlines() == [
        f"params.yaml: {key}: missing; params.yaml must hold it"
    ]


def test_a_search_space_must_be_there():
    assert refusal({"tune.space": MISSING}) == (
        "params.yaml: tune.space: missing; params.yaml must hold it"
    )


def test_every_other_value_of_the_file_is_the_default():
    """Where a type's own values are left out, the type is still trained."""
    least = parsed(dict.fromkeys(set(dotted(TREE)) - set(NEEDED), MISSING))
    assert least == load_params(FILE)


def test_every_default_is_what_the_same_value_in_the_file_gives():
    """A default is not validated: 0 instead of 0.0 would arrive as a whole number."""
    params = load_params(FILE)
    written = Params.model_validate(params.model_dump(exclude_none=True))
    assert repr(written.model_dump()) == repr(params.model_dump())


def test_a_key_that_is_no_text_is_refused():
    with pytest.raises(ParameterError, match=r"^params.yaml: 3 .*Keys should be strings$"):
        parse_params(f"{TEXT}\n3: 4\n")


def test_all_mistakes_are_told_at_once():
    lines = refusal({"seed": -1, "train.epochs": 0, "models.sparse.k": 0}).splitlines()
    assert [line.split(" = ")[0] for line in lines] == [
        "params.yaml: seed",
        "params.yaml: train.epochs",
        "params.yaml: models.sparse.k",
    ]


# values that don't fit together

N_FEATURES = 64  # of the digits
DIGITS = {"data.name": "digits", "data.scaling": "pixels"}
MISFITS = [
    (
        {"network.code_size": N_FEATURES},
        ["network.code_size = 64: must be below the data's 64 features for undercomplete"],
    ),
    (
        {"network.code_size": 1000},
        ["network.code_size = 1000: must be below the data's 64 features"],
    ),
    (
        {"models.undercomplete.network.code_size": N_FEATURES},
        ["models.undercomplete.network.code_size = 64: must be below the data's 64 features"],
    ),
    (
        {"network.loss": "bce", "data.scaling": "standard"},
        [
            "network.loss = bce: needs data in [0, 1], but data.scaling = standard",
            "choose mse, l1 or auto",
        ],
    ),
    (
        {"network.loss": "bce", "data.scaling": "none"},
        [
            "network.loss = bce: needs data in [0, 1], but data.scaling = none",
            "data.scaling: pixels",
        ],
    ),
    (
        {"models.variational.network.loss": "bce", "data.scaling": "none"},
        ["models.variational.network.loss = bce: needs data in [0, 1], but data.scaling = none"],
    ),
    (
        {"network.nodes_per_layer": [64, 32, 16], "network.n_layers": 2},
        [
            "network.nodes_per_layer = [64, 32, 16]: has 3 numbers, but network.n_layers = 2",
            "one number a layer",
        ],
    ),
    (
        {"network.nodes_per_layer": [], "network.n_layers": 1},
        ["network.nodes_per_layer = []: has 0 numbers, but network.n_layers = 1"],
    ),
    (
        {"models.denoising.network.nodes_per_layer": [64], "network.n_layers": 2},
        [
            "models.denoising.network.nodes_per_layer = [64]: has 1 numbers",
            "but network.n_layers = 2",
        ],
    ),
    (
        {
            "network.nodes_per_layer": [64, 32],
            "network.n_layers": 2,
            "models.sparse.network.n_layers": 3,
        },
        [
            "network.nodes_per_layer = [64, 32]: has 2 numbers",
            "but models.sparse.network.n_layers = 3",
        ],
    ),
    (
        {"network.nodes_per_layer": [32, 64], "network.n_layers": 2},
        ["network.nodes_per_layer = [32, 64]: must not rise towards the code"],
    ),
    (
        {
            "models.sparse.penalty": "top_k",
            "models.sparse.k": 9,
            "models.sparse.network.code_size": 8,
        },
        ["models.sparse.k = 9: must be at most the code size, 8"],
    ),
    (
        {"models.sparse.penalty": "top_k", "models.sparse.k": 9, "network.code_size": "auto"},
        ["models.sparse.k = 9: must be at most the code size, 8"],
    ),
    (
        {
            "models.sparse.encoding": "top_k",
            "models.sparse.encoding_k": 9,
            "models.sparse.network.code_size": 8,
        },
        ["models.sparse.encoding_k = 9: must be at most the code size, 8"],
    ),
    (
        {"models.sparse.penalty": "kl", "models.sparse.network.code_activation": "relu"},
        [
            "models.sparse.network.code_activation = relu: must be sigmoid",
            "where models.sparse.penalty = kl",
        ],
    ),
    (
        {
            "models.sparse.penalty": "kl",
            "models.sparse.network": MISSING,
            "network.code_activation": "identity",
        },
        ["network.code_activation = identity: must be sigmoid where models.sparse.penalty = kl"],
    ),
    (
        {"models.contractive.jacobian": "closed_form", "network.n_layers": 2},
        [
            "models.contractive.jacobian = closed_form: needs an encoder of one layer",
            "(network.n_layers = 0)",
            "has 2 hidden layers; choose auto, exact or estimate",
        ],
    ),
    (
        {"models.contractive.jacobian": "closed_form", "models.contractive.network.n_layers": 1},
        [
            "models.contractive.jacobian = closed_form: needs an encoder of one layer",
            "(models.contractive.network.n_layers = 0), but it has 1 hidden layers",
        ],
    ),
    (
        {"network.code_activation": "relu", "models.sparse.network.code_activation": "sigmoid"},
        ["network.code_activation = relu: must be identity for variational"],
    ),
    (
        {"models.variational.network.code_activation": "tanh"},
        ["models.variational.network.code_activation = tanh: must be identity for variational"],
    ),
    (
        {"models.denoising.clip": True, "data.scaling": "standard"},
        [
            "models.denoising.clip = True: needs data in [0, 1], but data.scaling = standard",
            "; choose false, or data",
        ],
    ),
    (
        {"network.tied": True, "network.kind": "conv"},
        ["network.tied = True: needs network.kind: mlp, and a type with one number a code unit"],
    ),
    (
        {"network.tied": True},
        ["network.tied = True: needs network.kind: mlp, and a type with one"],
    ),  # variational
    (
        {"models.variational.importance_samples": 5},
        [
            "models.variational.importance_samples = 5: needs a bound with beta = 1",
            "but models.variational.beta = 0.1",
        ],
    ),
    ({"models": {}}, [f"models: no type to train; name some of {', '.join(MODEL_TYPES)}"]),
]


@pytest.mark.parametrize(("values", "parts"), MISFITS)
def test_values_that_do_not_fit_are_refused_with_both_keys_and_a_way_out(values, parts):
    message = refusal(DIGITS | values)
    assert message.startswith(parts[0])
    assert all(part in message for part in parts)


FITTING = [
    {"network.code_size": N_FEATURES - 1},
    {"models.undercomplete": MISSING, "network.code_size": N_FEATURES},
    {"models.sparse.penalty": "kl", "models.sparse.k": 1000},
    {"models.sparse.penalty": "l1", "models.sparse.network.code_activation": "relu"},
    {"models.sparse.penalty": "top_k", "models.sparse.k": 8, "models.sparse.network.code_size": 8},
    {"models.contractive.jacobian": "closed_form", "models.contractive.network.n_layers": 0},
    {"network.nodes_per_layer": [64, 64], "network.n_layers": 2},
    {"network.nodes_per_layer": [], "network.n_layers": 0},
    {"network.loss": "mse", "data.scaling": "standard"},
    {"network.loss": "auto", "data.scaling": "none"},
    {"network.loss": "bce", "data.scaling": "auto"},
    {"models.denoising.clip": True},
    {"models.sparse.network.tied": True},
    {"models.variational.importance_samples": 5, "models.variational.beta": 1.0},
    {"train.augment": 1.0},
]


@pytest.mark.parametrize("values", FITTING)
def test_what_only_looks_like_a_misfit_is_allowed(values):
    assert checked(DIGITS | values).model_dump(exclude_unset=True) == edited(DIGITS | values)


# files that aren't one

BROKEN_TEXT = [
    (TEXT.replace("  name: ", "\tname: ", 1), ["cannot start any token", "line", "column 1"]),
    (TEXT.replace("seed: 1", "seed: [1", 1), ["not valid YAML", "line"]),
    (TEXT.replace("seed: 1", 'seed: "1', 1), ["not valid YAML", "line"]),
    (f"{TEXT}\nseed: 2\n", ['duplicate key "seed"', "line"]),
    (
        TEXT.replace("  epochs:", "  batch_size: 3\n  epochs:", 1),
        ['duplicate key "batch_size"', "line"],
    ),
    (f"{TEXT}---\nseed: 1\n", ["not valid YAML", "another document"]),
    (TEXT.replace("seed: 1", "seed: *missing", 1), ["undefined alias 'missing'", "line"]),
    (
        TEXT.replace("seed: 1", "seed: !!python/name:os.system x", 1),
        ["not valid YAML", "os.system", "line"],
    ),
    (TEXT.replace("seed: 1", "seed: 2024-99-99", 1), ["not valid YAML", "month"]),
    (TEXT.replace("seed: 1", f"seed: {'1' * 5000}", 1), ["not valid YAML", "5000 digits"]),
    ("seed: \x00\n", ["not valid YAML", "#x0000"]),
    ("", [f"must be a mapping of sections ({', '.join(Params.model_fields)})"]),
    ("# nothing\n", ["must be a mapping of sections"]),
    ("- seed: 1\n", ["must be a mapping of sections"]),
    ("digits", ["must be a mapping of sections"]),
]


@pytest.mark.parametrize(("text", "parts"), BROKEN_TEXT)
def test_a_text_that_is_no_mapping_in_yaml_is_refused_with_file_and_place(text, parts):
    with pytest.raises(ParameterError) as caught:
        parse_params(text, name="some/params.yaml")
    assert str(caught.value).startswith("some/params.yaml: ")
    assert all(part in str(caught.value) for part in parts)


def test_a_syntax_error_is_told_with_the_line_in_which_it_stands():
    lines = TEXT.splitlines()
    (place,) = [number for number, line in enumerate(lines, 1) if line.startswith("  name: ")]
    with pytest.raises(ParameterError, match=rf"line {place}, column 1$"):
        parse_params(TEXT.replace("  name: ", "\tname: ", 1))


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_a_file_in_another_encoding_is_refused_with_the_first_bad_byte(tmp_path, encoding):
    path = tmp_path / "params.yaml"
    text = f"# größe\n{TEXT}"
    path.write_bytes(text.encode(encoding))
    first_bad = {"utf-16": 0, "latin-1": text.index("ö")}[encoding]
    with pytest.raises(
        ParameterError, match=f"params.yaml: not UTF-8 text .* at byte {first_bad}"
    ) as caught:
        load_params(path)
    assert str(caught.value).startswith(str(path))


def test_a_binary_file_is_refused(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(bytes(range(256)))
    with pytest.raises(ParameterError, match="not UTF-8 text"):
        load_params(path)


def test_a_missing_file_is_refused_with_its_path_and_what_to_do(tmp_path):
    path = tmp_path / "params.yaml"
    with pytest.raises(ParameterError) as caught:
        load_params(path)
    assert str(caught.value).startswith(f"{path}: no such file")
    assert "repository's root" in str(caught.value)


def test_a_bad_value_in_a_file_is_refused_with_the_files_path(tmp_path):
    path = tmp_path / "other.yaml"
    path.write_text(TEXT.replace("learning_rate: ", "learning_rate: -", 1), encoding="utf-8")
    with pytest.raises(ParameterError) as caught:
        load_params(path)
    rate = TREE["train"]["learning_rate"]
    assert str(caught.value).startswith(f"{path}: train.learning_rate = -{rate}: ")


def test_a_byte_order_mark_and_windows_line_ends_are_no_mistake(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes(TEXT.replace("\n", "\r\n").encode("utf-8-sig"))
    assert load_params(path) == load_params(FILE)


# overriding


def test_override_replaces_one_value_and_leaves_the_original():
    params = load_params(FILE)
    changed = params.override({"train.patience": 51})
    assert changed.model_dump(exclude_unset=True) == edited({"train.patience": 51})
    assert params.model_dump(exclude_unset=True) == TREE


def test_override_reaches_into_a_section_that_the_file_does_not_have():
    without = parsed({"models.variational.network": MISSING})
    changed = without.override({"models.variational.network.code_size": 3})
    assert changed.model_dump(exclude_unset=True) == edited(
        {"models.variational.network": {"code_size": 3}}
    )


def test_overriding_nothing_gives_equal_parameters():
    assert load_params(FILE).override({}) == load_params(FILE)


@pytest.mark.parametrize(
    ("key", "value", "parts"),
    [
        (
            "train.epochs",
            0,
            ["train.epochs = 0: must be 'auto' or must be greater than or equal to 1"],
        ),
        ("train.epochs", 1.5, ["train.epochs = 1.5: must be 'auto' or must be a whole number"]),
        ("train.epoch", 5, ["train.epoch: unknown key", "did you mean epochs?"]),
        ("trian.epochs", 5, ["trian: unknown key", "did you mean train?"]),
        ("models.sparse.network.code_size", 0, ["models.sparse.network.code_size = 0"]),
        (
            "models.adversarial.weight",
            1,
            ["models.adversarial: unknown key", "undercomplete, sparse"],
        ),
        ("seed.value", 1, ["seed.value: seed = ", "is a value, not a section"]),
        ("train.epochs.first", 1, ["train.epochs.first: epochs = ", "is a value, not a section"]),
    ],
)
def test_override_is_validated_like_the_file(key, value, parts):
    with pytest.raises(ParameterError) as caught:
        load_params(FILE).override({key: value})
    assert all(part in str(caught.value) for part in parts)


@every_type
def test_a_studys_values_win_over_the_types_own_and_leave_the_other_types(kind):
    params = load_params(FILE).override(
        {f"models.{kind}.network.activation": "gelu", f"models.{kind}.train.warmup": 0.5}
    )
    values = {"network.activation": "tanh", "network.code_size": 5, "train.learning_rate": 0.01}
    tuned = params.with_tuned(kind, values)
    assert tuned.network_of(kind) == params.network_of(kind).model_copy(
        update={"activation": "tanh", "code_size": 5}
    )
    assert tuned.train_of(kind) == params.train_of(kind).model_copy(update={"learning_rate": 0.01})
    for other in set(MODEL_TYPES) - {kind}:
        assert tuned.type_section(other) == params.type_section(other)
    assert tuned.model_copy(update={"models": params.models}) == params


def test_a_studys_values_of_the_type_itself_are_taken_and_none_change_nothing():
    params = load_params(FILE)
    tuned = params.with_tuned("variational", {"models.variational.warmup": 0.25})
    assert tuned.models.variational == params.type_section("variational").model_copy(
        update={"warmup": 0.25}
    )
    assert params.with_tuned("variational", {}) == params


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"network.code_size": 0}, "models.sparse: network.code_size = 0: must be "),
        (
            {"train.learning_rate": "fast"},
            "models.sparse: train.learning_rate = 'fast': must be a number",
        ),
        ({"network.dropout": 1}, "models.sparse: network.dropout: unknown key"),
        ({"models.variational.warmup": 0.5}, "models.sparse: models: unknown key"),
        ({"seed": 2}, "models.sparse: seed: unknown key"),
    ],
)
def test_a_studys_values_are_validated_like_the_file(values, message):
    with pytest.raises(ParameterError) as caught:
        load_params(FILE).with_tuned("sparse", values)
    assert str(caught.value).startswith(message)


@every_type
def test_a_types_sections_replace_the_common_values_for_that_type_alone(kind):
    params = load_params(FILE)
    changed = params.override(
        {f"models.{kind}.network.activation": "gelu", f"models.{kind}.train.epochs": 7}
    )
    assert changed.network_of(kind) == params.network_of(kind).model_copy(
        update={"activation": "gelu"}
    )
    assert changed.train_of(kind) == params.train_of(kind).model_copy(update={"epochs": 7})
    for other in set(MODEL_TYPES) - {kind}:
        assert changed.network_of(other) == params.network_of(other)
        assert changed.train_of(other) == params.train_of(other)


def test_a_type_without_a_section_is_not_trained_and_is_refused_by_name():
    params = parsed({"models.sparse": MISSING})
    rest = [kind for kind in MODEL_TYPES if kind != "sparse"]
    assert params.model_types == rest
    with pytest.raises(
        ParameterError, match=f"^models.sparse: not in params.yaml; it has {', '.join(rest)}$"
    ):
        params.type_section("sparse")


# resolving and flattening


@every_type
@pytest.mark.parametrize("shape", [(), (8, 8)])
def test_every_auto_that_has_a_rule_is_resolved_and_every_other_value_is_kept(kind, shape):
    params, fit = load_params(FILE), DataFacts(64, unit_interval=True, shape=shape, rows=1000)
    asked = params.network_of(kind).model_dump() | params.train_of(kind).model_dump()
    found = params.plan(kind, fit).network.model_dump() | params.plan(kind, fit).train.model_dump()
    assert {name for name, value in found.items() if value == "auto"} == {
        "precision",
        "threads",
        "strategy",
    }  # machine's
    assert {key: found[key] for key, value in asked.items() if value != "auto"} == {
        key: value for key, value in asked.items() if value != "auto"
    }


@pytest.mark.parametrize("name", SOURCES)
def test_the_automatic_code_size_is_the_root_of_the_data_sets_features(name):
    params = parsed({"data.name": name, "network.code_size": "auto"})
    rows, columns = SOURCES[name].shape
    code_size = params.plan("variational", known_facts(params.data)).architecture.code_size
    assert code_size == rows == columns


@pytest.mark.parametrize(("unit_interval", "loss"), [(True, "bce"), (False, "mse")])
def test_the_automatic_loss_of_images_is_cross_entropy_in_the_unit_interval_alone(
    unit_interval, loss
):
    params = parsed({"network.loss": "auto"})
    facts = DataFacts(N_FEATURES, unit_interval, shape=(8, 8))
    assert params.plan("denoising", facts).architecture.loss == loss


@pytest.mark.parametrize("scaling", get_args(Data.model_fields["scaling"].annotation))
def test_only_pixels_scaling_promises_data_in_the_unit_interval(scaling):
    assert known_facts(parsed({"data.scaling": scaling}).data).unit_interval == (
        scaling in ("auto", "pixels")
    )


@every_type
def test_the_architecture_is_the_types_network(kind):
    network = {
        "code_size": 5,
        "n_layers": 3,
        "nodes_per_layer": 40,
        "loss": "l1",
        "activation": "tanh",
    }
    params = load_params(FILE).override(
        {f"models.{kind}.network.{key}": value for key, value in network.items()}
    )
    architecture = params.plan(kind, DataFacts(50, unit_interval=True)).architecture
    assert (architecture.n_features, architecture.code_size) == (50, 5)
    assert architecture.widths == layer_widths(3, 40, 5)
    assert (architecture.loss, architecture.activation) == ("l1", "tanh")
    assert architecture.code_activation == "identity"


@every_type
def test_flattened_parameters_hold_each_value_of_the_type_once_by_its_dotted_name(kind):
    params = load_params(FILE)
    fields = set(type(params.type_section(kind)).model_fields) - {"network", "train"}
    own = {f"models.{kind}.{name}" for name in fields}
    common = {f"network.{name}" for name in Network.model_fields}
    common |= {f"train.{name}" for name in Train.model_fields}
    assert (
        set(params.plan(kind, known_facts(params.data)).flat())
        == {"kind", "goal", "seed", "widths"} | common | own
    )


@every_type
def test_flattened_parameters_are_what_the_type_is_trained_with(kind):
    overrides = {
        "train.batch_size": 17,
        "network.n_layers": 5,
        "network.code_size": "auto",
        "network.loss": "auto",
    }
    params = load_params(FILE).override(
        {f"models.{kind}.{key}": value for key, value in overrides.items()}
    )
    flat = params.plan(kind, known_facts(params.data)).flat()
    architecture = params.plan(kind, known_facts(params.data)).architecture
    assert (flat["kind"], flat["seed"]) == (kind, params.seed)
    assert (flat["train.batch_size"], flat["network.n_layers"], len(architecture.widths)) == (
        17,
        5,
        5,
    )
    assert (flat["network.code_size"], flat["network.loss"]) == (
        architecture.code_size,
        architecture.loss,
    )
    assert flat["widths"] == list(architecture.widths)
    assert flat["network.activation"] == architecture.activation
    own = params.plan(kind, known_facts(params.data)).type_values
    assert {name: flat[f"models.{kind}.{name}"] for name in own} == own
    machine = {
        f"train.{name}" for name in ("precision", "threads", "strategy")
    }  # where the training runs decides
    assert {key for key, value in flat.items() if value == "auto"} <= {
        "models.contractive.jacobian",
        *machine,
    }
    assert json.loads(json.dumps(flat)) == flat


@every_type
def test_flattened_parameters_of_a_type_do_not_change_with_another_types(kind):
    params = load_params(FILE)
    others = {f"models.{other}.train.epochs": 3 for other in MODEL_TYPES if other != kind}
    fit = known_facts(params.data)
    assert params.override(others).plan(kind, fit).flat() == params.plan(kind, fit).flat()
    assert (
        params.override({f"models.{kind}.train.epochs": 3}).plan(kind, fit).flat()
        != params.plan(kind, fit).flat()
    )


@pytest.mark.parametrize("value", ["compress", "reconstruct"])
def test_the_earlier_name_of_the_objective_says_the_present_one(value):
    with pytest.raises(ParameterError) as caught:
        parsed({"tune.goal": value})
    message = str(caught.value)
    assert "tune.goal: is now tune.objective: " in message
    assert "smallest_code (was compress) or smallest_error (was reconstruct)" in message


@every_type
def test_a_linear_path_may_be_asked_for_before_the_data_is_read(kind):
    params = parsed({"data.path": "table.csv", "network.linear_path": True})
    params.override({"models.sparse.penalty": "l1"}).check(None)
    assert params.network_of(kind).linear_path is True


# the studies' settings


@pytest.mark.parametrize("anomaly_labels", [True, False])
@pytest.mark.parametrize("shape", [(), (8, 8)])
def test_the_automatic_number_of_trials_is_none_where_the_goal_is_anomaly(
    params, anomaly_labels, shape
):
    facts = DataFacts(64, unit_interval=True, shape=shape, anomaly_labels=anomaly_labels)
    auto = params.override({"tune.n_trials": "auto"})
    assert auto.study(facts).n_trials == (0 if anomaly_labels else defaults.TRIALS)
    for goal, n_trials in (("reconstruct", defaults.TRIALS), ("anomaly", 0)):
        assert auto.override({"goal": goal}).study(facts).n_trials == n_trials
        given = auto.override({"goal": goal, "tune.n_trials": 7})
        assert given.study(facts).n_trials == 7


def test_a_studys_other_settings_are_those_of_the_file(params):
    settings = params.study(DataFacts(64, unit_interval=True))
    assert settings.model_dump(exclude={"n_trials"}) == params.tune.model_dump(exclude={"n_trials"})


@pytest.mark.parametrize(("epochs", "of_trial"), [(1, 1), (5, 1), (6, 2), (100, 20), (101, 21)])
def test_the_automatic_epochs_of_a_trial_are_a_fifth_rounded_up(epochs, of_trial):
    assert defaults.trial_epochs(epochs) == of_trial
