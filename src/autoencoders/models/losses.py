"""Losses, likelihoods and divergences in nats, summed over features, one value a row."""

import math

import torch
from torch import Tensor
from torch.nn import functional

RECONSTRUCTION_LOSSES = ("mse", "bce", "l1")
PERFECT_ERROR = 1e-10  # mean squared error, data in [0, 1], below which all counts as 100 dB


def reconstruction_loss(loss: str, output: Tensor, x: Tensor) -> Tensor:
    """Reconstruction error summed over features, one value a sample.

    output: (..., features), the decoder's output; logits where loss is "bce". x: (..., features),
    in [0, 1] for "bce". Raises ValueError for another loss.
    """
    if loss == "mse":
        return functional.mse_loss(output, x.expand_as(output), reduction="none").sum(-1)
    if loss == "l1":
        return (output - x).abs().sum(-1)
    if loss == "bce":
        target = x.expand_as(output)
        error = functional.binary_cross_entropy_with_logits(output, target, reduction="none")
        return error.sum(-1)
    raise ValueError(f"loss = {loss!r}: must be one of {', '.join(RECONSTRUCTION_LOSSES)}")


def likelihood_mean(loss: str, output: Tensor) -> Tensor:
    """The mean of p(x | z), which is the reconstruction; within (0, 1) where loss is "bce".

    output: (..., features), the decoder's output; the result has its shape.
    """
    if loss == "bce":
        return torch.sigmoid(output)
    return output


def log_likelihood(loss: str, output: Tensor, x: Tensor) -> Tensor:
    """The likelihood log p(x | z) in nats, one value a sample: -(loss + log normaliser).

    "mse" is a Gaussian with variance 1/2, "l1" a Laplace with scale 1, "bce" a Bernoulli. Shapes as
    in `reconstruction_loss`.
    """
    if loss == "bce":  # without gradients in half the time
        return (output * x - functional.softplus(output)).sum(-1)
    log_normaliser = {"mse": math.log(math.pi) / 2, "l1": math.log(2.0)}[loss]
    return -reconstruction_loss(loss, output, x) - x.shape[-1] * log_normaliser


def gaussian_kl(mean: Tensor, log_var: Tensor) -> Tensor:
    """KL(N(mean, exp(log_var)) || N(0, I)) in nats, one value a sample.

    mean, log_var: (batch, code). Kingma & Welling 2014, appendix B.
    """
    spread = log_var.expm1() - log_var  # not exp - 1, which rounds a small divergence away
    return 0.5 * (mean.square() + spread).sum(-1)


def gaussian_log_density(z: Tensor, mean: Tensor, log_var: Tensor) -> Tensor:
    """The density log N(z; mean, exp(log_var)) in nats, one value a sample. z: (..., code)."""
    return -0.5 * (math.log(2 * math.pi) + log_var + (z - mean).square() / log_var.exp()).sum(-1)


def bernoulli_kl(target: float, activation: Tensor) -> Tensor:
    """Sum over units of KL(Bernoulli(target) || Bernoulli(activation)) in nats: a scalar.

    activation: (code,), mean activations in (0, 1). Ng 2011, "Sparse autoencoder", section 3.
    """
    limits = torch.finfo(activation.dtype)
    # sigmoids reach 0 and 1, where the divergence is infinite
    activation = activation.clamp(limits.tiny, 1 - limits.eps)
    on = target * (math.log(target) - activation.log())
    off = (1 - target) * (math.log1p(-target) - (-activation).log1p())
    return (on + off).sum()


def importance_weighted_log_likelihood(log_weights: Tensor) -> Tensor:
    """The logarithm of the mean importance weight in nats, one value a sample.

    A lower bound on log p(x) that grows with the number of samples. log_weights: (samples, batch),
    log p(x | z) + log p(z) - log q(z | x). Burda et al. 2016, equation 8.
    """
    return torch.logsumexp(log_weights, dim=0) - math.log(log_weights.shape[0])
