"""The variational bound against a linear Gaussian model's likelihood; schedule and draws."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal, kl_divergence

from autoencoders.models.jacobian import linear_layers
from autoencoders.models.types.variational import Variational, draw
from autoencoders.params.architecture import Architecture
from gradients import gradient_of

FEATURES, CODE = 6, 3
LOG_NORMALISERS = {
    "mse": math.log(math.pi) / 2,
    "l1": math.log(2),
    "bce": 0.0,
}  # a feature's, in nats


def variational(
    loss: str = "mse", widths: tuple[int, ...] = (), *, beta: float = 1.0, warmup: float = 0.0
) -> Variational:
    torch.manual_seed(0)
    shape = Architecture(FEATURES, CODE, widths, "silu", "identity", loss)
    return Variational(shape, beta=beta, warmup=warmup)


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def rows(n: int, seed: int = 0) -> Tensor:
    return torch.rand(n, FEATURES, generator=noise(seed), dtype=torch.float64)


def four_errors(values: Tensor) -> float:
    return 4 * values.std().item() / math.sqrt(len(values))


def with_posterior(mean: list[float], log_var: list[float]) -> Variational:
    """A model whose posterior is the same for every x."""
    model = variational()
    with torch.no_grad():
        layer = linear_layers(model.encoder)[-1]
        layer.weight.zero_()
        layer.bias.copy_(torch.tensor(mean + log_var))
    return model


class LinearGaussian:
    """x = W z + b + noise of variance 1/2, W orthogonal: evidence and posterior in closed form."""

    def __init__(self, *, shift: float = 0.0, widening: float = 0.0) -> None:
        """shift, widening: by how much the encoder misses the posterior's mean and log variance."""
        columns = torch.linalg.qr(
            torch.randn(FEATURES, CODE, generator=noise(7), dtype=torch.float64)
        ).Q
        scale = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64)
        weight, bias = (
            columns * scale,
            torch.randn(FEATURES, generator=noise(8), dtype=torch.float64),
        )
        precision = 1 + 2 * scale.square()  # I + W^T W / (1/2), which is diagonal
        to_mean = 2 * weight.T / precision[:, None]
        self.evidence = MultivariateNormal(
            bias, weight @ weight.T + torch.eye(FEATURES, dtype=torch.float64) / 2
        )
        self.mean_and_std = lambda x: ((x - bias) @ to_mean.T, precision.rsqrt())
        self.model = variational().double()
        with torch.no_grad():
            (decoder,) = linear_layers(self.model.decoder)
            decoder.weight.copy_(weight)
            decoder.bias.copy_(bias)
            (encoder,) = linear_layers(self.model.encoder)
            encoder.weight.copy_(torch.cat([to_mean, torch.zeros_like(to_mean)]))
            encoder.bias.copy_(torch.cat([shift - to_mean @ bias, widening - precision.log()]))

    def gap(self, x: Tensor) -> float:
        """KL(q(z | x) || p(z | x)) of one row: what the bound lacks."""
        mean, log_var = self.model.posterior(x)
        q, p = Normal(mean, (0.5 * log_var).exp()), Normal(*self.mean_and_std(x))
        return kl_divergence(Independent(q, 1), Independent(p, 1)).item()


# the bound


def test_with_the_exact_posterior_one_sample_gives_the_exact_log_likelihood():
    exact, x = LinearGaussian(), rows(20)
    nll = exact.model.diagnostics(x, noise(), n_samples=1)["nll"]
    torch.testing.assert_close(nll, -exact.evidence.log_prob(x))


def test_with_another_posterior_many_samples_converge_to_the_exact_log_likelihood():
    wrong = LinearGaussian(
        shift=0.2, widening=0.4
    )  # wider than the posterior: importance weights are bounded
    repeats = 200
    for x in rows(3):
        nll = wrong.model.diagnostics(x.expand(repeats, -1), noise(), n_samples=500)["nll"]
        bias = nll.var().item()  # half the variance, by the delta method, and as much again
        exact = -wrong.evidence.log_prob(x).item()
        assert four_errors(nll) + bias < wrong.gap(x[None]) / 10
        assert nll.mean().item() == pytest.approx(exact, abs=four_errors(nll) + bias)


def test_more_importance_samples_lower_the_nll_on_average_towards_the_exact_one():
    wrong, x = LinearGaussian(shift=0.3, widening=0.5), rows(1)[0]
    nll = [
        wrong.model.diagnostics(x.expand(4000, -1), noise(), n_samples=k)["nll"] for k in (1, 5, 50)
    ]
    for fewer, more in zip(nll, nll[1:], strict=False):
        assert fewer.mean().item() - more.mean().item() > math.hypot(
            four_errors(fewer), four_errors(more)
        )
    assert nll[-1].mean().item() > -wrong.evidence.log_prob(x).item() - four_errors(nll[-1])


@pytest.mark.parametrize(("shift", "widening"), [(0.0, 0.0), (0.5, 0.0), (0.3, 0.5), (0.0, -1.0)])
def test_the_elbo_lacks_the_posteriors_divergence_from_the_exact_one(shift, widening):
    result, x = LinearGaussian(shift=shift, widening=widening), rows(1)[0]
    expected = result.evidence.log_prob(x).item() - result.gap(x[None])
    single = result.model.diagnostics(x.expand(20_000, -1), noise(), n_samples=1)
    for bound in (single["elbo"], -single["nll"]):  # one importance sample is the bound once more
        assert bound.mean().item() == pytest.approx(expected, abs=four_errors(bound) + 1e-9)


def test_the_elbo_is_below_the_importance_sampled_log_likelihood():
    wrong, x = LinearGaussian(shift=0.5, widening=0.5), rows(1)[0]
    result = wrong.model.diagnostics(x.expand(500, -1), noise(), n_samples=50)
    gain = -result["nll"] - result["elbo"]
    assert gain.mean().item() > four_errors(gain)


@pytest.mark.parametrize("loss", LOG_NORMALISERS)
def test_with_beta_one_and_one_draw_the_loss_is_the_negative_elbo_up_to_the_normaliser(loss):
    model, x = variational(loss, (5,)), rows(8).float()
    terms = model.loss(x, noise(3))
    elbo = model.diagnostics(x, noise(3), n_samples=1)["elbo"].mean()
    negative = terms.reconstruction + model.penalty_weight(1.0) * terms.penalty
    torch.testing.assert_close(negative + FEATURES * LOG_NORMALISERS[loss], -elbo)


def test_beta_does_not_enter_the_diagnostics():
    x = rows(8).float()
    one, ten = (variational(beta=beta).diagnostics(x, noise(), n_samples=3) for beta in (1.0, 10.0))
    assert all(torch.equal(one[name], ten[name]) for name in ("elbo", "nll"))


# the penalty


def test_the_penalty_is_the_mean_divergence_from_the_prior():
    model, x = variational("bce", (5,)), rows(8).float()
    mean, log_var = model.posterior(x)
    expected = kl_divergence(Normal(mean, (0.5 * log_var).exp()), Normal(0.0, 1.0)).sum(-1).mean()
    torch.testing.assert_close(model.loss(x, noise()).penalty, expected)


@pytest.mark.parametrize("mean", [1e-1, 1e-2, 1e-3, 1e-4])
def test_a_small_divergence_is_not_clamped_away(mean):
    penalty = with_posterior([mean] * CODE, [0.0] * CODE).loss(rows(4).float(), noise()).penalty
    assert penalty.item() == pytest.approx(CODE * mean**2 / 2, rel=1e-4, abs=0)


def test_a_divergence_of_a_hundredth_nat_still_pulls_the_posterior_to_the_prior():
    mean = math.sqrt(0.02 / CODE)
    model = with_posterior([mean] * CODE, [0.0] * CODE)
    penalty = model.loss(rows(4).float(), noise()).penalty
    assert penalty.item() == pytest.approx(0.01)
    penalty.backward()
    torch.testing.assert_close(
        linear_layers(model.encoder)[-1].bias.grad, torch.tensor([mean] * CODE + [0.0] * CODE)
    )


@pytest.mark.parametrize("warmup", [0.1, 0.5, 0.9])
def test_beta_rises_linearly_during_the_warm_up_and_then_stays(warmup):
    model = variational(beta=4.0, warmup=warmup)
    for share in (0.0, 0.25, 0.5, 1.0):
        assert model.penalty_weight(share * warmup) == pytest.approx(4.0 * share)
    for progress in (warmup + 1e-6, (1 + warmup) / 2, 1.0):
        assert model.penalty_weight(progress) == 4.0


def test_without_warm_up_beta_is_constant_from_the_start():
    assert [
        variational(beta=4.0, warmup=0.0).penalty_weight(progress) for progress in (0.0, 1e-9, 1.0)
    ] == [4.0] * 3


# codes, draws, samples


def test_the_code_is_the_posteriors_mean_and_the_encoder_gives_it_first():
    model, x = variational(widths=(5,)), rows(4).float()
    mean, log_var = model.posterior(x)
    assert torch.equal(model.encode(x), mean)
    assert torch.equal(torch.cat([mean, log_var], dim=-1), model.encoder(x))
    assert mean.shape == log_var.shape == (4, CODE)


def test_draws_have_the_posteriors_mean_and_variance():
    n = 100_000
    mean, log_var = torch.tensor([-1.0, 0.0, 2.0]), torch.tensor([-2.0, 0.0, 1.0])
    z = draw(mean.expand(n, 3), log_var.expand(n, 3), noise())
    std = (0.5 * log_var).exp()
    assert ((z.mean(0) - mean).abs() < 4 * std / math.sqrt(n)).all()
    assert ((z.std(0) - std).abs() < 4 * std / math.sqrt(2 * n)).all()
    assert (torch.corrcoef(z.T) - torch.eye(3)).abs().max() < 4.5 / math.sqrt(n)


def test_a_posterior_without_spread_is_drawn_at_its_mean():
    mean = torch.randn(5, CODE, generator=noise())
    assert torch.equal(draw(mean, torch.full_like(mean, -300.0), noise(1)), mean)


def test_a_draw_passes_gradients_to_mean_and_log_var():
    mean, log_var = (
        torch.zeros(4, CODE, requires_grad=True),
        torch.full((4, CODE), 0.6, requires_grad=True),
    )
    z = draw(mean, log_var, noise())
    z.sum().backward()
    assert torch.equal(gradient_of(mean), torch.ones(4, CODE))
    torch.testing.assert_close(gradient_of(log_var), z.detach() / 2)  # of exp(log_var / 2) * noise


def test_the_loss_decodes_a_draw_and_not_the_mean():
    model, x = with_posterior([0.0] * CODE, [2.0] * CODE), rows(64).float()
    mean, log_var = model.posterior(x)
    expected = model.reconstruction_loss(draw(mean, log_var, noise(5)), x).mean()
    assert model.loss(x, noise(5)).reconstruction == expected
    assert expected > model.reconstruction_loss(mean, x).mean()


def test_samples_of_a_linear_decoder_have_its_bias_as_mean_and_its_weights_as_covariance():
    n = 50_000
    model = variational()
    (layer,) = linear_layers(model.decoder)
    weight, bias = (parameter.detach() for parameter in layer.parameters())
    with torch.no_grad():
        samples = model.sample(n, noise())
    covariance = weight @ weight.T
    variance = covariance.diagonal()
    assert samples.shape == (n, FEATURES)
    assert ((samples.mean(0) - bias).abs() < 4 * (variance / n).sqrt()).all()
    errors = ((variance[:, None] * variance + covariance.square()) / n).sqrt()
    assert ((torch.cov(samples.T) - covariance).abs() < 4.5 * errors).all()


def test_samples_are_a_function_of_the_generators_seed_and_stay_in_the_unit_interval_for_bce():
    model = variational("bce", (5,))
    first, again, other = (model.sample(30, noise(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert ((first > 0) & (first < 1)).all()


# the importance-weighted bound


def weighted(samples: int, start: float = 0.0) -> LinearGaussian:
    result = LinearGaussian(shift=0.5, widening=0.5)
    result.model.importance_samples, result.model.importance_from = samples, start
    return result


def bound(result: LinearGaussian, x: Tensor) -> float:
    terms = result.model.loss(x, noise(1))
    return -(terms.reconstruction + terms.penalty).item() - FEATURES * LOG_NORMALISERS["mse"]


def test_the_bound_rises_with_its_samples_towards_the_exact_log_likelihood():
    x = weighted(1).evidence.sample((4000,))
    bounds = [bound(weighted(samples), x) for samples in (1, 5, 50)]
    exact = weighted(1).evidence.log_prob(x).mean().item()
    assert bounds == sorted(bounds)
    assert bounds[0] + 0.1 < bounds[1]
    assert bounds[2] < exact < bounds[2] + 0.1


def test_the_bound_is_minus_the_importance_sampled_nll_of_as_many_draws():
    result = weighted(5)
    x = result.evidence.sample((20_000,))
    nll = result.model.diagnostics(x, noise(2), n_samples=5)["nll"]
    assert bound(result, x) == pytest.approx(-nll.mean().item(), abs=four_errors(nll))


def test_before_its_share_of_the_training_the_bound_has_one_sample():
    late, one = weighted(5, start=0.75).model, weighted(1).model
    x = rows(8)
    assert late.loss(x, noise(), 0.7) == one.loss(x, noise())
    assert late.loss(x, noise(), 0.75) != one.loss(x, noise())
    assert [late.settled(progress) for progress in (0.0, 0.74, 0.75, 1.0)] == [
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize("loss", LOG_NORMALISERS)
def test_the_bound_of_a_network_of_several_layers_sends_gradients_everywhere(loss):
    model = variational(loss, (5,))
    model.importance_samples = 3
    terms = model.loss(rows(8).float(), noise())
    (terms.reconstruction + terms.penalty).backward()
    assert all(gradient_of(parameter).abs().sum() > 0 for parameter in model.parameters())


def test_the_nlls_variance_is_that_of_repeated_estimates():
    result = LinearGaussian(shift=0.3, widening=0.3)
    x = result.evidence.sample((1,)).expand(2000, -1)
    once = result.model.diagnostics(x, noise(), n_samples=50)
    assert once["nll_variance"].mean().item() == pytest.approx(once["nll"].var().item(), rel=0.25)
    assert result.model.diagnostics(x, noise(), n_samples=1)["nll_variance"].max() == 0


def test_the_nll_does_not_depend_on_how_rows_are_split(monkeypatch):
    from autoencoders.models.types import variational as module

    result = LinearGaussian(shift=0.3, widening=0.3)
    x = result.evidence.sample((64,))
    whole = result.model.diagnostics(x, noise(), n_samples=400)["nll"]
    monkeypatch.setattr(module, "LIKELIHOOD_ROWS", 16)
    parts = result.model.diagnostics(x, noise(), n_samples=400)["nll"]
    assert (whole - parts).abs().max() < 0.5
    assert whole.mean().item() == pytest.approx(parts.mean().item(), abs=0.05)
