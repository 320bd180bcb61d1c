"""Undercomplete autoencoder: a code smaller than the input. Rumelhart, Hinton & Williams 1986."""

from typing import final

import torch
from torch import Tensor

from autoencoders.models.base import Autoencoder, Loss


@final
class Undercomplete(Autoencoder):
    """L = d(x, g(f(x)))."""

    rebuilds_only = True

    def loss(
        self,
        x: Tensor,
        generator: torch.Generator,  # noqa: ARG002
        progress: float = 1.0,  # noqa: ARG002  (other types read them)
    ) -> Loss:
        """The reconstruction loss alone."""
        error = self.reconstruction_loss(self.encode(x), x)
        return Loss(error.mean(), penalty=x.new_zeros(()))
