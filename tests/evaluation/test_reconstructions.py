"""Reconstructions judged on a split: limits that are known in closed form."""

from pathlib import Path

import numpy as np
import pytest

from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.evaluation.catalogue import (
    EXPLAINED_VARIANCE,
    PCA_SQUARED_ERROR,
    SQUARED_ERROR,
    VALIDATION_SQUARED_ERROR,
)
from autoencoders.evaluation.reconstructions import Reconstructions
from autoencoders.models.pca import PrincipalComponents
from autoencoders.params.sections import Evaluate


@pytest.fixture(scope="module")
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.fixture(scope="module")
def reconstructions(data: Prepared, evaluate: Evaluate) -> Reconstructions:
    pca = PrincipalComponents(map(data.scaled, data.rows["train"]))
    return Reconstructions(data, pca, evaluate)


def test_perfect_reconstructions_have_no_error_and_explain_all(data, reconstructions):
    estimates = reconstructions.estimates(64, data.scaled)
    assert estimates[SQUARED_ERROR.key] == (0, (0, 0))
    assert estimates[VALIDATION_SQUARED_ERROR.key].value == 0
    assert estimates[EXPLAINED_VARIANCE.key] == (1, (1, 1))
    assert estimates[PCA_SQUARED_ERROR.key].value == pytest.approx(0, abs=1e-9)


def test_the_training_mean_explains_nothing_and_is_pca_at_code_size_0(data, reconstructions):
    def mean(raw: np.ndarray) -> np.ndarray:
        return np.tile(data.scaled(data.mean), (len(raw), 1))

    estimates = reconstructions.estimates(0, mean)
    assert estimates[EXPLAINED_VARIANCE.key].value == pytest.approx(0, abs=1e-6)
    error = estimates[SQUARED_ERROR.key].value
    assert error == pytest.approx(estimates[PCA_SQUARED_ERROR.key].value, rel=1e-6)


def test_values_of_a_sample_of_the_rows_are_judged_beside_those_of_all(data, reconstructions):
    estimates = reconstructions.estimates(8, data.scaled, {"norm": np.array([1.0, 3.0])})
    mean, (low, high) = estimates["test_norm"]
    assert (low, mean, high) == (1, 2, 3)


def test_without_values_there_are_no_means(reconstructions):
    assert reconstructions.means({}) == {}
