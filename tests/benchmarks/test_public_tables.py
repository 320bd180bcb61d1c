"""Public tables, inspected: none ends in a traceback, and forty columns read as a person does.

What a person sees in these columns was written down before they were inspected
(tests/support/drawn_columns.csv); where the reader differs, the file says in what, and why.
"""

import csv
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from autoencoders.data.preparation.inspection import InspectedColumn
from autoencoders.params.params import Params
from public_tables import (
    ASKS_FOR_HEADER,
    SHARED_TABLES,
    Reading,
    drawn,
    files_of_refused_columns,
    mended,
    missing_packages,
    outcome,
    public_tables,
    reading,
    reason,
    refused_columns,
    refused_files,
)
from repository import ROOT

DRAWN_COLUMNS = ROOT / "tests/support/drawn_columns.csv"
SEED = 19  # by which they were drawn
READER_TYPES = {"row number": "number"}  # of a person's types: the others have the same word


def drawn_columns() -> list[dict[str, str]]:
    """What a person sees in forty columns, drawn by a seed."""
    with DRAWN_COLUMNS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The path of every public table, by name."""
    missing = missing_packages()
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}; `make public-tables` runs this test")
    return public_tables(tmp_path_factory.mktemp("tables"))


@pytest.mark.slow
def test_every_public_table_is_read_or_refused_and_its_mends_are_enough(
    tables: dict[str, Path], params: Params
):
    assert len(tables) > 900
    for name, path in tables.items():
        first = reading(path, params.data)
        if first.refusal and ASKS_FOR_HEADER not in first.refusal:
            assert first.refusal.startswith(str(path)), name
            continue
        data = params.data
        if first.refusal:
            data = mended(data, first)
            first = reading(path, data)
        second = reading(path, mended(data, first))
        assert not second.refusal, name
        assert second.problems == {}, name


@pytest.mark.slow
def test_the_columns_are_those_that_the_seed_draws(tables: dict[str, Path]):
    if not SHARED_TABLES.is_dir():
        pytest.skip(f"{SHARED_TABLES} is not there, from which columns were drawn, too")
    rows = drawn_columns()
    expected = [(row["file"], int(row["place"])) for row in rows]
    assert drawn(tables, len(rows), SEED) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    "expected", drawn_columns(), ids=lambda row: f"{Path(row['file']).stem}-{row['place']}"
)
def test_a_drawn_column_is_read_as_a_person_reads_it(
    expected: dict[str, str], tables: dict[str, Path], params: Params
):
    if expected["file"] not in tables:
        pytest.skip(f"{expected['file']} is not there")
    path = tables[expected["file"]]
    data = params.data.model_copy(update={"missing": "impute"})
    inspected = reading(path, data)
    is_headerless = expected["seen"].startswith("a file without names")
    assert (ASKS_FOR_HEADER in inspected.refusal) == is_headerless
    if is_headerless:
        inspected = reading(path, mended(data, inspected))
    assert inspected.rows == int(expected["rows"])
    assert differences(expected, inspected.columns) == expected["differs"].split()


def differences(expected: dict[str, str], columns: Mapping[str, InspectedColumn]) -> list[str]:
    """The fields in which the inspection says something else than a person."""
    column = column_of(expected, columns)
    if column is None:  # one without a name above it, which is left out
        return [] if expected["feature"] == "no" else ["feature"]
    is_feature = column.treatment.startswith(("a feature", "categories"))
    values = f"{expected['distinct']} different"
    if expected["low"]:
        low = float(expected["low"])
        high = float(expected["high"])
        values = f"{low:g} to {high:g}, {values}"
    differs = {
        "column": bool(expected["column"]) and column.name != expected["column"],
        "type": column.type != READER_TYPES.get(expected["type"], expected["type"]),
        "missing": column.missing != int(expected["missing"]),
        "values": column.values != values,
        "feature": is_feature != (expected["feature"] == "yes"),
    }
    return [name for name, is_different in differs.items() if is_different]


def column_of(
    expected: dict[str, str], columns: Mapping[str, InspectedColumn]
) -> InspectedColumn | None:
    """The column of that name, or, in a file without names, at that place."""
    if not expected["column"]:
        return columns.get(f"x{int(expected['place']) - 1}")
    for name, column in columns.items():
        if name.strip("'") == expected["column"]:
            return column
    raise AssertionError(f"{expected['column']} is none of {', '.join(columns)}")


def test_what_became_of_tables_is_counted_by_reason(tmp_path: Path, params: Params):
    contents = {
        "good": "length,colour\n" + "1.5,red\n2.5,blue\n" * 20,
        "gaps": "length,width,depth\n" + "1.5,,\n2.5,3,4\n" * 20,
        "rows": "1.5,2\n2.5,3\n" * 20,
    }
    readings: dict[str, Reading] = {}
    for name, content in contents.items():
        path = tmp_path / f"{name}.csv"
        path.write_text(content, encoding="utf-8")
        readings[name] = reading(path, params.data)
    outcomes = [outcome(of) for of in readings.values()]
    assert outcomes == ["read", "columns refused", "the file refused"]
    assert refused_files(readings) == Counter({"looks like a row": 1})
    assert refused_columns(readings) == Counter({"missing values": 2})
    assert files_of_refused_columns(readings) == Counter({"missing values": 1})


def test_a_reason_that_is_not_listed_is_told_in_full():
    assert reason("something new") == "something new"
