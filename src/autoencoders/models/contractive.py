"""Contractive autoencoder: codes that change little where the input changes little. Rifai et al. 2011."""

import math
from collections.abc import Callable
from typing import final

import torch
from torch import Tensor, nn

from autoencoders.architecture import Architecture
from autoencoders.models.base import Autoencoder, Loss

EXACT_UP_TO = 4  # code units up to which `auto` pays for the exact norm


@final
class Contractive(Autoencoder):
    """L = d(x, g(f(x))) + weight * ||df/dx||_F^2 (Rifai et al. 2011, equation 3).

    jacobian: how the squared Frobenius norm is computed. "closed_form" for an encoder of one layer (equation 5),
    "exact" by the chain rule over the layers, "estimate" by one random projection (unbiased; Hutchinson 1990), "auto":
    the first of these that is cheap.
    """

    def __init__(self, architecture: Architecture, *, weight: float, jacobian: str) -> None:
        super().__init__(architecture)
        cheap = "exact" if architecture.code_size <= EXACT_UP_TO else "estimate"
        cheapest = cheap if architecture.widths else "closed_form"
        self.weight, self.jacobian = weight, cheapest if jacobian == "auto" else jacobian
        self.input_gradients = self.jacobian == "estimate" or architecture.kind == "conv"

    def loss(self, x: Tensor, generator: torch.Generator) -> Loss:
        """Reconstruction loss and the mean squared Frobenius norm of the encoder's Jacobian."""
        with torch.enable_grad():
            x = x.detach().requires_grad_(self.input_gradients)
            a = self.encoder(x).to(x.dtype)
            z = self.code_activation(a)
            penalty = self.jacobian_squared_norm(x, a, z, generator).mean()
        return Loss(self.reconstruction_loss(z, x.detach()).mean(), penalty)

    def jacobian_squared_norm(self, x: Tensor, a: Tensor, z: Tensor, generator: torch.Generator) -> Tensor:
        """||dz/dx||_F^2, one value a sample; z = code_activation(a), a = encoder(x); x requires a gradient."""
        if self.jacobian == "closed_form":
            (layer,) = linear_layers(self.encoder)
            return slope(self.code_activation, a).square() @ layer.weight.to(a.dtype).square().sum(-1)
        if self.jacobian == "exact":
            return self.exact_squared_norm(x)
        noise = torch.randn(z.shape, generator=generator, device=z.device, dtype=z.dtype)
        (projection,) = torch.autograd.grad(z, x, noise, create_graph=True)
        return projection.square().sum(-1)

    def exact_squared_norm(self, x: Tensor) -> Tensor:
        """||dz/dx||_F^2, one value a sample, by the chain rule: a product of weights and slopes a layer.

        The first layer enters as W W^T where that takes fewer products: ||J W||_F^2 = sum(J (W W^T) * J). Of
        convolutions, by one backward pass a code unit.
        """
        if self.architecture.kind == "conv":
            z = self.encode(x)
            units = [torch.autograd.grad(unit.sum(), x, create_graph=True)[0] for unit in z.unbind(-1)]
            return torch.stack(units).square().sum((0, -1))
        first, *others = linear_layers(self.encoder)
        slopes, a = [], first(x)
        for layer in others:
            slopes.append(slope(self.encoder[1], a))
            a = layer(self.encoder[1](a))
        jacobian = torch.diag_embed(slope(self.code_activation, a))  # (batch, code, nodes), from the code backwards
        for layer, layer_slope in zip(reversed(others), reversed(slopes), strict=True):
            jacobian = (jacobian @ layer.weight) * layer_slope[:, None, :]
        rows, nodes, inputs = jacobian.shape[0] * jacobian.shape[1], first.out_features, first.in_features
        if rows * inputs <= nodes * (inputs + rows):
            return (jacobian @ first.weight).square().sum((1, 2))
        return ((jacobian @ (first.weight @ first.weight.T)) * jacobian).sum((1, 2))

    def diagnostics(self, x: Tensor, generator: torch.Generator, n_samples: int) -> dict[str, Tensor]:  # noqa: ARG002
        """jacobian_norm: the exact Frobenius norm of the encoder's Jacobian."""
        with torch.enable_grad():
            return {"jacobian_norm": self.exact_squared_norm(x.detach().requires_grad_()).detach().sqrt()}


def linear_layers(encoder: nn.Module) -> list[nn.Linear]:
    """The encoder's linear layers, input side first."""
    return [layer for layer in encoder.children() if isinstance(layer, nn.Linear)]


def slope(activation: nn.Module, a: Tensor) -> Tensor:
    """The derivative of an elementwise activation at a, itself differentiable. Same shape as a."""
    return SLOPES[type(activation)](a)


SLOPES: dict[type[nn.Module], Callable[[Tensor], Tensor]] = {
    nn.Identity: torch.ones_like,
    nn.ReLU: lambda a: (a > 0).to(a.dtype),
    nn.Sigmoid: lambda a: a.sigmoid() * (-a).sigmoid(),
    nn.Tanh: lambda a: 1 - a.tanh().square(),
    nn.SiLU: lambda a: a.sigmoid() * (1 + a * (-a).sigmoid()),
    nn.GELU: lambda a: torch.special.ndtr(a) + a * (-a.square() / 2).exp() / math.sqrt(2 * math.pi),
}
