"""Corruptions: how much they change, their randomness, and the clean input as the target."""

import math

import pytest
import torch
from torch import Tensor

from autoencoders.models.jacobian import linear_layers
from autoencoders.models.types.denoising import Denoising
from autoencoders.params.architecture import Architecture

FEATURES = 10
CORRUPTIONS = ("gaussian", "masking", "salt_and_pepper")
every_corruption = pytest.mark.parametrize("corruption", CORRUPTIONS)
every_share = pytest.mark.parametrize("level", [0.05, 0.25, 0.9])


def denoising(
    corruption: str,
    level: float,
    n_features: int = FEATURES,
    code_size: int = 3,
    **type_values: bool,
) -> Denoising:
    torch.manual_seed(0)
    shape = Architecture(n_features, code_size, (), "silu", "identity", "mse")
    return Denoising(shape, corruption=corruption, level=level, **type_values)


def scaling(factor: float, corruption: str = "gaussian", level: float = 0.3) -> Denoising:
    """A model that gives back its input times a factor."""
    model = denoising(corruption, level, code_size=FEATURES)
    with torch.no_grad():
        (encoder,) = linear_layers(model.encoder)
        (decoder,) = linear_layers(model.decoder)
        for layer, size in ((encoder, 1.0), (decoder, factor)):
            layer.weight.copy_(size * torch.eye(FEATURES))
            layer.bias.zero_()
    return model


def constant(value: Tensor, corruption: str, level: float) -> Denoising:
    """A model that gives the same answer to every input."""
    model = denoising(corruption, level)
    with torch.no_grad():
        (layer,) = linear_layers(model.decoder)
        layer.weight.zero_()
        layer.bias.copy_(value)
    return model


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def binomial(n: int, p: float) -> float:
    """Four standard deviations of a share of n independent draws."""
    return 4 * math.sqrt(p * (1 - p) / n)


# corruptions


@every_corruption
def test_level_zero_gives_x_itself(corruption):
    x = torch.randn(50, FEATURES, generator=noise())
    assert torch.equal(denoising(corruption, 0.0).corrupt(x, noise(1)), x)


@every_share
def test_masking_sets_its_share_of_features_to_zero_and_leaves_the_others(level):
    x = 0.5 + torch.rand(2000, FEATURES, generator=noise())
    noisy = denoising("masking", level).corrupt(x, noise(1))
    masked = noisy == 0
    assert torch.equal(noisy[~masked], x[~masked])
    assert masked.float().mean().item() == pytest.approx(level, abs=binomial(x.numel(), level))


@every_share
def test_salt_and_pepper_set_half_of_their_share_to_one_and_half_to_zero(level):
    x = 2 + torch.rand(2000, FEATURES, generator=noise())  # neither 0 nor 1
    noisy = denoising("salt_and_pepper", level).corrupt(x, noise(1))
    salt, pepper = noisy == 1, noisy == 0
    for grains in (salt, pepper):
        assert grains.float().mean().item() == pytest.approx(
            level / 2, abs=binomial(x.numel(), level / 2)
        )
    assert torch.equal(noisy[~(salt | pepper)], x[~(salt | pepper)])


@pytest.mark.parametrize(
    ("corruption", "values"), [("masking", {0.0}), ("salt_and_pepper", {0.0, 1.0})]
)
def test_level_one_leaves_no_feature_as_it_was(corruption, values):
    x = torch.full((200, FEATURES), 0.5)
    assert set(denoising(corruption, 1.0).corrupt(x, noise()).unique().tolist()) == values


@pytest.mark.parametrize("level", [0.05, 0.25, 1.0])
def test_gaussian_noise_has_mean_zero_and_the_level_as_its_standard_deviation(level):
    x = torch.rand(4000, FEATURES, generator=noise())
    added = denoising("gaussian", level).corrupt(x, noise(1)) - x
    root = math.sqrt(added.numel())
    assert added.mean().item() == pytest.approx(0, abs=4 * level / root)
    assert added.std().item() == pytest.approx(level, abs=4 * level / (root * math.sqrt(2)))


@every_corruption
def test_each_feature_of_each_row_is_corrupted_on_its_own(corruption):
    n = 4000
    x = torch.full((n, 2), 0.5)
    changed = denoising(corruption, 0.5, n_features=2).corrupt(x, noise()) - x
    between_features = torch.corrcoef(changed.T)[0, 1]
    between_rows = torch.corrcoef(torch.stack([changed[:-1, 0], changed[1:, 0]]))[0, 1]
    assert abs(between_features) < 4 / math.sqrt(n)
    assert abs(between_rows) < 4 / math.sqrt(n)


@every_corruption
def test_the_corruption_is_a_function_of_the_generators_seed_and_spares_x(corruption):
    model, x = denoising(corruption, 0.5), torch.rand(20, FEATURES, generator=noise())
    kept = x.clone()
    first, again, other = (model.corrupt(x, noise(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert not torch.equal(first, x)
    assert torch.equal(x, kept)


@every_corruption
def test_clipping_moves_corrupted_values_to_the_nearer_end_of_the_unit_interval(corruption):
    x = torch.rand(200, FEATURES, generator=noise())
    noisy, clipped = (
        denoising(corruption, 0.5, clip=clip).corrupt(x, noise(1)) for clip in (False, True)
    )
    assert torch.equal(clipped, noisy.clip(0, 1))
    assert torch.equal(clipped, noisy) == (corruption != "gaussian")


# the loss


@every_corruption
def test_the_target_is_the_clean_input(corruption):
    x, answer = (
        torch.rand(20, FEATURES, generator=noise()),
        torch.rand(FEATURES, generator=noise(1)),
    )
    loss = constant(answer, corruption, 0.5).loss(x, noise(2))
    torch.testing.assert_close(loss.reconstruction, (answer - x).square().sum(-1).mean())
    assert loss.penalty.item() == 0


@pytest.mark.parametrize("level", [0.1, 0.5])
def test_the_encoder_sees_the_corrupted_input(level):
    x = torch.rand(4000, FEATURES, generator=noise())
    loss = scaling(1.0, level=level).loss(x, noise(1)).reconstruction.item()
    expected = FEATURES * level**2  # the noise that an encoder without effect leaves
    error = level**2 * math.sqrt(
        2 * FEATURES / len(x)
    )  # a sum of squared normals varies by twice its terms
    assert loss == pytest.approx(expected, abs=4 * error)


@every_corruption
def test_codes_and_reconstructions_are_of_the_input_as_it_is(corruption):
    x = torch.rand(20, FEATURES, generator=noise())
    model = scaling(1.0, corruption, level=0.9)
    torch.testing.assert_close(model.encode(x), x)
    torch.testing.assert_close(model(x), x)


def test_the_penalty_weighs_nothing():
    assert [denoising("masking", 0.5).penalty_weight(progress) for progress in (0.0, 1.0)] == [
        0.0,
        0.0,
    ]


# diagnostics


@every_corruption
def test_a_perfect_denoiser_gains_what_separates_the_noise_from_100_decibels(corruption):
    answer = 0.25 + 0.5 * torch.rand(FEATURES, generator=noise(1))
    x = answer.expand(20, FEATURES)
    model = constant(answer, corruption, 0.9)
    squared_noise = (model.corrupt(x, noise(2)) - x).square().mean(-1)
    gain = model.diagnostics(x, noise(2), n_samples=1)["psnr_gain"]
    torch.testing.assert_close(gain, 100 + 10 * squared_noise.log10())
    assert (gain > 0).all()


@every_corruption
def test_a_model_that_does_nothing_gains_nothing(corruption):
    x = torch.rand(20, FEATURES, generator=noise())
    gain = scaling(1.0, corruption, 0.5).diagnostics(x, noise(1), n_samples=1)["psnr_gain"]
    torch.testing.assert_close(gain, torch.zeros(20), atol=1e-4, rtol=0)


@pytest.mark.parametrize("factor", [0.5, 0.1, 3.0])
def test_scaling_pure_noise_gains_twenty_times_the_logarithm_of_the_factor(factor):
    gain = scaling(factor).diagnostics(torch.zeros(20, FEATURES), noise(), n_samples=1)["psnr_gain"]
    torch.testing.assert_close(gain, torch.full((20,), -20 * math.log10(factor)))


def test_a_row_that_the_corruption_left_as_it_was_gains_at_most_nothing():
    gain = scaling(0.5, "masking", 0.0).diagnostics(torch.ones(3, FEATURES), noise(), n_samples=1)[
        "psnr_gain"
    ]
    assert (gain < 0).all()
    assert gain.isfinite().all()
