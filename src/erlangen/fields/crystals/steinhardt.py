"""Steinhardt's bond-order parameters, without spherical harmonics."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError


def bond_order(r: Float[Tensor, "*batch n 3"], degrees: Sequence[int] = tuple(range(2, 9))) -> Float[Tensor, "*batch d"]:
    """``Q_l`` of the directions to ``n`` neighbours: the root of the mean of ``P_l(cos)`` over all ordered pairs, with themselves too.

    That is the usual sum over ``m`` of ``|mean of Y_lm|^2``, by the addition theorem.

    Args:
        r: differences to the neighbours, none of them zero.
        degrees: ``l``.

    Raises:
        ArgumentError: a negative degree, or no neighbours.

    Source: P. J. Steinhardt, D. R. Nelson, M. Ronchetti, Phys. Rev. B 28 (1983) 784.

    >>> octahedron = torch.cat([torch.eye(3), -torch.eye(3)]).double()
    >>> bond_order(octahedron, (2, 4, 6)).round(decimals=4)                    # of a simple cubic crystal
    tensor([0.0000, 0.7638, 0.3536], dtype=torch.float64)
    """
    if not degrees or min(degrees) < 0:
        raise ArgumentError("degrees", "degrees of 0 or more", list(degrees))
    if r.shape[-2] == 0:
        raise ArgumentError("r", "at least one neighbour", f"shape {tuple(r.shape)}")
    unit = r / r.norm(dim=-1, keepdim=True)
    x = unit @ unit.mT
    legendre = [torch.ones_like(x), x]
    for n in range(1, max(degrees)):
        legendre.append(((2 * n + 1) * x * legendre[n] - n * legendre[n - 1]) / (n + 1))
    return torch.stack([legendre[d].mean((-2, -1)).clamp_min(0).sqrt() for d in degrees], -1)
