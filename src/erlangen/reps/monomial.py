"""Representations by monomial matrices (one non-zero entry in each row and column), and any representation in another basis.

They are what point-wise activations leave behind: see :mod:`erlangen.reps.admissible`.
"""

from __future__ import annotations

from collections.abc import Hashable

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.groups.finite import index_of, multiplication_table
from erlangen.groups.subgroups import Subgroup
from erlangen.reps.base import Rep
from erlangen.reps.multipliers import Multipliers

#: Entries below this part of the largest of their matrix are zero.
ZERO = 1e-9


class EntryMap(Rep):
    """A monomial representation with each non-zero entry ``lambda`` replaced by ``c(lambda)``: what ``f`` makes of ``rho``.

    ``f(rho(g) x) = EntryMap(rho)(g) f(x)`` when ``f(lambda t) = c(lambda) f(t)`` for every entry ``lambda``.

    Args:
        rep: a representation whose matrices are monomial (linear laws, ``c(lambda) = lambda``, may stand in other rows too).
        laws: one law for all coordinates, or one for each.

    Raises:
        ArgumentError: the number of laws does not fit.

    >>> from erlangen.groups import MatrixGroup
    >>> flip = MatrixGroup([torch.tensor([[0.0, -1.0], [1.0, 0.0]])])
    >>> EntryMap(flip.vector, (Multipliers(reflection=(1.0, 1.0)),))(flip.generators[0])
    tensor([[0., 1.],
            [1., 0.]], dtype=torch.float64)
    """

    def __init__(self, rep: Rep, laws: tuple[Multipliers, ...]) -> None:
        if len(laws) not in (1, rep.dim):
            raise ArgumentError("laws", f"1 or {rep.dim} laws", len(laws))
        super().__init__(rep.group)
        self.rep, self.laws, self.dim = rep, laws, rep.dim
        # An orthogonal monomial matrix has entries of size one; so have their images under a law of +-1.
        self.is_orthogonal = rep.is_orthogonal
        self.symbol = f"f({rep.symbol})"

    def equality_key(self) -> Hashable:
        return (self.rep, self.laws)

    def matrix(self, g: Element) -> Tensor:
        m = self.rep.matrix(g)
        exact = m.to(torch.float64)
        kept = exact.abs() > ZERO * exact.abs().amax((-2, -1), keepdim=True)
        image = values_by_column(self.laws, exact, 1e-8 if m.dtype == torch.float64 else 1e-4)
        return torch.where(kept, image, torch.zeros_like(image)).to(m.dtype)

    def algebra(self, a: Element) -> Tensor:
        d = self.rep.algebra(a)  # diagonal: the law exp(t) -> exp(p t) has the derivative p
        degrees = [0.0 if law.power is None else law.power for law in self.laws]
        return d * torch.tensor(degrees, dtype=d.dtype, device=d.device)


def values_by_column(
    laws: tuple[Multipliers, ...], matrices: Float[Tensor, "*batch n n"], tol: float
) -> Float[Tensor, "*batch n n"]:
    """``c_j(lambda_ij)``: each column's law on its entries; ``nan`` where an entry is no multiplier."""
    if len(laws) == 1:
        return laws[0].values(matrices, tol)
    return torch.stack([law.values(matrices[..., j], tol) for j, law in enumerate(laws)], -1)


class InBasis(Rep):
    """The same representation in another basis: ``B^-1 rho(g) B``, for coordinates ``y = B^-1 x``.

    Args:
        rep: the representation.
        basis: ``B``, ``[dim, dim]``, whose columns are the new basis vectors.

    Raises:
        ArgumentError: the basis has another shape or is singular.

    >>> from erlangen.groups import Dihedral
    >>> turned = InBasis(Dihedral(4).irrep(1), torch.tensor([[1.0, -1.0], [1.0, 1.0]]))
    >>> turned(Dihedral(4).generators).shape[-1], turned.is_orthogonal
    (2, True)
    """

    def __init__(self, rep: Rep, basis: Float[Tensor, "dim dim"]) -> None:
        super().__init__(rep.group)
        basis = torch.as_tensor(basis).detach().to(torch.float64).cpu()
        if tuple(basis.shape) != (rep.dim, rep.dim):
            raise ArgumentError("basis", f"a matrix [{rep.dim}, {rep.dim}]", tuple(basis.shape))
        singular = torch.linalg.svdvals(basis)
        if not bool(torch.isfinite(basis).all()) or float(singular[-1]) < 1e-10 * float(singular[0]):
            raise ArgumentError("basis", "an invertible matrix", "a singular one")
        self.rep, self.dim, self.symbol = rep, rep.dim, f"{rep.symbol} in a basis"
        self.basis, self.inverse = basis, torch.linalg.inv(basis)
        # Conformal bases keep orthogonality.
        self.is_orthogonal = rep.is_orthogonal and bool((singular / singular[0] - 1).abs().max() < 1e-10)

    def equality_key(self) -> Hashable:
        return (self.rep, tuple(self.basis.flatten().tolist()))

    def matrix(self, g: Element) -> Tensor:
        return self._conjugate(self.rep.matrix(g))

    def algebra(self, a: Element) -> Tensor:
        return self._conjugate(self.rep.algebra(a))

    def _conjugate(self, m: Tensor) -> Tensor:
        return self.inverse.to(m) @ m @ self.basis.to(m)


class Induced(Rep):
    """A finite group on the cosets of a subgroup ``H``, with signs: ``Ind_H^G(chi)`` for ``chi: H -> {1, -1}``.

    The matrix of ``g`` has ``chi(t_i^-1 g t_j)`` where ``g t_j H = t_i H``, ``t`` being :meth:`Subgroup.transversal`. Without signs it is
    the permutation representation on ``G/H``; for the trivial subgroup, the regular one.

    Args:
        subgroup: ``H``.
        signs: for each element of the group, as ``elements()`` lists them, ``chi`` of it (what stands outside of ``H`` is not used);
            ``None`` for the trivial character.

    >>> from erlangen.groups import Symmetric, generated
    >>> S = Symmetric(3)
    >>> V = Induced(generated(S, torch.tensor([[1, 0, 2]])))
    >>> V.dim, int(V.character(S.elements()).sum())             # one orbit
    (3, 6)
    """

    is_orthogonal = True

    def __init__(self, subgroup: Subgroup, signs: tuple[int, ...] | None = None) -> None:
        super().__init__(subgroup.parent)
        self.subgroup, self.signs, self.dim = subgroup, signs, subgroup.index
        mark = "" if signs is None else "±"
        self.symbol = f"{mark}G/{subgroup.order}"
        table = multiplication_table(self.group)
        cosets = subgroup.cosets()
        where = torch.empty(len(table), dtype=torch.int64)
        where[cosets] = torch.arange(len(cosets)).unsqueeze(1)
        first = cosets[:, 0]
        moved = table[:, first]  # g t_j
        self._target = where[moved]
        if signs is None:
            self._sign = torch.ones_like(moved, dtype=torch.float64)
        else:
            inverse = (table == 0).to(torch.uint8).argmax(1)
            inside = table[inverse[first[self._target]], moved]  # t_i^-1 g t_j
            self._sign = torch.tensor(signs, dtype=torch.float64)[inside]

    def equality_key(self) -> Hashable:
        return (self.subgroup.positions, self.signs)

    def matrix(self, g: Element) -> Tensor:
        position = index_of(self.group, g)
        target, sign = self._target.to(position.device)[position], self._sign.to(position.device)[position]
        return torch.nn.functional.one_hot(target, self.dim).mT.to(torch.float64) * sign.unsqueeze(-2)
