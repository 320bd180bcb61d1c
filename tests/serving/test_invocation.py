"""A request is refused where MLflow would drop a part of it, and passes where it would not."""

import json
from typing import Any

import pytest

from autoencoders.core.errors import DataError
from autoencoders.serving.invocation import DEPTH, check_invocation
from autoencoders.serving.settings import settings_schema

SCHEMA = settings_schema()
ROWS = {"inputs": [[1.0, 2.0]]}


def check(content: Any, content_type: str = "application/json", query: str = "") -> None:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    check_invocation(content_type, query, body, SCHEMA)


def nested(depth: int) -> bytes:
    """Rows in an object that is `depth` deep."""
    lists = depth - 1
    return b'{"inputs": ' + b"[" * lists + b"]" * lists + b"}"


@pytest.mark.parametrize("form", ["inputs", "instances", "dataframe_split", "dataframe_records"])
@pytest.mark.parametrize("settings", [{}, {"params": None}, {"params": {"op": "score"}}])
def test_every_form_of_rows_passes_with_and_without_settings(form, settings):
    check({form: [[1.0]], **settings})
    check({form: [[1.0]], **settings}, "application/json; charset=utf-8")


def test_names_of_settings_may_be_columns_and_brackets_may_stand_in_text():
    check({"dataframe_records": [{"n": 1, "op": "x", "text": "[" * 2 * DEPTH}]})


@pytest.mark.parametrize("content_type", ["text/csv", "application/vnd.apache.parquet"])
def test_rows_that_are_no_json_pass_without_a_query(content_type):
    check(b"op\nscore", content_type)


REFUSED: dict[str, tuple[Any, str]] = {
    "an operation beside the rows": (
        {**ROWS, "op": "encode"},
        "op: must stand in 'params', not beside the rows",
    ),
    "a setting beside the operation's object": (
        {**ROWS, "params": {"op": "sample"}, "n": 3},
        "n: must stand in 'params'",
    ),
    "an unknown key": (
        {**ROWS, "parameters": {"op": "encode"}},
        "unknown key 'parameters'; allowed are dataframe_records, dataframe_split, inputs, "
        "instances, params",
    ),
    "a language model's rows": ({"input": [[1.0]]}, "unknown key 'input'"),
    "no rows": ({"params": {"op": "encode"}}, "exactly one of"),
    "rows twice": ({**ROWS, "instances": [[1.0]]}, "not in inputs, instances"),
    "an unknown setting": ({**ROWS, "params": {"step": 3}}, "unknown setting 'step'"),
    "a list of settings": ({**ROWS, "params": []}, "must be an object of settings"),
    "a name that stands twice": (
        b'{"inputs": [[1.0]], "params": {"op": "score", "op": "encode"}}',
        "'op' stands 2 times",
    ),
    "a list": ([[1.0]], "must be an object"),
    "a number": (3, "must be an object"),
    "null": (None, "JSON: None: must be an object"),
    "half of it": (b'{"inputs": [', "JSON: Expecting value"),
    "nothing": (b"", "JSON: Expecting value"),
    "bytes that are no text": (b'{"inputs": ["\xff"]}', "JSON: 'utf-8' codec"),
    "thousands of digits": (b'{"inputs": ' + b"1" * 5000 + b"}", "JSON: Exceeds the limit"),
    "one bracket too many": (nested(DEPTH + 1), "nested more than 64 deep"),
    "brackets up to Python's limit": (nested(900), "nested more than 64 deep"),
    "brackets without end": (nested(100_000), "nested more than 64 deep"),
    "open brackets": (b"[" * 100_000, "nested more than 64 deep"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_other_json_is_refused_in_one_line(case):
    content, reason = REFUSED[case]
    with pytest.raises(DataError) as refusal:
        check(content)
    message = str(refusal.value)
    assert reason in message
    assert "\n" not in message
    assert len(message) < 200


def test_the_deepest_rows_that_are_allowed_pass():
    check(nested(DEPTH))


@pytest.mark.parametrize("content_type", ["text/csv", "application/json"])
def test_a_query_is_refused_with_where_settings_stand(content_type):
    with pytest.raises(DataError, match="'op=score': must be empty; settings stand in 'params'"):
        check(ROWS, content_type, "op=score")


def test_a_body_without_content_type_is_refused_with_those_that_there_are():
    with pytest.raises(DataError, match="must be one of application/json, text/csv"):
        check(ROWS, "")
