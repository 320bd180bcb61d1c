"""Undercomplete autoencoder: a code smaller than the input. Rumelhart, Hinton & Williams 1986."""

from typing import final

from autoencoders.models.base import Autoencoder


@final
class Undercomplete(Autoencoder):
    """L = d(x, g(f(x)))."""

    rebuilds_only = True
