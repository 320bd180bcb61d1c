"""The contractive penalty: three ways to the Jacobian's norm, against torch's Jacobian."""

import math

import pytest
import torch
from torch import Tensor

from autoencoders.models.jacobian import linear_layers
from autoencoders.models.types.contractive import EXACT_UP_TO, Contractive
from autoencoders.params.architecture import Architecture

HIDDEN, CODE = ("silu", "gelu", "relu", "tanh", "sigmoid"), ("identity", "relu", "tanh", "sigmoid")
SHAPES = [(6, (), 3), (6, (), 9), (6, (4,), 3), (4, (9,), 3), (6, (9, 5), 1), (12, (5, 4, 3), 7)]
# features, widths, code: first layers narrower and wider than the input, codes too
NOISE = torch.Generator()


def contractive(
    n_features: int = 6,
    widths: tuple[int, ...] = (5,),
    code_size: int = 3,
    activation: str = "tanh",
    code_activation: str = "identity",
    *,
    weight: float = 0.1,
    jacobian: str = "exact",
) -> Contractive:
    """In float64, with biases and weights large enough that activations bend."""
    torch.manual_seed(0)
    shape = Architecture(n_features, code_size, widths, activation, code_activation, "mse")
    model = Contractive(shape, weight=weight, jacobian=jacobian).double()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(2)
    return model


def rows(n: int, n_features: int, seed: int = 0) -> Tensor:
    return torch.randn(
        n, n_features, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    )


def autograd_squared_norm(model: Contractive, x: Tensor) -> Tensor:
    """Each row's squared Frobenius norm of torch's Jacobian, entry by entry; differentiable."""
    jacobians = [
        torch.autograd.functional.jacobian(model.encode, row[None], create_graph=True) for row in x
    ]
    return torch.stack([(jacobian**2).sum() for jacobian in jacobians])


def computed_norm(model: Contractive, x: Tensor, generator: torch.Generator = NOISE) -> Tensor:
    x = x.clone().requires_grad_()
    a = model.encoder(x)
    return model.jacobian_squared_norm(x, a, model.code_activation(a), generator)


# the norm


@pytest.mark.parametrize(("n_features", "widths", "code_size"), SHAPES)
@pytest.mark.parametrize("activation", HIDDEN)
def test_the_exact_norm_is_that_of_torchs_jacobian(n_features, widths, code_size, activation):
    model = contractive(n_features, widths, code_size, activation, "tanh")
    x = rows(4, n_features)
    torch.testing.assert_close(computed_norm(model, x), autograd_squared_norm(model, x))


@pytest.mark.parametrize("widths", [(), (4,), (9, 5)])
@pytest.mark.parametrize("code_activation", CODE)
def test_the_exact_norm_knows_every_code_activation(widths, code_activation):
    model = contractive(6, widths, 5, "gelu", code_activation)
    x = rows(4, 6)
    torch.testing.assert_close(computed_norm(model, x), autograd_squared_norm(model, x))


def convolutional(
    shape: tuple[int, ...], code_size: int, activation: str, jacobian: str = "exact"
) -> Contractive:
    """As `contractive`, with convolutions."""
    torch.manual_seed(0)
    architecture = Architecture(
        math.prod(shape), code_size, (2, 3), activation, "tanh", "mse", "conv", shape
    )
    return Contractive(architecture, weight=0.1, jacobian=jacobian).double()


@pytest.mark.parametrize(("shape", "code_size"), [((5, 4), 1), ((4, 4), 3), ((3, 4, 3), 5)])
@pytest.mark.parametrize("activation", HIDDEN)
def test_the_exact_norm_of_convolutions_and_its_gradient_are_those_of_torchs_jacobian(
    shape, code_size, activation
):
    model = convolutional(shape, code_size, activation)
    x = rows(4, math.prod(shape))
    norm, expected = computed_norm(model, x), autograd_squared_norm(model, x)
    torch.testing.assert_close(norm, expected)
    torch.testing.assert_close(gradients(model, norm), gradients(model, expected))


def test_one_random_projection_estimates_the_norm_of_convolutions_without_bias():
    draws, model = 20_000, convolutional((4, 4), 3, "silu", "estimate")
    row = rows(1, 16)
    estimates = computed_norm(model, row.expand(draws, 16), torch.Generator().manual_seed(0))
    four_errors = 4 * estimates.std().item() / math.sqrt(draws)
    expected = autograd_squared_norm(model, row).item()
    assert four_errors < expected / 10
    assert estimates.mean().item() == pytest.approx(expected, abs=four_errors)


@pytest.mark.parametrize("code_activation", CODE)
@pytest.mark.parametrize("code_size", [1, 4, 9])
def test_the_closed_form_is_the_norm_of_torchs_jacobian(code_activation, code_size):
    model = contractive(6, (), code_size, code_activation=code_activation, jacobian="closed_form")
    x = rows(4, 6)
    torch.testing.assert_close(computed_norm(model, x), autograd_squared_norm(model, x))


def test_the_closed_form_of_sigmoid_codes_is_equation_5_of_rifai_et_al():
    model = contractive(6, (), 3, code_activation="sigmoid", jacobian="closed_form")
    x = rows(4, 6)
    weights = linear_layers(model.encoder)[0].weight.tolist()
    expected = [
        sum((h * (1 - h)) ** 2 * sum(w * w for w in weights[j]) for j, h in enumerate(code))
        for code in model.encode(x).tolist()
    ]
    torch.testing.assert_close(computed_norm(model, x), torch.tensor(expected, dtype=torch.float64))


def test_the_norm_of_a_linear_encoder_is_that_of_its_weights_for_every_x():
    model = contractive(6, (), 3, jacobian="closed_form")
    (layer,) = linear_layers(model.encoder)
    expected = layer.weight.square().sum().expand(4)
    torch.testing.assert_close(computed_norm(model, rows(4, 6)), expected)


@pytest.mark.parametrize(
    ("n_features", "widths", "code_size"), [(6, (), 4), (4, (9,), 3), (12, (5, 4), 7)]
)
def test_one_random_projection_estimates_the_norm_without_bias(n_features, widths, code_size):
    draws = 20_000
    model = contractive(n_features, widths, code_size, "silu", "sigmoid", jacobian="estimate")
    for seed, row in enumerate(rows(3, n_features)):
        estimates = computed_norm(
            model, row.expand(draws, n_features), torch.Generator().manual_seed(seed)
        )
        expected = autograd_squared_norm(model, row[None]).item()
        four_errors = 4 * estimates.std().item() / math.sqrt(draws)
        assert four_errors < expected / 10
        assert estimates.mean().item() == pytest.approx(expected, abs=four_errors)


# gradients


def gradients(model: Contractive, penalty: Tensor) -> list[Tensor]:
    return list(
        torch.autograd.grad(penalty.sum(), list(model.encoder.parameters()), materialize_grads=True)
    )


@pytest.mark.parametrize(("n_features", "widths", "code_size"), SHAPES)
@pytest.mark.parametrize("activation", HIDDEN)
def test_the_gradient_of_the_exact_norm_is_that_of_torchs_jacobian(
    n_features, widths, code_size, activation
):
    model = contractive(n_features, widths, code_size, activation, "sigmoid")
    x = rows(4, n_features)
    expected = gradients(model, autograd_squared_norm(model, x))
    torch.testing.assert_close(gradients(model, computed_norm(model, x)), expected)
    assert any(gradient.any() for gradient in expected)


@pytest.mark.parametrize("code_activation", CODE)
def test_the_gradient_of_the_closed_form_is_that_of_torchs_jacobian(code_activation):
    model = contractive(6, (), 4, code_activation=code_activation, jacobian="closed_form")
    x = rows(4, 6)
    expected = gradients(model, autograd_squared_norm(model, x))
    torch.testing.assert_close(gradients(model, computed_norm(model, x)), expected)


def test_the_gradient_of_the_estimate_is_without_bias():
    draws, repeats = 500, 40
    model = contractive(5, (4,), 3, "silu", "sigmoid", jacobian="estimate")
    row = rows(1, 5)
    expected = gradients(model, autograd_squared_norm(model, row))[0]
    generator = torch.Generator().manual_seed(0)
    means = [
        gradients(model, computed_norm(model, row.expand(draws, 5), generator))[0] / draws
        for _ in range(repeats)
    ]
    estimates = torch.stack(means)
    errors = (estimates.mean(0) - expected).abs() / (estimates.std(0) / math.sqrt(repeats))
    assert errors.max() < 5  # standard errors, over 20 weights


# the choice


@pytest.mark.parametrize(
    ("widths", "code_size", "chosen"),
    [
        ((), 1, "closed_form"),
        ((), EXACT_UP_TO + 1, "closed_form"),
        ((5,), 1, "exact"),
        ((5,), EXACT_UP_TO, "exact"),
        ((5, 4), EXACT_UP_TO + 1, "estimate"),
    ],
)
def test_auto_takes_the_first_way_that_is_cheap(widths, code_size, chosen):
    assert contractive(6, widths, code_size, jacobian="auto").jacobian == chosen


@pytest.mark.parametrize("jacobian", ["closed_form", "exact", "estimate"])
def test_a_named_way_is_taken(jacobian):
    assert contractive(6, (), 3, jacobian=jacobian).jacobian == jacobian


@pytest.mark.parametrize(("widths", "jacobian"), [((), "closed_form"), ((5,), "exact")])
def test_the_penalty_is_the_mean_norm_over_the_batch(widths, jacobian):
    model = contractive(6, widths, 3, "silu", "sigmoid", jacobian=jacobian)
    x = rows(7, 6)
    torch.testing.assert_close(model.loss(x, NOISE).penalty, autograd_squared_norm(model, x).mean())


def test_the_reconstruction_term_sends_no_gradient_through_the_input():
    model = contractive()
    x = rows(4, 6).requires_grad_()
    model.loss(x, NOISE).reconstruction.backward()
    assert x.grad is None


@pytest.mark.parametrize("weight", [0.0, 0.3])
def test_the_penaltys_weight_is_constant(weight):
    assert [
        contractive(weight=weight).penalty_weight(progress) for progress in (0.0, 0.5, 1.0)
    ] == [weight] * 3


# behaviour and diagnostics


@pytest.mark.parametrize("jacobian", ["exact", "estimate"])
def test_a_larger_weight_makes_a_flatter_encoder(jacobian):
    def norm(weight: float) -> float:
        model = contractive(8, (6,), 3, "silu", "sigmoid", weight=weight, jacobian=jacobian)
        x = rows(32, 3, seed=1) @ rows(3, 8, seed=2)
        generator = torch.Generator().manual_seed(0)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
        for _ in range(80):
            loss = model.loss(x, generator)
            optimizer.zero_grad()
            (loss.reconstruction + model.penalty_weight(1.0) * loss.penalty).backward()
            optimizer.step()
        return model.jacobian_norm(x).mean().item()

    norms = [norm(weight) for weight in (0.0, 1.0, 100.0)]
    assert norms == sorted(norms, reverse=True)
    assert norms[-1] < norms[0] / 2


@pytest.mark.parametrize("jacobian", ["exact", "estimate"])
def test_the_norm_without_gradients_is_the_exact_one_whatever_training_used(jacobian):
    model = contractive(6, (5,), 3, "silu", "sigmoid", jacobian=jacobian)
    x = rows(4, 6)
    expected = autograd_squared_norm(model, x).sqrt().detach()
    frozen = model.eval().requires_grad_(requires_grad=False)
    with torch.no_grad():
        norm = frozen.jacobian_norm(x)
    torch.testing.assert_close(norm, expected)
