"""The reasons for a score."""

import numpy as np

from autoencoders.data.prepared.schema import Column, Schema
from autoencoders.models.trained.reasons import DIVERGENCE, reasons
from autoencoders.models.trained.scores import conformal_scores

SCHEMA = Schema((), (Column("press"), Column("temp"), Column("valve", constant=0.0)))


def reasons_of(parts: list[float], *, novel: bool = False) -> str:
    """The reasons for one row's score. parts: of press, temp and the divergence, in nats."""
    rows = np.array([parts], np.float32)
    n_novel = np.array([int(novel)])
    scores = conformal_scores(rows, n_novel, 2.0, np.array([1.0]))
    (text,) = reasons(SCHEMA, scores, np.array([[novel]]))
    return text


def test_the_largest_parts_come_first():
    assert reasons_of([1.0, 3.0, 0.0]) == "temp 75%; press 25%"


def test_the_divergence_is_named_where_it_is_the_largest_part():
    assert reasons_of([0.5, 0.5, 3.0]) == f"{DIVERGENCE} 75%; press 12%; temp 12%"


def test_a_part_of_nearly_nothing_is_not_named():
    assert reasons_of([1e-5, 0.0, 10.0]) == f"{DIVERGENCE} 100%"


def test_a_score_of_0_has_no_reasons():
    assert reasons_of([0.0, 0.0, 0.0]) == ""


def test_a_novel_value_is_named_by_its_column():
    assert reasons_of([1.0, 1.0, 0.0], novel=True) == "valve 50%; press 25%; temp 25%"
