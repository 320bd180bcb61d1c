"""Several files as one source: parts with the same columns, in their natural order."""

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from autoencoders.data.prepared.schema import Schema
from autoencoders.data.readers.opening import open_reader
from contents import GOOD, N
from intake import Intake, columns, csv

MORE = columns(N)


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
    assert [batch["id"].to_pylist() for batch in batches] == [[long, 1], [long + 1, 1]]
    assert batches[0]["x"].type == pa.float64()
