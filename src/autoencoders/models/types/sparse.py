"""Sparse autoencoder: few active code units, by a KL target, an L1 penalty or a top-k rule."""

from typing import final

import torch
from torch import Tensor

from autoencoders.models.base import Autoencoder
from autoencoders.models.losses import bernoulli_kl
from autoencoders.params.architecture import Architecture

ACTIVE = 0.1  # of the row's largest absolute code value: above it a unit counts as active


@final
class Sparse(Autoencoder):
    """L = d(x, g(z)) + weight * Omega(z).

    penalty "kl": Omega = sum_j KL(sparsity || mean activation of unit j over the batch), codes in
    (0, 1) (Ng 2011); "l1": Omega = sum_j |z_j|, averaged over the batch; "top_k": all but the k
    largest code values are set to zero and Omega = 0 (Makhzani & Frey 2013, equation 1).

    anneal: the share of the training in which k falls linearly from the code size (section 2.4).

    encoding: the codes that users get, which are not to be decoded: "top_k", the encoding_k largest
    (algorithm 1's alpha k); "soft_threshold", max(0, z - threshold) (Coates & Ng 2011, section
    3.2); "same", the decoder's input.
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
        self.penalty = penalty
        self.weight = weight
        self.sparsity = sparsity
        self.k = k
        self.anneal = anneal
        self.encoding = encoding
        self.encoding_k = encoding_k
        self.threshold = threshold

    def scheduled_k(self, progress: float) -> int:
        """The k at this progress: it falls linearly from the code size while progress < anneal."""
        if self.settled(progress):
            return self.k
        remaining = 1 - progress / self.anneal
        return self.k + round(remaining * (self.architecture.code_size - self.k))

    def settled(self, progress: float) -> bool:
        """Whether k has fallen."""
        return progress >= self.anneal

    def features(self, x: Tensor) -> Tensor:
        """The code by `encoding`."""
        if self.encoding == "same":
            return self.encode(x)
        z = self.code_activation(self.encoder(x))
        if self.encoding == "top_k":
            return keep_top_k(z, self.encoding_k)
        return (z - self.threshold).relu()

    def code(self, a: Tensor, progress: float = 1.0) -> Tensor:
        """The code, with k non-zero values a row where the penalty is "top_k"."""
        z = self.code_activation(a)
        if self.penalty == "top_k":
            return keep_top_k(z, self.scheduled_k(progress))
        return z

    def code_slope(self, a: Tensor) -> Tensor:
        """The derivative by a, a trained model's; 0 for the units that "top_k" sets to zero."""
        slopes = super().code_slope(a)
        if self.penalty != "top_k":
            return slopes
        z = keep_top_k(self.code_activation(a), self.k)
        return slopes * (z != 0)

    def training_code(
        self,
        a: Tensor,
        generator: torch.Generator,  # noqa: ARG002  (other types read it)
        progress: float,
    ) -> tuple[Tensor, Tensor]:
        """The code and the sparsity penalty of the batch's codes."""
        z = self.code(a, progress)
        omega = z.new_zeros(())
        if self.penalty == "kl":
            omega = bernoulli_kl(self.sparsity, z.mean(0))
        elif self.penalty == "l1":
            omega = z.abs().sum(-1).mean()
        return z, omega

    def diagnostics(
        self,
        x: Tensor,
        generator: torch.Generator,  # noqa: ARG002
        n_samples: int,  # noqa: ARG002  (other types read them)
    ) -> dict[str, Tensor]:
        """mean_active_units: code units above a tenth of the row's largest absolute code value."""
        size = self.encode(x).abs()
        largest = size.amax(-1, keepdim=True)
        active = size > ACTIVE * largest
        return {"mean_active_units": active.sum(-1).float()}


def keep_top_k(z: Tensor, k: int) -> Tensor:
    """Sets all but the k largest values of each row to zero. z: (batch, code)."""
    indices = z.topk(k, dim=-1).indices
    return torch.zeros_like(z).scatter(-1, indices, z.gather(-1, indices))
