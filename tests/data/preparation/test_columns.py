"""What a table's columns hold: as a person reads them, or refused, all problems at once."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from pyarrow import parquet

from autoencoders.core.errors import DataError
from autoencoders.data.preparation.columns import ColumnTypes
from autoencoders.data.preparation.decision import Decision
from autoencoders.data.prepared.features import encode
from autoencoders.data.prepared.spelling import Spelling
from intake import Intake, csv

N = 240
RNG = np.random.default_rng(0)
X = [round(float(value), 3) for value in RNG.normal(20, 3, N)]
Y = [round(float(value), 3) for value in RNG.normal(50, 9, N)]


@pytest.fixture
def decide(intake: Intake) -> Callable[..., Decision]:
    """Decides on columns, given as texts or numbers."""

    def decided(columns: dict[str, Any], **settings: Any) -> Decision:
        types = ColumnTypes(intake.section("a.csv", **settings))
        for half in (slice(0, N // 2), slice(N // 2, None)):
            types.add(pa.table({name: list(v)[half] for name, v in columns.items()}), columns)
        return types.decide()

    return decided


def told(intake: Intake, columns: dict[str, Any], **settings: Any) -> tuple[list[str], list[str]]:
    """The features of a CSV, and what is said of it."""
    prepared = intake.load(intake.file("a.csv", csv(columns)), **settings)
    report = json.loads((intake.prepared / "report.json").read_text())
    return prepared.description.schema.features, report["told"]


def written(intake: Intake, columns: dict[str, Any], form: str) -> Path:
    """A table's file in one form: with points, with decimal commas (all texts), or Parquet."""
    if form == "parquet":
        pd.DataFrame(columns).to_parquet(intake.source / "a.parquet")
        return intake.source / "a.parquet"
    if form == "commas":
        columns = {**columns, "x": [f"{value:.1f}".replace(".", ",") for value in X]}
    return intake.file("a.csv", csv(columns, ";"))


FORMS = pytest.mark.parametrize("form", ["points", "commas", "parquet"])


# --- numbers ---


def test_numbers_in_another_spelling_are_numbers_and_that_is_noted(decide):
    commas = [f"{value:.1f}".replace(".", ",") for value in X]
    shares = [f"{value:.0f}%" for value in Y]
    decision = decide({"temp": commas, "load": shares})
    assert decision.types["temp"].spelling == Spelling(",")
    assert decision.types["load"].spelling == Spelling(",", unit="%")
    assert decision.notes == [
        "column temp: read as numbers with a decimal comma",
        "column load: read as numbers with a decimal comma, with % beside each",
    ]


def test_a_late_row_counts_as_much_as_the_first(decide):
    texts = [f"{value:.1f}".replace(".", ",") for value in X]
    assert "temp" in decide({"temp": [*texts[:-1], "20.5"]}).problems
    assert "temp" in decide({"temp": [*texts[:-1], "tall"]}).problems


def test_all_problems_are_told_at_once_with_their_mends(decide):
    decision = decide(
        {
            "a": ["5 kg", *["5 g"] * (N - 1)],
            "b": [f"{i % 7 + 1},{i % 7}00" for i in range(N)],
            "c": [*map(str, range(N - 1)), "x"],
            "fine": X,
        }
    )
    assert set(decision.problems) == {"a", "b", "c"}
    assert decision.mends == {"a": "category", "b": "point", "c": "category"}
    with pytest.raises(DataError, match=r"(?s)column a: .*column b: .*column c: .*data.types"):
        decision.check()


def test_a_type_can_be_said(decide, intake):
    columns = {"a": ["5 kg", *["5 g"] * (N - 1)], "b": [f"{i % 7 + 1},{i % 7}00" for i in range(N)]}
    decision = decide(columns, types={"a": "category", "b": "comma"})
    assert decision.problems == {}
    assert decision.types["b"].spelling == Spelling(",")


CODES: dict[str, list[Any]] = {
    "whole": [i % 3 + 1 for i in range(N)],
    "with a zero behind the point": [float(i % 3 + 1) for i in range(N)],
    "both": [("1", "2.0", "3")[i % 3] if i % 2 else ("1.0", "2", "3")[i % 3] for i in range(N)],
    "a letter among them": ["123A"[i % 4] for i in range(N)],
}


@FORMS
@pytest.mark.parametrize("codes", CODES)
def test_numbers_that_are_codes_can_be_categories(intake, form, codes):
    path = written(intake, {"x": X, "code": CODES[codes]}, form)
    prepared = intake.load(path, types={"code": "category"})
    columns = prepared.description.schema.columns
    assert [column.name for column in columns] == ["x", "code"]
    texts = [text.removesuffix(".0") for text in columns[1].categories or ()]
    assert texts == ["1", "2", "3", *["A"][: codes.startswith("a")]]


@FORMS
def test_codes_may_be_missing_and_are_no_numbers_of_rows(intake, form):
    many: list[Any] = [1000 + i for i in range(N)]
    few: list[Any] = [None if i % 9 == 5 else i % 3 for i in range(N)]
    if form != "parquet":
        few = ["" if value is None else value for value in few]
    path = written(intake, {"x": X, "many": many, "few": few}, form)
    types = {"many": "category", "few": "category"}
    prepared = intake.load(path, types=types, missing="impute")
    told = json.loads((intake.prepared / "report.json").read_text())["told"]
    assert [len(column.features) for column in prepared.description.schema.columns] == [1, 101, 4]
    assert any("column many: " in note and "commonest 100" in note for note in told)
    assert any("column few: missing values are filled with" in note for note in told)


LOGICAL: dict[str, list[Any]] = {
    "logical": [i % 3 == 0 for i in range(N)],
    "small": [("true", "false")[i % 3 > 0] for i in range(N)],
    "capitals": [("TRUE", "FALSE")[i % 3 > 0] for i in range(N)],
}


@FORMS
@pytest.mark.parametrize("values", LOGICAL)
def test_true_and_false_are_one_and_zero_in_every_form(intake, form, values):
    prepared = intake.load(written(intake, {"x": X, "on": LOGICAL[values]}, form))
    schema = prepared.description.schema
    assert schema.features == ["x", "on"]
    expected = [[20.0, 1.0], [20.0, 0.0]]
    ways: list[list[Any]] = [[True, False], ["TRUE", "false"], [1, 0], [1.0, 0.0], ["True", "0"]]
    for on in ways:
        assert encode(schema, pa.table({"x": [20.0, 20.0], "on": on})).tolist() == expected


@FORMS
def test_yes_and_no_are_categories_that_logical_values_can_stand_for(intake, form):
    words = [("yes", "no")[i % 3 > 0] for i in range(N)]
    schema = intake.load(written(intake, {"x": X, "on": words}, form)).description.schema
    assert schema.features == ["x", "on=no", "on=yes", "on=other"]
    texts = encode(schema, pa.table({"x": [20.0, 20.0], "on": ["yes", "no"]}))
    logical = encode(schema, pa.table({"x": [20.0, 20.0], "on": [True, False]}))
    np.testing.assert_array_equal(logical, texts)


@pytest.mark.parametrize("texts", [["01234", "98765"], ["12345678901234567", "12345678901234568"]])
def test_codes_are_categories_and_that_is_noted_unless_they_are_said_to_be_numbers(decide, texts):
    columns = {"code": texts * (N // 2)}
    decision = decide(columns)
    assert decision.types["code"].is_category
    assert "as in codes" in decision.notes[0]
    assert decide(columns, types={"code": "number"}).types["code"].spelling == Spelling()


@pytest.mark.parametrize("texts", [["<5", "<6"], ["5-10", "10-15"], ["1.2.3", "1.2.4"], ["1", "∞"]])
def test_categories_that_look_like_numbers_are_noted(decide, texts):
    decision = decide({"v": texts * (N // 2)})
    assert decision.types["v"].is_category
    assert "column v: categories, as" in decision.notes[0]


def test_numbers_with_the_minus_behind_are_noted(decide):
    decision = decide({"v": ["5-", "6", "7.5"] * (N // 3)})
    assert decision.notes == ["column v: read as numbers below 0: '5-' and such"]


def test_dates_in_several_formats_are_refused(decide):
    decision = decide({"v": ["2020-01-31", "01.02.2020"] * (N // 2)})
    assert "different formats" in decision.problems["v"]


# --- missing values ---


def test_a_region_may_be_called_na(intake):
    features, notes = told(
        intake, {"x": X, "region": [("EU", "NA", "AS")[i % 3] for i in range(N)]}
    )
    assert features == ["x", "region=AS", "region=EU", "region=NA", "region=other"]
    assert notes == [
        "column region: NA in 80 rows is a category of its own; if it means missing, say "
        "data.null_values: [NA]"
    ]


@pytest.mark.parametrize("marker", ["?", "-", "NA", "n/a", "NaN", "null", ""])
def test_usual_markers_among_numbers_are_missing_values(intake, marker):
    columns = {"x": X, "y": [marker, *Y[1:]]}
    features, notes = told(intake, columns, missing="impute")
    assert features == ["x", "y"]
    if "y" in "".join(notes):
        assert "column y: missing values are filled with" in "".join(notes)


def test_further_markers_hold_for_numbers_and_text(intake):
    columns: dict[str, list[Any]] = {
        "x": ["none so far", *X[1:]],
        "colour": ["none so far", *["red", "blue"] * 119, "red"],
    }
    message = intake.refusal(intake.file("a.csv", csv(columns)), null_values=["none so far"])
    assert "missing values in columns x (1: row 1), colour (1: row 1)" in message


def test_a_number_may_be_a_further_marker(intake):
    columns: dict[str, list[Any]] = {"x": [-999, *X[1:]], "y": Y}
    prepared = intake.load(
        intake.file("a.csv", csv(columns)), null_values=["-999"], missing="impute"
    )
    schema = prepared.description.schema
    median = float(np.median(X[1:]))
    assert schema.columns[0].fill == pytest.approx(median, abs=1)
    for x in (-999.0, "-999", "-999.0", None):
        found = encode(schema, pa.table({"x": [x], "y": [50.0]}))
        assert found[0, 0] == np.float32(schema.columns[0].fill)
    assert encode(schema, np.array([[-999.0, 50.0]]))[0, 0] == np.float32(schema.columns[0].fill)


def test_blanks_around_texts_are_no_part_of_them_in_training_and_in_answers(intake):
    regions = [("EU", "EU ", " AS", "AS")[i % 4] for i in range(N)]
    path = intake.file("a.csv", csv({"x": X, "region": regions}))
    features, notes = told(intake, {"x": X, "region": regions})
    assert features == ["x", "region=AS", "region=EU", "region=other"]
    assert notes == ["column region: blanks around its texts are left out"]
    schema = intake.load(path).description.schema
    rows = pa.table({"x": [1.0, 1.0], "region": ["EU", " EU "]})
    first, second = encode(schema, rows).tolist()
    assert first == second
    earlier = replace(schema, trims_text=False)
    assert encode(earlier, rows)[1].tolist()[1:] == [0, 0, 1]


def test_every_way_in_gives_the_same_features(intake):
    """CSV, Parquet of numbers, Parquet of texts and a table of texts, as JSON gives them."""
    columns = {
        "temp": [f"{value:.1f}".replace(".", ",") for value in X],
        "region": [("EU", "NA", "")[i % 3] for i in range(N)],
        "load": [f"{value:.0f}%" for value in Y],
        "n": ["NA" if i == 5 else str(i * i % 11) for i in range(N)],
        "on": [str(i % 3 == 0) for i in range(N)],
    }
    prepared = intake.load(
        intake.file("a.csv", pd.DataFrame(columns).to_csv(index=False, sep=";")), missing="impute"
    )
    schema = prepared.description.schema
    texts = pa.table(columns)
    expected = encode(schema, texts)
    numbers = texts.set_column(
        0, "temp", pa.array([float(v.replace(",", ".")) for v in columns["temp"]])
    )
    numbers = numbers.set_column(
        3, "n", pa.array([None if v == "NA" else float(v) for v in columns["n"]])
    )
    np.testing.assert_array_equal(encode(schema, numbers), expected)
    parquet.write_table(texts, intake.source / "a.parquet")
    np.testing.assert_array_equal(
        encode(schema, parquet.read_table(intake.source / "a.parquet")), expected
    )


# --- columns that are no features ---


def test_dates_in_any_usual_form_are_left_out_and_noted(intake):
    days = pd.date_range("2020-01-01", periods=N)
    columns = {
        "x": X,
        "german": days.strftime("%d.%m.%Y"),
        "american": days.strftime("%m/%d/%Y %I:%M %p"),
        "words": days.strftime("%b-%d-%Y"),
    }
    features, notes = told(intake, columns)
    assert features == ["x"]
    assert notes == [
        "left out, as dates: german, american, words "
        "(data.split: time:german would test on the latest rows)"
    ]


SECONDS = [1_700_000_000 + 60 * i for i in range(N)]
DAYS = [int(f"{day:%Y%m%d}") for day in pd.date_range("2020-01-01", periods=N)]


@FORMS
def test_numbers_that_are_dates_are_left_out_and_noted_unless_they_are_kept(intake, form):
    columns: dict[str, Any] = {"x": X, "t": SECONDS, "day": DAYS}
    path = written(intake, columns, form)
    prepared = intake.load(path)
    notes = json.loads((intake.prepared / "report.json").read_text())["told"]
    assert prepared.description.schema.features == ["x"]
    assert [note for note in notes if "dates" in note] == [
        "left out, as dates, seconds since 1970: t "
        "(data.split: time:t would test on the latest rows)",
        "left out, as dates, digits such as 20240131: day "
        "(data.split: time:day would test on the latest rows)",
    ]
    shutil.rmtree(intake.raw)
    kept = intake.load(path, keep=["t", "day"])
    assert kept.description.schema.features == ["x", "t", "day"]


@FORMS
@pytest.mark.parametrize("name", ["t", "day"])
def test_rows_can_be_split_by_dates_that_are_numbers(intake, form, name):
    order = np.random.default_rng(1).permutation(N)
    columns: dict[str, Any] = {
        "x": X,
        "number": [i / 8 for i in order],
        "t": [SECONDS[i] for i in order],
        "day": [DAYS[i] for i in order],
    }
    prepared = intake.load(written(intake, columns, form), split=f"time:{name}", ignore=["t"])
    test_rows = prepared.rows["test"].read(0, N)[:, 1]
    train_rows = prepared.rows["train"].read(0, N)[:, 1]
    assert test_rows.min() > train_rows.max()
    assert "would test" not in (intake.prepared / "report.json").read_text()


def test_rising_numbers_that_nothing_calls_dates_stay_and_that_is_noted(intake):
    rises = 1_700_000_000 + np.sort(RNG.integers(0, 10**6, N))
    features, notes = told(intake, {"x": X, "reading": rises.tolist()})
    assert features == ["x", "reading"]
    assert notes == [
        "column reading: a feature, whose numbers rise from row to row; if they are seconds since "
        "1970, name it in data.ignore or in data.split: time:reading"
    ]


def test_rows_can_be_split_by_a_date_of_any_form(intake):
    days = pd.date_range("2020-01-01", periods=N)
    order = np.random.default_rng(1).permutation(N)
    columns: dict[str, Any] = {
        "x": np.arange(N)[order] / 7,
        "day": days[order].strftime("%d.%m.%Y"),
    }
    prepared = intake.load(intake.file("a.csv", csv(columns)), split="time:day")
    test_rows = prepared.rows["test"].read(0, N)
    train_rows = prepared.rows["train"].read(0, N)
    assert test_rows.min() > train_rows.max()


def test_numbers_and_names_of_the_rows_are_left_out_and_noted_unless_they_are_kept(intake):
    columns: dict[str, Any] = {
        "id": range(1, N + 1),
        "x": X,
        "name": [f"part {i}" for i in range(N)],
    }
    features, notes = told(intake, columns)
    assert features == ["x"]
    assert notes == [
        "left out, as names of the rows, each of which differs: name",
        "left out, as numbers of the rows, which run: id",
    ]
    kept = intake.load(intake.file("b.csv", csv(columns)), keep=["id"])
    assert kept.description.schema.features == ["id", "x"]


ROWS = np.arange(1, N + 1)
IDENTIFIERS: dict[str, list[Any]] = {
    "running": ROWS.tolist(),
    "from zero": (ROWS - 1).tolist(),
    "by ten": (10 * ROWS).tolist(),
    "falling": ROWS[::-1].tolist(),
    "shuffled": RNG.permutation(ROWS).tolist(),
    "with gaps": np.delete(np.arange(N + 3), [7, 70, 200]).tolist(),
    "one is missing": [None if i == 9 else float(i) for i in range(N)],
    "with a prefix": [f"ID{i:04d}" for i in range(N)],
    "with zeros before": [f"{i:06d}" for i in range(N)],
    "uuid": [str(UUID(int=int(value))) for value in RNG.integers(2**62, size=N)],
}
NO_IDENTIFIERS: dict[str, list[Any]] = {
    "measured": RNG.normal(20, 3, N).tolist(),
    "whole numbers": RNG.permutation(10**6)[:N].tolist(),
    "whole numbers in order": np.sort(RNG.permutation(10**6)[:N]).tolist(),
    "seconds": (0.5 * np.arange(N)).tolist(),
    "two rows each": (np.arange(N) // 2).tolist(),
    "names of two rows each": [f"device {i // 2}" for i in range(N)],
}


@FORMS
def test_identifiers_are_no_features_and_measurements_are(intake, form):
    columns = {"x": X, **IDENTIFIERS, **NO_IDENTIFIERS}
    if form != "parquet":
        rows = ["" if i == 9 else f"{i:.1f}" for i in range(N)]
        columns["one is missing"] = rows
    prepared = intake.load(written(intake, columns, form), missing="impute")
    schema = prepared.description.schema
    assert [column.name for column in schema.columns] == ["x", *NO_IDENTIFIERS]


def test_in_a_small_table_every_column_may_differ_by_chance(decide):
    columns = {name: values[:18] for name, values in IDENTIFIERS.items()}
    assert decide(columns).left_out == []


def test_of_many_categories_the_commonest_hundred_are_told_apart(intake):
    rng = np.random.default_rng(2)
    columns = {"x": X, "zone": [f"zone {int(i)}" for i in rng.integers(0, 190, N)]}
    features, notes = told(intake, columns)
    assert len(features) == 1 + 100 + 1
    assert "the commonest 100 are told apart" in notes[0]


@FORMS
def test_texts_that_may_mean_missing_are_counted_and_noted_with_the_mend(intake, form):
    regions = [("EU", "NA", "null", "AS", "NA")[i % 5] for i in range(N)]
    path = written(intake, {"x": X, "region": regions}, form)
    note = (
        "column region: NA in 96 rows, null in 48 rows are categories of their own; if they mean "
        "missing, say data.null_values: [NA, 'null']"
    )
    intake.load(path)
    assert note in json.loads((intake.prepared / "report.json").read_text())["told"]
    intake.load(path, types={"region": "category"})
    assert note in json.loads((intake.prepared / "report.json").read_text())["told"]
    prepared = intake.load(path, null_values=["NA", "null"], missing="impute")
    assert prepared.description.schema.columns[-1].categories == ("AS", "EU")
    told = json.loads((intake.prepared / "report.json").read_text())["told"]
    assert not any("categories of their own" in line for line in told)


@FORMS
def test_texts_that_name_nearly_every_row_are_left_out(intake, form):
    names = [f"journal {'abc'[i % 3]} {max(i, 9)}" for i in range(N)]
    repeated = [f"town {i // 2}" for i in range(N)]
    path = written(intake, {"x": X, "title": names, "town": repeated}, form)
    prepared = intake.load(path)
    assert [column.name for column in prepared.description.schema.columns] == ["x", "town"]
    told = json.loads((intake.prepared / "report.json").read_text())["told"]
    n = len(set(names))
    assert f"left out, as names of nearly all rows, {n} different in {N}: title" in told
    kept = intake.load(path, keep=["title"])
    assert [column.name for column in kept.description.schema.columns] == ["x", "title", "town"]


def test_codes_that_differ_in_every_row_are_names_of_rows(decide):
    decision = decide({"x": X, "code": [f"{i}{'B' * (i % 7 == 3)}" for i in range(N)]})
    assert decision.notes == ["left out, as names of the rows, each of which differs: code"]


def test_a_bad_value_among_numbers_is_named_with_its_row(decide):
    texts = [*map(str, X[:-1]), "6.2\x1a"]
    assert decide({"x": texts}).problems["x"] == (
        "'6.2\\x1a' (row 240) among numbers; mend this in the file, or, where it means missing, "
        'say data.null_values: ["6.2\\x1A"]'
    )
    texts = ["tall", *map(str, X[1:-1]), "short"]
    assert "'tall' (row 1), 'short' (row 240) among numbers" in decide({"x": texts}).problems["x"]
    texts = [f"t{i}" if i % 10 == 0 else str(X[i]) for i in range(N)]
    assert "'t40' (row 41) and 19 more among numbers" in decide({"x": texts}).problems["x"]


@FORMS
def test_each_number_of_a_range_in_any_order_may_be_a_rank(intake, form):
    ranks = [int(value) for value in np.random.default_rng(1).permutation(N) + 1]
    others = [int(value) for value in np.random.default_rng(2).permutation(N) + 1]
    columns = {"x": X, "row": range(N), "wealth": ranks, "crime": others}
    path = written(intake, columns, form)
    prepared = intake.load(path)
    assert prepared.description.schema.features == ["x"]
    told = json.loads((intake.prepared / "report.json").read_text())["told"]
    may_be_ranks = (
        "left out, as numbers of the rows, or ranks (each of 1 to 240 once; data.keep keeps them): "
    )
    assert any(note.startswith(may_be_ranks) for note in told)
    assert "left out, as numbers of the rows, which run: row" in told
    kept = intake.load(path, keep=["wealth", "crime"])
    assert kept.description.schema.features == ["x", "wealth", "crime"]
