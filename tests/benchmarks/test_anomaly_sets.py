"""Anomaly sets from KEEL's files, and the choice judged on a set that it did not see."""

from pathlib import Path

import numpy as np
import pytest

from anomaly_choice import left_out
from keel_sets import Classes, _chosen, _numbers, _table

FILE = """@relation flowers
@attribute size real
@data
1.5, red, odd, x, usual
2.5, blue, odd, y, usual
3.5, green, odd, x, rare
4.5, red, odd, y, rare
5.5, blue, odd, y, other
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "flowers.dat"
    path.write_text(FILE)
    return path


def test_a_file_becomes_numbers_without_constant_features(file):
    x, y = _table(file, Classes(("rare",), ("usual",)))
    assert sorted(x[:, 0].tolist()) == [1.5, 2.5, 3.5, 4.5]
    assert x.shape == (4, 1 + 3 + 1)  # a number, three colours, and one for x and y
    assert sorted(x[y == 1, 0].tolist()) == [3.5, 4.5]


def test_without_usual_classes_all_others_are_usual(file):
    _, y = _table(file, Classes(("rare",)))
    assert (len(y), y.sum()) == (5, 2)


def test_texts_are_logical_columns():
    assert _numbers(("b", "a", "c")).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 1]]
    assert _numbers(("yes", "no")).tolist() == [[1], [0]]
    assert _numbers(("2", "1")).tolist() == [[2], [1]]


@pytest.mark.parametrize(("classes", "n"), [({"n": 7}, 7), ({"share": 0.1}, 10), ({}, 60)])
def test_of_anomalies_a_sample_is_kept(classes, n):
    labels = np.array(["rare"] * 60 + ["usual"] * 90)
    chosen = _chosen(labels, Classes(("rare",), **classes))
    assert (labels[chosen] == "rare").sum() == n
    assert (labels[chosen] == "usual").sum() == 90
    assert len(set(chosen.tolist())) == len(chosen)


def test_a_set_has_no_say_in_its_own_candidate():
    values = np.array([[[90, 0], [50, 0]], [[50, 0], [60, 0]], [[50, 0], [60, 0]]], float)
    chosen, quality = left_out(values)
    # without the first set the second candidate is better, without another the first one is
    assert chosen.tolist() == [1, 0, 0]
    assert quality.tolist() == [np.mean([50, 50, 50]), 0]
