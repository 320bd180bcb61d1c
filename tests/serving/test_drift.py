"""Drift: none where nothing changed, named where something did, refused where it can't be told."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from autoencoders.core.errors import DataError
from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.data.readers import reader
from autoencoders.models.trained.model import TrainedModel
from autoencoders.serving import drift as module
from autoencoders.serving.drift import drift, summary


@pytest.fixture
def model(table_models: dict[str, TrainedModel]) -> TrainedModel:
    return table_models["undercomplete"]


def saved(frame: pd.DataFrame, folder: Path) -> Path:
    frame.to_csv(folder / "new.csv", index=False)
    return folder / "new.csv"


def test_of_the_same_data_nothing_moved(model, table, frame, tmp_path):
    result = drift(model, saved(frame, tmp_path), table, 0.05)
    assert result.moved == []
    assert result.rows == len(frame)
    assert (result.table["p_value"] > 0.01).all()
    assert 0 < result.alarms < 0.12
    names = {
        "score",
        "column length",
        "column width",
        "column colour=red",
        "code unit 0",
        "code unit 1",
    }
    assert names <= set(result.table["what"])


CHANGES: dict[str, dict[str, Any]] = {
    "column length": {"length": lambda frame: frame["length"] + 5},
    "column width": {"width": lambda frame: frame["width"] * 2},
    "column colour=red": {"colour": "red"},
    "column colour=other": {"colour": "violet"},
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_column_that_moved_is_named_and_the_others_are_not(model, table, frame, tmp_path, name):
    result = drift(model, saved(frame.assign(**CHANGES[name]), tmp_path), table, 0.05)
    columns = {what for what in result.moved if what.startswith("column ")}
    assert name in columns
    assert all(what.startswith(name.split("=")[0]) for what in columns)


def test_rows_unlike_the_clean_ones_raise_alarms_and_move_the_score(model, table, frame, tmp_path):
    result = drift(
        model, saved(frame.assign(width=frame["width"].to_numpy()[::-1]), tmp_path), table, 0.05
    )
    assert "score" in result.moved
    assert not {"column length", "column width"} & set(
        result.moved
    )  # only what hangs together has changed
    assert result.alarms > 0.2


def test_the_distances_are_those_of_kolmogorov_and_smirnov(model, table, frame, tmp_path):
    result = drift(model, saved(frame.assign(width=frame["width"] + 3), tmp_path), table, 0.05)
    old, new = np.sort(table.sample("train")[:, -1]), np.sort(frame["width"].to_numpy() + 3)
    at = np.concatenate([old, new.astype(np.float32)])
    below = [
        np.searchsorted(values, at, "right") / len(values)
        for values in (old, new.astype(np.float32))
    ]
    (row,) = result.table[result.table["what"] == "column width"].itertuples()
    assert row.statistic == pytest.approx(np.abs(below[0] - below[1]).max())


def test_a_column_of_one_value_has_moved_where_new_rows_have_others(model, table, frame, tmp_path):
    others = frame.assign(unit=np.where(np.arange(len(frame)) % 2, 7, 8))
    result = drift(model, saved(others, tmp_path), table, 0.05)
    (row,) = result.table[result.table["what"] == "column unit"].itertuples()
    assert row.statistic == pytest.approx(0.5)
    assert "column unit" in result.moved
    assert result.alarms >= 0.5
    same = drift(model, saved(frame, tmp_path), table, 0.05)
    assert "column unit" not in same.moved


def test_of_images_score_and_code_are_compared(untrained, digits, tmp_path):
    data = load_prepared(digits)
    np.save(tmp_path / "same.npy", data.rows["test"].read(0, 300).reshape(-1, 8, 8))
    np.save(tmp_path / "dark.npy", data.rows["test"].read(0, 300).reshape(-1, 8, 8) // 4)
    assert drift(untrained["sparse"], tmp_path / "same.npy", data, 0.05).moved == []
    assert "score" in drift(untrained["sparse"], tmp_path / "dark.npy", data, 0.05).moved


def test_of_a_large_file_rows_are_taken_evenly(model, table, frame, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAMPLED_ROWS", 100)
    monkeypatch.setattr(reader, "BATCH_BYTES", 2000)
    many = pd.concat([frame] * 5, ignore_index=True).assign(length=np.arange(2000.0))
    chosen = module._sampled(saved(many, tmp_path), model).features[:, 0]
    steps = np.diff(chosen)
    assert 50 <= len(chosen) <= 100
    assert chosen[0] == 0
    assert len(set(steps)) == 1
    assert chosen[-1] + steps[0] >= 2000


def test_another_data_set_than_the_models_is_refused(model, table, frame, tmp_path):
    other: Prepared = replace(table, description=replace(table.description, split_sha256="0" * 64))
    with pytest.raises(DataError, match="not what this model was trained on"):
        drift(model, saved(frame, tmp_path), other, 0.05)


def test_a_file_without_rows_is_refused(model, table, frame, tmp_path):
    with pytest.raises(DataError, match="no rows"):
        drift(model, saved(frame.head(0), tmp_path), table, 0.05)


def test_a_missing_column_is_refused(model, table, frame, tmp_path):
    with pytest.raises(DataError, match="missing columns: width"):
        drift(model, saved(frame.drop(columns="width"), tmp_path), table, 0.05)


def test_a_terminal_shows_what_moved_most_first(model, table, frame, tmp_path, capsys):
    result = drift(model, saved(frame.assign(width=frame["width"] + 100), tmp_path), table, 0.05)
    Console(width=80, force_terminal=False).print(summary(result))
    lines = capsys.readouterr().out.splitlines()
    first = next(i for i, line in enumerate(lines) if "column width" in line)
    assert "yes" in lines[first]
    assert all("yes" in line for line in lines if any(f" {what} " in line for what in result.moved))
