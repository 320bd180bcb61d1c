"""Mild random affine maps of images, so that a training sees more of them than there are."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

# at most, at strength 1
SHIFT = 0.75  # pixels
TURN = math.radians(4)
STRETCH = 0.04  # scale and shear, as a share of the image


def random_affine(
    x: Tensor, shape: Sequence[int], strength: float, generator: torch.Generator
) -> Tensor:
    """Each image shifted, turned, stretched and sheared by random amounts: (batch, features).

    Pixels are interpolated linearly, borders repeated. x: (batch, features); shape: rows, columns
    and, where there are several, channels. Simard et al. 2003, section 2.
    """
    height, width, colours = (*shape, 1)[:3]
    images = x.unflatten(1, (height, width, colours)).permute(0, 3, 1, 2)
    uniform = torch.rand(len(x), 6, generator=generator, device=x.device, dtype=x.dtype)
    right, down, turn, wide, tall, shear = (strength * (2 * uniform - 1)).T
    sine = (TURN * turn).sin()
    cosine = (TURN * turn).cos()
    column = pixel_centres(width, x.device)[None, None, :]
    row = pixel_centres(height, x.device)[None, :, None]

    def affine(by_column: Tensor, by_row: Tensor, offset: Tensor) -> Tensor:
        """A coordinate in the source of each pixel: (batch, rows, columns)."""
        return (
            by_column[:, None, None] * column + by_row[:, None, None] * row + offset[:, None, None]
        )

    across = affine(
        cosine * (1 + STRETCH * wide), STRETCH * shear - sine, 2 * SHIFT / width * right
    )
    along = affine(sine, cosine * (1 + STRETCH * tall), 2 * SHIFT / height * down)
    grid = torch.stack([across, along], -1)
    changed = grid_sample(images, grid, padding_mode="border", align_corners=False)
    return changed.permute(0, 2, 3, 1).flatten(1)


def pixel_centres(n: int, device: torch.device) -> Tensor:
    """Coordinates of the centres of n pixels between the borders at -1 and 1: (n,)."""
    return (torch.arange(n, device=device) * 2 + 1) / n - 1
