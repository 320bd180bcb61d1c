"""The schema of a row: features by name, and back to raw columns; its JSON."""

import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st

from autoencoders.data.prepared.schema import (
    LARGEST,
    OTHER,
    Column,
    Schema,
    abridged,
    schema_from,
)

NUMBER, FILLED = Column("length"), Column("width", fill=2.5)
CATEGORY, CONSTANT = Column("colour", ("blue", "red")), Column("unit", ("cm",), constant="cm")
TABLE = Schema((), (NUMBER, CATEGORY, CONSTANT, FILLED))


def test_a_number_is_one_feature_a_category_one_a_value_and_one_for_others_and_a_constant_none():
    assert TABLE.features == ["length", "colour=blue", "colour=red", f"colour={OTHER}", "width"]
    assert TABLE.n_features == len(TABLE.features)
    assert not TABLE.is_image


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 3)])
def test_an_images_features_are_its_pixels_in_the_order_of_the_flat_array(shape: tuple[int, ...]):
    schema = Schema(shape)
    assert schema.is_image
    assert schema.n_features == len(schema.features) == np.prod(shape)
    flat = np.arange(np.prod(shape)).reshape(shape)
    for feature, value in zip(schema.features, flat.ravel(), strict=True):
        position = tuple(map(int, feature.removeprefix("pixel ").split(",")))
        assert flat[position] == value


def test_decoded_features_are_raw_columns_with_the_likeliest_category_and_the_constants():
    features = np.array(
        [[1.5, 0.2, 0.7, 0.1, 8], [2.5, 0.9, 0.7, 0.1, 9], [3.5, 0, 0, 1, 7]], np.float32
    )
    decoded = TABLE.decode(features)
    assert list(decoded) == ["length", "colour", "unit", "width"]
    assert decoded["length"].tolist() == [1.5, 2.5, 3.5]
    assert decoded["colour"].tolist() == ["red", "blue", OTHER]
    assert decoded["unit"].tolist() == ["cm"] * 3
    assert decoded["width"].tolist() == [8, 9, 7]


def test_of_images_the_features_themselves_are_the_rows():
    rows = np.zeros((4, 6))
    assert Schema((2, 3)).decode(rows) is rows


def test_values_by_column_are_sums_over_the_columns_features():
    values = np.random.default_rng(0).normal(size=(7, 5))
    names, sums = TABLE.by_column(values)
    assert names == ["length", "colour", "width"]
    np.testing.assert_allclose(
        sums, np.stack([values[:, 0], values[:, 1:4].sum(1), values[:, 4]], axis=1)
    )
    assert Schema((1, 5)).by_column(values)[1] is values


@pytest.mark.parametrize(
    "schema", [TABLE, Schema((8, 8)), Schema((2, 3, 3)), Schema((), (Column("a", constant=1.0),))]
)
def test_a_schema_comes_back_from_its_json(schema: Schema):
    assert schema_from(json.loads(json.dumps(asdict(schema)))) == schema


def test_some_names_are_the_first_and_how_many_more():
    assert abridged(["a"]) == "a"
    assert abridged(list("abcde")) == "a, b, c, d, e"
    assert abridged(list("abcdefg")) == "a, b, c, d, e and 2 more"
    assert abridged([]) == ""


COLOUR = Column("colour", ("blue", "red"))
IMPUTED = Schema((), (Column("a", fill=2.5), Column("colour", ("blue", "red"), fill="red")))
anything = settings(deadline=None, derandomize=True, database=None)
finite = st.floats(-LARGEST, LARGEST, width=32)


KINDS = [(np.float64, np.int32, np.float32)[i % 3] for i in range(50)]
