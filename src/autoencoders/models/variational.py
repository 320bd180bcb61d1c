"""Variational autoencoder: codes are drawn from a posterior held close to the prior, so that it can generate."""

from collections.abc import Iterator
from typing import final

import torch
from torch import Tensor, nn

from autoencoders.architecture import Architecture
from autoencoders.losses import gaussian_kl, gaussian_log_density, importance_weighted_log_likelihood, log_likelihood
from autoencoders.models.base import Autoencoder, Loss

DRAWS = 64  # posterior draws behind an anomaly score


@final
class Variational(Autoencoder):
    """L = E_q(z|x)[d(x, g(z))] + beta * KL(q(z|x) || N(0, I)).

    Kingma & Welling 2014, equation 10; beta of Higgins et al. 2017 (with beta = 1 and a likelihood for d this is the
    negative ELBO); warmup: the share of training in which beta rises from 0 (Bowman et al. 2016).
    """

    def __init__(self, architecture: Architecture, *, beta: float, warmup: float) -> None:
        super().__init__(architecture, code_outputs=2)
        self.beta, self.warmup = beta, warmup
        noise = torch.randn(DRAWS, architecture.code_size, generator=torch.Generator().manual_seed(0))
        self.noise = nn.Buffer(noise, persistent=False)  # of `draws`

    def posterior(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """mean and log_var of q(z | x), each (batch, code)."""
        mean, log_var = self.encoder(x).to(x.dtype).chunk(2, dim=-1)
        return mean, log_var

    def encode(self, x: Tensor) -> Tensor:
        """The posterior's mean."""
        return self.posterior(x)[0]

    def divergence(self, x: Tensor) -> Tensor:
        """KL of the posterior to the prior."""
        return gaussian_kl(*self.posterior(x))

    def draws(self, x: Tensor) -> Iterator[Tensor]:
        """Draws from the posterior, their noise shared by all rows."""
        mean, log_var = self.posterior(x)
        for noise in self.noise:
            yield mean + (0.5 * log_var).exp() * noise

    def loss(self, x: Tensor, generator: torch.Generator) -> Loss:
        """Reconstruction loss of one posterior draw (reparameterised) and the KL to the prior."""
        mean, log_var = self.posterior(x)
        z = draw(mean, log_var, generator)
        return Loss(self.reconstruction_loss(z, x).mean(), gaussian_kl(mean, log_var).mean())

    def penalty_weight(self, progress: float) -> float:
        """beta, rising linearly from 0 during the warm-up."""
        return self.beta * (min(1.0, progress / self.warmup) if self.warmup else 1.0)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n draws from the model: (n, features), means of p(x | z) for z from the prior, on the generator's device."""
        z = torch.randn(n, self.architecture.code_size, generator=generator, device=generator.device)
        return self.decode(z)

    def diagnostics(self, x: Tensor, generator: torch.Generator, n_samples: int) -> dict[str, Tensor]:
        """elbo (beta 1) and nll (importance-sampled with n_samples draws), both in nats."""
        mean, log_var = self.posterior(x)
        log_p, log_w = [], []
        for _ in range(n_samples):
            z = draw(mean, log_var, generator)
            log_p.append(log_likelihood(self.architecture.loss, self.decoder(z), x))
            log_prior = gaussian_log_density(z, torch.zeros_like(z), torch.zeros_like(z))
            log_w.append(log_p[-1] + log_prior - gaussian_log_density(z, mean, log_var))
        elbo = torch.stack(log_p).mean(0) - gaussian_kl(mean, log_var)
        return {"elbo": elbo, "nll": -importance_weighted_log_likelihood(torch.stack(log_w))}


def draw(mean: Tensor, log_var: Tensor, generator: torch.Generator) -> Tensor:
    """A reparameterised draw from N(mean, exp(log_var)), of the same shape. Kingma & Welling 2014, section 2.4."""
    noise = torch.randn(mean.shape, generator=generator, device=mean.device, dtype=mean.dtype)
    return mean + (0.5 * log_var).exp() * noise
