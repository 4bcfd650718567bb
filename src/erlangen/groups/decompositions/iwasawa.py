"""The Iwasawa decomposition ``g = k a n``: a turn, a positive diagonal and a unipotent part."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.groups.base import Group
from erlangen.groups.decompositions.base import Decomposition, check_coordinates, checked
from erlangen.groups.decompositions.reductive import Reductive, orthonormal, reductive


class IwasawaFactors(NamedTuple):
    """``g = turn @ diagonal @ unipotent``."""

    turn: Tensor
    diagonal: Tensor
    unipotent: Tensor


class Abelian:
    """The group A: exponentials of a maximal abelian subspace of p, in orthonormal coordinates.

    In the adapted basis its elements are diagonal.
    """

    def __init__(self, structure: Reductive) -> None:
        self.adapted = structure.adapted
        axes = self.adapted.mT @ structure.abelian @ self.adapted
        self.axes = axes.diagonal(dim1=-2, dim2=-1)  # [rank, n]
        self.dim = len(self.axes)

    def element(self, h: Float[Tensor, "*batch rank"]) -> Float[Tensor, "*batch n n"]:
        return self.of_diagonal((h @ self.axes.to(h)).exp())

    def of_diagonal(self, d: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n n"]:
        """The matrix with this diagonal in the adapted basis."""
        basis = self.adapted.to(d)
        return (basis * d.unsqueeze(-2)) @ basis.mT

    def coordinates_of_diagonal(self, d: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch rank"]:
        return d.log() @ self.axes.to(d).mT

    def diagonal(self, a: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n"]:
        basis = self.adapted.to(a)
        return (basis.mT @ a @ basis).diagonal(dim1=-2, dim2=-1)


class Unipotent:
    """The group N of the positive roots: upper triangular in the adapted basis, with ones on the diagonal.

    Its coordinates are the entries, of GL+ and SL, and else those of the logarithm; both have its invariant measure as their volume.
    """

    def __init__(self, structure: Reductive) -> None:
        adapted = structure.adapted
        beside = [x - torch.einsum("rij,ij,rkl->kl", structure.abelian, x, structure.abelian) for x in structure.stretches]
        moved = adapted.mT @ orthonormal(torch.stack(beside)) @ adapted if beside else structure.stretches
        self.basis = adapted @ (2**0.5 * moved.triu(1)) @ adapted.mT
        self.dim, self.is_plain = len(self.basis), structure.is_linear

    def element(self, c: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n n"]:
        x = torch.einsum("...d,dij->...ij", c, self.basis.to(c))
        power = one = torch.eye(x.shape[-1]).to(x)
        total = one.expand_as(x)
        for k in range(1, 2 if self.is_plain else x.shape[-1]):
            power = power @ x / k
            total = total + power
        return total

    def coordinates(self, n: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch dim"]:
        power = x = n - torch.eye(n.shape[-1]).to(n)
        log = x
        for k in range(2, 2 if self.is_plain else n.shape[-1]):
            power = power @ x
            log = log + (-1) ** (k + 1) * power / k
        return torch.einsum("dij,...ij->...d", self.basis.to(n), log)


class IwasawaDecomposition(Decomposition):
    """``g = k a n`` with ``k`` in the compact subgroup, ``a`` positive diagonal and ``n`` unipotent upper triangular: a diffeomorphism.

    For GL+ and SL it is the QR factorisation with a positive diagonal; for Sp(2m) and SO(p, q) the same in an adapted basis, in whose
    coordinates (not in plain ones) the factors are diagonal and triangular. Coordinates are those of ``log k``, of ``log a`` in an
    orthonormal basis, and of ``n``: entries for GL+ and SL, the logarithm else.

    The density is ``e^(2 rho(log a))``, for GL+ and SL ``prod_{i<j} a_i / a_j``, and a constant.

    >>> from erlangen.groups import SL
    >>> how = SL(2).decomposition("iwasawa")
    >>> k, a, n = how.split(torch.tensor([[0.0, -2.0], [0.5, 3.0]]))
    >>> a.diagonal().tolist(), n.tolist()
    ([0.5, 2.0], [[1.0, 6.0], [0.0, 1.0]])
    """

    name = "iwasawa"

    def __init__(self, group: Group) -> None:
        self.group = group
        self._structure = structure = reductive(group, self.name)
        self.compact, self.abelian, self.unipotent = structure.compact, Abelian(structure), Unipotent(structure)
        self.window_dim, self.compact_uniforms = self.abelian.dim + self.unipotent.dim, self.compact.uniforms
        self.dim = self.compact.dim + self.window_dim
        self._two_rho = structure.multiplicities @ structure.roots

    def split(self, g: Float[Tensor, "*batch n n"]) -> IwasawaFactors:
        turn, d, unipotent = self._parts(g)
        with torch.autocast(d.device.type, enabled=False):
            return IwasawaFactors(turn, self.abelian.of_diagonal(d), unipotent)

    def coordinates(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch dim"]:
        turn, d, unipotent = self._parts(g)
        with torch.autocast(d.device.type, enabled=False):
            parts = [
                self.compact.coordinates(turn),
                self.abelian.coordinates_of_diagonal(d),
                self.unipotent.coordinates(unipotent),
            ]
            return torch.cat(parts, -1)

    def element(self, c: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n n"]:
        k, h, n = check_coordinates(self, c).split([self.compact.dim, self.abelian.dim, self.unipotent.dim], -1)
        with torch.autocast(c.device.type, enabled=False):
            return self.compact.element(k) @ self.abelian.element(h) @ self.unipotent.element(n)

    def log_density(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        return self._log_density(self.abelian.coordinates_of_diagonal(self._parts(g)[1]))

    def _log_density(self, h: Tensor) -> Tensor:
        # Of X = nu + nu^T with |nu| = 1 the length is sqrt 2: between dX and dn.
        return (h * self._two_rho.to(h)).sum(-1) - 0.5 * math.log(2) * self.unipotent.dim

    def _parts(self, g: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        g = checked(self._structure.group, g)
        with torch.autocast(g.device.type, enabled=False):
            basis = self._structure.adapted.to(g)
            q, r = torch.linalg.qr(basis.mT @ g @ basis)
            signs = torch.where(r.detach().diagonal(dim1=-2, dim2=-1) < 0, -1.0, 1.0).to(g)
            r = r * signs.unsqueeze(-1)
            d = r.diagonal(dim1=-2, dim2=-1)
            turn = self._structure.turn(basis @ (q * signs.unsqueeze(-2)) @ basis.mT)
            return turn, d, basis @ (r / d.unsqueeze(-1)) @ basis.mT

    def place(self, c: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        h, n = c.split([self.abelian.dim, self.unipotent.dim], -1)
        return self.compact.place(u) @ self.abelian.element(h) @ self.unipotent.element(n), self._log_density(h)
