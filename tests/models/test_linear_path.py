"""The linear path: a network that starts as PCA, in every type whose code allows it."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from autoencoders.models import build
from autoencoders.models.base import Autoencoder
from autoencoders.models.losses import gaussian_kl
from autoencoders.models.pca import PrincipalComponents, Projection
from autoencoders.models.types.variational import Variational
from autoencoders.params.architecture import Architecture

FEATURES, CODE, ROWS = 7, 3, 200
VALUES: dict[str, dict[str, Any]] = {
    "undercomplete": {},
    "sparse": {"penalty": "l1", "weight": 0.1, "sparsity": 0.2, "k": 2},
    "contractive": {"weight": 0.1, "jacobian": "exact"},
    "denoising": {"corruption": "gaussian", "level": 0.2},
    "variational": {"beta": 0.5, "warmup": 0.0},
}
every_type = pytest.mark.parametrize("model_type", VALUES)


def data() -> np.ndarray:
    """Correlated rows with a mean far from 0, float32."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(ROWS, FEATURES)) @ rng.normal(size=(FEATURES, FEATURES))
    return (mixed + np.arange(FEATURES)).astype(np.float32)


X = data()
PCA: Projection = PrincipalComponents([X]).at(CODE)


def built(model_type: str, widths: tuple[int, ...] = (6, 5), **network: Any) -> Autoencoder:
    """An autoencoder with a linear path, and weights that were drawn at random."""
    values = {"activation": "silu", "code_activation": "identity", "loss": "mse", **network}
    architecture = Architecture(FEATURES, CODE, widths, linear_path=True, **values)
    torch.manual_seed(0)
    return build(model_type, architecture, VALUES[model_type])


def started(model_type: str, widths: tuple[int, ...] = (6, 5), **network: Any) -> Autoencoder:
    """As `built`, with its start as PCA."""
    model = built(model_type, widths, **network)
    model.start_as_pca(PCA)
    return model


def rows() -> Tensor:
    return torch.from_numpy(X[:20])


@every_type
@pytest.mark.parametrize("widths", [(), (6,), (6, 5)])
@pytest.mark.parametrize("activation", ["silu", "tanh", "sigmoid"])
def test_the_first_pass_is_pca(model_type, widths, activation):
    with torch.no_grad():
        x_hat = started(model_type, widths, activation=activation)(rows())
    np.testing.assert_allclose(x_hat, PCA.reconstruct(X[:20]), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("model_type", [name for name in VALUES if name != "variational"])
@pytest.mark.parametrize("activation", ["silu", "sigmoid"])
def test_tied_weights_start_as_pca_too(model_type, activation):
    model = started(model_type, tied=True, activation=activation)
    with torch.no_grad():
        x_hat = model(rows())
    np.testing.assert_allclose(x_hat, PCA.reconstruct(X[:20]), rtol=1e-4, atol=1e-4)
    plain = built(model_type, tied=True).parameters()
    assert sum(weight.numel() for weight in plain) < sum(
        weight.numel() for weight in built(model_type).parameters()
    )


@pytest.mark.parametrize("model_type", [name for name in VALUES if name != "variational"])
def test_the_code_is_pcas(model_type):
    with torch.no_grad():
        z = started(model_type).encode(rows())
    np.testing.assert_allclose(z, PCA.encode(X[:20]), rtol=1e-4, atol=1e-4)


def test_a_variational_code_is_pcas_in_units_of_its_deviation():
    model = started("variational")
    with torch.no_grad():
        z = model.encode(torch.from_numpy(X))
    np.testing.assert_allclose(z.std(0, correction=0), np.ones(CODE), rtol=1e-4)


def test_first_posterior_variances_are_the_best_ones_for_the_linear_decoder():
    """E||x - V z||^2 + beta KL has no slope there (Tipping & Bishop 1999, equation 12)."""
    model = started("variational")
    assert isinstance(model, Variational)
    with torch.no_grad():
        mean, log_var = model.posterior(rows())
    log_var = log_var.clone().requires_grad_()
    lengths = torch.from_numpy(PCA.deviations).float().square()  # of the decoder's columns, squared
    spread = (lengths * log_var.exp()).sum()
    (spread + 0.5 * gaussian_kl(mean, log_var).sum()).backward()
    assert log_var.grad is not None
    torch.testing.assert_close(log_var.grad, torch.zeros_like(log_var), atol=1e-5, rtol=0)


@every_type
@pytest.mark.parametrize("widths", [(), (6,), (6, 5)])
def test_the_jacobians_norm_is_that_of_autograd_with_the_path(model_type, widths):
    model = built(model_type, widths)
    x = rows()
    expected = []
    for row in x:
        jacobian = torch.autograd.functional.jacobian(lambda r: model.encode(r[None])[0], row)
        expected.append(jacobian.square().sum())
    torch.testing.assert_close(model.exact_squared_norm(x), torch.stack(expected))


@every_type
def test_hidden_layers_learn_beside_the_path(model_type):
    """The first step moves the decoder's last layer: what PCA leaves over is at right angles to its
    components. The encoder's last layer follows, and then all others.
    """
    model = started(model_type)
    optimizer = torch.optim.SGD(model.parameters(), 0.03)
    before = [weight.detach().clone() for weight in model.parameters()]
    for _ in range(4):
        optimizer.zero_grad()
        loss = model.loss(rows(), torch.Generator().manual_seed(0))
        (loss.reconstruction + 0.1 * loss.penalty).backward()
        optimizer.step()
    for old, weight in zip(before, model.parameters(), strict=True):
        assert not torch.equal(old, weight)


def test_components_have_their_largest_value_above_0_whatever_the_order_of_the_rows():
    for x in (X, X[::-1]):
        components = PrincipalComponents([x]).at(CODE).components
        np.testing.assert_allclose(components, PCA.components, rtol=1e-4, atol=1e-5)
        largest = np.abs(components).argmax(1)
        assert (components[np.arange(CODE), largest] > 0).all()


@pytest.mark.parametrize("n", [ROWS, FEATURES - 2])
def test_deviations_are_those_of_the_codes(n):
    projection = PrincipalComponents([X[:n]]).at(CODE)
    np.testing.assert_allclose(projection.deviations, projection.encode(X[:n]).std(0), rtol=1e-4)
