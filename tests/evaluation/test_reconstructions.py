"""Reconstructions judged on a split: limits that are known in closed form."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.evaluation.catalogue import (
    EXPLAINED_VARIANCE,
    PCA_SQUARED_ERROR,
    SQUARED_ERROR,
    VALIDATION_SQUARED_ERROR,
)
from autoencoders.evaluation.reconstructions import Reconstructions
from autoencoders.models.pca import PrincipalComponents, Projection
from autoencoders.params.params import Params
from autoencoders.params.sections import Evaluate
from tables import prepared_table


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


def test_one_sentinel_decides_no_error_of_model_or_pca_and_is_scored_in_full(
    params: Params, evaluate: Evaluate, tmp_path: Path
):
    """Of two tables that differ in it alone; the code is as wide as the row less one."""
    rng = np.random.default_rng(0)
    values = rng.normal(size=(300, 1)) + rng.normal(0, 0.3, (300, 3))
    frame = pd.DataFrame(values, columns=["a", "b", "c"])
    frame["split"] = ["train"] * 150 + ["validation"] * 50 + ["test"] * 100
    results = []
    for name, value in (("clean", values[250, 0]), ("sentinel", -9999.0)):
        (tmp_path / name).mkdir()
        table = frame.copy()
        table.loc[250, "a"] = value
        _, data = prepared_table(params, table, tmp_path / name, split="column:split")
        pca = PrincipalComponents(map(data.scaled, data.rows["train"]))
        judged = Reconstructions(data, pca, evaluate)
        linear = pca.at(2)

        def reconstruct(
            raw: np.ndarray, data: Prepared = data, linear: Projection = linear
        ) -> np.ndarray:
            return linear.reconstruct(data.scaled(raw))

        estimates = judged.estimates(2, reconstruct)
        error = estimates[SQUARED_ERROR.key].value
        assert error == pytest.approx(estimates[PCA_SQUARED_ERROR.key].value)
        results.append((error, judged.pca_error(2, in_full=True)))
        reach = float(np.ptp(data.scaled(data.sample("train"))[:, 0]))
    (clean_error, clean_scores), (error, scores) = results
    assert abs(error - clean_error) <= reach**2 / 100  # of a row among 100
    others = np.delete(np.arange(100), 50)
    np.testing.assert_allclose(scores[others], clean_scores[others])
    assert scores[50] > 1e6
