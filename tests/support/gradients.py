"""Gradients that a backward pass has left."""

from torch import Tensor


def gradient_of(x: Tensor) -> Tensor:
    """The gradient of a leaf, which must have one."""
    assert x.grad is not None
    return x.grad
