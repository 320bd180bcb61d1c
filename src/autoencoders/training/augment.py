"""Mild random affine maps of images, so that a training sees more of them than there are."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

SHIFT, TURN, STRETCH = (
    0.75,
    math.radians(4),
    0.04,
)  # at most, at strength 1: pixels; radians; share of scale and shear


def random_affine(
    x: Tensor, shape: Sequence[int], strength: float, generator: torch.Generator
) -> Tensor:
    """Each image shifted, turned, stretched and sheared by random amounts, interpolated linearly, borders repeated.

    x: (batch, features); shape: rows, columns and, where there are several, channels. Simard et al. 2003, section 2.
    """
    height, width, colours = (*shape, 1)[:3]
    images = x.unflatten(1, (height, width, colours)).permute(0, 3, 1, 2)
    uniform = torch.rand(len(x), 6, generator=generator, device=x.device, dtype=x.dtype)
    right, down, turn, wide, tall, shear = (strength * (2 * uniform - 1)).T
    sine, cosine = (TURN * turn).sin(), (TURN * turn).cos()
    x_, y_ = (
        (torch.arange(n, device=x.device) * 2 + 1) / n - 1 for n in (width, height)
    )  # pixels' centres
    x_, y_ = x_[None, None, :], y_[None, :, None]

    def line(by_x: Tensor, by_y: Tensor, offset: Tensor) -> Tensor:
        return by_x[:, None, None] * x_ + by_y[:, None, None] * y_ + offset[:, None, None]

    across = line(cosine * (1 + STRETCH * wide), STRETCH * shear - sine, 2 * SHIFT / width * right)
    along = line(sine, cosine * (1 + STRETCH * tall), 2 * SHIFT / height * down)
    grid = torch.stack([across, along], -1)
    found = grid_sample(images, grid, padding_mode="border", align_corners=False)
    return found.permute(0, 2, 3, 1).flatten(1)
