"""Irreducible representations of SO(2), O(2) and tori: rotation of the plane by a multiple of the angle."""

from __future__ import annotations

from collections.abc import Hashable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.reps.base import Rep
from erlangen.reps.basic import is_orthogonal

if TYPE_CHECKING:
    from erlangen.groups.torus import Torus


class PlanarIrrep(Rep):
    """SO(2) or O(2) by ``k``-fold rotation; the reflections of O(2) act as ``diag(1, -1)`` times a rotation.

    Written as the ``k``-th power of the complex number ``cos + i sin`` read off the matrix, so it is exact and differentiable.

    Args:
        group: a group of orthogonal 2 x 2 matrices.
        k: the frequency, at least 1.

    >>> from erlangen.groups import SO
    >>> PlanarIrrep(SO(2), 3).dim
    2
    """

    dim, is_orthogonal = 2, True

    def __init__(self, group: Group, k: int) -> None:
        if not isinstance(k, int) or k < 1:
            raise ArgumentError("k", "a frequency of at least 1 (0 is the scalar)", repr(k))
        if group.element_shape != (2, 2) or not is_orthogonal(group):
            raise ArgumentError("group", "SO(2), O(2) or a subgroup of it", repr(group))
        super().__init__(group)
        self.k, self.symbol = k, f"ρ{k}"

    def equality_key(self) -> Hashable:
        return self.k

    def matrix(self, g: Tensor) -> Tensor:
        c, s = g[..., 0, 0], g[..., 1, 0]
        cos, sin = c, s
        for _ in range(self.k - 1):
            cos, sin = cos * c - sin * s, sin * c + cos * s
        # For a rotation the second column is the first turned by a quarter; a reflection also changes its sign.
        orientation = g[..., 0, 0] * g[..., 1, 1] - g[..., 0, 1] * g[..., 1, 0]
        return torch.stack([torch.stack([cos, sin], -1), torch.stack([-sin * orientation, cos * orientation], -1)], -1)

    def algebra(self, a: Tensor) -> Tensor:
        return self.k * a


class TorusIrrep(Rep):
    """A torus by rotation of the plane by ``sum_j q_j angle_j``, for whole charges ``q_j``.

    Args:
        group: ``Torus(k)``.
        charges: ``q_1 .. q_k``, not all zero.

    >>> from erlangen.groups import Torus
    >>> g = Torus(2).element(torch.tensor([0.5, 0.25], dtype=torch.float64))
    >>> round(float(Torus(2).irrep(1, -2)(g)[0, 0]), 9)     # cos(0.5 - 0.5)
    1.0
    """

    dim, is_orthogonal = 2, True

    def __init__(self, group: Torus, charges: tuple[int, ...]) -> None:
        if len(charges) != group.k or any(not isinstance(q, int) for q in charges) or not any(charges):
            raise ArgumentError("charges", f"{group.k} whole numbers, not all zero, one for each circle", repr(charges))
        super().__init__(group)
        self.charges = tuple(charges)
        self.symbol = f"ρ{charges[0]}" if group.k == 1 else f"ρ({','.join(map(str, charges))})"

    def equality_key(self) -> Hashable:
        return self.charges

    def matrix(self, g: Tensor) -> Tensor:
        cos, sin = torch.ones_like(g[..., 0, 0]), torch.zeros_like(g[..., 0, 0])
        for j, charge in enumerate(self.charges):
            c, s = g[..., 2 * j, 2 * j], g[..., 2 * j + 1, 2 * j]
            for _ in range(abs(charge)):
                cos, sin = (cos * c - sin * s, sin * c + cos * s) if charge > 0 else (cos * c + sin * s, sin * c - cos * s)
        return torch.stack([torch.stack([cos, -sin], -1), torch.stack([sin, cos], -1)], -2)

    def algebra(self, a: Tensor) -> Tensor:
        rates = torch.stack([charge * a[..., 2 * j + 1, 2 * j] for j, charge in enumerate(self.charges)])
        rate = rates.sum(0)
        zero = torch.zeros_like(rate)
        return torch.stack([torch.stack([zero, -rate], -1), torch.stack([rate, zero], -1)], -2)
