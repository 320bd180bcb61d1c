"""The contract of every type with its values: shapes, determinism, gradients, limits."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from autoencoders.models import AUTOENCODERS, build
from autoencoders.models.base import Autoencoder, Loss
from autoencoders.models.losses import RECONSTRUCTION_LOSSES
from autoencoders.params.architecture import Architecture
from autoencoders.params.params import load_params
from autoencoders.params.types import Models
from gradients import gradient_of
from known_facts import known_facts
from repository import ROOT

PARAMS = load_params(ROOT / "params.yaml").override({"data.name": "digits"})
FACTS = known_facts(PARAMS.data)
NOISY = ("denoising", "variational")
every_type = pytest.mark.parametrize("model_type", AUTOENCODERS)
every_network = pytest.mark.parametrize("net", ["mlp", "conv"])
every_loss = pytest.mark.parametrize("loss", RECONSTRUCTION_LOSSES)


def built(model_type: str, net: str = "mlp", *, seed: int = 0, **network: Any) -> Autoencoder:
    """A type with its values from params.yaml; network: other values of its network."""
    network = {"kind": net, **({"nodes_per_layer": 6} if net == "conv" else {}), **network}
    params = PARAMS.override(
        {f"models.{model_type}.network.{name}": value for name, value in network.items()}
    )
    torch.manual_seed(seed)
    return build(
        model_type,
        params.plan(model_type, FACTS).architecture,
        params.plan(model_type, FACTS).type_values,
    )


def rows(n: int = 5, seed: int = 0) -> Tensor:
    return torch.rand(n, FACTS.n_features, generator=torch.Generator().manual_seed(seed))


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def total(model: Autoencoder, loss: Loss) -> Tensor:
    return loss.reconstruction + model.penalty_weight(1.0) * loss.penalty


def gradients(model: Autoencoder, x: Tensor) -> list[Tensor]:
    """Gradients of the quantity that training minimises, in the order of the parameters."""
    model.zero_grad()
    total(model, model.loss(x, noise())).backward()
    return [gradient_of(parameter) for parameter in model.parameters() if parameter.requires_grad]


def linear_sizes(network: nn.Module) -> list[int]:
    layers = [layer for layer in network.children() if isinstance(layer, nn.Linear)]
    return [layers[0].in_features, *(layer.out_features for layer in layers)]


def test_the_types_are_those_of_params_yaml():
    assert list(AUTOENCODERS) == list(Models.model_fields)


# shapes


@every_type
@every_network
@every_loss
@pytest.mark.parametrize("n_layers", [0, 1, 3])
@pytest.mark.parametrize("code_size", [1, 8])
@pytest.mark.parametrize("batch", [1, 5])
def test_shapes_are_the_same_for_every_type(model_type, net, loss, n_layers, code_size, batch):
    layers = max(n_layers, 1) if net == "conv" else n_layers  # convolutions need one
    model = built(
        model_type, net, loss=loss, n_layers=layers, nodes_per_layer=20, code_size=code_size
    )
    x = rows(batch)
    z = model.encode(x)
    assert z.shape == (batch, code_size)
    assert model.decode(z).shape == model(x).shape == x.shape
    assert model.reconstruction_loss(z, x).shape == (batch,)
    for term in model.loss(x, noise()):
        assert (term.shape, term.dtype) == ((), torch.float32)
        assert term.isfinite()


@every_type
@every_network
@every_loss
def test_decode_stays_within_the_unit_interval_for_bce_alone(model_type, net, loss):
    model = built(model_type, net, loss=loss, n_layers=1 if net == "conv" else 0, code_size=8)
    x_hat = model.decode(5 * torch.randn(20, 8, generator=noise()))
    assert ((x_hat > 0) & (x_hat < 1)).all() == (loss == "bce")


@every_type
def test_a_type_draws_or_corrupts_rows_where_it_says_so_and_else_refuses(model_type):
    model, x = built(model_type), rows()
    operations = [
        (model.generates, lambda: model.sample(len(x), noise())),
        (model.corrupts, lambda: model.corrupt(x, noise())),
    ]
    for is_able, operation in operations:
        if is_able:
            assert operation().shape == x.shape
        else:
            with pytest.raises(NotImplementedError):
                operation()


@every_type
@pytest.mark.parametrize("n_layers", [0, 1, 3])
def test_the_decoder_mirrors_the_encoder(model_type, n_layers):
    model = built(model_type, n_layers=n_layers, nodes_per_layer=40, code_size=6)
    *encoder, code_outputs = linear_sizes(model.encoder)
    assert encoder == [FACTS.n_features, *model.architecture.widths]
    assert code_outputs % 6 == 0
    assert linear_sizes(model.decoder) == [6, *reversed(encoder)]


@pytest.mark.parametrize(
    "model_type", [model_type for model_type in AUTOENCODERS if model_type != "undercomplete"]
)
@every_network
def test_a_code_larger_than_the_input_works(model_type, net):
    model = built(model_type, net, code_size=FACTS.n_features + 10)
    x = rows()
    assert model.encode(x).shape == (len(x), FACTS.n_features + 10)
    assert all(gradient.isfinite().all() for gradient in gradients(model, x))


# losses


@every_type
@every_network
def test_forward_decodes_the_code(model_type, net):
    model, x = built(model_type, net), rows()
    assert torch.equal(model(x), model.decode(model.encode(x)))


@every_type
@every_network
@every_loss
def test_the_reconstruction_loss_judges_what_decode_gives(model_type, net, loss):
    model, x = built(model_type, net, loss=loss), rows()
    z = model.encode(x)
    x_hat = model.decode(z)
    expected = {
        "mse": (x_hat - x).square(),
        "l1": (x_hat - x).abs(),
        "bce": -x * x_hat.log() - (1 - x) * (1 - x_hat).log(),
    }[loss].sum(-1)
    torch.testing.assert_close(model.reconstruction_loss(z, x), expected)


@pytest.mark.parametrize(
    "model_type", [model_type for model_type in AUTOENCODERS if model_type not in NOISY]
)
@every_network
def test_without_noise_the_reconstruction_term_is_the_mean_loss_of_the_codes(model_type, net):
    model, x = built(model_type, net), rows()
    expected = model.reconstruction_loss(model.encode(x), x).mean()
    torch.testing.assert_close(model.loss(x, noise()).reconstruction, expected)


@pytest.mark.parametrize(
    "model_type", [model_type for model_type in AUTOENCODERS if model_type not in NOISY]
)
@every_network
def test_repeating_the_batch_changes_neither_term(model_type, net):
    model, x = (
        built(model_type, net, code_size=4),
        rows(),
    )  # few enough units for the Jacobian's exact norm, which draws nothing
    once, twice = model.loss(x, noise()), model.loss(torch.cat([x, x]), noise())
    torch.testing.assert_close(twice, once)


@every_type
@every_network
@every_loss
def test_every_parameter_gets_a_finite_gradient(model_type, net, loss):
    model = built(model_type, net, loss=loss)
    result = gradients(model, rows())
    assert len(result) == len(list(model.parameters()))
    assert all(gradient is not None and gradient.isfinite().all() for gradient in result)
    assert any(gradient.any() for gradient in result)


@every_type
@every_network
def test_the_loss_is_a_function_of_the_generators_seed(model_type, net):
    model, x = built(model_type, net), rows()
    first, again, other = (model.loss(x, noise(seed)) for seed in (1, 1, 2))
    assert first == again
    assert (first.reconstruction == other.reconstruction) == (model_type not in NOISY)


@every_type
@every_network
def test_no_noise_comes_from_anywhere_but_the_generator(model_type, net):
    model, x = built(model_type, net), rows()
    before = torch.get_rng_state()
    model.loss(x, noise())
    model.diagnostics(x, noise(), n_samples=2)
    assert torch.equal(torch.get_rng_state(), before)


@every_type
@every_network
def test_the_loss_is_the_same_without_gradients_and_in_evaluation_mode(model_type, net):
    model, x = built(model_type, net), rows()
    training = model.loss(x, noise())
    with torch.no_grad():
        validation = model.eval().loss(x, noise())
    torch.testing.assert_close(
        validation, Loss(*(term.detach() for term in training)), rtol=0, atol=0
    )


@every_type
@every_network
def test_loss_and_code_are_functions_of_progress_and_a_trained_models_is_1(model_type, net):
    model, x = built(model_type, net), rows()
    code, loss = model.encode(x), model.loss(x, noise())
    for progress in (0.0, 0.5, 1.0):
        again = [(model.encode(x, progress), model.loss(x, noise(), progress)) for _ in range(2)]
        assert torch.equal(again[0][0], again[1][0])
        assert again[0][1] == again[1][1]
    assert torch.equal(model.encode(x, 1.0), code)
    assert model.loss(x, noise(), 1.0) == loss
    assert torch.equal(model.encode(x), code)


@every_type
@every_network
def test_the_loss_leaves_its_input_as_it_was(model_type, net):
    model, x = built(model_type, net), rows()
    model.loss(x, noise())
    model.diagnostics(x, noise(), n_samples=2)
    assert torch.equal(x, rows())
    assert not x.requires_grad


@every_type
@every_network
def test_the_penaltys_weight_is_a_function_of_progress_alone(model_type, net):
    model = built(model_type, net)
    progress = [0.0, 0.01, 0.05, 0.5, 1.0]
    training = [model.train().penalty_weight(p) for p in progress]
    model.loss(rows(), noise())
    assert [model.eval().penalty_weight(p) for p in reversed(progress)] == training[::-1]


# what a saved model is asked for


@every_type
@every_network
@pytest.mark.parametrize("train", [True, False])
def test_codes_and_reconstructions_are_deterministic(model_type, net, train):
    model, x = built(model_type, net).train(train), rows()
    assert torch.equal(model.encode(x), model.encode(x))
    assert torch.equal(model(x), model(x))
    assert torch.equal(model(x), model.train(not train)(x))


@every_type
@every_network
def test_a_rows_code_does_not_depend_on_its_batch(model_type, net):
    model, x = built(model_type, net), rows()
    torch.testing.assert_close(torch.cat([model.encode(row[None]) for row in x]), model.encode(x))


@every_type
@every_network
def test_weights_carry_the_whole_model(model_type, net):
    model, x = built(model_type, net, seed=1), rows()
    other = built(model_type, net, seed=2)
    assert not torch.equal(other(x), model(x))
    other.load_state_dict(model.state_dict())
    assert torch.equal(other(x), model(x))
    assert torch.equal(other.encode(x), model.encode(x))
    assert other.loss(x, noise()) == model.loss(x, noise())


@every_type
@every_network
@pytest.mark.parametrize("batch", [1, 5])
def test_diagnostics_are_one_finite_value_a_sample(model_type, net, batch):
    model = built(model_type, net).eval().requires_grad_(requires_grad=False)
    for values in model.diagnostics(rows(batch), noise(), n_samples=3).values():
        assert values.shape == (batch,)
        assert values.isfinite().all()
        assert not values.requires_grad


# the limit that four types share

CODE, FEATURES = 4, 12
NO_PENALTY: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    (
        "sparse",
        {"penalty": "kl", "weight": 0.0, "sparsity": 0.2, "k": 1},
        {"code_activation": "sigmoid"},
    ),
    ("sparse", {"penalty": "l1", "weight": 0.0, "sparsity": 0.2, "k": 1}, {}),
    ("sparse", {"penalty": "top_k", "weight": 0.0, "sparsity": 0.2, "k": CODE}, {}),
    ("contractive", {"weight": 0.0, "jacobian": "closed_form"}, {"widths": ()}),
    ("contractive", {"weight": 0.0, "jacobian": "exact"}, {}),
    ("contractive", {"weight": 0.0, "jacobian": "estimate"}, {}),
    ("denoising", {"corruption": "gaussian", "level": 0.0}, {}),
    ("denoising", {"corruption": "masking", "level": 0.0}, {}),
    ("denoising", {"corruption": "salt_and_pepper", "level": 0.0}, {}),
]


@pytest.mark.parametrize(("model_type", "type_values", "network"), NO_PENALTY)
@every_loss
def test_without_its_penalty_a_type_is_the_undercomplete_one_to_the_last_bit(
    model_type, type_values, network, loss
):
    shape: dict[str, Any] = {
        "widths": (9, 6),
        "activation": "silu",
        "code_activation": "tanh",
        **network,
    }
    architecture = Architecture(n_features=FEATURES, code_size=CODE, loss=loss, **shape)
    x = torch.rand(7, FEATURES, generator=noise())
    models = []
    for name, values in ((model_type, type_values), ("undercomplete", {})):
        torch.manual_seed(3)
        models.append(build(name, architecture, values))
    model, plain = models
    assert torch.equal(total(model, model.loss(x, noise())), total(plain, plain.loss(x, noise())))
    pairs = zip(gradients(model, x), gradients(plain, x), strict=True)
    assert all(torch.equal(gradient, expected) for gradient, expected in pairs)
    assert torch.equal(model.encode(x), plain.encode(x))
