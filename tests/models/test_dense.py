"""A dense stack's passes are those of the modules and of autograd."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autoencoders.models import products
from autoencoders.models.dense import POINTWISE, DenseStack, is_dense
from autoencoders.models.networks import ACTIVATIONS, mlp_pair, pair
from autoencoders.params.architecture import Architecture

ROWS = 6
FEATURES = 5
CODE = 2
SMOOTH = [name for name in ACTIVATIONS if name != "identity"]


def architecture(**values: object) -> Architecture:
    """A small dense network, with the values that a test is about."""
    usual: dict[str, object] = {
        "kind": "mlp",
        "shape": (FEATURES,),
        "n_features": FEATURES,
        "code_size": CODE,
        "widths": (7, 3),
        "loss": "mse",
        "activation": "silu",
        "code_activation": "identity",
        "tied": False,
        "linear_path": False,
    }
    return Architecture(**{**usual, **values})  # type: ignore[arg-type]  # of mixed types


def halves(**values: object) -> tuple[nn.Module, nn.Module]:
    """The encoder and the decoder of `architecture`, with biases that are not 0."""
    torch.manual_seed(0)
    encoder, decoder = mlp_pair(architecture(**values), code_outputs=1)
    for parameter in (*encoder.parameters(), *decoder.parameters()):
        nn.init.normal_(parameter)
    return encoder, decoder


def buffers(half: nn.Module) -> dict[Tensor, Tensor]:
    """Room for each gradient, filled with what must not be left there."""
    return {parameter: torch.full_like(parameter, torch.nan) for parameter in half.parameters()}


NETWORKS = pytest.mark.parametrize("linear_path", [False, True])
WIDTHS = pytest.mark.parametrize("widths", [(), (7,), (7, 3)])


@pytest.mark.parametrize("activation", SMOOTH)
@NETWORKS
@WIDTHS
@pytest.mark.parametrize("half", [0, 1], ids=["encoder", "decoder"])
def test_output_and_gradients_are_those_of_autograd(half, widths, linear_path, activation):
    module = halves(widths=widths, linear_path=linear_path, activation=activation)[half]
    inputs, outputs = [(FEATURES, CODE), (CODE, FEATURES)][half]
    x = torch.randn(ROWS, inputs)
    gradients = buffers(module)
    input_gradient = torch.empty_like(x)
    stack = DenseStack(module, x, gradients, input_gradient)
    output_gradient = torch.randn(ROWS, outputs)

    followed = x.clone().requires_grad_()
    expected = module(followed)
    expected.backward(output_gradient)
    for _ in range(2):  # a second pass overwrites the first one's
        torch.testing.assert_close(stack.forward(), expected.detach())
        stack.output_gradient.copy_(output_gradient)
        stack.backward()
        torch.testing.assert_close(input_gradient, followed.grad)
        for parameter, gradient in gradients.items():
            torch.testing.assert_close(gradient, parameter.grad)


@pytest.mark.parametrize("activation", SMOOTH)
@NETWORKS
@WIDTHS
def test_without_gradients_the_output_is_the_same(widths, linear_path, activation):
    encoder, _ = halves(widths=widths, linear_path=linear_path, activation=activation)
    x = torch.randn(ROWS, FEATURES)
    stack = DenseStack(encoder, x)
    torch.testing.assert_close(stack.forward(), encoder(x).detach())
    assert not stack.backward_calls


def test_a_pass_reads_the_rows_and_the_weights_of_the_moment():
    encoder, _ = halves()
    x = torch.randn(ROWS, FEATURES)
    stack = DenseStack(encoder, x)
    stack.forward()
    x.copy_(torch.randn(ROWS, FEATURES))
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.mul_(0.5)
    torch.testing.assert_close(stack.forward(), encoder(x).detach())


@pytest.mark.parametrize("activation", SMOOTH)
def test_a_gradient_at_the_output_is_not_changed(activation):
    encoder, _ = halves(activation=activation)
    stack = DenseStack(encoder, torch.randn(ROWS, FEATURES), buffers(encoder))
    stack.forward()
    gradient = torch.randn(ROWS, CODE)
    stack.output_gradient.copy_(gradient)
    stack.backward()
    assert torch.equal(stack.output_gradient, gradient)


def test_every_activation_of_hidden_layers_has_its_pass():
    assert {ACTIVATIONS[name] for name in SMOOTH} == set(POINTWISE)


def test_linear_layers_and_their_activations_are_dense():
    for half in (*halves(), *halves(linear_path=True), *halves(widths=())):
        assert is_dense(half)


def test_tied_and_convolutional_halves_are_not_dense():
    _, tied = halves(tied=True)
    assert not is_dense(tied)
    images = architecture(kind="conv", shape=(8, 8), n_features=64, widths=(4,))
    for half in pair(images, code_outputs=1):
        assert not is_dense(half)


class Doubled(nn.Linear):
    """A linear layer that computes something else."""

    def forward(self, x: Tensor) -> Tensor:
        return 2 * super().forward(x)


OTHER_LAYERS = {
    "an activation at the end": [nn.Linear(FEATURES, CODE), nn.Tanh()],
    "two linear layers in a row": [nn.Linear(FEATURES, CODE), nn.Linear(CODE, CODE)],
    "no bias": [nn.Linear(FEATURES, CODE, bias=False)],
    "a layer of one's own": [Doubled(FEATURES, CODE)],
    "another GELU": [nn.Linear(FEATURES, 7), nn.GELU(approximate="tanh"), nn.Linear(7, CODE)],
}


@pytest.mark.parametrize("layers", OTHER_LAYERS.values(), ids=OTHER_LAYERS)
def test_other_layers_are_not_dense(layers):
    assert not is_dense(nn.Sequential(*layers))


def test_a_module_that_is_no_list_of_layers_is_not_dense():
    assert not is_dense(nn.Bilinear(FEATURES, FEATURES, CODE))


@pytest.fixture
def onednn_calls(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows by one with each product of oneDNN."""
    calls: list[object] = []
    original = products._linear

    def linear(*arguments: Any) -> None:
        calls.append(arguments)
        original(*arguments)

    monkeypatch.setattr(products, "_linear", linear)
    return calls


@pytest.mark.parametrize("linear_path", [False, True])
@pytest.mark.parametrize("half", [0, 1], ids=["encoder", "decoder"])
def test_onednns_products_give_the_same_output_and_gradients(
    half, linear_path, onednn_calls, monkeypatch
):
    monkeypatch.setattr(products, "FROM", 1)
    module = halves(linear_path=linear_path)[half]
    x = torch.randn(ROWS, [FEATURES, CODE][half])
    output_gradient = torch.randn(ROWS, [CODE, FEATURES][half])
    answers = []
    for onednn in (False, True):
        gradients = buffers(module)
        input_gradient = torch.empty_like(x)
        stack = DenseStack(module, x, gradients, input_gradient, onednn=onednn)
        output = stack.forward().clone()
        stack.output_gradient.copy_(output_gradient)
        stack.backward()
        answers.append([output, input_gradient, *gradients.values()])
        n_layers = 3
        assert len(onednn_calls) == onednn * n_layers * 3  # output, both gradients of each
    torch.testing.assert_close(*answers)


def test_small_products_are_mkls(onednn_calls, monkeypatch):
    monkeypatch.setattr(products, "FROM", ROWS * FEATURES * 7 + 1)  # the first layer's, and one
    encoder, _ = halves()
    DenseStack(encoder, torch.randn(ROWS, FEATURES), onednn=True).forward()
    assert not onednn_calls
