"""`chains` and `render`: random bodies of a few soft balls, and their shadows from any side."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups import SO


class Bodies(NamedTuple):
    """Bodies made of balls.

    Attributes:
        centres: ``[N, balls, 3]``, with mean zero and within the unit ball.
        weights: how dense each ball is, ``[N, balls]``.
    """

    centres: Float[Tensor, "n balls 3"]
    weights: Float[Tensor, "n balls"]


def chains(count: int, balls: int = 6, *, seed: int = 0) -> Bodies:
    """Random chains with links of equal length and bends of at most a right angle, as small molecules are.

    Args:
        count: how many.
        balls: in each; at least two.
        seed: of the random directions and weights.

    >>> chains(3).centres.shape
    torch.Size([3, 6, 3])
    """
    if balls < 2:
        raise ArgumentError("balls", "at least 2", repr(balls))
    rng = torch.Generator().manual_seed(seed)
    steps = torch.nn.functional.normalize(torch.randn(count, balls - 1, 3, generator=rng), dim=-1)
    for i in range(1, balls - 1):  # a link that would fold back points the other way
        dot = (steps[:, i] * steps[:, i - 1]).sum(-1, keepdim=True)
        steps[:, i] = steps[:, i] * torch.where(dot < 0, -1.0, 1.0)
    centres = torch.cat([torch.zeros(count, 1, 3), steps.cumsum(1)], 1)
    centres = centres - centres.mean(1, keepdim=True)
    centres = centres / centres.norm(dim=-1).amax(1)[:, None, None]
    return Bodies(centres, 0.5 + torch.rand(count, balls, generator=rng))


def render(
    bodies: Bodies, poses: Float[Tensor, "n 3 3"], side: int = 32, *, width: float = 0.18, reach: float = 1.4
) -> Float[Tensor, "n side side"]:
    """The density of each body, turned by its pose and summed along z: an orthographic image of 3-D Gaussians.

    Args:
        bodies: ``N`` of them.
        poses: rotations.
        side: pixels of a side; rows are y, columns x.
        width: standard deviation of a ball.
        reach: the image shows ``[-reach, reach]``.

    >>> render(chains(2), SO(3).identity(2), side=8).shape
    torch.Size([2, 8, 8])
    """
    if tuple(poses.shape) != (len(bodies.centres), 3, 3):
        raise ArgumentError("poses", f"a rotation for each of {len(bodies.centres)} bodies", f"shape {tuple(poses.shape)}")
    turned = bodies.centres @ poses.to(bodies.centres).mT
    line = torch.linspace(-reach, reach, side, dtype=turned.dtype)
    x, y = (torch.exp(-((line - turned[..., i, None]) ** 2) / (2 * width**2)) for i in (0, 1))
    return torch.einsum("nb,nby,nbx->nyx", bodies.weights, y, x)


class Views(NamedTuple):
    """Bodies seen from several sides.

    Attributes:
        images: ``[N, V, side, side]``.
        poses: ``[N, V, 3, 3]``.
    """

    images: Float[Tensor, "n v side side"]
    poses: Float[Tensor, "n v 3 3"]


def views(count: int, sides: int = 2, *, side: int = 32, balls: int = 6, seed: int = 0) -> Views:
    """Random bodies, each from ``sides`` random poses.

    >>> views(4, 3, side=16).images.shape
    torch.Size([4, 3, 16, 16])
    """
    bodies = chains(count, balls, seed=seed)
    poses = SO(3).sample(count, sides, generator=torch.Generator().manual_seed(seed + 1))
    return Views(torch.stack([render(bodies, poses[:, v], side) for v in range(sides)], 1), poses)
