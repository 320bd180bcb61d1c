"""Sparse autoencoder: few code units are active at a time, by a KL target, an L1 penalty or a top-k rule."""

from typing import final

import torch
from torch import Tensor

from autoencoders.models.base import Autoencoder, Loss
from autoencoders.models.losses import bernoulli_kl
from autoencoders.params.architecture import Architecture

ACTIVE = 0.1  # a unit counts as active from this share of the row's largest absolute code value on


@final
class Sparse(Autoencoder):
    """L = d(x, g(z)) + weight * Omega(z).

    penalty "kl": Omega = sum_j KL(sparsity || mean activation of unit j over the batch), codes in (0, 1) (Ng 2011);
    "l1": Omega = sum_j |z_j|, averaged over the batch; "top_k": all but the k largest code values are set to zero and
    Omega = 0 (Makhzani & Frey 2013, equation 1). anneal: the share of the training in which k falls linearly from the
    code size (section 2.4). encoding: what users get as codes, from which rows are not to be decoded: "top_k", the
    encoding_k largest (algorithm 1's alpha k); "soft_threshold", max(0, z - threshold) (Coates & Ng 2011, section 3.2).
    """

    def __init__(
        self,
        architecture: Architecture,
        *,
        penalty: str,
        weight: float,
        sparsity: float,
        k: int,
        anneal: float = 0.0,
        encoding: str = "same",
        encoding_k: int = 1,
        threshold: float = 0.0,
    ) -> None:
        super().__init__(architecture)
        self.penalty, self.weight, self.sparsity, self.k = penalty, weight, sparsity, k
        self.anneal, self.encoding, self.encoding_k, self.threshold = (
            anneal,
            encoding,
            encoding_k,
            threshold,
        )

    @property
    def active(self) -> int:
        """k at the present progress of training."""
        rest = max(0.0, 1 - self.progress / self.anneal) if self.anneal else 0.0
        return self.k + round(rest * (self.architecture.code_size - self.k))

    def settled(self, progress: float) -> bool:
        """From the progress on at which k has fallen."""
        return progress >= self.anneal

    def features(self, x: Tensor) -> Tensor:
        """The code by `encoding`."""
        if self.encoding == "same":
            return self.encode(x)
        z = super().encode(x)
        return (
            keep_top_k(z, self.encoding_k)
            if self.encoding == "top_k"
            else (z - self.threshold).relu()
        )

    def encode(self, x: Tensor) -> Tensor:
        """The code of x, with k non-zero values a row where the penalty is "top_k"."""
        z = super().encode(x)
        return keep_top_k(z, self.active) if self.penalty == "top_k" else z

    def code_slope(self, a: Tensor) -> Tensor:
        """0 for the units that "top_k" switches off."""
        slopes = super().code_slope(a)
        return (
            slopes * (keep_top_k(self.code_activation(a), self.active) != 0)
            if self.penalty == "top_k"
            else slopes
        )

    def loss(self, x: Tensor, generator: torch.Generator) -> Loss:  # noqa: ARG002
        """Reconstruction loss and the sparsity penalty of the batch's codes."""
        z = self.encode(x)
        omega = z.new_zeros(())
        if self.penalty == "kl":
            omega = bernoulli_kl(self.sparsity, z.mean(0))
        elif self.penalty == "l1":
            omega = z.abs().sum(-1).mean()
        return Loss(self.reconstruction_loss(z, x).mean(), omega)

    def diagnostics(
        self,
        x: Tensor,
        generator: torch.Generator,  # noqa: ARG002
        n_samples: int,  # noqa: ARG002  (other types read them)
    ) -> dict[str, Tensor]:
        """mean_active_units: code units above a tenth of the row's largest absolute code value."""
        size = self.encode(x).abs()
        return {"mean_active_units": (size > ACTIVE * size.amax(-1, keepdim=True)).sum(-1).float()}


def keep_top_k(z: Tensor, k: int) -> Tensor:
    """z with all but the k largest values of each row set to zero."""
    kept = z.topk(k, dim=-1).indices
    return torch.zeros_like(z).scatter(-1, kept, z.gather(-1, kept))
