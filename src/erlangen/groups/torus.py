"""Tori: products of circles, as rotations of orthogonal planes."""

from __future__ import annotations

import math
from collections.abc import Hashable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.haar import drawn_in_single, planar_rotation, uniform
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.membership import decided_in_single, looks_cheap, tolerance
from erlangen.groups.size import check_basis

if TYPE_CHECKING:
    from erlangen.reps.base import Rep


def torus_basis(k: int) -> Tensor:
    """One quarter-turn generator in each of k planes, ``[k, 2k, 2k]``."""
    check_basis(f"u(1)^{k}", k, 2 * k)
    basis = torch.zeros(k, 2 * k, 2 * k, dtype=torch.float64)
    plane = torch.arange(k)
    basis[plane, 2 * plane + 1, 2 * plane] = 1.0
    basis[plane, 2 * plane, 2 * plane + 1] = -1.0
    return basis


class Torus(MatrixGroup):
    """U(1)^k: independent rotations of k planes, block-diagonal ``2k x 2k`` matrices.

    >>> T = Torus(2)
    >>> g = T.element(torch.tensor([0.5, -1.0]))
    >>> T.angles(g)
    tensor([ 0.5000, -1.0000])
    """

    def __init__(self, k: int) -> None:
        if not isinstance(k, int) or isinstance(k, bool) or k < 1:
            raise ArgumentError("k", "a number of planes of at least 1", repr(k))
        self.k = k
        power = f"^{k}" if k > 1 else ""
        super().__init__(algebra=LieAlgebra(torus_basis(k), name=f"u(1){power}"), name=f"U(1){power}")
        self.measure = "Haar"
        zero = "0" if k == 1 else f"({','.join('0' * k)})"
        self._irrep_names, self._scalar_symbol = f"charges such as ρ{zero.replace('0', '2', 1)}", f"ρ{zero}"

    def equality_key(self) -> Hashable:
        return self.k

    def element(self, angles: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch n n"]:
        """The rotations by these angles (radians)."""
        if angles.ndim < 1 or angles.shape[-1] != self.k:
            raise ArgumentError("angles", f"angles [*batch, {self.k}]", f"shape {tuple(angles.shape)}")
        return self._diagonal(planar_rotation(angles))

    def angles(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch k"]:
        """The angles in (-pi, pi] of elements.

        Raises:
            ArgumentError: matrices that turn something else than the planes, or do not only turn them.
        """
        if looks_cheap(g):
            self.check(g)
        return self._angles(g)

    def _angles(self, g: Tensor) -> Tensor:
        blocks = self._blocks(g)
        return torch.atan2(blocks[..., 1, 0] - blocks[..., 0, 1], blocks[..., 0, 0] + blocks[..., 1, 1])

    def exp(self, a: Tensor) -> Tensor:
        blocks = self._blocks(a)
        return self.element(0.5 * (blocks[..., 1, 0] - blocks[..., 0, 1]))

    def log(self, g: Tensor) -> Tensor:
        return self.algebra.combine(self.angles(g))  # type: ignore[union-attr]

    @decided_in_single
    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        self.batch_shape(g)
        return (g - self.element(self._angles(g))).abs().amax((-2, -1)) <= tolerance(g, atol)

    @drawn_in_single
    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        return self.element(2 * math.pi * uniform((*batch, self.k), generator, dtype or torch.get_default_dtype(), device))

    def irrep(self, *label: int) -> Rep:
        """The real irreducible representation with these charges, one for each circle: rotation by ``sum_j q_j angle_j``.

        Charges and their negatives are equivalent; all zero is the scalar.

        >>> Torus(2).irrep(1, -2), U1().irrep(0)
        (ρ(1,-2) of U(1)^2, ρ0 of U(1))
        """
        from erlangen.reps.planar import TorusIrrep

        return self.scalar if label == (0,) * self.k else TorusIrrep(self, label)

    def _blocks(self, g: Tensor) -> Tensor:
        """The diagonal blocks ``[*batch, k, 2, 2]``."""
        plane = torch.arange(self.k, device=g.device)
        return g.unflatten(-1, (self.k, 2)).unflatten(-3, (self.k, 2)).movedim(-2, -3)[..., plane, plane, :, :]

    def _diagonal(self, blocks: Tensor) -> Tensor:
        eye = torch.eye(self.k, dtype=blocks.dtype, device=blocks.device)
        spread = eye[:, None, :, None] * blocks.unsqueeze(-2)
        return spread.reshape(*blocks.shape[:-3], self.n, self.n)


def U1() -> Torus:
    """U(1): the rotations of the plane, as the unit complex numbers; ``Torus(1)``.

    >>> U1(), U1() == Torus(1)
    (U(1), True)
    """
    return Torus(1)
