"""Several files as one source: parts with the same columns, in their natural order."""

import datetime
import os
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.schema import Schema
from autoencoders.data.readers.opening import open_reader
from contents import GOOD, N
from intake import Intake, columns, csv


def rows(intake: Intake) -> pa.Table:
    """All rows of the folder `parts`."""
    reader = open_reader(intake.source / "parts")
    return pa.concat_tables([batch for batch, _ in reader.batches() if isinstance(batch, pa.Table)])


def test_parts_are_one_table_whose_rows_know_their_file(intake: Intake):
    for i in (10, 2, 1):
        intake.file(f"parts/part {i}.csv", csv({"n": [i] * 5, "x": [0.5] * 5}))
    table = rows(intake)
    assert table["n"].to_pylist() == [1] * 5 + [2] * 5 + [10] * 5
    assert table["file"].to_pylist()[::5] == ["part 1.csv", "part 2.csv", "part 10.csv"]


def test_parts_of_parquet_are_one_data_set_and_markers_beside_them_are_none(intake: Intake):
    (intake.source / "parts").mkdir()
    for i in range(3):
        table = pa.table({name: values[i::3] for name, values in GOOD.items()})
        parquet.write_table(table, intake.source / f"parts/part-0000{i}.snappy.parquet")
    for name in ("_SUCCESS", ".part-00000.crc", "_metadata"):
        intake.file(f"parts/{name}", "")
    prepared = intake.load(intake.source / "parts")
    assert sum(prepared.description.rows.values()) == N
    assert [column.name for column in prepared.description.schema.columns] == list(GOOD)


def test_parts_may_differ_in_dialect_order_and_types(intake: Intake):
    intake.file("parts/a.csv", csv({"n": [1, 2], "c": ["x", "y"], "m": [1, 2]}))
    intake.file("parts/b.csv", csv({"c": ["y", "z"], "m": ["?", "3"], "n": [3.5, 4]}, ";"))
    table = rows(intake)
    assert table.column_names == ["n", "c", "m", "file"]
    assert table["n"].to_pylist() == [1, 2, 3.5, 4]
    assert table["m"].to_pylist() in ([1, 2, None, 3], ["1", "2", "?", "3"])


def test_a_rows_file_can_be_its_class(intake: Intake):
    for name in ("off", "on"):
        intake.file(f"parts/{name}.csv", csv(columns(N)))
    prepared = intake.load(intake.source / "parts", label="file")
    assert prepared.description.labels == ("off.csv", "on.csv")
    assert "file" not in [column.name for column in prepared.description.schema.columns]


@pytest.mark.parametrize("shape", [(40, 3), (40, 8, 8)])
def test_arrays_of_one_shape_are_one(intake: Intake, shape: tuple[int, ...]):
    (intake.source / "parts").mkdir()
    values = np.random.default_rng(0).random((2, *shape))
    for i in range(2):
        np.save(intake.source / f"parts/{i}.npy", values[i])
    reader = open_reader(intake.source / "parts")
    found = np.concatenate([batch for batch, _ in reader.batches()])
    np.testing.assert_array_equal(found, values.reshape(80, *shape[1:]))


def test_ids_of_parts_of_parquet_keep_all_digits(intake: Intake):
    (intake.source / "parts").mkdir()
    long = 2**53 + 1
    for i in range(2):
        table = pa.table({"id": [long + i, 1], "x": [1, 2]})
        parquet.write_table(table, intake.source / f"parts/{i}.parquet")
    reader = open_reader(intake.source / "parts", like=Schema(id_column="id"))
    batches = [batch for batch, _ in reader.batches() if isinstance(batch, pa.Table)]
    expected = [[str(long), "1"], [str(long + 1), "1"]]
    assert [batch["id"].to_pylist() for batch in batches] == expected


def parquet_parts(intake: Intake, *parts: Any) -> None:
    """A folder `parts` of Parquet files, each with the column c."""
    (intake.source / "parts").mkdir()
    for i, values in enumerate(parts):
        parquet.write_table(pa.table({"c": values}), intake.source / f"parts/{i}.parquet")


DAY = datetime.date(2020, 1, 31)
NOON = datetime.datetime(2020, 1, 31, 12)
LARGE = 2**60


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (pa.array([1.5], pa.float32()), [2.5], [1.5, 2.5]),
        ([True, False], [2, 3], [1, 0, 2, 3]),
        (pa.array([1], pa.int8()), [2.5], [1, 2.5]),
        ([LARGE], [LARGE], [LARGE, LARGE]),
        ([LARGE], [0.5], [LARGE, 0.5]),
        ([None], ["a"], [None, "a"]),
        ([None], [1], [None, 1]),
        ([None], [True], [None, True]),
        ([1], ["a"], ["1", "a"]),
        ([True], ["a"], ["true", "a"]),
        (pa.array(["a"]).dictionary_encode(), ["b"], ["a", "b"]),
        (pa.array(["a"], pa.large_string()), ["b"], ["a", "b"]),
        ([DAY], [NOON], [datetime.datetime(2020, 1, 31), NOON]),
        ([DAY], ["no day"], ["2020-01-31", "no day"]),
        ([DAY], [3], ["2020-01-31", "3"]),
        ([3], [DAY], ["3", "2020-01-31"]),
    ],
)
def test_parts_have_the_type_that_holds_the_values_of_all(
    intake: Intake, first: Any, second: Any, expected: list[Any]
):
    parquet_parts(intake, first, second)
    reader = open_reader(intake.source / "parts")
    table = rows(intake)
    assert table["c"].to_pylist() == expected
    is_text = isinstance(expected[-1], str)
    assert reader.text_columns == (["c"] if is_text else [])
    is_time = isinstance(expected[-1], datetime.datetime)
    assert reader.date_columns == (["c"] if is_time else [])


def test_a_column_that_is_text_in_one_file_alone_is_noted(intake: Intake):
    parquet_parts(intake, [1], ["a"])
    assert (
        "column c: read as text, as files differ in its type: int64, string"
        in open_reader(intake.source / "parts").notes
    )


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_a_column_that_is_a_date_in_one_file_alone_is_refused(intake: Intake, order: Any):
    dates = [f"2020-01-{row % 28 + 1:02}" for row in range(30)]
    parts: list[list[Any]] = [dates, [*range(30)]]
    for i, values in zip(order, parts, strict=True):
        table: dict[str, list[Any]] = {"x": [row / 2 for row in range(30)], "t": values}
        intake.file(f"parts/{i}.csv", csv(table))
    message = intake.refusal(intake.source / "parts")
    assert message.startswith("column t: '2020-01-01'")
    assert "among numbers" in message


def test_a_note_that_is_not_on_all_files_names_its_file(intake: Intake):
    intake.file("parts/a.csv", csv({"n": [1, 2], "m": [3, 4]}))
    intake.file("parts/b.csv", csv({"n": [1, 2], "m": [3, 4]}, ";"))
    assert open_reader(intake.source / "parts").notes[0] == (
        "b.csv: read with semicolons between fields"
    )


def test_the_column_of_the_files_has_a_name_of_its_own(intake: Intake):
    for i in range(2):
        intake.file(f"parts/{i}.csv", csv({"file": [1, 2], "name of the file": [3, 4]}))
    reader = open_reader(intake.source / "parts")
    assert reader.names == ["file", "name of the file", "name of the file 2"]


def test_values_in_names_of_folders_are_noted(intake: Intake):
    for year in (2020, 2021):
        intake.file(f"parts/year={year}/0.csv", csv({"n": [1, 2], "m": [3, 4]}))
    notes = open_reader(intake.source / "parts").notes
    assert notes[-1] == "values in names of folders are no columns: year=2020, year=2021"


def test_a_name_that_is_no_text_is_refused(intake: Intake):
    intake.file("parts/a.csv", csv(columns(N)))
    part = intake.file("parts/b.csv", csv(columns(N)))
    part.rename(os.fsdecode(os.fsencode(part.parent) + b"/\xff.csv"))
    with pytest.raises(DataError, match=r"parts/\ufffd.csv: its name is not UTF-8; rename it"):
        open_reader(intake.source / "parts")


def arrays(intake: Intake, **values: np.ndarray) -> None:
    """A folder `parts` of arrays, by name."""
    (intake.source / "parts").mkdir()
    for name, array in values.items():
        intake.array(f"parts/{name}.npy", array)


ROWS = np.random.default_rng(0).random((40, 3))
IMAGES = np.random.default_rng(0).integers(0, 256, (40, 8, 8), np.uint8)
NUMBERS = np.arange(40)


@pytest.mark.parametrize(
    "values",
    [
        {"x": NUMBERS, "y": NUMBERS},
        {"data": ROWS, "target": NUMBERS},
        {"arr_0": ROWS, "arr_1": NUMBERS},
        {"x_train": IMAGES, "y_train": NUMBERS, "x_test": IMAGES, "y_test": NUMBERS},
        {"train_images": IMAGES, "train_labels": NUMBERS[:, None]},
        {"a": ROWS, "b": ROWS[:, :2]},
        {"a": IMAGES, "b": IMAGES / 255},
        {"a": IMAGES, "b": IMAGES.astype(np.uint16)},
    ],
)
def test_arrays_that_are_no_parts_are_refused_and_listed(
    intake: Intake, values: dict[str, np.ndarray]
):
    arrays(intake, **values)
    message = intake.refusal(intake.source / "parts")
    assert "its arrays are no parts of one" in message
    for name, array in values.items():
        assert f"{name} (array of {array.dtype}, shape {array.shape})" in message
    assert message.endswith("numpy.savez(file, X=..., y=...)")


def test_arrays_that_are_one_are_noted(intake: Intake):
    arrays(intake, x_train=ROWS, x_test=ROWS)
    notes = open_reader(intake.source / "parts").notes
    assert notes == ["2 arrays are one: x_test.npy, x_train.npy"]
