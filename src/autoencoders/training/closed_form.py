"""A training step of dense networks whose gradient is the chain rule's, without autograd's graph.

What a type does with its input and its code stays in the type: where a code is more than the
encoder's output, autograd differentiates that part alone.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, cast

import torch
from torch import Tensor

from autoencoders.models.base import Autoencoder
from autoencoders.models.dense import DenseStack, is_dense
from autoencoders.models.losses import reconstruction_loss
from autoencoders.models.products import Call, has_onednn_linear
from autoencoders.params.sections import FixedTrain
from autoencoders.training.processors import onednn_gains

VALIDATION_ROWS = 512  # of a forward pass at most: their values stay in a processor's cache
aten: Any = torch.ops.aten


def covers(autoencoder: Autoencoder, train: FixedTrain, precision: str) -> bool:
    """Whether a training takes this step; every other one takes autograd's.

    Needs dense layers with weights of their own, which are all trained, and no further ones; a loss
    that the type's `encoder_input` and `training_code` make up, products in full precision, and one
    device, the processor.
    """
    if train.devices * train.num_nodes > 1 or torch.cuda.is_available():
        return False
    if precision != "32-true" or not autoencoder.loss_is_of_parts:
        return False
    if not (is_dense(autoencoder.encoder) and is_dense(autoencoder.decoder)):
        return False
    return _has_layers_weights_alone(autoencoder)


def _has_layers_weights_alone(autoencoder: Autoencoder) -> bool:
    """Whether the weights are those of encoder and decoder, each of one layer, and all trained."""
    weights = list(autoencoder.parameters())
    of_layers = [
        weight
        for half in (autoencoder.encoder, autoencoder.decoder)
        for _, weight in half.named_parameters(remove_duplicate=False)
    ]
    own = len(weights) == len(of_layers) == len(set(weights) & set(of_layers))
    return own and all(weight.requires_grad for weight in weights)


class Step:
    """Loss and gradients of a batch with a fixed number of rows."""

    def __init__(
        self,
        autoencoder: Autoencoder,
        n_rows: int,
        gradients: Mapping[Tensor, Tensor],
        *,
        onednn: bool,
    ) -> None:
        """gradients: for each parameter, the tensor that its gradient is written to.

        onednn: whether oneDNN computes large products.
        """
        architecture = autoencoder.architecture
        self.autoencoder = autoencoder
        self.x = torch.empty(n_rows, architecture.n_features)
        self.gradients = gradients
        changes_input = autoencoder.changes_input
        self.encoder_input = torch.empty_like(self.x) if changes_input else self.x
        self.encoder = DenseStack(autoencoder.encoder, self.encoder_input, gradients, onednn=onednn)
        self.code_is_output = autoencoder.code_is_output
        self.z = self.encoder.output
        self.z_gradient = self.encoder.output_gradient
        if not self.code_is_output:
            self.z = torch.empty(n_rows, architecture.code_size)
            self.z_gradient = torch.empty_like(self.z)
        self.decoder = DenseStack(
            autoencoder.decoder, self.z, gradients, self.z_gradient, onednn=onednn
        )
        self.loss_gradient = self._loss_gradient(architecture.loss)

    def _loss_gradient(self, loss: str) -> list[Call]:
        """The calls that write the gradient of the mean reconstruction loss at the output."""
        output = self.decoder.output
        gradient = self.decoder.output_gradient
        share = torch.tensor(1 / len(self.x))  # of a row in the batch's mean
        if loss == "mse":
            backward = aten.mse_loss_backward.grad_input
            return [partial(backward, share, output, self.x, 0, grad_input=gradient)]
        if loss == "bce":
            mean = partial(torch.sigmoid, output, out=gradient)
            return [mean, partial(gradient.sub_, self.x), partial(gradient.mul_, share)]
        error = partial(torch.sub, output, self.x, out=gradient)
        return [error, gradient.sign_, partial(gradient.mul_, share)]

    def __call__(
        self, x: Tensor, weight: float, generator: torch.Generator, progress: float
    ) -> Tensor | None:
        """Computes the gradients of reconstruction + weight * penalty; returns the penalty.

        The decoder's output is then in `decoder.output`. x: (rows, features), model scale. None: a
        penalty of 0.
        """
        self.x.copy_(x)
        if self.encoder_input is not self.x:
            self.encoder_input.copy_(self.autoencoder.encoder_input(self.x, generator))
        a = self.encoder.forward()
        if self.code_is_output:
            self._decode()
            self.encoder.backward()
            return None
        a = a.detach().requires_grad_()
        z, penalty = self.autoencoder.training_code(a, generator, progress)
        self.z.copy_(z.detach())
        self._decode()
        outputs = [z]
        gradients = [self.z_gradient]
        if weight and penalty.requires_grad:
            outputs.append(penalty)
            gradients.append(penalty.new_tensor(weight))
        torch.autograd.backward(outputs, gradients)
        self.encoder.output_gradient.copy_(cast(Tensor, a.grad))
        self.encoder.backward()
        self._add_gradients_of_code()
        return penalty.detach()

    def _add_gradients_of_code(self) -> None:
        """Adds the gradients of weights that the type's `training_code` itself has used."""
        for weight, gradient in self.gradients.items():
            if weight.grad is not None:
                gradient.add_(weight.grad)
                weight.grad = None

    def _decode(self) -> None:
        """Decodes the codes in `z` and goes back to their gradient."""
        self.decoder.forward()
        for call in self.loss_gradient:
            call()
        self.decoder.backward()


class ClosedForm:
    """The steps and the validation of one training, for whatever numbers of rows it has."""

    def __init__(self, autoencoder: Autoencoder, gradients: Mapping[Tensor, Tensor]) -> None:
        """gradients: for each parameter, the tensor that its gradient is written to."""
        self.autoencoder = autoencoder
        self.gradients = gradients
        self.steps: dict[int, Step] = {}  # by number of rows
        self.passes: dict[int, ForwardPass] = {}  # likewise
        self.onednn = onednn_gains() and has_onednn_linear()

    def step(self, n_rows: int) -> Step:
        """The step of batches with this number of rows."""
        if n_rows not in self.steps:
            self.steps[n_rows] = Step(self.autoencoder, n_rows, self.gradients, onednn=self.onednn)
        return self.steps[n_rows]

    def forward_pass(self, n_rows: int) -> "ForwardPass":
        """The forward pass of this number of rows."""
        if n_rows not in self.passes:
            self.passes[n_rows] = ForwardPass(self.autoencoder, n_rows, onednn=self.onednn)
        return self.passes[n_rows]

    @torch.no_grad()
    def validate(
        self, x: Tensor, generator: torch.Generator, progress: float
    ) -> tuple[Tensor, Tensor]:
        """The clean reconstruction loss of each row, (rows,), and the penalty, a scalar.

        x: (rows, features), model scale.
        """
        outputs = []
        losses = []
        for part in x.split(VALIDATION_ROWS):
            forward_pass = self.forward_pass(len(part))
            outputs.append(forward_pass.encode(part).clone())
            losses.append(forward_pass.losses(part, progress))
        if not self.autoencoder.has_penalty:
            return torch.cat(losses), x.new_zeros(())
        if self.autoencoder.changes_input:
            inputs = self.autoencoder.encoder_input(x, generator).split(VALIDATION_ROWS)
            outputs = [self.forward_pass(len(part)).encode(part).clone() for part in inputs]
        _, penalty = self.autoencoder.training_code(torch.cat(outputs), generator, progress)
        return torch.cat(losses), penalty


class ForwardPass:
    """Encoder and decoder, without gradients, for a fixed number of rows."""

    def __init__(self, autoencoder: Autoencoder, n_rows: int, *, onednn: bool) -> None:
        """onednn: whether oneDNN computes large products."""
        architecture = autoencoder.architecture
        self.autoencoder = autoencoder
        self.x = torch.empty(n_rows, architecture.n_features)
        self.z = torch.empty(n_rows, architecture.code_size)
        self.encoder = DenseStack(autoencoder.encoder, self.x, onednn=onednn)
        self.decoder = DenseStack(autoencoder.decoder, self.z, onednn=onednn)

    def encode(self, x: Tensor) -> Tensor:
        """The encoder's output, a buffer that the next pass overwrites. x: (rows, features)."""
        self.x.copy_(x)
        return self.encoder.forward()

    def losses(self, x: Tensor, progress: float) -> Tensor:
        """The reconstruction loss of each row, (rows,), from the code of the rows last encoded.

        x: these rows, (rows, features), model scale.
        """
        self.z.copy_(self.autoencoder.code(self.encoder.output, progress))
        output = self.decoder.forward()
        return reconstruction_loss(self.autoencoder.architecture.loss, output, x)
