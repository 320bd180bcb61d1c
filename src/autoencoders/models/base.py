"""The interface of every autoencoder: an encoder, a code, a decoder symmetric to it, a loss."""

from abc import ABC
from collections.abc import Iterator
from typing import ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from autoencoders.models.jacobian import jacobian, linear_layers, slope, squared_norm
from autoencoders.models.losses import likelihood_mean, reconstruction_loss
from autoencoders.models.networks import ACTIVATIONS, layers_of, pair, path_weight, start_as
from autoencoders.models.pca import Projection
from autoencoders.params.architecture import Architecture

JACOBIAN_VALUES = 2**24  # of Jacobians in memory at once, 64 MB: only their norms are needed


class Loss(NamedTuple):
    """Two scalars in nats, each summed over features or code units and averaged over the batch."""

    reconstruction: Tensor
    penalty: Tensor  # not yet multiplied by `penalty_weight`


class Autoencoder(nn.Module, ABC):
    """An autoencoder in model scale. x, x_hat: (batch, features); z: (batch, code).

    progress: the share of the epochs that are over, from 0 to 1. Types with a schedule depend on
    it. A trained model's progress is 1.
    """

    generates: ClassVar[bool] = False  # whether `sample` draws new rows
    # whether the loss is the reconstruction loss alone, without penalty and corruption
    rebuilds_only: ClassVar[bool] = False
    corrupts: ClassVar[bool] = False  # whether `corrupt` spoils rows, which the type cleans
    weight = 0.0  # of the penalty
    input_gradients = False  # whether `loss` computes gradients at x, which no training step needs

    def __init__(self, architecture: Architecture, *, code_outputs: int = 1) -> None:
        """code_outputs: the encoder's outputs for each code unit."""
        super().__init__()
        self.architecture = architecture
        self.encoder, self.decoder = pair(architecture, code_outputs)
        self.code_activation = ACTIVATIONS[architecture.code_activation]()

    def start_as_pca(self, projection: Projection) -> None:
        """Sets the weights so that the reconstruction of x is PCA's; needs a linear path.

        Code units have the components' own deviations. projection: PCA of the training rows at the
        code size, in model scale.
        """
        self._start_as_pca(projection, torch.ones(self.architecture.code_size))

    def _start_as_pca(self, projection: Projection, deviations: Tensor) -> None:
        """Code units are those of PCA divided by `deviations` (code,); further outputs are 0."""
        components = torch.from_numpy(projection.components).float()
        mean = torch.from_numpy(projection.mean).float()
        n_outputs = linear_layers(self.encoder)[-1].out_features
        weight = mean.new_zeros(n_outputs, len(mean))
        weight[: len(components)] = components / deviations[:, None]
        start_as(self.encoder, weight, -weight @ mean)
        start_as(self.decoder, (components * deviations[:, None]).T, mean)

    def encode(self, x: Tensor, progress: float = 1.0) -> Tensor:
        """The code z of x, deterministic for every type."""
        a = self.encoder(x).to(x.dtype)  # bf16 products, full precision around them
        return self.code(a, progress)

    def code(self, a: Tensor, progress: float = 1.0) -> Tensor:  # noqa: ARG002  (sparse reads it)
        """The code z of the encoder's output a, deterministic for every type."""
        return self.code_activation(a)

    def decode(self, z: Tensor) -> Tensor:
        """The reconstruction x_hat from a code; within (0, 1) where the loss is "bce"."""
        output = self.decoder(z).to(z.dtype)
        return likelihood_mean(self.architecture.loss, output)

    def forward(self, x: Tensor) -> Tensor:
        """The reconstruction of x."""
        return self.decode(self.encode(x))

    def reconstruction_loss(self, z: Tensor, x: Tensor) -> Tensor:
        """The loss of decoding z where x was meant, in nats, one value a sample."""
        output = self.decoder(z).to(z.dtype)
        return reconstruction_loss(self.architecture.loss, output, x)

    def divergence(self, x: Tensor) -> Tensor:
        """KL(q(z | x) || p(z)) in nats, one value a sample; 0 where codes have no distribution."""
        return x.new_zeros(x.shape[0])

    def posterior_codes(self, x: Tensor) -> Iterator[Tensor]:
        """Codes (batch, code) that x may stand for, the same in every batch; one for most types."""
        yield self.encode(x)

    def sample(self, n: int, generator: torch.Generator) -> Tensor:
        """Draws n rows from the model: (n, features).

        Raises NotImplementedError where the type does not generate.
        """
        raise NotImplementedError

    def corrupt(self, x: Tensor, generator: torch.Generator) -> Tensor:
        """A corrupted copy of x. Raises NotImplementedError where the type does not corrupt."""
        raise NotImplementedError

    @property
    def reports_jacobian(self) -> bool:
        """Whether an evaluation computes the encoder's Jacobian, which is slow for convolutions."""
        return self.architecture.kind != "conv"

    def code_slope(self, a: Tensor) -> Tensor:
        """The derivative of each code unit by the encoder's output a. Both: (batch, code)."""
        return slope(self.code_activation, a)

    def exact_squared_norm(self, x: Tensor) -> Tensor:
        """||dz/dx||_F^2 of the deterministic code, one value a sample.

        For linear layers by the chain rule; for convolutions by a backward pass for each code unit.
        """
        if self.architecture.kind == "conv":
            return self._squared_norm_of_units(x)
        first, *others = linear_layers(self.encoder)
        slopes = []
        a = first(x)
        for layer in others:
            activation = layers_of(self.encoder)[1]
            slopes.append(slope(activation, a))
            a = layer(activation(a))
        weights = [layer.weight for layer in (first, *others)]
        size = self.architecture.code_size  # the outputs after these are no codes
        weights[-1] = weights[-1][:size]
        path = path_weight(self.encoder)
        if path is None:
            slopes.append(self.code_slope(a[:, :size]))
            return squared_norm(weights, slopes)
        slopes.append(torch.ones_like(a[:, :size]))  # a code beside a linear path has no activation
        return (path[:size] + jacobian(weights, slopes)).square().sum((1, 2))

    def _squared_norm_of_units(self, x: Tensor) -> Tensor:
        """||dz/dx||_F^2 as the sum of each code unit's squared gradient; x requires a gradient."""
        gradients = []
        for unit in self.encode(x).unbind(-1):
            (gradient,) = torch.autograd.grad(unit.sum(), x, create_graph=True)
            gradients.append(gradient)
        return torch.stack(gradients).square().sum((0, -1))

    def jacobian_norm(self, x: Tensor) -> Tensor:
        """||dz/dx||_F, one value a sample, without gradients. Parts of x bound the memory."""
        architecture = self.architecture
        widest = max(architecture.n_features, *architecture.widths, 1)
        rows = max(1, JACOBIAN_VALUES // (architecture.code_size * widest))
        norms = []
        with torch.enable_grad():
            for part in x.split(rows):
                squared = self.exact_squared_norm(part.detach().requires_grad_())
                norms.append(squared.detach())
        return torch.cat(norms).sqrt()

    def encoder_input(self, x: Tensor, generator: torch.Generator) -> Tensor:  # noqa: ARG002
        """The encoder's input in training: x, which some types corrupt."""
        return x

    def training_code(
        self,
        a: Tensor,
        generator: torch.Generator,  # noqa: ARG002  (some types read it)
        progress: float,
    ) -> tuple[Tensor, Tensor]:
        """The decoder's input in training, and the penalty: a scalar in nats.

        a: (batch, outputs), the encoder's output.
        """
        return self.code(a, progress), a.new_zeros(())

    def loss(self, x: Tensor, generator: torch.Generator, progress: float = 1.0) -> Loss:
        """The two terms of what training minimises: reconstruction + penalty_weight * penalty.

        All noise comes from the generator.
        """
        a = self.encoder(self.encoder_input(x, generator)).to(x.dtype)
        z, penalty = self.training_code(a, generator, progress)
        return Loss(self.reconstruction_loss(z, x).mean(), penalty)

    @property
    def loss_is_of_parts(self) -> bool:
        """Whether `encoder_input`, `training_code`, `code` and nothing else make up the loss."""
        return all(
            getattr(type(self), name) is getattr(Autoencoder, name)
            for name in ("loss", "reconstruction_loss", "encode")
        )

    @property
    def changes_input(self) -> bool:
        """Whether the encoder's input in training is another one than x."""
        return type(self).encoder_input is not Autoencoder.encoder_input

    @property
    def has_penalty(self) -> bool:
        """Whether `training_code` has a penalty."""
        return type(self).training_code is not Autoencoder.training_code

    @property
    def code_is_output(self) -> bool:
        """Whether the decoder's input in training is the encoder's output itself."""
        plain = type(self).code is Autoencoder.code and not self.has_penalty
        return plain and type(self.code_activation) is nn.Identity

    def penalty_weight(self, progress: float) -> float:  # noqa: ARG002  (variational reads it)
        """The penalty's weight at this progress: the same in training and validation."""
        return self.weight

    def settled(self, progress: float) -> bool:
        """Whether the loss is the same function of x from this progress on."""
        return self.penalty_weight(progress) == self.penalty_weight(1.0)

    def features(self, x: Tensor) -> Tensor:
        """The code that a model's user gets: (batch, code); for most types the decoder's input."""
        return self.encode(x)

    def diagnostics(
        self,
        x: Tensor,  # noqa: ARG002
        generator: torch.Generator,  # noqa: ARG002
        n_samples: int,  # noqa: ARG002  (some types read them)
    ) -> dict[str, Tensor]:
        """The type's own quality by name, one value a sample; n_samples: Monte-Carlo draws."""
        return {}
