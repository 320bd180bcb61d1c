"""The interface of every autoencoder: an encoder, a code, a decoder symmetric to the encoder, a loss."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from autoencoders.models.jacobian import linear_layers, slope, squared_norm
from autoencoders.models.losses import reconstruction_loss
from autoencoders.models.networks import ACTIVATIONS, pair
from autoencoders.params.architecture import Architecture

PART_VALUES = 2**24  # of Jacobians in memory at once, where only their norms are asked for


class Loss(NamedTuple):
    """Two scalars in nats, each summed over features or code units and averaged over the batch."""

    reconstruction: Tensor
    penalty: Tensor  # not yet multiplied by `penalty_weight`


class Autoencoder(nn.Module, ABC):
    """An autoencoder in model scale. x, x_hat: (batch, features); z: (batch, code)."""

    generates: ClassVar[bool] = False  # whether `sample` draws new rows
    corrupts: ClassVar[bool] = False  # whether `corrupt` spoils rows, which the type cleans
    weight = 0.0  # of the penalty
    progress = 1.0  # of training: types with a schedule look at it; a trained model's is over
    input_gradients = (
        False  # whether the loss makes gradients at x, which are of no use to the training step
    )

    def __init__(self, architecture: Architecture, *, code_outputs: int = 1) -> None:
        """code_outputs: how many numbers the encoder gives for each code unit."""
        super().__init__()
        self.architecture = architecture
        self.encoder, self.decoder = pair(architecture, code_outputs)
        self.code_activation = ACTIVATIONS[architecture.code_activation]()

    def encode(self, x: Tensor) -> Tensor:
        """The code z of x: deterministic, for every type."""
        return self.code_activation(
            self.encoder(x).to(x.dtype)
        )  # bf16 products, full precision around them

    def decode(self, z: Tensor) -> Tensor:
        """The reconstruction x_hat from a code, in model scale; within (0, 1) where the loss is "bce"."""
        output = self.decoder(z).to(z.dtype)
        return torch.sigmoid(output) if self.architecture.loss == "bce" else output

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of x."""
        return self.decode(self.encode(x))

    def reconstruction_loss(self, z: Tensor, x: Tensor) -> Tensor:
        """The loss of decoding z where x was meant, in nats, one value a sample."""
        return reconstruction_loss(self.architecture.loss, self.decoder(z).to(z.dtype), x)

    def divergence(self, x: Tensor) -> Tensor:
        """KL(q(z | x) || p(z)) in nats, one value a sample; 0 where codes have no distribution."""
        return x.new_zeros(x.shape[0])

    def posterior_codes(self, x: Tensor) -> Iterator[Tensor]:
        """Codes (batch, code) that x may stand for, the same ones whatever the batch: for most types one."""
        yield self.encode(x)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """n draws from the model: (n, features). Raises NotImplementedError where the type does not generate."""
        raise NotImplementedError

    def corrupt(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A corrupted copy of x. Raises NotImplementedError where the type does not corrupt."""
        raise NotImplementedError

    @property
    def reports_jacobian(self) -> bool:
        """Whether the encoder's Jacobian is worth its time in an evaluation: of convolutions it is slow."""
        return self.architecture.kind != "conv"

    def code_slope(self, a: Tensor) -> Tensor:
        """The derivative of each code unit by the encoder's output for it. a: (batch, code), as the result."""
        return slope(self.code_activation, a)

    def exact_squared_norm(self, x: Tensor) -> Tensor:
        """||dz/dx||_F^2 of the deterministic code, one value a sample; of convolutions, by a backward pass a unit."""
        if self.architecture.kind == "conv":
            z = self.encode(x)
            units = [
                torch.autograd.grad(unit.sum(), x, create_graph=True)[0] for unit in z.unbind(-1)
            ]
            return torch.stack(units).square().sum((0, -1))
        first, *others = linear_layers(self.encoder)
        slopes, a = [], first(x)
        for layer in others:
            slopes.append(slope(self.encoder[1], a))
            a = layer(self.encoder[1](a))
        *weights, last = (layer.weight for layer in (first, *others))
        size = self.architecture.code_size  # further outputs are no codes
        return squared_norm([*weights, last[:size]], [*slopes, self.code_slope(a[:, :size])])

    def jacobian_norm(self, x: Tensor) -> Tensor:
        """||dz/dx||_F, one value a sample, without gradients; rows are taken in parts, which bounds the memory."""
        a = self.architecture
        rows = max(1, PART_VALUES // (a.code_size * max(a.n_features, *a.widths, 1)))
        with torch.enable_grad():
            parts = [
                self.exact_squared_norm(part.detach().requires_grad_()).detach()
                for part in x.split(rows)
            ]
        return torch.cat(parts).sqrt()

    @abstractmethod
    def loss(self, x: Tensor, generator: torch.Generator) -> Loss:
        """What training minimises: reconstruction + penalty_weight * penalty; all noise comes from the generator."""

    def penalty_weight(self, progress: float) -> float:  # noqa: ARG002  (types with a schedule read it)
        """The penalty's weight at a progress of training from 0 to 1: the same in training and validation."""
        return self.weight

    def settled(self, progress: float) -> bool:
        """Whether nothing of the loss changes any more from this progress of training on."""
        return self.penalty_weight(progress) == self.penalty_weight(1.0)

    def features(self, x: Tensor) -> Tensor:
        """What a model's user gets as the code of x: for most types what the decoder gets."""
        return self.encode(x)

    def diagnostics(
        self,
        x: Tensor,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
        n_samples: int,  # noqa: ARG002  (other types read them)
    ) -> dict[str, Tensor]:
        """What this type is for, by name, one value a sample; n_samples: draws for Monte-Carlo estimates."""
        return {}
