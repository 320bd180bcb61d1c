"""Diagnostics of a model on test rows: its own loss, the Jacobian's norm, the NLL's error."""

from pathlib import Path

import numpy as np
import pytest
import torch

from autoencoders.data.prepared.prepared import Prepared, load_prepared
from autoencoders.evaluation.catalogue import (
    NLL_STANDARD_ERROR,
    NLL_VARIANCE,
    SCALED_JACOBIAN_NORM,
)
from autoencoders.evaluation.diagnostics import (
    JACOBIAN_ROWS,
    jacobian_norm,
    nll_standard_error,
    scaled_jacobian_norm,
    type_values,
)
from autoencoders.evaluation.row import Estimate
from autoencoders.models.trained.model import TrainedModel
from autoencoders.params.sections import Evaluate


@pytest.fixture(scope="module")
def data(digits: Path) -> Prepared:
    return load_prepared(digits)


@pytest.mark.parametrize("model_type", ["undercomplete", "variational"])
def test_the_loss_of_each_test_row_is_that_of_its_own_code(
    model_type, untrained: dict[str, TrainedModel], data: Prepared, evaluate: Evaluate
):
    model = untrained[model_type]
    losses = type_values(model, data, evaluate)["reconstruction_loss"]
    x = model.scaled(torch.from_numpy(data.sample("test")))
    with torch.no_grad():
        expected = model.autoencoder.reconstruction_loss(model.autoencoder.encode(x), x)
    np.testing.assert_allclose(losses, expected.numpy(), rtol=1e-5)


def test_the_scaled_norm_is_the_mean_norm_over_the_codes_spread(
    untrained: dict[str, TrainedModel], data: Prepared
):
    model = untrained["undercomplete"]
    norms = jacobian_norm(model, data)
    assert len(norms["jacobian_norm"]) == min(JACOBIAN_ROWS, len(data.rows["test"]))
    spread = np.sqrt(model.encode(data.sample("test")).var(0).sum())
    estimate = scaled_jacobian_norm(model, data, norms)[SCALED_JACOBIAN_NORM.key]
    assert estimate.value == pytest.approx(norms["jacobian_norm"].mean() / spread, rel=1e-5)


def test_without_norms_nothing_is_scaled(untrained: dict[str, TrainedModel], data: Prepared):
    assert scaled_jacobian_norm(untrained["undercomplete"], data, {}) == {}


def test_the_nlls_standard_error_is_that_of_a_mean_of_independent_rows():
    estimates = nll_standard_error({NLL_VARIANCE.key: Estimate(0.5)}, rows=200)
    assert estimates[NLL_STANDARD_ERROR.key].value == pytest.approx((0.5 / 200) ** 0.5)
    assert nll_standard_error({}, rows=200) == {}
