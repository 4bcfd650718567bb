"""`images_within`: the lattice vectors that pairs of atoms within reach can be apart by."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor


def images_within(cell: Float[Tensor, "3 3"], reach: float) -> Float[Tensor, "m 3"]:
    """Lattice vectors, 0 among them, by which a pair has to be moved to be seen wherever it is within ``reach``.

    For pairs whose fractional difference lies in [-1/2, 1/2]: then an image within reach is at most so many cells away along each axis,
    the reach over the distance of the cell's faces, and one half.

    Args:
        cell: lattice vectors, rows, angstrom.
        reach: angstrom.

    >>> images_within(3.0 * torch.eye(3, dtype=torch.float64), 1.0).shape, images_within(torch.eye(3), 1.0).shape
    (torch.Size([1, 3]), torch.Size([27, 3]))
    """
    heights = 1 / torch.linalg.inv(cell).norm(dim=0)
    most = [math.floor(reach / float(height) + 0.5 + 1e-9) for height in heights]
    return torch.cartesian_prod(*(torch.arange(-n, n + 1, dtype=cell.dtype) for n in most)) @ cell
