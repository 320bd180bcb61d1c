"""The error against PCA's at the same code size."""

import pytest

from autoencoders.evaluation.against_pca import difference, on_test, on_validation, percent
from autoencoders.evaluation.catalogue import (
    PCA_SQUARED_ERROR,
    PCA_VALIDATION_SQUARED_ERROR,
    SQUARED_ERROR,
    VALIDATION_SQUARED_ERROR,
)
from autoencoders.evaluation.row import Estimate, Row


@pytest.mark.parametrize(
    ("error", "pca", "shown"),
    [
        (2, 2, "+0.0 %"),
        (1, 2, "-50.0 %"),
        (0, 2, "-100.0 %"),
        (3, 2, "+50.0 %"),
        (1.9999, 2, "+0.0 %"),  # rounded, and no -0.0
        (1, 0, ""),
        (1, 1e-30, ""),
        (0, 0, ""),
    ],
)
def test_the_difference_is_a_share_of_pcas_error_where_it_has_one(
    error: float, pca: float, shown: str
):
    assert percent(difference(error, pca)) == shown


def test_each_split_has_its_own_errors():
    values = {
        SQUARED_ERROR: 1.0,
        PCA_SQUARED_ERROR: 4.0,
        VALIDATION_SQUARED_ERROR: 3.0,
        PCA_VALIDATION_SQUARED_ERROR: 2.0,
    }
    estimates = {metric.key: Estimate(value) for metric, value in values.items()}
    row = Row("a model", "reconstruct", "split", 10, None, estimates)
    assert on_test(row) == 1 / 4 - 1
    assert on_validation(row) == 3 / 2 - 1
