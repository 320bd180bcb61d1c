"""Features of raw rows: in closed form, and what is refused."""

import re

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.features import encode, encode_rows
from autoencoders.data.prepared.schema import (
    LARGEST,
    Column,
    Schema,
)
from autoencoders.data.prepared.spelling import Spelling

NUMBER, FILLED = Column("length"), Column("width", fill=2.5)
CATEGORY, CONSTANT = Column("colour", ("blue", "red")), Column("unit", ("cm",), constant="cm")
TABLE = Schema((), (NUMBER, CATEGORY, CONSTANT, FILLED))


COLOUR = Column("colour", ("blue", "red"))
IMPUTED = Schema((), (Column("a", fill=2.5), Column("colour", ("blue", "red"), fill="red")))
anything = settings(deadline=None, derandomize=True, database=None)
finite = st.floats(-LARGEST, LARGEST, width=32)


def test_a_category_is_one_hot_and_an_unknown_one_has_a_place_of_its_own():
    rows = pa.table({"colour": ["red", "green", "blue", "Red"]})
    expected = [[0, 1, 0], [0, 0, 1], [1, 0, 0], [0, 0, 1]]
    np.testing.assert_array_equal(encode(Schema((), (COLOUR,)), rows), expected)


@anything
@given(st.lists(st.tuples(finite, finite), min_size=1, max_size=20))
def test_numbers_are_their_float32_in_the_schemas_order_whatever_the_tables(rows):
    schema = Schema((), (Column("a"), Column("b")))
    a, b = zip(*rows, strict=True)
    table = pa.table(
        {"b": pa.array(b, pa.float64()), "z": ["x"] * len(a), "a": pa.array(a, pa.float64())}
    )
    expected = np.array(rows, np.float32)
    np.testing.assert_array_equal(encode(schema, table), expected)
    np.testing.assert_array_equal(encode(schema, expected.astype(np.float64)), expected)


KINDS = [(np.float64, np.int32, np.float32)[i % 3] for i in range(50)]


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_a_wide_table_of_numbers_is_encoded_as_its_columns_are(missing: float | None):
    """All at once where no value is missing, else column by column."""
    values = np.random.default_rng(0).normal(size=(6, 50))
    parts = [
        pa.table({f"c{i}": pa.array(part[:, i].astype(kind)) for i, kind in enumerate(KINDS)})
        for part in np.split(values * 100, 2)
    ]
    table = pa.concat_tables(parts)  # in chunks
    schema = Schema((), tuple(Column(f"c{i}", fill=0.0) for i in range(50)))
    expected = np.array([table[f"c{i}"].to_pylist() for i in range(50)], np.float32).T
    np.testing.assert_array_equal(encode(schema, table), expected)
    with_gap = table.set_column(0, "c0", pa.array([missing, 1.0, 2.0, 3.0, 4.0, 5.0]))
    expected[:, 0] = [0, 1, 2, 3, 4, 5]
    np.testing.assert_array_equal(encode(schema, with_gap), expected)


@pytest.mark.parametrize(
    "column_type",
    [pa.int8(), pa.uint64(), pa.float32(), pa.float64(), pa.decimal128(30, 2), pa.string()],
)
def test_numbers_of_any_type_are_the_same_features(column_type: pa.DataType):
    rows = pa.table({"a": pa.array([1, 0, 100], pa.int64()).cast(column_type)})
    np.testing.assert_array_equal(encode(Schema((), (Column("a"),)), rows), [[1], [0], [100]])


def test_logical_values_are_0_and_1():
    rows = pa.table({"a": [True, False]})
    np.testing.assert_array_equal(encode(Schema((), (Column("a"),)), rows), [[1], [0]])


@pytest.mark.parametrize("missing", [None, float("nan")])
def test_missing_values_are_filled_where_the_schema_says_with_what(missing: float | None):
    rows = pa.table({"a": pa.array([1, missing], pa.float64()), "colour": [None, ""]})
    np.testing.assert_array_equal(encode(IMPUTED, rows), [[1, 0, 1, 0], [2.5, 0, 1, 0]])


def test_missing_values_are_refused_with_every_column_and_the_rows_counted_from_the_first():
    schema = Schema((), (Column("a"), COLOUR, Column("b", fill=1.0)))
    rows = pa.table(
        {
            "a": [1.0, None, 2, None],
            "colour": ["red", "", "red", "red"],
            "b": [None, None, None, 1.0],
        }
    )
    with pytest.raises(DataError) as caught:
        encode(schema, rows, first=100)
    message = str(caught.value)
    assert message.startswith("missing values in columns a (2: row 102, 104), colour (1: row 102)")
    assert "data.missing: impute" in message


def test_numbers_with_text_between_them_and_gaps_are_encoded_as_each_column_is():
    numbers = np.random.default_rng(0).normal(size=(6, 4))
    table = pa.table(
        {
            "a": pa.array(numbers[:, 0]),
            "colour": ["red", "", "blue", "green", "red", None],
            "b": pa.array([1, None, 3, None, 5, 6], pa.int32()),
            "price": ["1,5", "?", "2,5", "", "3,5", "-4"],
            "is_new": [True, False, None, True, True, False],
            "c": pa.array(np.where(numbers[:, 1] > 0, np.nan, numbers[:, 1])),
            "shade": pa.array(["dark", "light"] * 3).dictionary_encode(),
        }
    )
    columns = (
        Column("c", fill=0.25),
        Column("colour", ("blue", "red"), fill="blue"),
        Column("a"),
        Column("price", fill=9.0, spelling=Spelling(decimal=",")),
        Column("is_new", fill=1.0),
        Column("shade", ("dark", "light")),
        Column("b", fill=2.0),
    )
    one_by_one = [encode(Schema((), (column,)), table) for column in columns]
    features = encode(Schema((), columns), table)
    np.testing.assert_array_equal(features, np.concatenate(one_by_one, axis=1))
    expected = [2.0 if value is None else value for value in table["b"].to_pylist()]
    np.testing.assert_array_equal(features[:, -1], expected)
    assert features.dtype == np.float32


def test_an_array_is_filled_where_the_schema_says_with_what():
    schema = Schema((), (Column("a", fill=0.5), Column("b", constant=3.0), Column("c", fill=-1.0)))
    rows = np.array([[np.nan, 3, 2], [1, 3, np.nan]])
    np.testing.assert_array_equal(encode(schema, rows), [[0.5, 2], [1, -1]])


def test_constants_have_no_feature_and_may_be_missing():
    schema = Schema((), (Column("a"), Column("b", constant=3.0)))
    np.testing.assert_array_equal(encode(schema, pa.table({"a": [1.0], "b": [4.0]})), [[1]])
    np.testing.assert_array_equal(encode(schema, np.array([[1.0, 4.0]])), [[1]])
    np.testing.assert_array_equal(encode(schema, pa.table({"a": [1.0]})), [[1]])


def test_a_value_that_no_training_row_had_is_novel():
    schema = Schema((), (NUMBER, CONSTANT, Column("b", constant=3.0)))
    rows = pa.table({"length": [1.0] * 3, "unit": ["cm", "mm", "cm"], "b": [3.0, 3.0, 4.0]})
    novel = [[False, False], [True, False], [False, True]]
    assert encode_rows(schema, rows).novel.tolist() == novel
    assert not encode_rows(schema, rows.drop_columns(["unit", "b"])).novel.any()


def test_a_missing_value_in_a_constant_column_is_filled_or_refused_as_in_any_other():
    rows = pa.table({"a": [1.0, 2.0], "b": [3.0, None]})
    filled = Schema((), (Column("a"), Column("b", constant=3.0, fill=3.0)))
    assert not encode_rows(filled, rows).novel.any()
    refused = Schema((), (Column("a"), Column("b", constant=3.0)))
    with pytest.raises(DataError, match=r"^missing values in columns b"):
        encode_rows(refused, rows)


def test_a_constant_is_the_same_with_32_bits_as_with_64():
    schema = Schema((), (Column("a"), Column("b", constant=0.1)))
    rows = pa.table({"a": [1.0, 1.0, 1.0], "b": [0.1, float(np.float32(0.1)), 0.2]})
    assert encode_rows(schema, rows).novel.tolist() == [[False], [False], [True]]
    array = np.array([[1, 0.1], [1, 0.2]], np.float32)
    assert encode_rows(schema, array).novel.tolist() == [[False], [True]]


@pytest.mark.parametrize(
    "columns", [(Column("a"), Column("b")), (Column("a", fill=0.5), Column("b"))]
)
def test_an_array_gives_what_the_table_of_its_columns_gives(columns: tuple[Column, ...]):
    rows = np.random.default_rng(0).normal(size=(9, 2))
    table = pa.table({"a": pa.array(rows[:, 0]), "b": pa.array(rows[:, 1])})
    np.testing.assert_array_equal(
        encode(Schema((), columns), rows), encode(Schema((), columns), table)
    )


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 2 * LARGEST])
@pytest.mark.parametrize("constant", [None, 1.0])
def test_a_number_that_is_none_is_refused_with_its_row_and_the_columns_own_name(
    value: float, constant: float | None
):
    schema = Schema((), (Column("a", constant=constant), Column("b"), Column("c")))
    rows = np.zeros((5, 3))
    rows[3, 2] = value
    with pytest.raises(
        DataError, match=f"^row 14, c: {re.escape(str(value))} is not finite or beyond"
    ):
        encode(schema, rows, first=10)


@pytest.mark.parametrize("shape", [(4, 3), (4, 3, 3)])
def test_images_flat_or_not_are_the_same_features_and_bytes_stay_bytes(shape: tuple[int, ...]):
    images = np.random.default_rng(0).integers(0, 256, (6, *shape), np.uint8)
    for rows in (images, images.reshape(6, -1)):
        features = encode(Schema(shape), rows)
        assert features.dtype == np.uint8
        np.testing.assert_array_equal(features, images.reshape(6, -1))
    floats = encode(Schema(shape), images / 255)
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(floats, (images.reshape(6, -1) / 255).astype(np.float32))


def test_a_pixel_that_is_no_number_is_refused_with_image_and_position():
    images = np.zeros((5, 4, 3))
    images[2, 3, 1] = np.nan
    with pytest.raises(DataError, match=r"^row 3, pixel 3,1: nan"):
        encode(Schema((4, 3)), images)


def test_no_rows_give_no_features():
    assert encode(Schema((4, 3)), np.zeros((0, 4, 3))).shape == (0, 12)
    assert encode(Schema((4, 3)), np.zeros((0, 4, 3), np.uint8)).shape == (0, 12)
    assert encode(
        IMPUTED, pa.table({"a": pa.array([], pa.float64()), "colour": pa.array([], pa.string())})
    ).shape == (
        0,
        4,
    )
