"""Tables: the same rows whatever holds them and however they are cut; files that can't be used."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from autoencoders.core.errors import DataError
from autoencoders.data.readers import delimited, encoding, reader
from autoencoders.data.readers.opening import open_reader
from contents import GOOD, GOOD_CSV, Content, N, changed, lines, parquet_table, png, zipped
from intake import Intake, csv


def tables(opened: reader.Reader) -> list[pa.Table]:
    """A table's batches."""
    batches = []
    for batch, _ in opened.batches():
        assert isinstance(batch, pa.Table)
        batches.append(batch)
    return batches


def frame(path: Path) -> pd.DataFrame:
    """All rows of a table."""
    return pd.concat([batch.to_pandas() for batch in tables(open_reader(path))], ignore_index=True)


@pytest.mark.parametrize("size", [300, 2048, 2**23])
@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_a_table_is_the_same_rows_whatever_holds_it_and_however_it_is_cut(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, suffix: str, size: int
):
    monkeypatch.setattr(reader, "BATCH_BYTES", size)
    path = intake.source / f"a{suffix}"
    if suffix == ".parquet":
        parquet.write_table(pa.table(GOOD), path)
    else:
        path.write_text(csv(GOOD, "\t" if suffix == ".tsv" else ","))
    pd.testing.assert_frame_equal(frame(path), pd.DataFrame(GOOD), check_dtype=False)
    assert (len(list(open_reader(path).batches())) > 1) == (size < 2**23)


def test_a_table_is_read_as_often_as_asked(intake: Intake):
    reader = open_reader(intake.file("a.csv", csv(GOOD)))
    first, second = (tables(reader) for _ in range(2))
    (equal,) = [batch.equals(other) for batch, other in zip(first, second, strict=True)]
    assert equal


def test_a_column_of_times_is_known_as_one(intake: Intake):
    values: dict[str, list[Any]] = {
        "day": ["2020-01-02"] * 9,
        "time": ["2020-01-02 03:04:05"] * 9,
        "a": [1.5] * 9,
    }
    reader = open_reader(intake.file("a.csv", csv(values)))
    assert reader.date_columns == ["day", "time"]
    assert reader.names == ["day", "time", "a"]


def test_whole_numbers_that_become_fractions_after_the_first_block_are_numbers(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 100)
    values = [*range(100), 0.5]
    assert frame(intake.file("a.csv", csv({"a": values, "b": [1] * 101})))["a"].tolist() == values


def test_an_empty_row_group_is_no_batch(intake: Intake):
    schema = pa.schema({"a": pa.float64()})
    with parquet.ParquetWriter(intake.source / "a.parquet", schema) as writer:
        for values in ([], [1.0, 2.0], [], [3.0]):
            writer.write_table(pa.table({"a": pa.array(values, pa.float64())}))
    batches = tables(open_reader(intake.source / "a.parquet"))
    assert all(map(len, batches))
    assert pa.concat_tables(batches)["a"].to_pylist() == [1, 2, 3]


def test_a_wide_parquet_file_comes_in_pieces(intake: Intake, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(reader, "BATCH_BYTES", 10_000)
    rows = np.random.default_rng(0).normal(size=(500, 50))
    parquet.write_table(
        pa.table(list(rows.T), names=[f"c{i}" for i in range(50)]), intake.source / "a.parquet"
    )
    batches = tables(open_reader(intake.source / "a.parquet"))
    assert max(batch.nbytes for batch in batches) < 2 * 10_000
    np.testing.assert_array_equal(pa.concat_tables(batches).to_pandas().to_numpy(), rows)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_batches_grow_with_the_columns_of_a_wide_table(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, suffix: str
):
    rows = np.random.default_rng(0).normal(size=(60, 50)).round(5)
    values = {f"c{i}": rows[:, i].tolist() for i in range(50)}
    path = intake.source / f"a{suffix}"
    if suffix == ".csv":
        path.write_text(csv(values))
    else:
        parquet.write_table(pa.table(values), path)
    monkeypatch.setattr(reader, "BATCH_BYTES", 2000)
    batches = {}
    for wide in (10, 2**12):
        monkeypatch.setattr(reader, "WIDE", wide)
        batches[wide] = tables(open_reader(path))
    assert len(batches[10]) <= len(batches[2**12]) / 4
    assert pa.concat_tables(batches[10]).equals(pa.concat_tables(batches[2**12]))


def test_the_row_numbers_that_pandas_writes_are_left_out_and_noted(intake: Intake):
    table = pd.DataFrame({"a": [1.5, 2.5, 3.5], "b": [1.0, 0.0, 2.0]})
    table.to_csv(intake.source / "a.csv")
    table.iloc[[2, 0, 1]].to_parquet(intake.source / "a.parquet")
    for name, column in (("a.csv", "the one without a name"), ("a.parquet", "__index_level_0__")):
        reader = open_reader(intake.source / name)
        assert reader.names == ["a", "b"]
        assert reader.notes == [f"left out, as a column of row numbers: {column}"]


def test_a_table_without_names_is_refused_but_names_may_be_numbers(intake: Intake):
    with pytest.raises(
        DataError,
        match=r"its first line looks like a row \(1.5, -2, 3\), and no line holds",
    ):
        open_reader(intake.file("a.csv", "1.5,-2,3\n1,2,3\n"))
    assert open_reader(intake.file("b.csv", "0,1,2\n1,2,3\n")).names == ["0", "1", "2"]


# --- tables that can't be used: (file, content, parts of the message) ---


TABLES: dict[str, tuple[str, Content, list[str]]] = {
    "an empty file": ("a.csv", "", ["a.csv: holds no rows"]),
    "blank lines alone": ("a.csv", "\n\n\n", ["a.csv"]),
    "a header alone": ("a.csv", "length,width\n", ["a.csv: holds no rows below"]),
    "a single row": ("a.csv", "length,width\n1,2\n", ["1 rows leave"]),
    "four rows": ("a.csv", "length,width\n" + "1,2\n3,4\n" * 2, ["4 rows leave 0 for validation"]),
    "a field too many": (
        "a.csv",
        lines(40, "1,2,red,cm,5"),
        ["a.csv", "Row #41: Expected 4 columns, got 5"],
    ),
    "a field too few": ("a.csv", lines(40, "1,2"), ["a.csv", "Row #41: Expected 4 columns, got 2"]),
    "another header than rows": (
        "a.csv",
        "a,b\n" + "1,2,3\n" * 60,
        ["a.csv", "its first line has 2 fields, others have 3"],
    ),
    "UTF-16 without a mark": ("a.csv", csv(GOOD).encode("utf-16-le"), ["a.csv", "byte 2 is 0"]),
    "UTF-32 without its mark": ("a.csv", csv(GOOD).encode("utf-32-le"), ["byte 2 is 0"]),
    "NUL bytes in a number": (
        "a.csv",
        csv(changed("length", 7, "1\x002")),
        ["a.csv: byte 140 is 0"],
    ),
    "NUL bytes alone": ("a.csv", bytes(4096), ["a.csv"]),
    "text in the first row of numbers": (
        "a.csv",
        csv(changed("length", 1, "tall")),
        ["column length", "tall"],
    ),
    "text in the last row of numbers": (
        "a.csv",
        csv(changed("length", N, "tall")),
        ["column length", "tall"],
    ),
    "an infinity": ("a.csv", csv(changed("length", 50, "inf")), ["length", "row 50", "inf"]),
    "a negative infinity": (
        "a.csv",
        csv(changed("length", 50, "-inf")),
        ["length", "row 50", "-inf"],
    ),
    "infinities alone": ("a.csv", csv({**GOOD, "length": ["inf"] * N}), ["length", "row 1", "inf"]),
    "a number beyond 32 bits": (
        "a.csv",
        csv(changed("length", 50, "1e39")),
        ["length", "row 50", "1e+39"],
    ),
    "a number whose square overflows": (
        "a.csv",
        csv(changed("length", 50, "1e300")),
        ["length", "row 50", "1e+300"],
    ),
    "a whole number of 40 digits": (
        "a.csv",
        csv(changed("width", 3, "9" * 40)),
        ["width", "row 3", "e+40"],
    ),
    "a whole number of 400 digits": (
        "a.csv",
        csv(changed("width", 3, "9" * 400)),
        ["width", "row 3", "inf"],
    ),
    "an empty number": (
        "a.csv",
        csv(changed("length", 17, "")),
        ["missing values in columns length (1: row 17)"],
    ),
    "a NaN": (
        "a.csv",
        csv(changed("length", 17, "NaN")),
        ["missing values in columns length (1: row 17)"],
    ),
    "an N/A": (
        "a.csv",
        csv(changed("width", 240, "N/A")),
        ["missing values in columns width (1: row 240)"],
    ),
    "an empty text": (
        "a.csv",
        csv(changed("colour", 17, "")),
        ["missing values in columns colour (1: row 17)"],
    ),
    "a quoted empty text": (
        "a.csv",
        csv(changed("colour", 17, '""')),
        ["missing values in columns colour (1: row 17)"],
    ),
    "a column without values": (
        "a.csv",
        csv({**GOOD, "price": [""] * N}),
        ["column price: the training rows have no"],
    ),
    "constants alone": (
        "a.csv",
        csv({"a": [1] * N, "b": ["x"] * N}),
        ["no features: every column is constant"],
    ),
    "dates alone": ("a.csv", csv({"day": ["2020-01-01"] * N}), ["no features"]),
    "a PNG": ("a.csv", png(), ["a.csv"]),
    "a Parquet file by another name": ("a.csv", parquet_table(GOOD), ["a.csv"]),
    "an archive by another name": ("a.csv", zipped({"a.csv": GOOD_CSV}), ["a.csv"]),
    "an unclosed quote": ("a.csv", lines(40, '1,2,"red,cm'), ["a.csv"]),
    "text that is not compressed": ("a.csv.gz", csv(GOOD), ["a.csv.gz"]),
    "a gzip cut short": ("a.csv.gz", gzip.compress(GOOD_CSV)[:-30], ["a.csv.gz"]),
    "a gzip cut in its header": ("a.csv.gz", gzip.compress(GOOD_CSV)[:5], ["a.csv.gz"]),
    "a damaged gzip": ("a.csv.gz", gzip.compress(GOOD_CSV)[:40] + b"\xff" * 99, ["a.csv.gz"]),
    "Parquet cut short": ("a.parquet", parquet_table(GOOD)[:-50], ["a.parquet"]),
    "Parquet cut in the middle": ("a.parquet", parquet_table(GOOD)[:300], ["a.parquet"]),
    "Parquet of its magic alone": ("a.parquet", b"PAR1PAR1", ["a.parquet"]),
    "an empty Parquet": ("a.parquet", b"", ["a.parquet"]),
    "CSV by another name": ("a.parquet", csv(GOOD), ["a.parquet"]),
    "Parquet with damaged pages": (
        "a.parquet",
        parquet_table(GOOD)[:20] + bytes(400) + parquet_table(GOOD)[420:],
        ["a.parquet"],
    ),
    "a Parquet list": (
        "a.parquet",
        parquet_table({"a": [[1, 2]] * N}),
        ["a.parquet", "nested columns: a (list"],
    ),
    "a Parquet structure": (
        "a.parquet",
        parquet_table({"a": [{"b": 1}] * N}),
        ["nested columns: a (struct"],
    ),
    "a Parquet map": (
        "a.parquet",
        parquet_table({"a": pa.array([[("k", 1)]] * N, pa.map_(pa.string(), pa.int64()))}),
        ["nested columns: a (map"],
    ),
    "Parquet bytes": (
        "a.parquet",
        parquet_table({"a": [b"\xff\xfe"] * N}),
        ["a.parquet", "column a is not UTF-8 text"],
    ),
    "Parquet without rows": (
        "a.parquet",
        parquet_table({"a": pa.array([], pa.float64())}),
        ["0 rows leave"],
    ),
    "Parquet without columns": ("a.parquet", parquet_table(pa.table({})), []),
    "a Parquet name that stands twice": (
        "a.parquet",
        parquet_table(pa.table([pa.array([1.0, 2.0]), pa.array([3.0, 4.0])], names=["a", "a"])),
        ["name stands twice: a"],
    ),
    "a Parquet column of nothing": (
        "a.parquet",
        parquet_table({**GOOD, "z": pa.nulls(N)}),
        ["column z", "have no value"],
    ),
    "a Parquet text of nothing": (
        "a.parquet",
        parquet_table({**GOOD, "z": pa.nulls(N, pa.string())}),
        ["column z", "have no value"],
    ),
    "a Parquet NaN": (
        "a.parquet",
        parquet_table({"a": [*range(N - 1), float("nan")]}),
        ["columns a (1: row 240)"],
    ),
    "a Parquet null": (
        "a.parquet",
        parquet_table({"a": [*range(9), *range(N - 10), None]}),
        ["columns a (1: row 240)"],
    ),
    "a Parquet infinity": (
        "a.parquet",
        parquet_table({"a": [*map(float, range(N - 1)), np.inf]}),
        ["a", "row 240", "inf"],
    ),
    "Parquet durations alone": (
        "a.parquet",
        parquet_table({"t": pa.array([1] * N, pa.duration("s"))}),
        ["no features"],
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_can_not_be_used_is_refused_and_nothing_is_written(intake: Intake, case: str):
    name, content, parts = TABLES[case]
    message = intake.refusal(intake.file(name, content))
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (csv(changed("length", 200, "tall")), ["a.csv", "row 200", "tall"]),
        (lines(200, "1,2"), ["a.csv", "Row #201", "got 2"]),
        (csv(changed("length", 200, "inf")), ["length", "row 200", "inf"]),
        (csv(changed("length", 200, "")), ["missing values in columns length (1: row 200)"]),
        (lines(200, "1,2," + "red" * 3000 + ",cm"), ["a.csv"]),
    ],
    ids=["text", "ragged", "infinity", "missing", "a line longer than a block"],
)
def test_what_is_wrong_after_the_first_block_is_refused_with_its_row(
    intake: Intake, monkeypatch: pytest.MonkeyPatch, content: Content, parts: list[str]
):
    monkeypatch.setattr(reader, "BATCH_BYTES", 2048)
    message = intake.refusal(intake.file("a.csv", content))
    assert all(part in message for part in parts), message


# --- what a value is, wherever it stands ---


def many(last: str, name: str = "v") -> str:
    """A table of several blocks with other last lines."""
    return f"{name},x\n" + "".join(f"{i % 90 + 10},t{i % 7}\n" for i in range(400)) + last


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads 400 bytes at once."""
    monkeypatch.setattr(reader, "BATCH_BYTES", 400)


@pytest.mark.usefixtures("small_blocks")
def test_a_code_in_any_row_makes_its_column_text(intake: Intake):
    found = frame(intake.file("a.csv", many("007,t1\n")))
    assert found["v"].tolist()[-2:] == [str(399 % 90 + 10), "007"]
    found = frame(intake.file("b.csv", many("1234567890123457,t1\n")))
    assert found["v"].tolist()[-1] == "1234567890123457"


def test_versions_are_text_and_prices_are_numbers(intake: Intake):
    versions = [f"2.{count}" for count in range(13)]
    prices = [f"{price / 100:.2f}" for price in range(250, 263)]
    found = frame(intake.file("a.csv", csv({"version": versions, "price": prices})))
    assert found["version"].tolist() == versions
    assert found["price"].tolist() == [float(price) for price in prices]


@pytest.mark.usefixtures("small_blocks")
def test_rows_are_looked_at_for_codes_when_they_are_read(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    path = intake.file("a.csv", many("007,t1\n"))
    looked_at = []
    monkeypatch.setattr(delimited, "may_hold_codes", lambda path, *_: looked_at.append(path))
    opened = open_reader(path)
    assert looked_at == []
    for _ in range(2):
        tables(opened)
    assert looked_at == [path]


@pytest.mark.usefixtures("small_blocks")
def test_a_late_code_makes_its_column_text_in_every_file_of_a_folder(intake: Intake):
    intake.file("tables/a.csv", many("7,t1\n"))
    intake.file("tables/b.csv", many("007,t1\n"))
    found = pa.concat_tables(tables(open_reader(intake.source / "tables")))
    assert found["v"].type == pa.string()
    assert {"7", "007"} <= set(found["v"].to_pylist())


@pytest.mark.usefixtures("small_blocks")
def test_a_byte_behind_all_that_show_the_encoding_is_named(
    intake: Intake, monkeypatch: pytest.MonkeyPatch
):
    for name in ("MOST_DECODED_BYTES", "SAMPLE_BYTES"):
        monkeypatch.setattr(encoding, name, 100)
    monkeypatch.setattr(encoding, "BLOCK_BYTES", 50)
    path = intake.file("a.csv", many("5,é\n").encode("cp1252"))
    with pytest.raises(DataError, match=r"column x, row 401: bytes that are no UTF-8.*cp1252"):
        frame(path)
    path = intake.file("b.csv", many("5,é\n"))
    assert frame(path)["x"].tolist()[-1] == "é"


@pytest.mark.usefixtures("small_blocks")
@pytest.mark.parametrize(
    ("last", "message"),
    [
        ("red,t1\n", r"column v, row 401: value 'red' among values .*data.types: {v: category}"),
        ("5\n", r"Row #402: .*row 401 below the names.*quote values that hold a delimiter"),
        ('5,"open\n6,b\n7,c\n', "the quote in row 401 is not closed"),
    ],
)
def test_a_late_row_that_can_not_be_read_is_named_with_the_mend(
    intake: Intake, last: str, message: str
):
    with pytest.raises(DataError, match=message):
        frame(intake.file("a.csv", many(last)))


@pytest.mark.usefixtures("small_blocks")
def test_a_last_value_may_have_several_lines(intake: Intake):
    assert frame(intake.file("a.csv", many('5,"a\n""b"""\n')))["x"].tolist()[-1] == 'a\n"b"'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_blanks_between_fields_are_one_in_any_encoding(intake: Intake, encoding: str, end: str):
    rows = ["größe  colour", '1.5   "dark  red"', "  2.5 grün  ", ""]
    path = intake.file("a.csv", end.join(rows).encode(encoding))
    assert frame(path).to_dict("list") == {"größe": [1.5, 2.5], "colour": ["dark  red", "grün"]}


def test_a_quote_that_is_never_closed_is_refused_in_one_column_too(intake: Intake):
    with pytest.raises(DataError, match="the quote in row 2 is not closed"):
        frame(intake.file("a.csv", 'a\nred\n"blue\nred\n'))


def test_names_without_a_line_end_and_rows_are_refused(intake: Intake):
    with pytest.raises(DataError, match="holds no rows below the names"):
        open_reader(intake.file("a.csv", "a,b"))
