"""Random affine maps of images: nothing at strength 0, torch's own map, mild at strength 1."""

import math

import pytest
import torch
from torch.nn.functional import affine_grid, grid_sample

from autoencoders.training.augment import SHIFT, STRETCH, TURN, random_affine


def noise(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("shape", [(5, 7), (6, 6), (4, 5, 3), (1, 1)])
def test_strength_zero_moves_nothing(shape):
    x = torch.rand(3, math.prod(shape), generator=noise())
    torch.testing.assert_close(random_affine(x, shape, 0.0, noise()), x)


@pytest.mark.parametrize("shape", [(5, 7), (6, 6), (4, 5, 3)])
def test_maps_are_those_of_torch(shape):
    height, width, colours = (*shape, 1)[:3]
    x = torch.rand(4, math.prod(shape), generator=noise())
    right, down, turn, wide, tall, shear = (2 * torch.rand(4, 6, generator=noise(1)) - 1).T
    angle = TURN * turn
    across = [
        angle.cos() * (1 + STRETCH * wide),
        STRETCH * shear - angle.sin(),
        2 * SHIFT / width * right,
    ]
    along = [angle.sin(), angle.cos() * (1 + STRETCH * tall), 2 * SHIFT / height * down]
    theta = torch.stack([torch.stack(across, 1), torch.stack(along, 1)], 1)
    images = x.reshape(4, height, width, colours).permute(0, 3, 1, 2)
    grid = affine_grid(theta, list(images.shape), align_corners=False)
    wanted = (
        grid_sample(images, grid, padding_mode="border", align_corners=False)
        .permute(0, 2, 3, 1)
        .reshape(4, -1)
    )
    torch.testing.assert_close(random_affine(x, shape, 1.0, noise(1)), wanted)


def test_a_spot_stays_within_a_few_pixels():
    x = torch.zeros(500, 28, 28)
    x[:, 14, 14] = 1.0
    result = random_affine(x.reshape(500, -1), (28, 28), 1.0, noise()).reshape(500, 28, 28)
    rows, columns = torch.meshgrid(torch.arange(28.0), torch.arange(28.0), indexing="ij")
    mass = result.sum((1, 2))
    centre = torch.stack([(result * rows).sum((1, 2)), (result * columns).sum((1, 2))]) / mass
    assert ((centre - 14).abs() < 1.0).all()
    assert (centre - 14).abs().max() > 0.6
    assert result.min() >= 0
    assert result.max() <= 1


def test_the_same_noise_gives_the_same_maps():
    x = torch.rand(3, 36, generator=noise())
    assert torch.equal(
        random_affine(x, (6, 6), 2.0, noise(1)), random_affine(x, (6, 6), 2.0, noise(1))
    )
    assert not torch.equal(
        random_affine(x, (6, 6), 2.0, noise(1)), random_affine(x, (6, 6), 2.0, noise(2))
    )
