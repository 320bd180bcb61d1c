"""Denoising autoencoder: rebuilds the clean input from a corrupted one. Vincent et al. 2008, 2010."""

from typing import final

import torch
from torch import Tensor

from autoencoders.models.base import Autoencoder, Loss
from autoencoders.params.architecture import Architecture


@final
class Denoising(Autoencoder):
    """L = d(x, g(f(corrupt(x)))).

    corruption (Vincent et al. 2010, section 3.3): "gaussian", x plus noise of standard deviation `level`; "masking", a
    share `level` of the features set to 0; "salt_and_pepper", a share `level` set to 0 or 1 with equal chances. All
    in model scale; `clip`: what is corrupted is clipped to [0, 1].
    """

    corrupts = True

    def __init__(
        self, architecture: Architecture, *, corruption: str, level: float, clip: bool = False
    ) -> None:
        super().__init__(architecture)
        self.corruption, self.level, self.clip = corruption, level, clip

    def corrupt(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A corrupted copy of x; x itself at level 0."""
        if self.corruption == "gaussian":
            noisy = x + self.level * torch.randn(
                x.shape, generator=generator, device=x.device, dtype=x.dtype
            )
            return (
                noisy.clamp(0, 1) if self.clip else noisy
            )  # other corruptions keep data in [0, 1] there
        draw = torch.rand(x.shape, generator=generator, device=x.device, dtype=x.dtype)
        if self.corruption == "masking":
            return torch.where(draw < self.level, 0.0, x)
        salt = (draw < self.level / 2).to(x.dtype)
        return torch.where(draw < self.level, salt, x)

    def loss(self, x: Tensor, generator: torch.Generator) -> Loss:
        """The loss of rebuilding the clean x from its corrupted copy."""
        return Loss(
            self.reconstruction_loss(self.encode(self.corrupt(x, generator)), x).mean(),
            x.new_zeros(()),
        )

    def diagnostics(
        self,
        x: Tensor,
        generator: torch.Generator,
        n_samples: int,  # noqa: ARG002  (other types read them)
    ) -> dict[str, Tensor]:
        """psnr_gain: decibels by which denoising brings a corrupted input closer to the clean one."""
        noisy = self.corrupt(x, generator)
        before, after = ((noisy - x).square().mean(-1), (self(noisy) - x).square().mean(-1))
        smallest = 1e-10  # 100 dB: a row that the corruption left as it was
        return {
            "psnr_gain": 10
            * (before.clamp_min(smallest).log10() - after.clamp_min(smallest).log10())
        }
