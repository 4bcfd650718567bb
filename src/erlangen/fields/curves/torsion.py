"""Points of finite order over the field where they live, and how Frobenius and other endomorphisms move them: matrices modulo N."""

from __future__ import annotations

import random
from collections.abc import Iterable
from functools import cached_property
from math import gcd
from typing import Any

from sympy import factorint

from erlangen.errors import ArgumentError, unsupported
from erlangen.fields.curves.curve import Curve
from erlangen.fields.curves.engine import pari

#: Points are looked for in extensions up to this degree.
LARGEST_EXTENSION = 400

Matrix = tuple[tuple[int, int], tuple[int, int]]
Vector = tuple[int, int]


class Torsion:
    """The points that ``n`` kills, ``(Z/n)^2``, over the smallest extension that has them all, with a basis.

    PARI makes the extension by a polynomial of its own (never Conway's): coordinates of points mean nothing outside. What comes out, the
    matrices and the polynomials of subgroups over the prime field, does not depend on it.

    Args:
        E: a curve.
        n: a whole number from 1 on that the field's prime does not divide.

    Attributes:
        extension: its degree.
        frobenius: the matrix of Frobenius in the basis, modulo ``n``: of trace ``t`` and determinant ``p``.
        omega: the matrix of ``(D + sqrt D)/2``, which with 1 spans the endomorphisms, of discriminant ``D``.

    Raises:
        ArgumentError: no such ``n``.
        UnsupportedError: the points need an extension above degree 400.

    >>> E = Curve(67, j=33, trace=4)
    >>> T = Torsion(E, 4)
    >>> (a, b), (c, d) = T.frobenius
    >>> (a + d) % 4 == 4 % 4, (a * d - b * c) % 4 == 67 % 4
    (True, True)
    """

    def __init__(self, E: Curve, n: int) -> None:
        if not isinstance(n, int) or n < 1 or n % E.p == 0:
            raise ArgumentError("n", f"a whole number from 1 on that {E.p} does not divide", repr(n))
        self.curve, self.n, order = E, n, E.endomorphism_order()
        D, t = order.discriminant, E.trace
        m = E.frobenius_order.f // order.f  # pi = (t + m sqrt D)/2 = c + m omega
        c = (t - m * D) // 2
        near, far = 1, m  # the part of m that shares primes with n, and the rest
        while (common := gcd(far, n)) > 1:
            near, far = near * common, far // common
        size = n * near
        self.extension = _extension(E.p, c, m, order.omega, size)
        self._basis, gen = _basis(E, size, self.extension)
        big = _frobenius(gen, *self._basis, size, E.p)
        self._basis = tuple(gen.ellmul(P, near) for P in self._basis)
        self._gen = gen
        inverse = pow(far, -1, n) if n > 1 else 0
        rows = []
        for i in range(2):
            row = [big[i][k] - c * (i == k) for k in range(2)]
            if any(v % near for v in row):
                raise ArithmeticError(f"Frobenius minus {c} is not divisible by {near} on the points of {E}")
            rows.append(tuple(v // near * inverse % n for v in row))
        self.frobenius: Matrix = tuple(tuple(v % n for v in row) for row in big)  # type: ignore[assignment]
        self.omega: Matrix = tuple(rows)  # type: ignore[assignment]

    def act(self, x: int, y: int, v: Vector) -> Vector:
        """``(x + y omega) v``."""
        (a, b), (c, d) = self.omega
        return (x * v[0] + y * (a * v[0] + b * v[1])) % self.n, (x * v[1] + y * (c * v[0] + d * v[1])) % self.n

    def killed_by(self, endomorphisms: Iterable[tuple[int, int]]) -> list[Vector]:
        """The points that all endomorphisms ``x + y omega``, given as ``(x, y)``, kill."""
        given = list(endomorphisms)
        every = ((a, b) for a in range(self.n) for b in range(self.n))
        return [v for v in every if all(self.act(x, y, v) == (0, 0) for x, y in given)]

    def killing(self, vectors: Iterable[Vector]) -> list[tuple[int, int]]:
        """The endomorphisms ``x + y omega``, modulo ``n``, that kill all of some points."""
        given = list(vectors)
        every = ((x, y) for x in range(self.n) for y in range(self.n))
        return [e for e in every if all(self.act(*e, v) == (0, 0) for v in given)]

    def rational_lines(self) -> list[list[Vector]]:
        """The cyclic subgroups of order ``n`` that Frobenius keeps, each as the list of its points."""
        (a, b), (c, d) = self.frobenius
        seen: set[Vector] = set()
        found = []
        for v in ((x, y) for x in range(self.n) for y in range(self.n)):
            if gcd(*v, self.n) != 1 or v in seen:
                continue
            line = [(k * v[0] % self.n, k * v[1] % self.n) for k in range(self.n)]
            seen.update(w for k, w in enumerate(line) if gcd(k, self.n) == 1)
            if ((a * v[0] + b * v[1]) % self.n, (c * v[0] + d * v[1]) % self.n) in line:
                found.append(line)
        return found

    def point(self, v: Vector) -> Any:
        """The point of two coordinates in the basis, as PARI has it."""
        P, Q = self._basis
        return self._gen.elladd(self._gen.ellmul(P, v[0]), self._gen.ellmul(Q, v[1]))

    @cached_property
    def _x(self) -> dict[Vector, Any]:
        """The ``x`` of each point, zero left out."""
        P, Q = self._basis
        found, row = {}, pari()([0])
        for a in range(self.n):
            here = row
            for b in range(self.n):
                if (a, b) != (0, 0):
                    found[a, b] = here[0]
                here = self._gen.elladd(here, Q)
            row = self._gen.elladd(row, P)
        return found

    def polynomial(self, subgroup: Iterable[Vector]) -> Any:
        """The polynomial over the prime field of the ``x`` of a subgroup, each once.

        Raises:
            ArgumentError: it is no subgroup, or Frobenius does not keep it.
        """
        given = {(a % self.n, b % self.n) for a, b in subgroup} | {(0, 0)}
        if any(((a + c) % self.n, (b + d) % self.n) not in given for a, b in given for c, d in given):
            raise ArgumentError("subgroup", f"vectors modulo {self.n} that are closed under sums", f"{sorted(given)}")
        (a, b), (c, d) = self.frobenius
        if any(((a * v + b * w) % self.n, (c * v + d * w) % self.n) not in given for v, w in given):
            raise ArgumentError("subgroup", "a subgroup that Frobenius keeps", f"{sorted(given)}", f"Frobenius is {self.frobenius}")
        gp, p = pari(), self.curve.p
        poly, x = gp.Mod(1, p) * gp("'x") ** 0, gp("'x")
        for v, w in sorted(given - {(0, 0)}):
            if (v, w) <= (-v % self.n, -w % self.n):
                poly = poly * (x - self._x[v, w])
        # The coefficients lie in the prime field, and PARI writes those of an extension as plain numbers.
        return gp.Pol([c if c.type() == "t_INTMOD" else int(str(c)) for c in poly.Vec()]) * gp.Mod(1, p)


def _extension(p: int, c: int, m: int, omega: tuple[int, int], n: int) -> int:
    """The least ``r`` with ``pi^r = 1`` on the points that ``n`` kills; ``pi = c + m omega``."""
    trace, norm = omega
    u, v = 1 % n, 0
    for r in range(1, LARGEST_EXTENSION + 1):
        u, v = (u * c - v * m * norm) % n, (u * m + v * c + v * m * trace) % n
        if (u, v) == (1 % n, 0):
            return r
    unsupported(
        f"the curve over the field of {p} elements",
        f"points of order {n} in an extension of degree {LARGEST_EXTENSION}",
        "take a smaller degree",
    )


def _basis(E: Curve, n: int, r: int) -> tuple[tuple[Any, Any], Any]:
    """Two points that span those that ``n`` kills, over the extension of degree ``r``: independent by the order of their Weil pairing."""
    gp, p = pari(), E.p
    field = gp.ffgen(gp.ffinit(p, r, "'a")) if r > 1 else gp.ffgen(gp("'a") * gp.Mod(1, p), "'a")
    gen = gp.ellinit([c * field**0 for c in E.a], field)
    before, trace = 2, E.trace
    for _ in range(r - 1):
        before, trace = trace, E.trace * trace - p * before
    count = p**r + 1 - trace
    draw = random.Random(n)
    total = [gp([0]), gp([0])]
    for ell, k in factorint(n).items():
        cofactor = count
        while cofactor % ell == 0:
            cofactor //= ell
        order = ell**k
        found: list[Any] = []
        while len(found) < 2:
            x = sum((draw.randrange(p) * field**i for i in range(r)), 0 * field)
            y = gen.ellordinate(x)
            if not len(y):
                continue
            P = gen.ellmul([x, y[0]], cofactor)
            chain = [P]
            while len(chain[-1]) > 1:
                chain.append(gen.ellmul(chain[-1], ell))
            if len(chain) <= k:
                continue
            P = chain[-1 - k]  # of order ell^k
            if not found or gen.ellweilpairing(found[0], P, order) ** (order // ell) != 1:
                found.append(P)
        total = [gen.elladd(a, b) for a, b in zip(total, found)]
    return (total[0], total[1]), gen


def _frobenius(gen: Any, P: Any, Q: Any, n: int, p: int) -> Matrix:
    """``pi P = a P + c Q`` and ``pi Q = b P + d Q``, by Weil pairings."""
    if n == 1:
        return ((0, 0), (0, 0))
    z = gen.ellweilpairing(P, Q, n)
    logs, power = {}, z**0
    for k in range(n):
        logs[str(power)] = k
        power = power * z
    moved = [[t**p for t in R] for R in (P, Q)]

    def log(A: Any, B: Any) -> int:
        return logs[str(gen.ellweilpairing(A, B, n))]

    return (log(moved[0], Q), log(moved[1], Q)), (log(P, moved[0]), log(P, moved[1]))
