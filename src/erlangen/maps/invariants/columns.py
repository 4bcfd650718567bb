"""`invariant_columns`: what of tokens a group leaves unchanged, by the closed form that fits the group."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Group
from erlangen.groups.permutation import Symmetric
from erlangen.groups.recognise import recognised
from erlangen.maps.invariants.orbits import LARGEST_ORBIT, OrbitRepresentative
from erlangen.maps.invariants.polynomial import PolynomialInvariants
from erlangen.maps.invariants.tensors import LARGEST

#: Of finite groups, polynomials are added to the representatives as far as there are no more columns.
MOST_BESIDE = 200


class InvariantColumns(nn.Module):
    """Several kinds of columns side by side.

    Args:
        parts: modules from tokens ``[B, T, n]`` to columns, with ``names``.
    """

    def __init__(self, parts: list[PolynomialInvariants | OrbitRepresentative]) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.names: list[str] = [name for part in parts for name in part.names]

    def __len__(self) -> int:
        return len(self.names)

    def forward(self, x: Float[Tensor, "B T n"]) -> Float[Tensor, "B k"]:
        """The columns, in the type of ``x``."""
        return torch.cat([part(x) for part in self.parts], -1)

    def pairs(self, x: Float[Tensor, "B T n"]) -> Float[Tensor, "s B T T"]:
        """The symmetric forms among the columns, as matrices over pairs of tokens: products, or squares of distances."""
        found = [part.symmetric_pairs(x) for part in self.parts if isinstance(part, PolynomialInvariants)]
        return torch.cat(found) if found else x.new_zeros(0, len(x), x.shape[1], x.shape[1])


def invariant_columns(group: Group | LieAlgebra | Float[Tensor, "k n m"], tokens: int) -> InvariantColumns:
    """Columns that moves of all tokens by an element of a group leave unchanged: see :class:`PolynomialInvariants`; of finite groups
    the last member of the orbit, too, which says everything (:class:`OrbitRepresentative`).

    Args:
        group: as for :class:`PolynomialInvariants`.
        tokens: ``T``.

    Raises:
        ArgumentError: no columns are known for the group.

    >>> from erlangen.groups import O, Symmetric
    >>> invariant_columns(O(3), 2).names
    ['product(x1, x1)', 'product(x2, x2)', 'product(x1, x2)']
    >>> len(invariant_columns(Symmetric(50), 1))
    50
    """
    known = recognised(group) if isinstance(group, Group) else None
    if known is None or not (isinstance(known, Symmetric) or (known.is_finite and known.order <= LARGEST_ORBIT)):
        polynomials = PolynomialInvariants(group, tokens)
        if not len(polynomials):
            raise ArgumentError("group", "a group that leaves polynomials of the tokens unchanged", f"{group}, {tokens} tokens")
        return InvariantColumns([polynomials])
    parts: list[PolynomialInvariants | OrbitRepresentative] = [OrbitRepresentative(known, tokens)]
    if parts[0].dim ** 2 <= LARGEST:
        polynomials = PolynomialInvariants(known, tokens, degree=2)
        if 0 < len(polynomials) <= MOST_BESIDE:
            parts.append(polynomials)
    return InvariantColumns(parts)
