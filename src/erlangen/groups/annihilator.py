"""The annihilator of a lattice of characters: the points of a torus that none of them tells from the origin."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from fractions import Fraction
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.errors import ArgumentError, unsupported
from erlangen.groups.abelian import LARGEST_MODULUS, LARGEST_NUMBER, FiniteAbelian
from erlangen.groups.base import Element
from erlangen.groups.products import DirectProduct
from erlangen.groups.torus import Torus
from erlangen.linalg import hermite_normal_form, in_lattice, smith_normal_form

Character = tuple[int, ...]
#: Largest order for which shifts are listed: exact fractions take a thousand times the memory of residues.
LARGEST_SHIFTS = 1_000_000


class Annihilator(DirectProduct):
    """The shifts of ``n`` angles that leave ``exp(i k.x)`` as it is for each of some integer vectors ``k``.

    Data that hold only these harmonics are the same after such a shift, so that this is the group of what they cannot tell. It is the
    dual of ``Z^n`` modulo the lattice that the characters generate. With ``u k v = d`` the Smith normal form of their matrix, the
    shifts are ``v y`` where ``y_i`` is a multiple of ``2 pi / d_i``, or anything where ``d_i`` is zero: a product of cyclic groups
    and circles. An element is a tuple of its part in the :class:`FiniteAbelian` and its part in the :class:`Torus`, whichever of
    them there are; :meth:`angles` says what shift it is. Two such groups are equal when the lattices are.

    Args:
        characters: integer vectors of ``n`` numbers, one a harmonic.
        n: number of angles; needed where there is no character.

    Raises:
        ArgumentError: numbers that are not whole, vectors of different length, or none and no ``n``; elements of orders above ``2^62``.

    >>> G = Annihilator([(2, 2), (2, -2)])      # exp(2i (x + y)) and exp(2i (x - y))
    >>> G, G.order, G.invariant_factors, G.values(0)
    (Z/2 x Z/4, 8, (2, 4), 4)
    >>> Annihilator([(2, 2)]), G.breaks((0, 1)), G.breaks((4, 0))
    (Z/2 x U(1), True, False)
    >>> Annihilator([(2, 2), (2, -2), (0, 1)]).shifts()
    [(Fraction(0, 1), Fraction(0, 1)), (Fraction(1, 2), Fraction(0, 1))]
    """

    def __init__(self, characters: Iterable[Sequence[int]], n: int | None = None) -> None:
        given = [_character(k, "characters") for k in characters]
        if n is None and not given:
            raise ArgumentError("n", "the number of angles, where there is no character", "None")
        self.n = len(given[0]) if n is None else n
        if not isinstance(self.n, int) or isinstance(self.n, bool) or self.n < 1:
            raise ArgumentError("n", "a number of angles of at least 1", repr(n))
        for k in given:
            if len(k) != self.n:
                raise ArgumentError("characters", f"integer vectors of {self.n} numbers", repr(k))
        #: The echelon basis of the lattice of all harmonics that the group does not move, ``[rank, n]``.
        self.lattice: tuple[Character, ...] = tuple(map(tuple, hermite_normal_form(given))) if given else ()
        form = smith_normal_form([list(k) for k in self.lattice]) if self.lattice else None
        factors = (form.invariants if form else []) + [0] * (self.n - len(self.lattice))
        v = form.v if form else [[int(i == j) for j in range(self.n)] for i in range(self.n)]
        finite, free = [i for i, d in enumerate(factors) if d > 1], [i for i, d in enumerate(factors) if d == 0]
        self.invariant_factors = tuple(factors[i] for i in finite)
        self._columns = [[v[row][i] for row in range(self.n)] for i in finite]
        self._circles = [[v[row][i] for row in range(self.n)] for i in free]
        if self.exponent > LARGEST_MODULUS:
            raise ArgumentError("characters", "ones whose group has elements of orders up to 2^62", f"one of order {self.exponent}")
        parts = [FiniteAbelian(*self.invariant_factors)] if finite else []
        super().__init__(*parts, *([Torus(len(free))] if free else []), *([] if finite or free else [FiniteAbelian(1)]))

    def equality_key(self) -> Hashable:
        return (self.n, self.lattice)

    @property
    def exponent(self) -> int:
        """The least number of times any element of the finite part is added to itself to give the identity."""
        return math.lcm(1, *self.invariant_factors)

    def angles(self, g: Element) -> Float[Tensor, "*batch n"]:
        """The shifts of the angles, radians in [0, 2 pi) and float64, that elements are."""
        parts = list(self._parts(g))
        self.batch_shape(g)
        total: Any = 0.0
        if self.invariant_factors:
            total = self.steps(g).to(torch.float64) * (2 * math.pi / self.exponent)
        if self._circles:
            torus = self.factors[-1]
            assert isinstance(torus, Torus)
            angles = torus.angles(parts[-1]).to(torch.float64)
            total = total + angles @ torch.tensor(self._circles, dtype=torch.float64, device=angles.device)
        if isinstance(total, float):  # the trivial group
            total = torch.zeros(*parts[0].shape[:-1], self.n, dtype=torch.float64, device=parts[0].device)
        return total % (2 * math.pi)

    def steps(self, g: Element) -> Int[Tensor, "*batch n"]:
        """The part of the shifts that is of finite order, exactly: in turns it is these numbers over :attr:`exponent`."""
        whole, residues = self.exponent, self._parts(g)[0]
        if not self.invariant_factors:
            return torch.zeros(*self.batch_shape(g), self.n, dtype=torch.int64)
        table = [[x * (whole // d) % whole for x in c] for c, d in zip(self._columns, self.invariant_factors)]
        if sum(d * max(row) for d, row in zip(self.invariant_factors, table)) <= LARGEST_NUMBER:
            return (residues.unsqueeze(-1) * torch.tensor(table, device=residues.device)).sum(-2) % whole
        rows = residues.reshape(-1, len(table)).tolist()  # the products do not fit 64 bits
        found = [[sum(r * row[i] for r, row in zip(one, table)) % whole for i in range(self.n)] for one in rows]
        return torch.tensor(found, dtype=torch.int64, device=residues.device).reshape(*residues.shape[:-1], self.n)

    def shifts(self) -> list[tuple[Fraction, ...]]:
        """All elements of a finite annihilator as exact shifts in turns, each in [0, 1), ascending; the identity first.

        Raises:
            UnsupportedError: it holds a circle, or more elements than can be listed.
        """
        if self._circles:
            unsupported(self, "list of shifts (it holds a circle)", "draw some with .sample(n)")
        if self.order > LARGEST_SHIFTS:
            unsupported(self, f"list of shifts (order {self.order})", "draw some with .sample(n)")
        found = []
        for residues in self.elements()[0].tolist():
            terms = list(zip(residues, self.invariant_factors, self._columns))
            found.append(tuple(sum((Fraction(r * c[i], d) for r, d, c in terms), Fraction(0)) % 1 for i in range(self.n)))
        return sorted(found)

    def contains_shift(self, shift: Sequence[Fraction | int]) -> bool:
        """Whether a shift in turns, exact numbers, is in the group."""
        exact = [Fraction(x) for x in shift]
        return all(sum(k * x for k, x in zip(row, exact)).denominator == 1 for row in self.lattice)

    def breaks(self, character: Sequence[int]) -> bool:
        """Whether some element of the group moves this harmonic, so that seeing it makes the group smaller.

        Raises:
            ArgumentError: not ``n`` whole numbers.
        """
        k = _character(character, "character")
        if len(k) != self.n:
            raise ArgumentError("character", f"an integer vector of {self.n} numbers", repr(character))
        return not in_lattice([list(row) for row in self.lattice], k)

    def with_characters(self, characters: Iterable[Sequence[int]]) -> Annihilator:
        """The subgroup that leaves these harmonics alone, too."""
        return Annihilator([*self.lattice, *characters], self.n)

    def values(self, i: int) -> int | float:
        """How many values the group gives angle number ``i``; infinite where it turns continuously.

        This is the least ``m > 0`` for which ``m`` times the ``i``-th unit vector lies in the lattice.
        """
        if not isinstance(i, int) or not 0 <= i < self.n:
            raise ArgumentError("i", f"the number of an angle, 0 to {self.n - 1}", repr(i))
        if any(circle[i] for circle in self._circles):
            return math.inf
        parts = [Fraction(c[i], d) % 1 for c, d in zip(self._columns, self.invariant_factors)]
        return math.lcm(1, *(x.denominator for x in parts))

    @cached_property
    def name(self) -> str:  # type: ignore[override]
        return " x ".join(f.name for f in self.factors)


def _character(k: Any, argument: str) -> Character:
    try:
        parts = tuple(k)
    except TypeError:
        raise ArgumentError(argument, "integer vectors, such as (2, -2)", repr(k)) from None
    whole = []
    for x in parts:
        try:
            whole.append(x.__index__())
        except (AttributeError, TypeError):
            raise ArgumentError(argument, "integer vectors, such as (2, -2)", repr(k)) from None
        if isinstance(x, bool):
            raise ArgumentError(argument, "integer vectors, such as (2, -2)", repr(k))
    return tuple(whole)
