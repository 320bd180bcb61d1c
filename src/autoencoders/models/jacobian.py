"""The squared Frobenius norm of the Jacobian of linear layers and elementwise activations."""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from autoencoders.models.networks import layers_of


def squared_norm(weights: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """||J||_F^2 of J = D_L W_L ... D_1 W_1 (chain rule), one value a sample.

    weights: W_l, (outputs, inputs); slopes: the diagonals of D_l, (batch, outputs); both input side
    first. Of one layer this is equation 5 of Rifai et al. 2011. W_1 enters as W W^T where that
    takes fewer products: ||J W||_F^2 = sum(J (W W^T) * J).
    """
    first, *others = weights
    if not others:
        return slopes[0].square() @ first.square().sum(-1)
    jacobian = slopes[-1][:, :, None] * others[-1] * slopes[-2][:, None, :]  # (batch, code, nodes)
    for weight, slope_ in zip(reversed(others[:-1]), reversed(slopes[:-2]), strict=True):
        jacobian = (jacobian @ weight) * slope_[:, None, :]
    rows = jacobian.shape[0] * jacobian.shape[1]
    nodes, inputs = first.shape
    if rows * inputs <= nodes * (inputs + rows):
        return (jacobian @ first).square().sum((1, 2))
    return ((jacobian @ (first @ first.T)) * jacobian).sum((1, 2))


def jacobian(weights: Sequence[Tensor], slopes: Sequence[Tensor]) -> Tensor:
    """J = D_L W_L ... D_1 W_1 (chain rule), as in `squared_norm`: (batch, outputs, inputs)."""
    first, *others = weights
    result = slopes[0][:, :, None] * first
    for weight, slope_ in zip(others, slopes[1:], strict=True):
        result = slope_[:, :, None] * (weight @ result)
    return result


def linear_layers(encoder: nn.Module) -> list[nn.Linear]:
    """The encoder's linear layers, input side first, without a linear path beside them."""
    return [layer for layer in layers_of(encoder) if isinstance(layer, nn.Linear)]


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
