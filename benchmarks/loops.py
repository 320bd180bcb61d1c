"""Autoencoders as one writes them by hand in plain torch: a network, and a loss for each type."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

ACTIVATIONS: dict[str, type[nn.Module]] = {"relu": nn.ReLU, "silu": nn.SiLU}


class Pair(nn.Module):
    """Encoder and decoder of linear layers with an activation between them."""

    def __init__(self, widths: list[int], code: int, model_type: str, activation: str) -> None:
        super().__init__()
        self.model_type = model_type
        outputs = 2 * code if model_type == "variational" else code
        self.encoder = layers([*widths, outputs], activation)
        self.decoder = layers([code, *reversed(widths)], activation)

    def encode(self, x: Tensor) -> Tensor:
        """Codes."""
        z: Tensor = self.encoder(x)
        return torch.sigmoid(z) if self.model_type == "sparse" else z

    def forward(self, x: Tensor) -> Tensor:
        """Reconstructions."""
        z = self.encode(x)
        x_hat: Tensor = self.decoder(z.chunk(2, -1)[0] if self.model_type == "variational" else z)
        return x_hat


def layers(sizes: list[int], activation: str) -> nn.Sequential:
    """Linear layers, the activation between them."""
    modules: list[nn.Module] = []
    for inputs, outputs in zip(sizes, sizes[1:], strict=False):
        modules += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
    return nn.Sequential(*modules[:-1])


def undercomplete(pair: Pair, x: Tensor) -> Tensor:
    """Squared error, summed over features."""
    return (pair(x) - x).square().sum(-1).mean()


def sparse(pair: Pair, x: Tensor) -> Tensor:
    """Squared error, and a KL divergence to a mean activation of 0.2."""
    z = pair.encode(x)
    mean = z.mean(0).clamp(1e-6, 1 - 1e-6)
    kl = (0.2 * (0.2 / mean).log() + 0.8 * (0.8 / (1 - mean)).log()).sum()
    return (pair.decoder(z) - x).square().sum(-1).mean() + 0.1 * kl


def contractive(pair: Pair, x: Tensor) -> Tensor:
    """Squared error, and an estimate of the Jacobian's squared norm by one random projection."""
    x = x.detach().requires_grad_()
    z = pair.encode(x)
    (projection,) = torch.autograd.grad(z, x, torch.randn_like(z), create_graph=True)
    return (pair.decoder(z) - x).square().sum(-1).mean() + 1e-3 * projection.square().sum(-1).mean()


def contractive_exact(pair: Pair, x: Tensor) -> Tensor:
    """Squared error, and the Jacobian's squared norm, one backward pass a code unit."""
    x = x.detach().requires_grad_()
    z = pair.encode(x)
    rows = [torch.autograd.grad(unit.sum(), x, create_graph=True)[0] for unit in z.unbind(-1)]
    return (pair.decoder(z) - x).square().sum(-1).mean() + 1e-3 * torch.stack(rows).square().sum(
        (0, -1)
    ).mean()


def denoising(pair: Pair, x: Tensor) -> Tensor:
    """Squared error of the clean row, rebuilt from a noisy one."""
    return (pair(x + 0.25 * torch.randn_like(x)) - x).square().sum(-1).mean()


def variational(pair: Pair, x: Tensor) -> Tensor:
    """Squared error, and the posterior's divergence to the prior, weighted by 0.1."""
    mean, log_var = pair.encoder(x).chunk(2, -1)
    z = mean + (0.5 * log_var).exp() * torch.randn_like(mean)
    kl = 0.5 * (mean.square() + log_var.exp() - 1 - log_var).sum(-1)
    return (pair.decoder(z) - x).square().sum(-1).mean() + 0.1 * kl.mean()


LOSSES: dict[str, Callable[[Pair, Tensor], Tensor]] = {
    loss.__name__: loss
    for loss in (undercomplete, sparse, contractive, contractive_exact, denoising, variational)
}
