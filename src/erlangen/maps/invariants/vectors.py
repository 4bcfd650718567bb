"""`EquivariantVectors`: vectors made of several tokens that move as the tokens do."""

from __future__ import annotations

import itertools

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.base import Group
from erlangen.maps.invariants.coordinates import affine_closure, coordinates
from erlangen.maps.invariants.groups import affine_generators
from erlangen.maps.invariants.polynomial import MOST
from erlangen.maps.invariants.tensors import Family, Moves, indecomposable, invariant_tensors, plain, products
from erlangen.maps.invariants.terms import terms_of, values_of

#: Products of so many tokens at most.
HIGHEST = 3
#: What stands for the output among the kinds of slots.
OUTPUT = -1


class EquivariantVectors(nn.Module):
    """Vectors ``[B, c, n]`` of tokens ``[B, T, n]`` that move as tokens do, by the linear part where the group is affine.

    Every equivariant polynomial is a sum of these with invariant coefficients, as far as degrees go: tokens themselves (differences of
    tokens, where the group translates), vectors that do not move, cross products in space, and whatever other equivariant products of
    up to three tokens there are that are no invariant times a simpler one. They are the null space of the generators on tensors with
    one slot more, that of the output, so that the gradients of :class:`PolynomialInvariants`, raised by a form, are among their
    combinations.

    Args:
        group: as for :class:`PolynomialInvariants`.
        tokens: ``T``.

    Attributes:
        names: of the vectors.

    Raises:
        ArgumentError: no such group, no tokens.

    >>> from erlangen.groups import SO, O
    >>> len(EquivariantVectors(O(3), tokens=2).names), len(EquivariantVectors(SO(3), tokens=2).names)
    (2, 3)
    """

    def __init__(self, group: Group | LieAlgebra | Float[Tensor, "k n m"], tokens: int) -> None:
        super().__init__()
        if not isinstance(tokens, int) or tokens < 1:
            raise ArgumentError("tokens", "a number of tokens of at least 1", repr(tokens))
        algebra, discrete = affine_generators(group)
        if len(algebra):
            algebra = affine_closure(algebra)
        self.tokens, self.dim = tokens, algebra.shape[1]
        self._where = coordinates(algebra, discrete)
        self._terms = terms_of(_families(self._where.moves, self._where.linear), self._where.counts(tokens), None, MOST)
        # What does not move at all, such as the axis of rotations.
        fixed = invariant_tensors([self._where.linear.dual])
        self._fixed = plain(fixed) if fixed is not None else algebra.new_zeros(0, self.dim)
        self.names = [f"fixed vector {i + 1}" for i in range(len(self._fixed))]
        self.names += [name for term in self._terms for name in term.names(self._where.difference_kind)]

    def __len__(self) -> int:
        return len(self.names)

    def forward(self, x: Float[Tensor, "B T n"]) -> Float[Tensor, "B c n"]:
        """The vectors, in the type of ``x``."""
        if x.ndim != 3 or tuple(x.shape[1:]) != (self.tokens, self.dim):
            raise ArgumentError("x", f"tokens [B, {self.tokens}, {self.dim}]", f"shape {tuple(x.shape)}")
        made = values_of(self._terms, self._where.vectors(x), x)
        return torch.cat([self._fixed.to(x).expand(len(x), -1, -1), made.reshape(len(x), -1, self.dim)], 1)


def _families(moves: list[Moves], out: Moves) -> list[Family]:
    """Equivariant tensors ``[s, n, n_1, .. n_d]`` by degree, without invariants times lower ones."""
    found: list[Family] = []
    fixed = invariant_tensors([out.dual])
    every = [] if fixed is None else [Family((OUTPUT,), fixed)]
    for degree in range(1, HIGHEST + 1):
        new = []
        for kinds in itertools.combinations_with_replacement(range(len(moves)), degree):
            scalars = invariant_tensors([moves[k] for k in kinds])
            vectors = invariant_tensors([out.dual, *(moves[k] for k in kinds)])
            if vectors is None:
                continue
            labelled = (OUTPUT, *kinds)
            fresh = indecomposable(vectors, products(every, labelled))
            if len(fresh):
                found.append(Family(kinds, fresh))
            new.append(Family(labelled, vectors))
            if scalars is not None:
                new.append(Family(kinds, scalars))
        every += new
    return found
