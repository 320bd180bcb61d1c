"""Losses, likelihoods and divergences against closed forms, limits and invariances."""

import math
from collections.abc import Callable
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli, Laplace, Normal, kl_divergence

from autoencoders.models.losses import (
    RECONSTRUCTION_LOSSES,
    bernoulli_kl,
    gaussian_kl,
    gaussian_log_density,
    importance_weighted_log_likelihood,
    log_likelihood,
    reconstruction_loss,
)
from gradients import gradient_of

ROWS, FEATURES = 7, 5
FORMULAS = {
    "mse": lambda output, x: (output - x) ** 2,
    "l1": lambda output, x: abs(output - x),
    "bce": lambda output, x: (
        -x * math.log(sigmoid(output)) - (1 - x) * math.log(1 - sigmoid(output))
    ),
}
DISTRIBUTIONS = {
    "mse": lambda output: Normal(output, math.sqrt(0.5)),
    "l1": lambda output: Laplace(output, 1.0),
    "bce": lambda output: Bernoulli(
        logits=output, validate_args=False
    ),  # which would refuse 0 < x < 1
}
every_loss = pytest.mark.parametrize("loss", RECONSTRUCTION_LOSSES)


def sigmoid(a: float) -> float:
    return 1 / (1 + math.exp(-a))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def uniform(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pair(seed: int = 0) -> tuple[Tensor, Tensor]:
    """A decoder's output and the x that it should have been."""
    return 2 * normal(ROWS, FEATURES, seed=seed), uniform(ROWS, FEATURES, seed=seed + 1)


# reconstruction


@every_loss
def test_reconstruction_loss_sums_the_formula_over_the_features_of_each_row(loss):
    output, x = pair()
    rows = zip(output.tolist(), x.tolist(), strict=True)
    expected = [sum(FORMULAS[loss](o, t) for o, t in zip(*row, strict=True)) for row in rows]
    torch.testing.assert_close(
        reconstruction_loss(loss, output, x), torch.tensor(expected, dtype=torch.float64)
    )


@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_reconstruction_loss_of_a_perfect_output_is_zero(loss):
    x = normal(ROWS, FEATURES)
    assert torch.equal(reconstruction_loss(loss, x, x), torch.zeros(ROWS, dtype=torch.float64))


def test_bce_is_least_where_the_sigmoid_of_the_output_is_x_and_there_it_is_the_entropy_of_x():
    _, x = pair()
    at_x = reconstruction_loss("bce", torch.logit(x), x)
    torch.testing.assert_close(at_x, Bernoulli(probs=x).entropy().sum(-1))
    for shift in (-0.1, 0.1):
        assert (reconstruction_loss("bce", torch.logit(x) + shift, x) > at_x).all()


def test_bce_of_logits_beyond_the_reach_of_a_float32_sigmoid_is_their_size():
    logits = torch.tensor([[200.0], [-200.0]])  # wrong by 200 nats: log(1 + exp(200)) = 200
    opposite = torch.tensor([[0.0], [1.0]])
    torch.testing.assert_close(
        reconstruction_loss("bce", logits, opposite), torch.tensor([200.0, 200.0])
    )
    torch.testing.assert_close(reconstruction_loss("bce", logits, 1 - opposite), torch.zeros(2))


def test_an_unknown_loss_is_refused_with_the_valid_ones():
    with pytest.raises(ValueError, match=r"'mae'.*mse, bce, l1"):
        reconstruction_loss("mae", *pair())


@every_loss
def test_many_outputs_for_one_x_give_each_output_its_own_loss(loss):
    _, x = pair()
    outputs = normal(3, ROWS, FEATURES)
    expected = torch.stack([reconstruction_loss(loss, output, x) for output in outputs])
    torch.testing.assert_close(reconstruction_loss(loss, outputs, x), expected)


# likelihood


@every_loss
def test_log_likelihood_is_the_summed_log_density_of_torch_distributions(loss):
    output, x = pair()
    torch.testing.assert_close(
        log_likelihood(loss, output, x), DISTRIBUTIONS[loss](output).log_prob(x).sum(-1)
    )


@pytest.mark.parametrize("loss", ["mse", "l1"])
def test_the_density_of_one_feature_integrates_to_one(loss):
    x = torch.linspace(-40, 40, 80_001, dtype=torch.float64)[:, None]
    density = log_likelihood(loss, torch.full_like(x, 0.5), x).exp()
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1, abs=1e-6)


def test_the_bernoulli_probabilities_of_one_feature_add_up_to_one():
    output = normal(ROWS, 1)
    both = [
        log_likelihood("bce", output, torch.full_like(output, value)).exp() for value in (0.0, 1.0)
    ]
    torch.testing.assert_close(sum(both), torch.ones(ROWS, dtype=torch.float64))


@every_loss
def test_log_likelihood_and_reconstruction_loss_differ_by_a_constant(loss):
    sums = [
        log_likelihood(loss, *pair(seed)) + reconstruction_loss(loss, *pair(seed))
        for seed in range(3)
    ]
    torch.testing.assert_close(torch.stack(sums), sums[0][0].expand(3, ROWS))


# divergences of Gaussians


def test_gaussian_kl_is_the_closed_form_of_torch_distributions():
    mean, log_var = normal(ROWS, FEATURES), normal(ROWS, FEATURES, seed=1)
    expected = kl_divergence(Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0)).sum(-1)
    torch.testing.assert_close(gaussian_kl(mean, log_var), expected)


def test_gaussian_kl_is_the_mean_log_ratio_of_the_densities():
    mean, log_var = normal(1, FEATURES), normal(1, FEATURES, seed=1)
    z = mean + (0.5 * log_var).exp() * normal(100_000, FEATURES, seed=2)
    ratio = gaussian_log_density(z, mean, log_var) - gaussian_log_density(
        z, torch.zeros_like(z), torch.zeros_like(z)
    )
    four_errors = 4 * ratio.std().item() / math.sqrt(len(z))
    assert ratio.mean().item() == pytest.approx(gaussian_kl(mean, log_var).item(), abs=four_errors)


def test_gaussian_kl_of_the_prior_is_zero_and_so_is_its_gradient():
    mean, log_var = torch.zeros(1, 3, requires_grad=True), torch.zeros(1, 3, requires_grad=True)
    kl = gaussian_kl(mean, log_var).sum()
    kl.backward()
    assert kl.item() == 0
    assert torch.equal(gradient_of(mean), torch.zeros(1, 3))
    assert torch.equal(gradient_of(log_var), torch.zeros(1, 3))


@pytest.mark.parametrize("mean", [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-6, 1e-8])
def test_gaussian_kl_of_a_shifted_prior_is_half_the_squared_mean_however_small_in_float32(mean):
    kl = gaussian_kl(torch.tensor([[mean]]), torch.zeros(1, 1))
    assert kl.item() == pytest.approx(mean**2 / 2, rel=1e-5, abs=0)


@pytest.mark.parametrize("log_var", [1e-1, 1e-2, 1e-3, -1e-3, -1e-2, -1e-1])
def test_gaussian_kl_of_a_widened_prior_keeps_its_digits_in_float32(log_var):
    expected = (
        sum(log_var**n / math.factorial(n) for n in range(2, 8)) / 2
    )  # of (exp(v) - 1 - v) / 2
    kl = gaussian_kl(torch.zeros(1, 1), torch.full((1, 1), log_var))
    assert kl.item() == pytest.approx(expected, rel=1e-2, abs=0)


def test_the_gradient_of_a_kl_of_a_hundredth_nat_is_not_clamped_away():
    mean = torch.full((1, 1), math.sqrt(0.02), requires_grad=True)
    log_var = torch.full((1, 1), -0.1, requires_grad=True)
    assert gaussian_kl(mean, torch.zeros(1, 1)).item() == pytest.approx(0.01)
    gaussian_kl(mean, log_var).sum().backward()
    assert gradient_of(mean).item() == pytest.approx(math.sqrt(0.02))  # d/dm of m^2 / 2
    assert gradient_of(log_var).item() == pytest.approx((math.exp(-0.1) - 1) / 2)


def test_gaussian_log_density_is_the_summed_log_density_of_torch_distributions_also_of_many_draws():
    mean, log_var, z = normal(ROWS, 3), normal(ROWS, 3, seed=1), normal(4, ROWS, 3, seed=2)
    expected = Normal(mean, (0.5 * log_var).exp()).log_prob(z).sum(-1)
    assert expected.shape == (4, ROWS)
    torch.testing.assert_close(gaussian_log_density(z, mean, log_var), expected)


# divergence of Bernoullis


@pytest.mark.parametrize("target", [0.01, 0.2, 0.5, 0.9])
def test_bernoulli_kl_is_the_closed_form_of_torch_distributions(target):
    activation = uniform(20)
    expected = kl_divergence(
        Bernoulli(torch.tensor(target, dtype=torch.float64)), Bernoulli(activation)
    ).sum()
    torch.testing.assert_close(bernoulli_kl(target, activation), expected)


@pytest.mark.parametrize("target", [0.01, 0.2, 0.5, 0.9])
def test_bernoulli_kl_is_zero_at_the_target_and_grows_away_from_it_on_both_sides(target):
    step = min(target, 1 - target) / 10
    for direction in (-step, step):
        kl = [
            bernoulli_kl(target, torch.tensor([target + i * direction])).item() for i in range(10)
        ]
        assert kl[0] == pytest.approx(0, abs=1e-6)
        assert all(nearer < farther for nearer, farther in zip(kl, kl[1:], strict=False))


@pytest.mark.parametrize("activation", [0.0, 1.0])
def test_bernoulli_kl_of_a_saturated_float32_unit_is_large_and_finite(activation):
    unit = torch.full((1,), activation, requires_grad=True)
    kl = bernoulli_kl(0.2, unit)
    kl.backward()
    nearly = abs(activation - 1e-3)
    assert bernoulli_kl(0.2, torch.tensor([nearly])) < kl < math.inf
    assert gradient_of(unit).isfinite().all()


@pytest.mark.parametrize("logit", [-60.0, -20.0, -5.0, 0.0, 5.0, 14.0])
def test_bernoulli_kl_pulls_a_nearly_dead_float32_unit_as_strongly_as_any(logit):
    a = torch.tensor([logit], requires_grad=True)
    bernoulli_kl(0.2, torch.sigmoid(a)).backward()
    assert gradient_of(a).item() == pytest.approx(sigmoid(logit) - 0.2)  # by the chain rule


# one kind of reduction


def one_value_a_sample(quantity: str, features: int = 1, batches: int = 1) -> Tensor:
    """A quantity of the same rows, with the features or the whole batch repeated."""
    output, x = (tensor.repeat(batches, features) for tensor in pair())
    values: dict[str, Callable[[], Tensor]] = {
        "gaussian_kl": partial(gaussian_kl, output, x),
        "gaussian_log_density": partial(gaussian_log_density, output, x, output),
    }
    for loss in RECONSTRUCTION_LOSSES:
        values[f"{loss} loss"] = partial(reconstruction_loss, loss, output, x)
        values[f"{loss} likelihood"] = partial(log_likelihood, loss, output, x)
    return values[quantity]()


QUANTITIES = ["gaussian_kl", "gaussian_log_density"]
QUANTITIES += [
    f"{loss} {kind}" for kind in ("loss", "likelihood") for loss in RECONSTRUCTION_LOSSES
]
every_quantity = pytest.mark.parametrize("quantity", QUANTITIES)


@every_quantity
def test_repeating_the_features_doubles_a_quantity(quantity):
    torch.testing.assert_close(
        one_value_a_sample(quantity, features=2), 2 * one_value_a_sample(quantity)
    )


@every_quantity
def test_repeating_the_batch_leaves_the_mean_of_a_quantity_as_it_is(quantity):
    twice = one_value_a_sample(quantity, batches=2)
    assert twice.shape == (2 * ROWS,)
    torch.testing.assert_close(twice.mean(), one_value_a_sample(quantity).mean())


def test_repeating_the_code_units_doubles_the_bernoulli_kl():
    activation = uniform(FEATURES)
    torch.testing.assert_close(
        bernoulli_kl(0.2, activation.repeat(2)), 2 * bernoulli_kl(0.2, activation)
    )


# importance weights


def test_one_importance_sample_gives_its_log_weight():
    log_weights = normal(1, ROWS)
    torch.testing.assert_close(importance_weighted_log_likelihood(log_weights), log_weights[0])


@pytest.mark.parametrize("samples", [1, 5, 1000])
def test_equal_weights_give_their_logarithm_exactly(samples):
    log_p = -50 * uniform(ROWS)
    torch.testing.assert_close(
        importance_weighted_log_likelihood(log_p.expand(samples, ROWS)), log_p
    )


def test_the_bound_is_the_logarithm_of_the_mean_weight_not_of_their_sum_nor_a_mean_logarithm():
    weights = [0.5, 2.0, 3.5]
    bound = importance_weighted_log_likelihood(
        torch.tensor(weights, dtype=torch.float64).log()[:, None]
    )
    assert bound.item() == pytest.approx(math.log(sum(weights) / 3))


@pytest.mark.parametrize("shift", [-2000.0, 2000.0])
def test_weights_too_small_or_large_for_a_float_are_averaged_all_the_same(shift):
    log_weights = normal(6, ROWS)
    expected = importance_weighted_log_likelihood(log_weights) + shift
    torch.testing.assert_close(importance_weighted_log_likelihood(log_weights + shift), expected)


def test_the_bound_grows_with_samples_on_average_and_stays_below_the_limit():
    rows = 4000
    log_weights = normal(50, rows)  # the mean of a log-normal weight is exp(1/2)
    bounds = [importance_weighted_log_likelihood(log_weights[:k]) for k in (1, 5, 50)]
    for fewer, more in zip(bounds, bounds[1:], strict=False):
        gain = more - fewer
        assert gain.mean() > 4 * gain.std() / math.sqrt(rows)
    assert bounds[-1].mean() < 0.5


def test_the_bound_converges_to_the_logarithm_of_the_expected_weight():
    samples = 200_000
    bound = importance_weighted_log_likelihood(normal(samples, 1)).item()
    error = math.sqrt((math.e - 1) / samples)  # of log(mean weight), by the delta method
    assert bound == pytest.approx(0.5, abs=4 * error)
