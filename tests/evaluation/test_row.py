"""A row comes back from its file as it was, writes nothing that it lacks, and refuses damage."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from autoencoders.core.errors import DataError
from autoencoders.core.files import write_json
from autoencoders.evaluation.catalogue import FALSE_ALARM_RATE, PROBE_L2, PSNR, SQUARED_ERROR
from autoencoders.evaluation.row import (
    Estimate,
    LinearNetwork,
    Row,
    TrainedNetwork,
    read_rows,
    row_of,
)

TRAINED = Row(
    "sparse",
    "reconstruct",
    "split",
    100,
    TrainedNetwork(8, 8.0, 1000, "bce", epochs=30, best_epoch=27, active_code_units=7),
    {
        SQUARED_ERROR.key: Estimate(2.0, (1.5, 2.5)),
        PROBE_L2.key: Estimate(1.0),
        FALSE_ALARM_RATE.key: Estimate(0.04, (0.01, 0.09)),
    },
)
ROWS = (
    TRAINED,
    replace(TRAINED, model="pca", network=LinearNetwork(8, 576, 8.0)),
    replace(TRAINED, model="mean", network=LinearNetwork(0, 64)),
    Row("median", "reconstruct", "split", 100, None, {PSNR.key: Estimate(20.0, (19.0, 21.0))}),
)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.model)
def test_a_row_comes_back_from_json_as_it_was(row: Row):
    assert row_of(json.loads(json.dumps(row.written()))) == row


def test_what_a_row_lacks_is_not_written():
    assert ROWS[2].written().keys() == TRAINED.written().keys() - {
        "compression_ratio",
        "loss",
        "epochs",
        "best_epoch",
        "active_code_units",
    }
    assert set(ROWS[3].written()) == {
        "model",
        "goal",
        "protocol",
        "test_rows",
        "test_psnr",
        "test_psnr_ci95",
    }


def test_a_metric_stands_in_front_of_its_interval():
    assert list(TRAINED.written().items())[-5:] == [
        ("test_squared_error", 2.0),
        ("test_squared_error_ci95", [1.5, 2.5]),
        ("probe_l2", 1.0),
        ("test_false_alarm_rate", 0.04),
        ("false_alarm_interval", [0.01, 0.09]),
    ]


def test_a_metric_that_no_catalogue_names_is_written_read_and_counted_as_others():
    metric = {"test_of_a_sixth_type": Estimate(3.0, (2.0, 4.0))}
    row = replace(TRAINED, estimates=TRAINED.estimates | metric)
    assert row_of(row.written()) == row
    assert row.written()["test_of_a_sixth_type_ci95"] == [2.0, 4.0]
    assert row.numbers()["test_of_a_sixth_type"] == 3.0
    assert "test_of_a_sixth_type" in row.with_confidence()


def test_only_intervals_of_95_percent_are_given_with_confidence():
    assert list(TRAINED.with_confidence()) == [SQUARED_ERROR.key]


def test_a_metric_without_an_interval_has_none_to_give():
    with pytest.raises(ValueError, match="sparse: probe_l2 has no interval"):
        TRAINED.interval(PROBE_L2)
    with pytest.raises(KeyError, match="test_psnr"):
        TRAINED.interval(PSNR)


@pytest.mark.parametrize("name", ["model", "protocol", "test_rows", "n_parameters", "epochs"])
def test_a_file_whose_row_lacks_a_fact_is_refused_by_name(tmp_path: Path, name: str):
    values = TRAINED.written()
    del values[name]
    write_json(tmp_path / "leaderboard.json", [values])
    with pytest.raises(DataError, match=rf"leaderboard.json: not what evaluate wrote .*{name}"):
        read_rows(tmp_path / "leaderboard.json")


@pytest.mark.parametrize("content", [{"a": 1}, 3, [[1]], [{"model": "sparse"}]])
def test_a_file_that_holds_something_else_is_refused(tmp_path: Path, content: object):
    write_json(tmp_path / "leaderboard.json", content)
    with pytest.raises(DataError, match="not what evaluate wrote"):
        read_rows(tmp_path / "leaderboard.json")


def test_the_rows_of_a_file_keep_their_order(tmp_path: Path):
    write_json(tmp_path / "leaderboard.json", [row.written() for row in ROWS])
    assert read_rows(tmp_path / "leaderboard.json") == list(ROWS)


def test_a_baseline_is_no_trained_model():
    assert [row.is_trained for row in ROWS] == [True, False, False, False]
