"""Denoising autoencoder: the clean input from a corrupted one. Vincent et al. 2008, 2010."""

from typing import final

import torch
from torch import Tensor

from autoencoders.models.base import Autoencoder
from autoencoders.models.losses import PERFECT_ERROR
from autoencoders.params.architecture import Architecture


@final
class Denoising(Autoencoder):
    """L = d(x, g(f(corrupt(x)))).

    corruption (Vincent et al. 2010, section 3.3): "gaussian" adds noise of standard deviation
    `level` to x; "masking" sets a share `level` of the features to 0; "salt_and_pepper" sets a
    share `level` to 0 or 1 with equal chances. All in model scale. clip: whether noisy values are
    clipped to [0, 1].
    """

    corrupts = True

    def __init__(
        self, architecture: Architecture, *, corruption: str, level: float, clip: bool = False
    ) -> None:
        super().__init__(architecture)
        self.corruption = corruption
        self.level = level
        self.clip = clip

    def corrupt(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A corrupted copy of x; x itself at level 0."""
        if self.corruption == "gaussian":
            return self._with_noise(x, generator)
        uniform = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        corrupted = uniform < self.level
        if self.corruption == "masking":
            return torch.where(corrupted, 0.0, x)
        salt = (uniform < self.level / 2).to(x.dtype)
        return torch.where(corrupted, salt, x)

    def _with_noise(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """Adds Gaussian noise to x: the only corruption after which values can leave [0, 1]."""
        noise = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        noisy = x + self.level * noise
        if self.clip:
            return noisy.clamp(0, 1)
        return noisy

    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """The corrupted copy of x, of which the clean x is to be rebuilt."""
        return self.corrupt(x, generator)

    def diagnostics(
        self,
        x: Tensor,
        generator: torch.Generator,
        n_samples: int,  # noqa: ARG002  (variational reads it)
    ) -> dict[str, Tensor]:
        """psnr_gain: decibels by which denoising brings a corrupted row closer to the clean one."""
        noisy = self.corrupt(x, generator)
        before = (noisy - x).square().mean(-1).clamp_min(PERFECT_ERROR)
        after = (self(noisy) - x).square().mean(-1).clamp_min(PERFECT_ERROR)
        return {"psnr_gain": 10 * (before.log10() - after.log10())}
