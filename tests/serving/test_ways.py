"""The same rows have the same scores, however they reach a model.

CSV, Parquet, a DataFrame, JSON over HTTP, and arrays of numbers.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from mlflow.utils.proto_json_utils import dataframe_from_parsed_json

from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving.answers import answer_file
from autoencoders.serving.inference import answer
from autoencoders.training.fit import fit
from model_server import post, serving
from pyfuncs import served_autoencoder
from tables import prepared_table, table_of
from trainings import QUICK
from workshop import open_workshop

N = 240
RNG = np.random.default_rng(0)
# a value of each column in JSON's types; None: missing
ROW = st.fixed_dictionaries(
    {
        "length": st.floats(-50, 50).map(lambda value: round(value, 3)),
        "gaps": st.none() | st.floats(0, 9).map(lambda value: round(value, 2)),
        "comma": st.integers(0, 400).map(lambda tenths: tenths / 10),
        "region": st.sampled_from([None, "EU", "NA", "AS", "elsewhere"]),
        "on": st.none() | st.booleans(),
        "code": st.integers(1, 4),
        "mixed": st.sampled_from([1, 2, 3, "A", "B"]),
    }
)
Rows = list[dict[str, Any]]
SETTINGS = {
    "data.missing": "impute",
    "data.types": {"code": "category", "mixed": "category"},
    "network.code_size": 2,
    **QUICK,
}


def as_texts(rows: Rows, marker: str = "n/a") -> pd.DataFrame:
    """Rows as a CSV file holds them: decimal commas in one column, a marker for a missing number.

    The date is left out by the model.
    """
    frame = pd.DataFrame(rows, dtype=object)
    texts = frame.map(lambda value: "" if value is None else str(value))
    texts["gaps"] = texts["gaps"].replace("", marker)
    texts["comma"] = texts["comma"].str.replace(".", ",")
    texts["day"] = [f"{1 + i % 28:02}.03.2024" for i in range(len(rows))]
    return texts


TRAINING: Rows = [
    {
        "length": round(float(value), 3),
        "gaps": None if i % 17 == 3 else round(float(value) / 4, 2),
        "comma": round(20 + float(RNG.normal()), 1),
        "region": ("EU", "NA", "AS", None)[i % 4],
        "on": (True, False, None, True)[i // 3 % 4],
        "code": i % 3 + 1,
        "mixed": (1, 2, 3, "A")[i // 2 % 4],
    }
    for i, value in enumerate(RNG.normal(20, 3, N))
]


@pytest.fixture(scope="module")
def trained(params, tmp_path_factory) -> Any:
    """The prepared table and its quickly trained model."""
    folder = tmp_path_factory.mktemp("ways")
    changed, prepared = prepared_table(params.override(SETTINGS), as_texts(TRAINING), folder)
    facts = prepared.description.facts
    return prepared, fit(changed.plan("undercomplete", facts), prepared).model


@pytest.fixture(scope="module")
def model(trained) -> TrainedModel:
    result: TrainedModel = trained[1]
    return result


@pytest.fixture(scope="module")
def address(trained, tmp_path_factory) -> Iterator[str]:
    """The address of a server that answers with the model."""
    prepared, model = trained
    folder = tmp_path_factory.mktemp("served")
    with open_workshop(prepared, {"undercomplete": model}, folder) as workshop:
        workshop.registry.promote_by_hand(workshop.add("undercomplete"), "a test")
        with serving("models:/autoencoder-table@champion", folder) as (where, _):
            yield where


def scores(answered: object) -> np.ndarray:
    return table_of(answered)["score"].to_numpy()


def scores_of_file(model: TrainedModel, path: Path) -> np.ndarray:
    answer_file(model, "score", path, path.with_name("scores.csv"), 0.05)
    return pd.read_csv(path.with_name("scores.csv"))["score"].to_numpy()


def split(rows: Rows) -> dict[str, Any]:
    """JSON's dataframe_split."""
    names = list(rows[0])
    return {"columns": names, "data": [[row[name] for name in names] for row in rows]}


def without_missing(rows: Rows) -> Rows:
    """Rows that leave out the keys of missing values, but the first one, which names all."""
    shorter = [{key: value for key, value in row.items() if value is not None} for row in rows]
    return [rows[0], *shorter[1:]]


def in_other_types(rows: Rows) -> Iterator[tuple[str, object]]:
    """The rows in the types that programs make of them, each with its name."""
    frame = pd.DataFrame(rows)
    yield "as pandas reads them", frame
    yield "objects", pd.DataFrame(rows, dtype=object)
    yield "texts", as_texts(rows)
    yield "texts of points", as_texts(rows, "NA").drop(columns="day")
    yield "codes as fractions", frame.assign(code=frame["code"].astype(float))
    texts = frame["code"].astype(float).astype(str)
    yield "codes as texts of fractions", frame.assign(code=texts)
    yield "whole numbers of pandas", frame.astype({"code": "Int64", "on": "boolean"})
    yield "logical values as numbers", frame.assign(on=frame["on"].astype(float))
    yield "logical values as capitals", frame.assign(on=[_capitals(row["on"]) for row in rows])
    yield "a marker among numbers", frame.assign(gaps=_with_marker(rows))
    yield "categories of pandas", frame.astype({"region": "category", "code": "category"})
    yield "columns", {name: [row[name] for row in rows] for name in rows[0]}
    yield "JSON records", dataframe_from_parsed_json(rows, "records")
    yield "JSON without missing", dataframe_from_parsed_json(without_missing(rows), "records")
    yield "JSON split", dataframe_from_parsed_json(split(rows), "split")


def _capitals(value: bool | None) -> str:
    return "" if value is None else str(value).upper()


def _with_marker(rows: Rows) -> "pd.Series[Any]":
    """The column of gaps, with a text for each missing number."""
    values = ["n/a" if row["gaps"] is None else row["gaps"] for row in rows]
    return pd.Series(values, dtype=object)


@given(rows=st.lists(ROW, min_size=1, max_size=6))
@settings(
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=25,
    phases=[Phase.generate],  # shrinking takes minutes, as each example is scored in many ways
)
def test_rows_have_the_same_scores_in_every_type_and_file(model, tmp_path_factory, rows):
    folder = tmp_path_factory.mktemp("rows")
    as_texts(rows).to_csv(folder / "rows.csv", index=False)
    expected = scores_of_file(model, folder / "rows.csv")
    for way, given_rows in in_other_types(rows):
        result = scores(answer(model, "score", given_rows))
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5, err_msg=way)
    for name, frame in {
        "typed": pd.DataFrame(rows).astype({"mixed": str}),
        "texts": as_texts(rows),
    }.items():
        frame.to_parquet(folder / f"{name}.parquet")
        result = scores_of_file(model, folder / f"{name}.parquet")
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5, err_msg=name)
    one_by_one = [scores(answer(model, "score", pd.DataFrame([row])))[0] for row in rows]
    np.testing.assert_allclose(one_by_one, expected, rtol=1e-5, atol=1e-5)


NEW: Rows = [
    *TRAINING[:9],
    {**TRAINING[1], "region": "elsewhere", "mixed": "B", "code": 4},
    {**TRAINING[2], "length": 90.0, "region": None, "on": None, "gaps": None},
]


def test_a_server_gives_the_scores_of_files_and_of_python(model, address, tmp_path):
    as_texts(NEW).to_csv(tmp_path / "rows.csv", index=False)
    expected = scores_of_file(model, tmp_path / "rows.csv")
    served = served_autoencoder()
    served.model = model
    in_python = served.predict(None, pd.DataFrame(NEW), {"op": "score"})
    np.testing.assert_allclose(scores(in_python), expected, rtol=1e-5, atol=1e-5)
    texts = as_texts(NEW)
    bodies: dict[str, dict[str, Any]] = {
        "records": {"dataframe_records": NEW},
        "records without missing": {"dataframe_records": without_missing(NEW)},
        "records of texts": {"dataframe_records": texts.to_dict("records")},
        "split": {"dataframe_split": split(NEW)},
        "split of texts": {"dataframe_split": json.loads(texts.to_json(orient="split"))},
        "columns": {"inputs": {name: [row[name] for row in NEW] for name in NEW[0]}},
    }
    for way, body in bodies.items():
        status, answered = post(address, {**body, "params": {"op": "score"}})
        assert status == 200, (way, answered)
        result = [row["score"] for row in answered["predictions"]]
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5, err_msg=way)
    for row, score in zip(NEW, expected, strict=True):
        status, answered = post(address, {"dataframe_records": [row], "params": {"op": "score"}})
        assert status == 200, (row, answered)
        assert answered["predictions"][0]["score"] == pytest.approx(score, rel=1e-5, abs=1e-5)


def test_an_array_of_numbers_has_the_scores_of_its_table(params, tmp_path):
    values = RNG.normal(size=(N, 4)).astype(np.float32).round(3)
    values[:, 3] = RNG.random(N) < 0.3
    frame = pd.DataFrame(values.astype(float), columns=["a", "b", "c", "on"])
    typed = frame.assign(on=frame["on"] == 1)
    settings = {**SETTINGS, "data.types": {}}
    changed, prepared = prepared_table(params.override(settings), typed, tmp_path)
    model = fit(changed.plan("undercomplete", prepared.description.facts), prepared).model
    expected = scores(answer(model, "score", typed))
    np.save(tmp_path / "rows.npy", values)
    for result in (
        scores(answer(model, "score", values)),
        scores(answer(model, "score", frame)),
        scores(answer(model, "score", values.tolist())),
        scores_of_file(model, tmp_path / "rows.npy"),
        scores_of_file(model, tmp_path / "table.csv"),
    ):
        np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
