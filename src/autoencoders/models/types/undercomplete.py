"""Undercomplete autoencoder: nothing but a code smaller than the input. Rumelhart, Hinton & Williams 1986."""

from typing import final

import torch
from torch import Tensor

from autoencoders.models.base import Autoencoder, Loss


@final
class Undercomplete(Autoencoder):
    """L = d(x, g(f(x)))."""

    def loss(self, x: Tensor, generator: torch.Generator) -> Loss:  # noqa: ARG002
        """The reconstruction loss alone."""
        return Loss(self.reconstruction_loss(self.encode(x), x).mean(), x.new_zeros(()))
