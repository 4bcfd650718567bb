"""The Cartan (KAK) decomposition ``g = k a k'``: singular values, squeezers between interferometers, boosts between rotations."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.groups.base import Group
from erlangen.groups.decompositions.base import Decomposition, check_coordinates, checked
from erlangen.groups.decompositions.compact import Unitary
from erlangen.groups.decompositions.density import log_weyl_constant
from erlangen.groups.decompositions.iwasawa import Abelian
from erlangen.groups.decompositions.reductive import Reductive, reductive
from erlangen.linalg.spectral import polar_factors


class CartanFactors(NamedTuple):
    """``g = left @ diagonal @ right``."""

    left: Tensor
    diagonal: Tensor
    right: Tensor


class CartanDecomposition(Decomposition):
    """``g = k exp(H) k'`` with ``k, k'`` in the compact subgroup and ``H`` in a closed Weyl chamber of a.

    For GL+ and SL the singular value decomposition by rotations, for Sp(2m) that of Bloch and Messiah (single-mode squeezers between two
    interferometers, in decreasing order), for SO(p, q) boosts along the first axes between rotations. ``H`` is unique, ``k`` and ``k'``
    up to what commutes with it: where roots of ``H`` vanish one choice is made, and derivatives of ``k`` take it to stay within.

    Coordinates are those of ``log k``, of ``H`` in an orthonormal basis of a, and of ``log k'``: more than the group's dimension where its
    rank is small. The density is a constant times ``prod |sinh alpha(H)|^m`` over the positive roots, on all of a: ``H`` in any chamber.

    >>> from erlangen.groups import SL
    >>> how = SL(2).decomposition("cartan")
    >>> k, a, h = how.split(torch.tensor([[0.0, -0.5], [2.0, 0.0]]))
    >>> a.diagonal()
    tensor([2.0000, 0.5000])
    """

    name = "cartan"

    def __init__(self, group: Group) -> None:
        self.group = group
        self._structure = structure = reductive(group, self.name)
        self.compact, self.abelian = structure.compact, Abelian(structure)
        self.window_dim, self.compact_uniforms = self.abelian.dim, 2 * self.compact.uniforms
        self.dim = 2 * self.compact.dim + self.abelian.dim
        self._log_constant = log_weyl_constant(
            structure.rank, structure.roots, structure.multiplicities, len(structure.stretches), structure.is_linear
        )

    def split(self, g: Float[Tensor, "*batch n n"]) -> CartanFactors:
        left, _, right, stretch = self._parts(g)
        with torch.autocast(left.device.type, enabled=False):
            # Not exp H, which is less exact where H is large.
            return CartanFactors(left, self.abelian.of_diagonal(self.abelian.diagonal(left.mT @ stretch @ left)), right)

    def chamber(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
        """``H`` as a symmetric matrix: for GL+ and SL the logarithms of the singular values on its diagonal, in decreasing order."""
        h = self._parts(g)[1]
        return torch.einsum("...r,rij->...ij", h, self._structure.abelian.to(h))

    def coordinates(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch dim"]:
        left, h, right, _ = self._parts(g)
        with torch.autocast(h.device.type, enabled=False):
            return torch.cat([self.compact.coordinates(left), h, self.compact.coordinates(right)], -1)

    def element(self, c: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n n"]:
        left, h, right = check_coordinates(self, c).split([self.compact.dim, self.abelian.dim, self.compact.dim], -1)
        with torch.autocast(c.device.type, enabled=False):
            return self.compact.element(left) @ self.abelian.element(h) @ self.compact.element(right)

    def log_density(self, g: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch"]:
        return self._log_density(self._parts(g)[1])

    def _log_density(self, h: Tensor) -> Tensor:
        roots = self._structure.root_values(h).abs()
        log_sinh = roots + torch.log(-0.5 * torch.expm1(-2 * roots))
        return (self._structure.multiplicities.to(h) * log_sinh).sum(-1) + self._log_constant

    def _parts(self, g: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        structure = self._structure
        g = checked(structure.group, g)
        with torch.autocast(g.device.type, enabled=False):
            stretch, turn, x = polar_factors(g)
            turn, x = structure.turn(turn), structure.log_stretch(x)
            with torch.no_grad():
                left = into_chamber(structure, x.detach())
            left = _Eigenbasis.apply(x, left, structure.adapted.to(x))
            h = torch.einsum("rij,...ij->...r", structure.abelian.to(x), left.mT @ x @ left)
            return left, h, left.mT @ turn, stretch

    def place(self, c: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
        left, right = u.split(self.compact.uniforms, -1) if self.compact.uniforms else (u, u)
        return self.compact.place(left) @ self.abelian.element(c) @ self.compact.place(right), self._log_density(c)


def into_chamber(structure: Reductive, x: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
    """An element ``k`` of the component of the identity of K such that ``k^T X k`` lies in the closed Weyl chamber."""
    if isinstance(structure.compact, Unitary):
        return _symplectic_chamber(structure.compact, x)
    if structure.is_linear:
        vectors = torch.linalg.eigh(x).eigenvectors.flip(-1)
        return _flipped(vectors, torch.linalg.det(vectors).sign(), -1)
    p, q = structure.group.signature  # type: ignore[attr-defined]
    if not p or not q:
        return torch.eye(p + q).to(x).expand_as(x)
    u, _, vh = torch.linalg.svd(x[..., :p, p:])
    v, rank = vh.mT, min(p, q)
    # Change signs of a pair of singular vectors first, and of what is left over last: it may be a vector beside the pairs.
    low, high = (u, v) if p <= q else (v, u)
    sign = torch.linalg.det(low).sign()
    low, high = _flipped(low, sign, rank - 1), _flipped(high, sign, rank - 1)
    high = _flipped(high, torch.linalg.det(high).sign(), -1)
    u, v = (low, high) if p <= q else (high, low)
    k = x.new_zeros(x.shape)
    k[..., :p, :p], k[..., p:, p:] = u, v
    return k


def _flipped(vectors: Tensor, sign: Tensor, column: int) -> Tensor:
    signs = torch.ones_like(vectors[..., 0, :])
    signs[..., column] = sign
    return vectors * signs.unsqueeze(-2)


def _symplectic_chamber(unitary: Unitary, x: Tensor) -> Tensor:
    """Eigenvectors of decreasing positive eigenvalues, as complex vectors a unitary matrix.

    An eigenvector of 0 comes with its product by i, in any mixture; so vectors are taken in turn that are new to the complex span of those
    taken before, by Gram-Schmidt. Of those of positive eigenvalues all are.
    """
    m, back = unitary.m, torch.argsort(unitary.order).to(x.device)
    vectors = torch.linalg.eigh(x[..., back[:, None], back]).eigenvectors.flip(-1)
    z = torch.complex(vectors[..., :m, :], vectors[..., m:, :])  # [*batch, m, 2m]
    taken = z[..., :0]
    for _ in range(m):
        rest = z - taken @ (taken.mH @ z)
        # Some vector of a space of complex dimension d at least has 1 / 2d of its square outside of any proper subspace.
        first = (rest.abs().square().sum(-2) > 0.25 / m).to(torch.int64).argmax(-1)
        new = rest.gather(-1, first[..., None, None].expand(*first.shape, m, 1))
        new = new - taken @ (taken.mH @ new)
        taken = torch.cat([taken, new / new.norm(dim=-2, keepdim=True)], -1)
    return unitary.real(taken)


class _Eigenbasis(torch.autograd.Function):
    """A known ``k`` with ``k^T X k`` in a: ``dk = k w``, ``w H - H w`` the part of ``k^T dX k`` beside a; equal eigenvalues do not mix."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, k: Tensor, adapted: Tensor) -> Tensor:
        return k.clone()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(inputs[0], output, inputs[2])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Any:
        x, k, adapted = ctx.saved_tensors
        vectors = k @ adapted
        values = (vectors.mT @ x @ vectors).diagonal(dim1=-2, dim2=-1)
        apart = values.unsqueeze(-2) - values.unsqueeze(-1)
        size = values.detach().abs().amax(-1)[..., None, None]
        same = apart.detach().abs() <= 1e2 * torch.finfo(x.dtype).eps * size
        inner = torch.where(same, 0.0, vectors.mT @ grad @ adapted / torch.where(same, 1.0, apart))
        found = vectors @ inner @ vectors.mT
        return 0.5 * (found + found.mT), None, None
