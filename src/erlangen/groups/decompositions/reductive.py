"""What the decompositions of a group that is closed under transposition share: ``g = k + p``, a maximal abelian part of p, its roots."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineMaps
from erlangen.groups.base import Group
from erlangen.groups.decompositions.compact import Blocks, Compact, Rotations, Unitary
from erlangen.groups.linear import SL, GLplus
from erlangen.groups.orthogonal import SO, FormGroup, O
from erlangen.groups.recognise import recognised
from erlangen.groups.symplectic import Sp


@dataclass(frozen=True, eq=False)
class Reductive:
    """A group of real matrices that holds the transpose of each of its elements.

    Attributes:
        group: as the library's own class.
        compact: its orthogonal matrices K.
        stretches: a basis of p, the symmetric part of the algebra, ``[dim p, n, n]``, orthonormal under ``tr X^T Y``.
        abelian: a basis of a, maximal abelian in p, ``[rank, n, n]``, orthonormal.
        adapted: an orthogonal matrix in whose columns a is diagonal and, of each pair of opposite roots, the positive one upper triangular,
            ``[n, n]``.
        roots: the positive restricted roots in the coordinates of a, ``[r, rank]``.
        multiplicities: of the roots, ``[r]``.
        form: what the group keeps, ``[n, n]``, a signature or a symplectic form; ``None`` for GL+ and SL.
    """

    group: Group
    compact: Compact
    stretches: Tensor
    abelian: Tensor
    adapted: Tensor
    roots: Tensor
    multiplicities: Tensor
    form: Tensor | None

    @property
    def n(self) -> int:
        return int(self.adapted.shape[-1])

    @property
    def rank(self) -> int:
        return len(self.abelian)

    @property
    def is_linear(self) -> bool:
        """Whether it is GL+(n) or SL(n), which keep no form."""
        return self.form is None

    def turn(self, k: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
        """An orthogonal matrix that is in K up to rounding, put there: the part that commutes with the form."""
        if self.form is None:
            return k
        form = self.form.to(k)
        return 0.5 * (k + form @ k @ form.mT)

    def log_stretch(self, x: Float[Tensor, "*batch n n"]) -> Float[Tensor, "*batch n n"]:
        """A symmetric matrix that is in p up to rounding, put there."""
        if self.form is not None:
            form = self.form.to(x)
            return 0.5 * (x - form @ x @ form.mT)
        if isinstance(self.group, SL):
            return x - x.diagonal(dim1=-2, dim2=-1).mean(-1)[..., None, None] * torch.eye(self.n).to(x)
        return x

    def root_values(self, h: Float[Tensor, "*batch rank"]) -> Float[Tensor, "*batch r"]:
        """The positive roots at elements of a."""
        return h @ self.roots.to(h).mT


def reductive(group: Group, name: str) -> Reductive:
    """The structure of a group, for the decomposition of this name.

    Raises:
        ArgumentError: the group is not one of GL+(n), SL(n), Sp(2m), SO(n), SO(p, q), O(n) and O(p, q).
    """
    known = recognised(group)
    if isinstance(known, (GLplus, SL)):
        return _linear(known)
    if isinstance(known, Sp):
        return _symplectic(known)
    if isinstance(known, O) or (isinstance(known, SO) and known.axis is None):
        return _orthogonal(known)
    hint = "its elements split by 'semidirect'" if isinstance(known, AffineMaps) else ""
    raise ArgumentError("name", f"a decomposition that {group} has", f"{name!r}, of groups closed under transposition", hint)


def _linear(group: GLplus | SL) -> Reductive:
    n = group.n
    assert group.algebra is not None
    symmetric = group.algebra.basis + group.algebra.basis.mT
    is_diagonal = (symmetric - torch.diag_embed(symmetric.diagonal(dim1=-2, dim2=-1))).flatten(1).norm(dim=1) == 0
    diagonal = orthonormal(symmetric[is_diagonal])
    i, j = torch.triu_indices(n, n, 1)
    axes = diagonal.diagonal(dim1=-2, dim2=-1)
    roots = (axes[:, i] - axes[:, j]).mT
    return Reductive(
        group=group,
        compact=Rotations(n),
        stretches=torch.cat([diagonal, orthonormal(symmetric[~is_diagonal])]),
        abelian=diagonal,
        adapted=torch.eye(n, dtype=torch.float64),
        roots=roots,
        multiplicities=torch.ones(len(roots), dtype=torch.float64),
        form=None,
    )


def _symplectic(group: Sp) -> Reductive:
    n, m = group.n, group.n // 2
    assert group.algebra is not None
    basis = group.algebra.basis
    place = torch.argsort(group._order)  # where block coordinates stand
    eye = torch.eye(n, dtype=torch.float64)
    q, p = eye[place[:m]], eye[place[m:]]
    abelian = (torch.einsum("ki,kj->kij", q, q) - torch.einsum("ki,kj->kij", p, p)) / 2**0.5
    sums, differences = _pairs(m)
    roots = torch.cat([sums, differences, 2 * torch.eye(m, dtype=torch.float64)]) / 2**0.5
    return Reductive(
        group=group,
        compact=Unitary(group._order, 2**0.5 * orthonormal(basis - basis.mT)),
        stretches=orthonormal(basis + basis.mT),
        abelian=abelian,
        adapted=torch.cat([q, p.flip(0)]).mT.contiguous(),
        roots=roots,
        multiplicities=torch.ones(len(roots), dtype=torch.float64),
        form=group.form,
    )


def _orthogonal(group: FormGroup) -> Reductive:
    n, (p, q) = group.n, group.signature
    assert group.algebra is not None or n == 1
    basis = torch.zeros(0, n, n, dtype=torch.float64) if group.algebra is None else group.algebra.basis
    rank = min(p, q)
    eye = torch.eye(n, dtype=torch.float64)
    first, second = eye[:rank], eye[p : p + rank]
    boosts = torch.einsum("ki,kj->kij", first, second)
    rest = torch.cat([eye[rank:p], eye[p + rank :]])
    sums, differences = _pairs(rank)
    short = torch.eye(rank, dtype=torch.float64) if p != q else sums[:0]
    ones = torch.ones(len(sums) + len(differences), dtype=torch.float64)
    return Reductive(
        group=group,
        compact=Blocks(p, q, group._components) if rank else Blocks(n, 0, group._components),
        stretches=orthonormal(basis + basis.mT),
        abelian=(boosts + boosts.mT) / 2**0.5,
        adapted=torch.cat([(first + second) / 2**0.5, rest, ((first - second) / 2**0.5).flip(0)]).mT.contiguous(),
        roots=torch.cat([sums, differences, short]) / 2**0.5,
        multiplicities=torch.cat([ones, torch.full((len(short),), float(abs(p - q)), dtype=torch.float64)]),
        form=group.form,
    )


def _pairs(rank: int) -> tuple[Tensor, Tensor]:
    """The rows ``a_i + a_j`` and ``a_i - a_j``, i < j."""
    eye = torch.eye(rank, dtype=torch.float64)
    i, j = torch.triu_indices(rank, rank, 1)
    return eye[i] + eye[j], eye[i] - eye[j]


def orthonormal(matrices: Float[Tensor, "k n n"]) -> Float[Tensor, "d n n"]:
    """An orthonormal basis of the span of matrices, in their order; what depends on earlier ones is left out."""
    found: list[Tensor] = []
    for matrix in matrices:
        for other in found:
            matrix = matrix - (matrix * other).sum() * other
        if float(matrix.norm()) > 1e-9:
            found.append(matrix / matrix.norm())
    return torch.stack(found) if found else matrices[:0]
