"""Elliptic curves over a prime field, up to isomorphism over that field, with the trace of Frobenius."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Any

from sympy import isprime, sqrt_mod

from erlangen.errors import ArgumentError
from erlangen.fields.curves.engine import pari, whole
from erlangen.fields.curves.orders import Order, kronecker

#: A point as its two coordinates; ``None`` is the point at infinity.
Point = tuple[int, int] | None


class Curve:
    """``y^2 + a1 x y + a3 y = x^3 + a2 x^2 + a4 x + a6`` over the field of ``p`` elements.

    Two curves are equal where they are isomorphic *over the field*. The invariant ``j`` alone does not tell a curve from its twists, so
    that a curve given by ``j`` needs its trace.

    Args:
        p: a prime above 3.
        a: ``(a4, a6)`` or ``(a1, a2, a3, a4, a6)``.
        j: instead of ``a``, with ``trace``: the curve of this invariant and this trace of Frobenius.
        trace: ``p + 1`` minus the number of points; found by PARI (Schoof, Elkies, Atkin) where it is not given with ``a``.

    Raises:
        ArgumentError: ``p`` is no such prime, the curve is singular, both or none of ``a`` and ``j`` are given, or no twist has the trace.

    >>> E = Curve(67, j=42, trace=4)
    >>> E.trace, E.number_of_points, E.endomorphism_order()
    (4, 64, Order(d=-7, f=1))
    >>> E == Curve(67, (0, 0, 0, *E.short)), E == E.twist()
    (True, False)
    """

    def __init__(self, p: int, a: Sequence[int] | None = None, *, j: int | None = None, trace: int | None = None) -> None:
        _check_field(p)
        if trace is not None and (not isinstance(trace, int) or isinstance(trace, bool)):
            raise ArgumentError("trace", "a whole number", repr(trace))
        if (a is None) == (j is None):
            raise ArgumentError("a", "either the coefficients a or the invariant j", "both" if a is not None else "neither")
        self.p = p
        if a is not None:
            if not isinstance(a, Sequence) or len(a) not in (2, 5) or any(not isinstance(c, int) for c in a):
                raise ArgumentError("a", "2 or 5 whole numbers: (a4, a6) or (a1, a2, a3, a4, a6)", repr(a))
            self.a = tuple(c % p for c in ((0, 0, 0, *a) if len(a) == 2 else a))
        else:
            self.a = _of_invariant(p, j, trace)
        if self.discriminant == 0:
            raise ArgumentError("a", "a curve that is not singular", f"{self.a}, of discriminant 0 modulo {p}")
        if a is not None and trace is not None:
            _check_trace(self, trace)
            self.trace = trace

    @classmethod
    def _made(cls, p: int, a: Sequence[int], trace: int, order: Order | None = None) -> Curve:
        """A curve of which all is known already."""
        made = cls.__new__(cls)
        made.p, made.a, made.trace, made._order = p, (0, 0, 0, *a) if len(a) == 2 else tuple(a), trace, order
        return made

    @classmethod
    def montgomery(cls, p: int, A: int) -> Curve:
        """``y^2 = x^3 + A x^2 + x``.

        >>> Curve.montgomery(419, 158).montgomery_coefficient
        158
        """
        return cls(p, (0, A, 0, 1, 0))

    # ---- invariants, in whole numbers ----

    @cached_property
    def _b(self) -> tuple[int, int, int, int]:
        a1, a2, a3, a4, a6 = self.a
        b2, b4, b6 = a1 * a1 + 4 * a2, 2 * a4 + a1 * a3, a3 * a3 + 4 * a6
        return b2, b4, b6, a1 * a1 * a6 + 4 * a2 * a6 - a1 * a3 * a4 + a2 * a3 * a3 - a4 * a4

    @cached_property
    def c4(self) -> int:
        return (self._b[0] ** 2 - 24 * self._b[1]) % self.p

    @cached_property
    def c6(self) -> int:
        b2, b4, b6, _ = self._b
        return (-(b2**3) + 36 * b2 * b4 - 216 * b6) % self.p

    @cached_property
    def discriminant(self) -> int:
        b2, b4, b6, b8 = self._b
        return (-b2 * b2 * b8 - 8 * b4**3 - 27 * b6 * b6 + 9 * b2 * b4 * b6) % self.p

    @cached_property
    def j(self) -> int:
        """The invariant that says which curves are isomorphic over the closure."""
        return self.c4**3 * pow(self.discriminant, -1, self.p) % self.p

    @property
    def short(self) -> tuple[int, int]:
        """``(a4, a6)`` of an isomorphic curve ``y^2 = x^3 + a4 x + a6``."""
        p, fraction = self.p, pow(48, -1, self.p)
        if not any(self.a[:3]):
            return self.a[3], self.a[4]
        return -self.c4 * fraction % p, -self.c6 * fraction * pow(18, -1, p) % p

    @cached_property
    def key(self) -> tuple[int, int, int]:
        """``(p, j, twist)``: equal for curves that are isomorphic over the field, and for no others."""
        p = self.p
        if self.c4 and self.c6:
            twist = kronecker(self.c4 * self.c6, p)
        elif self.c6:
            twist = pow(self.c6, (p - 1) // (6 if p % 3 == 1 else 2), p)
        else:
            twist = pow(self.c4, (p - 1) // (4 if p % 4 == 1 else 2), p)
        return p, self.j, twist

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Curve) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Curve({self.p}, {self.a})"

    def twist(self) -> Curve:
        """The quadratic twist: the same ``j``, the opposite trace."""
        p, (a, b) = self.p, self.short
        d = next(d for d in range(2, p) if kronecker(d, p) == -1)
        made = Curve(p, (d * d * a, d**3 * b))
        if "trace" in vars(self):
            made.trace = -self.trace
        return made

    @property
    def montgomery_coefficient(self) -> int:
        """``A`` of an isomorphic ``y^2 = x^3 + A x^2 + x``: the least where there are several.

        Raises:
            ArgumentError: there is none.
        """
        p, (a, b) = self.p, self.short
        found = []
        for root in (whole(r) for r in pari().polrootsmod(pari().Pol([1, 0, a, b]), p)):
            square = (3 * root * root + a) % p
            for c in sqrt_mod(square, p, all_roots=True) or []:
                if kronecker(int(c), p) == 1:
                    found.append(3 * root * pow(int(c), -1, p) % p)
        if not found:
            raise ArgumentError("E", "a curve with a Montgomery form", repr(self))
        return min(found)

    # ---- Frobenius ----

    @cached_property
    def trace(self) -> int:
        """The trace of Frobenius, ``p + 1`` minus the number of points."""
        return int(self.gen.ellap())

    @property
    def number_of_points(self) -> int:
        """With the point at infinity."""
        return self.p + 1 - self.trace

    @property
    def is_supersingular(self) -> bool:
        return self.trace == 0

    @property
    def frobenius_order(self) -> Order:
        """``Z[pi]``."""
        return Order.of_frobenius(self.p, self.trace)

    def endomorphism_order(self) -> Order:
        """The endomorphisms that are defined over the field; see :func:`erlangen.fields.curves.volcano.endomorphism_order`."""
        from erlangen.fields.curves.volcano import endomorphism_order

        if getattr(self, "_order", None) is None:
            self._order: Order | None = endomorphism_order(self)
        assert self._order is not None
        return self._order

    # ---- points ----

    @cached_property
    def gen(self) -> Any:
        """The curve as PARI has it."""
        return pari().ellinit(list(self.a), self.p)

    def contains(self, P: Point) -> bool:
        if P is None:
            return True
        if not isinstance(P, Sequence) or len(P) != 2 or not all(isinstance(c, int) for c in P):
            return False
        (x, y), (a1, a2, a3, a4, a6) = P, self.a
        return (y * y + a1 * x * y + a3 * y - ((x + a2) * x + a4) * x - a6) % self.p == 0

    def check(self, P: Point, argument: str = "P") -> None:
        """Raise ArgumentError unless a point is on the curve."""
        if not self.contains(P):
            raise ArgumentError(argument, f"a point (x, y) of {self}, or None", repr(P))

    def multiply(self, n: int, P: Point) -> Point:
        """``n P``."""
        self.check(P)
        if not isinstance(n, int):
            raise ArgumentError("n", "a whole number", repr(n))
        return None if P is None else _point(self.gen.ellmul(list(P), n))

    def add(self, P: Point, Q: Point) -> Point:
        """``P + Q``."""
        self.check(P)
        self.check(Q, "Q")
        return _point(self.gen.elladd(_given(P), _given(Q)))

    def points(self) -> Iterator[Point]:
        """Points by ascending ``x``, one of each pair ``P, -P``: the same at each call, without random numbers."""
        for x in range(self.p):
            y = self.gen.ellordinate(x)
            if len(y):
                yield x, whole(y[0])


def _given(P: Point) -> list[int]:
    return [0] if P is None else list(P)


def _point(found: Any) -> Point:
    return None if len(found) == 1 else (whole(found[0]), whole(found[1]))


def _of_invariant(p: int, j: Any, trace: int | None) -> tuple[int, ...]:
    if not isinstance(j, int) or not 0 <= j < p:
        raise ArgumentError("j", f"a whole number from 0 to {p - 1}", repr(j))
    if j == 0:
        curves = [(0, pow(g, k, p)) for g in [_generator(p)] for k in range(6 if p % 3 == 1 else 2)]
    elif j == 1728 % p:
        curves = [(pow(g, k, p), 0) for g in [_generator(p)] for k in range(4 if p % 4 == 1 else 2)]
    else:
        k = j * pow(1728 - j, -1, p) % p
        d = next(d for d in range(2, p) if kronecker(d, p) == -1)
        curves = [(3 * k * u * u % p, 2 * k * u**3 % p) for u in (1, d)]
    twists = [Curve(p, c) for c in curves]
    if trace is None:
        raise ArgumentError(
            "trace", f"the trace of the curve, as j = {j} has twists", "None", f"one of {[c.trace for c in twists]}"
        )
    for c in twists:
        if c.trace == trace:
            return c.a
    raise ArgumentError("trace", f"one of {[c.trace for c in twists]}, the traces of the curves of j = {j}", repr(trace))


def _check_field(p: int) -> None:
    if not isinstance(p, int) or isinstance(p, bool) or p < 5 or not isprime(p):
        raise ArgumentError("p", "a prime above 3", repr(p))


def _generator(p: int) -> int:
    from sympy import primitive_root

    return int(primitive_root(p))


def _check_trace(E: Curve, trace: int) -> None:
    """Refuse a stated trace that a few points contradict (all of them, of a small curve)."""
    if trace * trace > 4 * E.p or any(E.multiply(E.p + 1 - trace, P) is not None for P, _ in zip(E.points(), range(8))):
        raise ArgumentError("trace", f"the trace of {E}", repr(trace), "leave it out, and it is counted")


def curves_with_trace(p: int, trace: int) -> list[Curve]:
    """All curves over the field of ``p`` elements with this trace, up to isomorphism over the field, by ascending ``j``: an isogeny class.

    Goes through all ``j``: for small ``p``. A trace that no curve has gives an empty list.

    Raises:
        ArgumentError: ``p`` is no prime above 3, or the trace no whole number.

    >>> [E.j for E in curves_with_trace(67, 4)]
    [4, 14, 18, 32, 33, 35, 42, 44, 51, 57]
    """
    _check_field(p)
    if not isinstance(trace, int):
        raise ArgumentError("trace", "a whole number", repr(trace))
    found = []
    for j in range(p):
        if j in (0, 1728 % p):
            g = _generator(p)
            twists = [Curve(p, (0, pow(g, k, p)) if j == 0 else (pow(g, k, p), 0)) for k in range(12)]
            found += [E for E in dict.fromkeys(twists) if E.trace == trace]
            continue
        k = j * pow(1728 - j, -1, p) % p
        E = Curve(p, (3 * k, 2 * k))
        if E.trace == trace:
            found.append(E)
        if E.trace == -trace:
            found.append(E.twist())
    return found
