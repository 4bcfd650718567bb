"""The quaternion algebra that is ramified at one prime and infinity, its lattices and a maximal order, in whole numbers.

Over a field whose Frobenius is a whole number, the endomorphisms of a supersingular curve are a maximal order here (Deuring 1941).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import ceil, floor, gcd, lcm, sqrt
from typing import Any

from sympy import isprime, nextprime, sqrt_mod

from erlangen.errors import ArgumentError
from erlangen.fields.curves.orders import kronecker

#: ``x + y i + z j + w k`` as four numbers.
Quaternion = Sequence[Fraction | int]


@dataclass(frozen=True)
class Algebra:
    """The algebra with ``i^2 = -q``, ``j^2 = -p``, ``k = i j = -j i``; ramified exactly at ``p`` and infinity.

    Args:
        p: a prime.

    Raises:
        ArgumentError: ``p`` is not prime.

    >>> Algebra(11).q, Algebra(37).q, Algebra(73).q
    (1, 2, 7)
    """

    p: int

    def __post_init__(self) -> None:
        if not isinstance(self.p, int) or not isprime(self.p):
            raise ArgumentError("p", "a prime", repr(self.p))

    @cached_property
    def q(self) -> int:
        """After Pizer (1980, proposition 5.1)."""
        if self.p == 2 or self.p % 4 == 3:
            return 1
        if self.p % 8 == 5:
            return 2
        q = 3
        while q % 4 != 3 or kronecker(self.p, q) != -1:
            q = int(nextprime(q))
        return q

    def multiply(self, x: Sequence[Any], y: Sequence[Any]) -> tuple[Any, ...]:
        p, q = self.p, self.q
        a, b, c, d = x
        e, f, g, h = y
        return (
            a * e - q * b * f - p * c * g - p * q * d * h,
            a * f + b * e + p * (c * h - d * g),
            a * g + c * e + q * (d * f - b * h),
            a * h + d * e + b * g - c * f,
        )

    def norm(self, x: Quaternion) -> Fraction | int:
        """The reduced norm."""
        return x[0] * x[0] + self.q * x[1] * x[1] + self.p * (x[2] * x[2] + self.q * x[3] * x[3])

    @cached_property
    def maximal_order(self) -> QuaternionLattice:
        """A maximal order (Pizer 1980); that it is one is checked: closed, and of discriminant ``p^2``."""
        p, q, half = self.p, self.q, Fraction(1, 2)
        rows: list[tuple[Fraction | int, ...]]
        if p == 2:
            # (j + k)/2 squares to -1 and anticommutes with i: this is Hurwitz's order.
            rows = [(1, 0, 0, 0), (0, 1, 0, 0), (0, 0, half, half), (half, half, half, 0)]
        elif p % 4 == 3:
            rows = [(1, 0, 0, 0), (0, 1, 0, 0), (half, 0, half, 0), (0, half, 0, half)]
        elif p % 8 == 5:
            rows = [(half, 0, half, half), (0, Fraction(1, 4), half, Fraction(1, 4)), (0, 0, 1, 0), (0, 0, 0, 1)]
        else:
            c = int(sqrt_mod(-pow(p, -1, q) % q, q))
            rows = [(half, half, 0, 0), (0, 0, half, half), (0, Fraction(1, q), 0, Fraction(c, q)), (0, 0, 0, 1)]
        found = QuaternionLattice.spanned(self, rows)
        if not (found * found == found and found.discriminant == p**2):
            raise ArithmeticError(f"no maximal order of the algebra of {p}: {found}")
        return found


@dataclass(frozen=True)
class QuaternionLattice:
    """A lattice of rank four: the rows of an upper triangular Hermite form over ``n``. Use :meth:`spanned`; equal lattices are equal."""

    algebra: Algebra
    rows: tuple[tuple[int, ...], ...]
    n: int

    @classmethod
    def spanned(cls, algebra: Algebra, numbers: Iterable[Quaternion]) -> QuaternionLattice:
        """All whole combinations of some quaternions.

        Raises:
            ArgumentError: they do not span the algebra.
        """
        given = [tuple(Fraction(t) for t in x) for x in numbers]
        n = lcm(*(t.denominator for x in given for t in x))
        return cls._of(algebra, [[int(t * n) for t in x] for x in given], n)

    @classmethod
    def _of(cls, algebra: Algebra, rest: list[Any], n: int) -> QuaternionLattice:
        """The lattice of whole rows over ``n``."""
        count = len(rest)
        rows: list[list[int]] = []
        for column in range(4):
            pivot: list[int] | None = None
            later = []
            for row in rest:
                if not row[column]:
                    later.append(row)
                    continue
                if pivot is None:
                    pivot = row
                    continue
                a, b = pivot, row
                while b[column]:
                    k = a[column] // b[column]
                    a, b = b, [x - k * y for x, y in zip(a, b)]
                pivot = a
                later.append(b)
            if pivot is None:
                raise ArgumentError("numbers", "quaternions that span the algebra", f"{count} that do not")
            if pivot[column] < 0:
                pivot = [-x for x in pivot]
            for i, row in enumerate(rows):
                k = row[column] // pivot[column]
                rows[i] = [x - k * y for x, y in zip(row, pivot)]
            rows.append(pivot)
            rest = [row for row in later if any(row)]
        common = gcd(n, *(x for row in rows for x in row))
        return cls(algebra, tuple(tuple(x // common for x in row) for row in rows), n // common)

    @property
    def basis(self) -> list[tuple[Fraction, ...]]:
        return [tuple(Fraction(x, self.n) for x in row) for row in self.rows]

    @cached_property
    def covolume(self) -> Fraction:
        """Relative to ``1, i, j, k``."""
        size = 1
        for i in range(4):
            size *= self.rows[i][i]
        return Fraction(size, self.n**4)

    @property
    def discriminant(self) -> Fraction:
        """The determinant of the trace form, which is ``diag(2, 2q, 2p, 2pq)`` on ``1, i, j, k``: ``p^2`` of a maximal order."""
        return 16 * (self.algebra.p * self.algebra.q) ** 2 * self.covolume**2

    @cached_property
    def norm(self) -> Fraction:
        """The reduced norm: the greatest common divisor of the norms of its elements."""
        gram = self.gram
        return Fraction(gcd(*(gram[i][i] // 2 for i in range(4)), *(gram[i][j] for i in range(4) for j in range(i))), self.n**2)

    @cached_property
    def gram(self) -> list[list[int]]:
        """Reduced traces of ``x conj(y)`` over the rows, whole numbers: ``n^2`` times those of the basis."""
        weights = (2, 2 * self.algebra.q, 2 * self.algebra.p, 2 * self.algebra.p * self.algebra.q)
        return [[sum(w * a * b for w, a, b in zip(weights, x, y)) for y in self.rows] for x in self.rows]

    def __mul__(self, other: QuaternionLattice) -> QuaternionLattice:
        products = [self.algebra.multiply(x, y) for x in self.rows for y in other.rows]
        return self._of(self.algebra, products, self.n * other.n)

    def __add__(self, other: QuaternionLattice) -> QuaternionLattice:
        n = lcm(self.n, other.n)
        rows = [[c * (n // of.n) for c in x] for of in (self, other) for x in of.rows]
        return self._of(self.algebra, rows, n)

    def __le__(self, other: QuaternionLattice) -> bool:
        return self + other == other

    def scaled(self, t: Fraction | int) -> QuaternionLattice:
        t = Fraction(t)
        return self._of(self.algebra, [[t.numerator * c for c in x] for x in self.rows], self.n * t.denominator)

    def times(self, x: Quaternion) -> QuaternionLattice:
        """``self x``, with ``x`` on the right."""
        n = lcm(*(Fraction(c).denominator for c in x))
        whole = [int(c * n) for c in x]
        return self._of(self.algebra, [self.algebra.multiply(y, whole) for y in self.rows], self.n * n)

    def conjugate(self) -> QuaternionLattice:
        return self._of(self.algebra, [(x[0], -x[1], -x[2], -x[3]) for x in self.rows], self.n)

    def index(self, other: QuaternionLattice) -> Fraction:
        """``[self : other]``."""
        return other.covolume / self.covolume

    def right_order(self) -> QuaternionLattice:
        """``conj(I) I / N(I)``, which is ``{x : I x in I}`` of an ideal of a maximal order."""
        return (self.conjugate() * self).scaled(1 / self.norm)

    def left_order(self) -> QuaternionLattice:
        """``I conj(I) / N(I)``."""
        return (self * self.conjugate()).scaled(1 / self.norm)

    def shortest(self) -> tuple[int, tuple[Fraction, ...]]:
        """The least norm of an element, divided by the norm of the lattice, and an element that has it.

        >>> Algebra(11).maximal_order.shortest()[0]
        1
        """
        unit = int(self.norm * self.n**2)
        rows, gram = reduced_rows(self.rows, [[v // unit for v in row] for row in self.gram])
        value, coefficients = _minimum(gram)
        return value // 2, tuple(
            sum((Fraction(k * x[c], self.n) for k, x in zip(coefficients, rows)), Fraction(0)) for c in range(4)
        )


def reduced_rows(rows: Sequence[Sequence[int]], gram: list[list[int]]) -> tuple[list[list[int]], list[list[int]]]:
    """Pairwise reduction until no vector shortens another: enough for a short search in rank four."""
    basis, gram, size = [list(row) for row in rows], [row[:] for row in gram], len(gram)
    moved = True
    while moved:
        moved = False
        for i in range(size):
            for j in range(size):
                if i == j:
                    continue
                k = (2 * gram[i][j] + gram[j][j]) // (2 * gram[j][j])  # the nearest whole number
                if k and gram[i][i] - 2 * k * gram[i][j] + k * k * gram[j][j] < gram[i][i]:
                    moved = True
                    basis[i] = [x - k * y for x, y in zip(basis[i], basis[j])]
                    gram[i] = [x - k * y for x, y in zip(gram[i], gram[j])]
                    for row in gram:
                        row[i] -= k * row[j]
    return basis, gram


def _minimum(gram: list[list[int]]) -> tuple[int, list[int]]:
    """The least value of an even positive form at whole numbers that are not all zero (Fincke and Pohst 1985).

    The tree is pruned in floating point, with room for rounding; values are taken exactly.
    """
    size = len(gram)
    # x^T G x = sum_i d_i (x_i + sum_{j > i} m_ij x_j)^2
    work = [[float(v) for v in row] for row in gram]
    d, m = [0.0] * size, [[0.0] * size for _ in range(size)]
    for i in range(size):
        d[i] = work[i][i]
        for j in range(i + 1, size):
            m[i][j] = work[i][j] / d[i]
        for a in range(i + 1, size):
            for b in range(i + 1, size):
                work[a][b] -= m[i][a] * work[i][b]
    first = min(range(size), key=lambda i: gram[i][i])
    best, found = gram[first][first], [int(i == first) for i in range(size)]
    x = [0] * size

    def go(i: int, spent: float) -> None:
        nonlocal best, found
        if i < 0:
            value = sum(a * b * v for a, row in zip(x, gram) for b, v in zip(x, row))
            if 0 < value < best:
                best, found = value, x[:]
            return
        centre = -sum(m[i][j] * x[j] for j in range(i + 1, size))
        reach = sqrt(max(best - spent, 0.0) / d[i]) + 1e-6
        for value in range(ceil(centre - reach), floor(centre + reach) + 1):
            cost = spent + d[i] * (value - centre) ** 2
            if cost <= best + 1e-6:
                x[i] = value
                go(i - 1, cost)
        x[i] = 0

    go(size - 1, 0.0)
    return best, found
