"""Splits: which rows they take and in which order; settings that don't fit the table."""

import json
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
import pytest

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.prepare import prepare
from autoencoders.data.preparation.splits import (
    SMALLEST_SPLIT,
    masks_by_name,
    masks_by_order,
    row_order,
    split_masks,
)
from autoencoders.data.prepared.prepared import SPLITS, load_prepared
from autoencoders.data.readers import reader
from autoencoders.params.params import Params
from contents import GOOD, N
from intake import Intake, csv, numbered, numbers

# --- orders and masks ---


def test_splits_take_their_rows_in_order_test_then_validation_then_training(params: Params):
    data = params.override({"data.test_fraction": 0.2, "data.validation_fraction": 0.25}).data
    order = np.random.default_rng(0).permutation(100)
    masks = masks_by_order(data, order, 0)
    assert list(masks) == list(SPLITS)
    assert set(np.flatnonzero(masks["test"])) == set(order[:20])
    assert set(np.flatnonzero(masks["validation"])) == set(order[20:40])
    assert set(np.flatnonzero(masks["train"])) == set(order[40:])


def test_the_publishers_test_rows_come_first_and_are_the_test_split(params: Params):
    data = params.override({"data.test_fraction": 0.5, "data.validation_fraction": 0.25}).data
    order = row_order(data, 100, pd.Series(dtype=object), 20)
    assert order[:20].tolist() == list(range(80, 100))
    assert sorted(order[20:]) == list(range(80))
    masks = masks_by_order(data, order, 20)
    assert np.flatnonzero(masks["test"]).tolist() == list(range(80, 100))
    assert masks["validation"].sum() == 0.25 * 80


def test_a_random_order_depends_on_the_seed_alone(params: Params):
    orders = []
    for seed in (1, 1, 2):
        data = params.override({"data.split_seed": seed}).data
        orders.append(row_order(data, 100, pd.Series(dtype=object), 0).tolist())
    assert orders[0] == orders[1] != orders[2]
    assert sorted(orders[0]) == list(range(100))


def test_an_order_in_time_has_the_latest_rows_first(params: Params):
    data = params.override({"data.split": "time:when"}).data
    times = pd.Series(["2020-03-01", "2020-01-01", "2020-02-01"])
    assert row_order(data, 3, times, 0).tolist() == [0, 2, 1]


def test_masks_by_name_are_the_rows_that_carry_it():
    masks = masks_by_name("column:part", pd.Series(["test", "train", "test", "validation"]))
    assert {split: mask.tolist() for split, mask in masks.items()} == {
        "train": [False, True, False, False],
        "validation": [False, False, False, True],
        "test": [True, False, True, False],
    }


@pytest.mark.parametrize("protocol", ["split", "transductive"])
def test_each_split_needs_two_rows(params: Params, protocol: str):
    values = {"protocol": protocol, "test_fraction": 0.25, "validation_fraction": 0.5}
    data = params.override({f"data.{name}": value for name, value in values.items()}).data
    no_column = pd.Series(dtype=object)
    masks = split_masks(data, 8, no_column, 0)
    assert min(mask.sum() for mask in masks.values()) >= SMALLEST_SPLIT
    with pytest.raises(DataError, match=r"^2 rows leave \d for \w+, which needs 2"):
        split_masks(data, 2, no_column, 0)


# --- the splits of prepared data ---


@pytest.mark.parametrize("size", [100, 2**23])
def test_the_splits_are_disjoint_and_together_all_rows_with_their_own_labels(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, size: int
):
    monkeypatch.setattr(reader, "BATCH_BYTES", size)
    intake.array("X.npy", numbered(500))
    intake.array("y.npy", np.arange(500) % 7)
    prepared = intake.load(intake.source)
    split = {name: numbers(prepared, name) for name in SPLITS}
    assert sorted(chain(*split.values())) == list(range(500))
    for name in SPLITS:
        np.testing.assert_array_equal(prepared.labels[name], np.array(split[name]) % 7)
    assert prepared.description.labels == tuple("0123456")
    assert not prepared.description.anomaly_labels


@pytest.mark.parametrize(("test", "validation"), [(0.2, 0.15), (0.5, 0.5), (0.01, 0.9)])
def test_the_fractions_are_of_all_rows_for_test_and_of_the_others_for_validation(
    intake: Intake, test: float, validation: float
):
    prepared = intake.load(
        intake.array("a.npy", numbered(1000)), test_fraction=test, validation_fraction=validation
    )
    n_test = 1000 * test
    n_validation = (1000 - n_test) * validation
    expected = {"train": 1000 - n_test - n_validation, "validation": n_validation, "test": n_test}
    assert prepared.description.rows == {name: pytest.approx(n) for name, n in expected.items()}


def test_the_split_is_random_and_the_rows_of_each_split_stay_in_order(intake: Intake):
    prepared = intake.load(intake.array("a.npy", numbered(500)))
    for name in SPLITS:
        steps = np.diff(numbers(prepared, name))
        assert steps.min() >= 1
        assert steps.max() > 1  # not a block of neighbours


def test_another_split_seed_gives_another_split_of_the_same_sizes(intake: Intake):
    path = intake.array("a.npy", numbered(500))
    first, second = (intake.load(path, split_seed=seed).description for seed in (1, 2))
    assert first.split_sha256 != second.split_sha256
    assert first.content_sha256 != second.content_sha256
    assert first.rows == second.rows


def test_other_rows_or_columns_of_the_same_number_are_another_split(intake: Intake):
    rows = pd.DataFrame(numbered(100)).add_prefix("x")
    loads = [(rows, {}), (rows[::-1], {}), (rows, {"ignore": ["x1"]}), (rows + 1, {})]
    hashes = set()
    for i, (frame, settings) in enumerate(loads):
        values: dict[str, list[Any]] = {
            str(name): column.tolist() for name, column in frame.items()
        }
        path = intake.file(f"{i}.csv", csv(values))
        hashes.add(intake.load(path, **settings).description.split_sha256)
    assert len(hashes) == len(loads)


@pytest.mark.parametrize(
    "times",
    [
        [f"{2000 + i}-01-01" for i in range(100)],
        [f"2020-01-01 00:{i // 60:02}:{i % 60:02}" for i in range(100)],
        list(range(100)),
    ],
    ids=["dates", "times", "numbers"],
)
def test_a_split_by_time_tests_on_the_last_rows_and_validates_on_those_before(
    intake: Intake, times: list[Any]
):
    order = np.random.default_rng(3).permutation(100)
    values = {"n": order.tolist(), "when": [times[i] for i in order]}
    prepared = intake.load(
        intake.file("a.csv", csv(values)), split="time:when", test_fraction=0.2, keep=["n", "when"]
    )
    assert sorted(numbers(prepared, "test")) == list(range(80, 100))
    n_validation = prepared.description.rows["validation"]
    assert sorted(numbers(prepared, "validation")) == list(range(80 - n_validation, 80))
    assert sorted(numbers(prepared, "train")) == list(range(80 - n_validation))
    assert prepared.description.schema.features == ["n"]  # the time is no feature


@pytest.mark.parametrize(
    "times",
    [[f"{2020 + i // 12}-{i % 12 + 1:02}-01" for i in range(100)], [str(i) for i in range(100)]],
    ids=["dates", "numbers"],
)
def test_times_in_text_are_ordered_by_what_they_mean(intake: Intake, times: list[str]):
    path = intake.source / "a.parquet"
    pd.DataFrame({"n": range(100), "when": times}).sample(frac=1, random_state=0).to_parquet(
        path, index=False
    )
    prepared = intake.load(path, split="time:when", test_fraction=0.2, keep=["n", "when"])
    assert sorted(numbers(prepared, "test")) == list(range(80, 100))


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([f"12/{i % 12 + 1:02}/2023" for i in range(100)], "it may be %d/%m/%Y or %m/%d/%Y"),
        ([f"week {i}" for i in range(100)], "write ISO dates"),
    ],
)
def test_text_whose_order_in_time_is_unknown_is_refused(
    intake: Intake, texts: list[str], reason: str
):
    path = intake.file("a.csv", csv({"n": list(range(100)), "when": texts}))
    message = intake.refusal(path, split="time:when", keep=["n"])
    assert message.startswith("data.split = time:when: holds text such as")
    assert reason in message


def test_a_split_by_column_is_the_users(intake: Intake):
    parts = [("train", "validation", "test")[i % 3] for i in range(60)]
    prepared = intake.load(
        intake.file("a.csv", csv({"n": list(range(60)), "part": parts})),
        split="column:part",
        keep=["n"],
    )
    for i, name in enumerate(("train", "validation", "test")):
        assert numbers(prepared, name) == list(range(i, 60, 3))
    assert prepared.description.schema.features == ["n"]


def test_validation_rows_that_are_all_anomalies_are_refused(intake: Intake):
    parts = [("train", "validation", "test")[i % 3] for i in range(60)]
    bad = [int(part == "validation") for part in parts]
    path = intake.file("a.csv", csv({"n": list(range(60)), "part": parts, "bad": bad}))
    message = intake.refusal(
        path, split="column:part", label="bad", label_means="anomaly", keep=["n"]
    )
    assert message.startswith("no validation row is normal (label 0)")


@pytest.mark.parametrize("split", ["random", "column:part"])
def test_transductive_fits_on_all_rows_and_judges_on_them(intake: Intake, split: str):
    values: dict[str, list[Any]] = {"n": list(range(60)), "part": [*SPLITS] * 20}
    path = intake.file("a.csv", csv(values))
    ignore = ["part"] if split == "random" else []
    prepared = intake.load(path, protocol="transductive", split=split, ignore=ignore, keep=["n"])
    for name in ("train", "test"):
        assert numbers(prepared, name) == list(range(60))
    assert 2 <= prepared.description.rows["validation"] < 60
    np.testing.assert_allclose(prepared.mean, [np.mean(range(60))])


def test_a_data_sets_own_test_rows_may_fill_whole_batches(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    """As MNIST's do: a batch without a training row has nothing to survey."""
    monkeypatch.setattr(reader, "BATCH_BYTES", 640)
    images = np.random.default_rng(0).integers(0, 256, (100, 8, 8), np.uint8)
    (intake.raw / "files").mkdir(parents=True)
    np.save(intake.raw / "files" / "X.npy", images)
    (intake.raw / "source.json").write_text(
        json.dumps({"test_rows": 35, "white": 255, "labels": []})
    )
    prepare(intake.raw, intake.prepared, intake.params.data)
    prepared = load_prepared(intake.prepared)
    np.testing.assert_array_equal(prepared.sample("test"), images[65:].reshape(35, 64))
    assert prepared.description.rows["validation"] == round(
        65 * intake.params.data.validation_fraction
    )


# --- settings that don't fit the table: (values, parts of the message) ---


SETTINGS: dict[str, tuple[dict[str, Any], list[str]]] = {
    "a split column that does not exist": (
        {"split": "column:part"},
        ["data.split", "no column part"],
    ),
    "a time that does not exist": ({"split": "time:when"}, ["data.split", "no column when"]),
    "a split column of other values": (
        {"split": "column:colour"},
        ["data.split = column:colour: holds 'red', allowed: train, validation, test"],
    ),
    "a split column without test rows": ({"split": "column:part"}, ["rows leave 0 for test"]),
    "a split column with a gap": (
        {"split": "column:gap"},
        ["data.split = column:gap: row 5 has no value"],
    ),
    "a time with a gap": ({"split": "time:when"}, ["data.split = time:when", "row 5"]),
    "hardly any test rows": (
        {"test_fraction": 0.001},
        ["240 rows leave 0 for test, which needs 2"],
    ),
    "hardly any validation rows": (
        {"validation_fraction": 0.001},
        ["240 rows leave 0 for validation"],
    ),
    "hardly any training rows": ({"validation_fraction": 0.9999}, ["240 rows leave 0 for train"]),
}
GAP = [None if i == 4 else "train" for i in range(N)]
MORE: dict[str, dict[str, list[Any]]] = {
    "a split column without test rows": {"part": ["train", "validation"] * (N // 2)},
    "a split column with a gap": {"gap": GAP},
    "a time with a gap": {
        "when": [None if i == 4 else f"2020-01-{i % 28 + 1:02}" for i in range(N)]
    },
}


@pytest.mark.parametrize("case", SETTINGS)
def test_a_setting_that_does_not_fit_the_table_is_refused_with_its_key_or_column(
    intake: Intake, case: str
):
    values, parts = SETTINGS[case]
    more = MORE.get(case, {})
    table = {**GOOD, **more}
    written = {name: ["" if v is None else v for v in column] for name, column in table.items()}
    message = intake.refusal(intake.file("a.csv", csv(written)), **values)
    assert all(part in message for part in parts), message
