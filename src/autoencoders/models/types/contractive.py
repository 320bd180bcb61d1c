"""Contractive autoencoder: codes that change little with the input. Rifai et al. 2011."""

from typing import final

import torch
from torch import Tensor

from autoencoders.models.base import Autoencoder, Loss
from autoencoders.models.jacobian import linear_layers, squared_norm
from autoencoders.params.architecture import Architecture

EXACT_UP_TO = 4  # code units up to which `auto` takes the exact norm


@final
class Contractive(Autoencoder):
    """L = d(x, g(f(x))) + weight * ||df/dx||_F^2 (Rifai et al. 2011, equation 3).

    jacobian: the way to the squared Frobenius norm. "closed_form" for an encoder of one layer
    (equation 5), "exact" by the chain rule over the layers, "estimate" by one random projection
    (unbiased; Hutchinson 1990), "auto": the first of these that is cheap.
    """

    def __init__(self, architecture: Architecture, *, weight: float, jacobian: str) -> None:
        super().__init__(architecture)
        self.weight = weight
        self.jacobian = jacobian
        if jacobian == "auto":
            self.jacobian = cheapest_jacobian(architecture)
        self.input_gradients = self.jacobian == "estimate" or architecture.kind == "conv"

    @property
    def reports_jacobian(self) -> bool:
        """Always true: a small Jacobian is what the type is for."""
        return True

    def loss(
        self,
        x: Tensor,
        generator: torch.Generator,
        progress: float = 1.0,  # noqa: ARG002  (other types read it)
    ) -> Loss:
        """Reconstruction loss and the mean squared Frobenius norm of the encoder's Jacobian."""
        with torch.enable_grad():
            x = x.detach().requires_grad_(self.input_gradients)
            a = self.encoder(x).to(x.dtype)
            z = self.code_activation(a)
            penalty = self.jacobian_squared_norm(x, a, z, generator).mean()
        return Loss(self.reconstruction_loss(z, x.detach()).mean(), penalty)

    def jacobian_squared_norm(
        self, x: Tensor, a: Tensor, z: Tensor, generator: torch.Generator
    ) -> Tensor:
        """||dz/dx||_F^2, one value a sample.

        a = encoder(x) and z = code_activation(a): (batch, code). x requires a gradient where
        `input_gradients` says so.
        """
        if self.jacobian == "closed_form":
            (layer,) = linear_layers(self.encoder)
            return squared_norm([layer.weight.to(a.dtype)], [self.code_slope(a)])
        if self.jacobian == "exact":
            return self.exact_squared_norm(x)
        noise = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        (projection,) = torch.autograd.grad(z, x, noise, create_graph=True)
        return projection.square().sum(-1)


def cheapest_jacobian(architecture: Architecture) -> str:
    """The first of "closed_form", "exact" and "estimate" that is cheap for this network."""
    if not architecture.widths:
        return "closed_form"
    if architecture.code_size <= EXACT_UP_TO:
        return "exact"
    return "estimate"
