"""Dense encoders and decoders as prepared lists of calls: forward, and backward by the chain rule.

On small networks, autograd and modules take several times as long as the arithmetic. Here every
product and activation is bound once to the buffers that it reads and writes.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn

from autoencoders.models.networks import LinearPath, layers_of, path_weight
from autoencoders.models.products import Call, affine, product

aten: Any = torch.ops.aten


class Pointwise(NamedTuple):
    """An activation h of a, and its backward pass."""

    forward: Callable[..., object]  # (a, out=h)
    backward: Callable[..., object]  # (gradient at h, a or h, grad_input=gradient at a)
    reads_output: bool  # whether `backward` reads h; else it reads a


def _relu_backward(gradient: Tensor, output: Tensor, *, grad_input: Tensor) -> None:
    """The gradient where the output is positive, else 0."""
    aten.threshold_backward.grad_input(gradient, output, 0.0, grad_input=grad_input)


POINTWISE: dict[type[nn.Module], Pointwise] = {
    nn.SiLU: Pointwise(torch._C._nn.silu, aten.silu_backward.grad_input, reads_output=False),
    nn.GELU: Pointwise(torch._C._nn.gelu, aten.gelu_backward.grad_input, reads_output=False),
    nn.ReLU: Pointwise(aten.relu.out, _relu_backward, reads_output=True),
    nn.Tanh: Pointwise(torch.tanh, aten.tanh_backward.grad_input, reads_output=True),
    nn.Sigmoid: Pointwise(torch.sigmoid, aten.sigmoid_backward.grad_input, reads_output=True),
}


def is_dense(half: nn.Module) -> bool:
    """Whether an encoder or a decoder is what `mlp_pair` builds, with activations of POINTWISE.

    That is linear layers with biases, an activation between two of them, and maybe a linear path.
    """
    if type(layers_of(half)) is not nn.Sequential:
        return False
    linear, activations = _layers(half)
    if len(linear) != len(activations) + 1:
        return False
    if isinstance(half, LinearPath) and type(half.path) is not nn.Linear:
        return False
    return all(map(_has_bias, linear)) and all(map(_has_pass, activations))


def _has_bias(layer: nn.Module) -> bool:
    """Whether this is torch's own linear layer, with a bias."""
    return type(layer) is nn.Linear and layer.bias is not None


def _has_pass(activation: nn.Module) -> bool:
    """Whether POINTWISE has this activation, with torch's defaults."""
    kind = type(activation)
    return kind in POINTWISE and repr(activation) == repr(kind())


def _layers(half: nn.Module) -> tuple[list[nn.Module], list[nn.Module]]:
    """Every other layer from the first one on, and those between them."""
    layers = list(layers_of(half))
    return layers[::2], layers[1::2]


class DenseStack:
    """The layers of an encoder or a decoder, for a fixed number of rows.

    Layer l computes a_l = W_l h_(l-1) + b_l and h_l = activation(a_l) of each row, from h_0 = x.
    The output is the last layer's a; with a linear path beside the layers it is V x + a.
    """

    def __init__(
        self,
        half: nn.Module,
        x: Tensor,
        gradients: Mapping[Tensor, Tensor] | None = None,
        input_gradient: Tensor | None = None,
        *,
        onednn: bool = False,
    ) -> None:
        """half: the encoder or decoder, which `is_dense`; x: the buffer (rows, inputs) it reads.

        gradients: for each weight and bias, the tensor that its gradient is written to; without,
        there is no backward pass. input_gradient: likewise for x; without, it is not computed.
        onednn: whether oneDNN computes the large products of the layers.
        """
        linear, activations = _layers(half)
        self.x = x
        self.onednn = onednn
        self.linear = cast(list[nn.Linear], linear)
        self.activations = [POINTWISE[type(activation)] for activation in activations]
        self.path = path_weight(half)
        self.a = [x.new_empty(len(x), layer.out_features) for layer in self.linear]
        self.output = self.a[-1]
        self.h = []
        for activation, a in zip(self.activations, self.a, strict=False):
            in_place = activation.reads_output or gradients is None
            self.h.append(a if in_place else torch.empty_like(a))
        self.forward_calls = self._forward()
        self.backward_calls: list[Call] = []
        if gradients is not None:
            self.gradients = gradients
            self.output_gradient = torch.empty_like(self.output)
            self.backward_calls = self._backward(input_gradient)

    def forward(self) -> Tensor:
        """The output of the rows in `x`: (rows, outputs), overwritten by the next pass."""
        for call in self.forward_calls:
            call()
        return self.output

    def backward(self) -> None:
        """Computes all gradients from the one at the output, which is in `output_gradient`."""
        for call in self.backward_calls:
            call()

    def _forward(self) -> list[Call]:
        """The calls of the forward pass, in order."""
        calls: list[Call] = []
        inputs = [self.x, *self.h]
        for i, layer in enumerate(self.linear):
            weight = layer.weight.detach()
            bias = layer.bias.detach()
            calls.append(affine(inputs[i], weight, bias, self.a[i], onednn=self.onednn))
            if i < len(self.h):
                calls.append(partial(self.activations[i].forward, self.a[i], out=self.h[i]))
        if self.path is not None:
            calls.append(partial(self.output.addmm_, self.x, self.path.detach().t()))
        return calls

    def _backward(self, input_gradient: Tensor | None) -> list[Call]:
        """The calls of the backward pass, in order: from the last layer to the first."""
        calls: list[Call] = []
        inputs = [self.x, *self.h]
        d = self.output_gradient
        if self.path is not None:
            calls.append(partial(torch.mm, d.t(), self.x, out=self.gradients[self.path]))
        for i in reversed(range(len(self.linear))):
            layer = self.linear[i]
            calls.append(partial(torch.sum, d, 0, out=self.gradients[layer.bias]))
            gradient = self.gradients[layer.weight]
            calls.append(product(d.t(), inputs[i], gradient, onednn=self.onednn))
            if i == 0:
                break
            before = torch.empty_like(inputs[i])
            calls.append(product(d, layer.weight.detach(), before, onednn=self.onednn))
            calls.append(self._activation_backward(i - 1, before))
            d = before
        if input_gradient is not None:
            weight = self.linear[0].weight.detach()
            calls.append(product(d, weight, input_gradient, onednn=self.onednn))
            if self.path is not None:
                path = self.path.detach()
                calls.append(partial(input_gradient.addmm_, self.output_gradient, path))
        return calls

    def _activation_backward(self, layer: int, gradient: Tensor) -> Call:
        """Turns the gradient at a layer's h into the one at its a, in place."""
        activation = self.activations[layer]
        reads = self.h[layer] if activation.reads_output else self.a[layer]
        return partial(activation.backward, gradient, reads, grad_input=gradient)
