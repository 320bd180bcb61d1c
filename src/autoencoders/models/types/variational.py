"""Variational autoencoder: a posterior of codes close to the prior, so that it generates."""

import math
from collections.abc import Iterator
from typing import final

import torch
from torch import Tensor, nn

from autoencoders.models import losses
from autoencoders.models.base import Autoencoder, Loss
from autoencoders.models.jacobian import linear_layers
from autoencoders.models.pca import Projection
from autoencoders.params.architecture import Architecture

SMALLEST_DEVIATION = 1e-6  # of a component that a code unit's scale is taken from
SMALLEST_BETA = 1e-6  # behind the first posterior variances: without a divergence they would be 0
DRAWS = 64  # posterior draws behind an anomaly score
LIKELIHOOD_ROWS = 512  # decoded together, a draw each: their values stay in a processor's cache


@final
class Variational(Autoencoder):
    """L = E_q(z|x)[d(x, g(z))] + beta * KL(q(z|x) || N(0, I)).

    Kingma & Welling 2014, equation 10; beta of Higgins et al. 2017 (with beta = 1 and a likelihood
    for d this is the negative ELBO). warmup: the share of training in which beta rises from 0
    (Bowman et al. 2016).

    importance_samples above 1: L = -log mean_k p(x, z_k) / q(z_k|x) instead, from the share
    importance_from of the training on (Burda et al. 2016, equation 8).
    """

    generates = True

    def __init__(
        self,
        architecture: Architecture,
        *,
        beta: float,
        warmup: float,
        importance_samples: int = 1,
        importance_from: float = 0.0,
    ) -> None:
        super().__init__(architecture, code_outputs=2)
        self.beta = beta
        self.warmup = warmup
        self.importance_samples = importance_samples
        self.importance_from = importance_from
        generator = torch.Generator().manual_seed(0)
        noise = torch.randn(DRAWS, architecture.code_size, generator=generator)
        self.noise = nn.Buffer(noise, persistent=False)  # of `posterior_codes`

    def start_as_pca(self, projection: Projection) -> None:
        """As for every type, but means have deviation 1, and variances are the best ones for them.

        Of a linear decoder whose column j has length d_j, a squared error and the divergence's
        weight beta, the best posterior variance is 1 / (1 + 2 d_j^2 / beta): that of probabilistic
        PCA with noise of variance beta / 2 (Tipping & Bishop 1999, equation 12; Lucas et al. 2019,
        "Don't blame the ELBO").
        """
        deviations = torch.from_numpy(projection.deviations).float()
        deviations = torch.where(deviations > SMALLEST_DEVIATION, deviations, 1.0)
        self._start_as_pca(projection, deviations)
        log_var = -(2 * deviations.square() / max(self.beta, SMALLEST_BETA)).log1p()
        last = linear_layers(self.encoder)[-1]
        with torch.no_grad():
            last.bias[len(log_var) :] = log_var

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The posterior q(z | x): its mean and log_var, each (batch, code)."""
        mean, log_var = self.encoder(x).to(x.dtype).chunk(2, dim=-1)
        return mean, log_var

    def code(self, a: Tensor, progress: float = 1.0) -> Tensor:  # noqa: ARG002
        """The posterior's mean."""
        mean, _ = a.chunk(2, dim=-1)
        return mean

    def divergence(self, x: Tensor) -> Tensor:
        """KL of the posterior to the prior in nats, one value a sample."""
        mean, log_var = self.posterior(x)
        return losses.gaussian_kl(mean, log_var)

    def posterior_codes(self, x: Tensor) -> Iterator[Tensor]:
        """DRAWS draws from the posterior, each (batch, code); all rows share their noise."""
        mean, log_var = self.posterior(x)
        for noise in self.noise:
            yield mean + (0.5 * log_var).exp() * noise

    def training_code(
        self,
        a: Tensor,
        generator: torch.Generator,
        progress: float,  # noqa: ARG002  (other types read it)
    ) -> tuple[Tensor, Tensor]:
        """One posterior draw (reparameterised) and the KL to the prior."""
        mean, log_var = a.chunk(2, dim=-1)
        return draw(mean, log_var, generator), losses.gaussian_kl(mean, log_var).mean()

    def loss(self, x: Tensor, generator: torch.Generator, progress: float = 1.0) -> Loss:
        """Every type's loss of its parts, or the importance-weighted bound."""
        if self.importance_samples > 1 and progress >= self.importance_from:
            mean, log_var = self.posterior(x)
            return self.importance_weighted_loss(x, mean, log_var, generator)
        return super().loss(x, generator, progress)

    @property
    def loss_is_of_parts(self) -> bool:
        """Whether the bound is not importance-weighted."""
        return self.importance_samples == 1

    def importance_weighted_loss(
        self, x: Tensor, mean: Tensor, log_var: Tensor, generator: torch.Generator
    ) -> Loss:
        """The draws' mean reconstruction loss, and a penalty that completes the negative bound.

        Burda et al. 2016, equation 8. mean, log_var: (batch, code).
        """
        shape = (self.importance_samples, *mean.shape)
        mean = mean.expand(shape)
        log_var = log_var.expand(shape)
        z = draw(mean, log_var, generator)
        output = self.decoder(z.flatten(0, 1)).unflatten(0, z.shape[:2]).to(z.dtype)
        loss = losses.reconstruction_loss(self.architecture.loss, output, x)
        log_weights = log_prior(z) - loss - losses.gaussian_log_density(z, mean, log_var)
        bound = losses.importance_weighted_log_likelihood(log_weights)
        return Loss(loss.mean(), -bound.mean() - loss.mean())

    def settled(self, progress: float) -> bool:
        """Whether beta has risen, and the bound is the last one."""
        last_bound = self.importance_samples == 1 or progress >= self.importance_from
        return last_bound and super().settled(progress)

    def penalty_weight(self, progress: float) -> float:
        """The weight beta, rising linearly from 0 during the warm-up."""
        if not self.warmup:
            return self.beta
        return self.beta * min(1.0, progress / self.warmup)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws n rows from the model: (n, features), on the generator's device.

        They are the means of p(x | z) for z from the prior.
        """
        size = (n, self.architecture.code_size)
        z = torch.randn(size, generator=generator, device=generator.device)
        return self.decode(z)

    def diagnostics(
        self, x: Tensor, generator: torch.Generator, n_samples: int
    ) -> dict[str, Tensor]:
        """The elbo (beta = 1) and nll (importance-sampled) in nats, and the nll's variance.

        n_samples: draws of each row; only their sums are stored. The variance is the Monte-Carlo
        one: (E[w^2] / E[w]^2 - 1) / n_samples (delta method).
        """
        parts = [self._bounds(rows, generator, n_samples) for rows in x.split(LIKELIHOOD_ROWS)]
        elbo, nll, nll_variance = (torch.cat(part) for part in zip(*parts, strict=True))
        return {
            "elbo": elbo.to(x.dtype),
            "nll": nll.to(x.dtype),
            "nll_variance": nll_variance.to(x.dtype),
        }

    def _bounds(
        self, x: Tensor, generator: torch.Generator, n_samples: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        """The elbo, nll and nll_variance of few rows, each (batch,), float64."""
        mean, log_var = self.posterior(x)
        log_p_sum = torch.zeros(len(x), dtype=torch.float64, device=x.device)
        log_w_sum = log_p_sum - math.inf  # log of the sum of the weights w = p(x, z) / q(z | x)
        log_w2_sum = log_p_sum - math.inf  # log of the sum of their squares
        for _ in range(n_samples):
            z = draw(mean, log_var, generator)
            log_p = losses.log_likelihood(self.architecture.loss, self.decoder(z), x)
            log_w = (log_p + log_prior(z) - losses.gaussian_log_density(z, mean, log_var)).double()
            log_p_sum += log_p
            log_w_sum = log_w_sum.logaddexp(log_w)
            log_w2_sum = log_w2_sum.logaddexp(2 * log_w)
        log_n = math.log(n_samples)
        elbo = log_p_sum / n_samples - losses.gaussian_kl(mean, log_var)
        variance = (log_w2_sum - 2 * log_w_sum + log_n).expm1().clamp_min(0) / n_samples
        return elbo, log_n - log_w_sum, variance


def log_prior(z: Tensor) -> Tensor:
    """The prior's density log p(z) in nats, one value a sample. z: (..., code)."""
    return losses.gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z))


def draw(mean: Tensor, log_var: Tensor, generator: torch.Generator) -> Tensor:
    """A reparameterised draw from N(mean, exp(log_var)), of the same shape.

    Kingma & Welling 2014, section 2.4.
    """
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + (0.5 * log_var).exp() * noise
