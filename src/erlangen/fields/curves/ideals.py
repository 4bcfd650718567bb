"""Lattices and ideals of imaginary quadratic fields, as 2 x 2 Hermite forms over the basis ``1, w`` with ``w = (d + sqrt d)/2``.

Every non-zero ideal of a quadratic order is invertible over its own multiplier ring (quadratic orders are Gorenstein), which is what makes
the dictionary between ideals and isogenies complete.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import gcd, lcm

from sympy import divisors

from erlangen.errors import ArgumentError
from erlangen.fields.curves.forms import Form
from erlangen.fields.curves.orders import Order, check_prime, split_discriminant, square_root

#: An element ``x + y w`` of the field, as ``(x, y)``.
Number = tuple[Fraction | int, Fraction | int]


def multiply(d: int, x: Number, y: Number) -> Number:
    """The product of two elements of the field of discriminant ``d``: ``w^2 = d w - (d^2 - d)/4``."""
    high = x[1] * y[1]
    return x[0] * y[0] - high * ((d * d - d) // 4), x[0] * y[1] + x[1] * y[0] + high * d


def conjugate(d: int, x: Number) -> Number:
    return x[0] + d * x[1], -x[1]


def norm(d: int, x: Number) -> Fraction | int:
    """The norm of an element.

    >>> norm(-7, (4, 1))        # (1 + sqrt -7)/2
    2
    """
    return x[0] * x[0] + d * x[0] * x[1] + (d * d - d) // 4 * x[1] * x[1]


@dataclass(frozen=True)
class Lattice:
    """The lattice that ``a/n`` and ``(b + c w)/n`` span, ``0 <= b < a``, without a factor that could be cancelled: equal ones are equal.

    Use :meth:`spanned`; it makes this form.
    """

    d: int
    a: int
    b: int
    c: int
    n: int = 1

    @classmethod
    def spanned(cls, d: int, numbers: Iterable[Number]) -> Lattice:
        """The lattice of all whole combinations of some elements.

        Raises:
            ArgumentError: they span no plane.

        >>> Lattice.spanned(-7, [(2, 0), (0, 2), (1, 1)])
        Lattice(d=-7, a=2, b=1, c=1, n=1)
        """
        pairs = [(Fraction(x), Fraction(y)) for x, y in numbers]
        n = lcm(*(t.denominator for pair in pairs for t in pair))
        a, b, c = 0, 0, 0
        for x, y in ((int(x * n), int(y * n)) for x, y in pairs):
            while y:  # Euclid on the second coordinates
                q = c // y
                b, c, x, y = x, y, b - q * x, c - q * y
            a = gcd(a, x)
        if not a or not c:
            raise ArgumentError("numbers", "elements that span a plane", f"{len(pairs)} on a line")
        if c < 0:
            b, c = -b, -c
        b %= a
        common = gcd(a, b, c, n)
        return cls(d, a // common, b // common, c // common, n // common)

    @classmethod
    def of_order(cls, order: Order) -> Lattice:
        # f w is in Z + f O_K
        return cls.spanned(order.d, [(1, 0), (0, order.f)])

    @property
    def basis(self) -> tuple[Number, Number]:
        return (Fraction(self.a, self.n), Fraction(0)), (Fraction(self.b, self.n), Fraction(self.c, self.n))

    @property
    def covolume(self) -> Fraction:
        """Of the maximal order: 1."""
        return Fraction(self.a * self.c, self.n**2)

    def __contains__(self, x: Number) -> bool:
        high = Fraction(x[1]) * self.n / self.c
        return high.denominator == 1 and (Fraction(x[0]) * self.n - high * self.b) % self.a == 0

    def __le__(self, other: Lattice) -> bool:
        """Whether it lies in the other one."""
        return self.d == other.d and all(x in other for x in self.basis)

    def __mul__(self, other: Lattice) -> Lattice:
        """All sums of products.

        Raises:
            ArgumentError: a lattice of another field; so do sums, intersections, colons and indices.
        """
        self._check(other)
        return Lattice.spanned(self.d, [multiply(self.d, x, y) for x in self.basis for y in other.basis])

    def _check(self, other: Lattice) -> None:
        if not isinstance(other, Lattice) or self.d != other.d:
            got = f"one of {other.d}" if isinstance(other, Lattice) else repr(other)
            raise ArgumentError("other", f"a lattice in the field of discriminant {self.d}", got)

    def __add__(self, other: Lattice) -> Lattice:
        self._check(other)
        return Lattice.spanned(self.d, [*self.basis, *other.basis])

    def __and__(self, other: Lattice) -> Lattice:
        """What both have in common, by the duals of both matrices."""
        self._check(other)
        return (self._dual() + other._dual())._dual()

    def _dual(self) -> Lattice:
        (p, _), (q, r) = self.basis
        return Lattice.spanned(self.d, [(1 / Fraction(p), -q / Fraction(p * r)), (0, 1 / Fraction(r))])

    def scaled(self, x: Number) -> Lattice:
        """Times an element that is not zero."""
        return Lattice.spanned(self.d, [multiply(self.d, x, y) for y in self.basis])

    def conjugate(self) -> Lattice:
        return Lattice.spanned(self.d, [conjugate(self.d, x) for x in self.basis])

    def index(self, other: Lattice) -> Fraction:
        """``[self : other]``, a fraction where the other is no part of it."""
        self._check(other)
        return other.covolume / self.covolume

    def colon(self, other: Lattice) -> Lattice:
        """``(self : other) = {x : x other in self}``, from the definition: the intersection of ``self / y`` over a basis of ``other``."""
        self._check(other)
        first, second = (self._over(y) for y in other.basis)
        return first & second

    def _over(self, y: Number) -> Lattice:
        size = Fraction(norm(self.d, y))
        x, z = conjugate(self.d, y)
        return self.scaled((x / size, z / size))

    @cached_property
    def form(self) -> Form:
        """Its norms as a primitive form, reduced: the class of the lattice up to factors of the field.

        The orientation is that of ``(a, (-b + sqrt D)/2)``.
        """
        x, y = self.basis
        a, c = Fraction(norm(self.d, x)), Fraction(norm(self.d, y))
        product = multiply(self.d, x, conjugate(self.d, y))
        b = 2 * product[0] + self.d * product[1]  # the trace
        n = lcm(a.denominator, b.denominator, c.denominator)
        whole = int(a * n), int(-b * n), int(c * n)
        common = gcd(*whole)
        # y is (-b + sqrt D)/2 up to a rational factor, with norm form a X^2 - b X Y + c Y^2 in x, y.
        return Form(*(v // common for v in whole)).reduced()

    @property
    def order(self) -> Order:
        """Its multiplier ring ``{x : x self in self}``."""
        return Order(self.d, split_discriminant(self.form.discriminant)[1])


@dataclass(frozen=True)
class Ideal:
    """An ideal of an order, not zero.

    Args:
        order: the order of which it is an ideal; its multiplier ring may be larger, and then it is not invertible.
        lattice: its elements.

    Raises:
        ArgumentError: the lattice is in another field, not inside of the order, or not closed under it.

    >>> O = Order(-419, 2)
    >>> three = Ideal.prime(O, 3, 2)
    >>> three.norm, three.form, three.is_invertible
    (3, Form(a=3, b=2, c=140), True)
    """

    order: Order
    lattice: Lattice

    def __post_init__(self) -> None:
        if self.lattice.d != self.order.d:
            raise ArgumentError("lattice", f"one in the field of discriminant {self.order.d}", f"one of {self.lattice.d}")
        if not self.lattice <= Lattice.of_order(self.order):
            raise ArgumentError("lattice", f"elements of {self.order}", f"{self.lattice}")
        if not self.order <= self.lattice.order:
            raise ArgumentError("lattice", f"a lattice that is closed under {self.order}", f"one of {self.lattice.order}")

    @classmethod
    def generated(cls, order: Order, numbers: Iterable[Number]) -> Ideal:
        """All that some elements of the order generate; numbers are ``(x, y)`` for ``x + y w``, ``w = (d + sqrt d)/2``."""
        one = [(Fraction(1), Fraction(0)), (Fraction(0), Fraction(order.f))]
        return cls(order, Lattice.spanned(order.d, [multiply(order.d, x, y) for x in numbers for y in one]))

    @classmethod
    def prime(cls, order: Order, ell: int, b: int | None = None) -> Ideal:
        """``(ell, (-b + sqrt D)/2)``; without ``b``, that of the least ``b >= 0``.

        Raises:
            ArgumentError: ``ell`` is no prime, ``b^2`` is not ``D`` modulo ``4 ell``, or there is no such ``b``.
        """
        check_prime(ell)
        D = order.discriminant
        b = square_root(D, ell) if b is None else b
        if (b * b - D) % (4 * ell):
            raise ArgumentError("b", f"a number whose square is {D} modulo {4 * ell}", repr(b))
        return cls.of_form(order, Form.of(ell, b, D))

    @classmethod
    def of_form(cls, order: Order, form: Form) -> Ideal:
        """``(a, (-b + sqrt D)/2)`` of a form of the order's discriminant; of norm ``a``."""
        if form.discriminant != order.discriminant:
            raise ArgumentError("form", f"a form of discriminant {order.discriminant}", f"one of {form.discriminant}")
        # sqrt D = f sqrt d = f (2 w - d)
        second = (Fraction(-form.b - order.f * order.d, 2), Fraction(order.f))
        return cls(order, Lattice.spanned(order.d, [(form.a, 0), second]))

    @classmethod
    def whole(cls, order: Order, n: int = 1) -> Ideal:
        """``n O``."""
        return cls(order, Lattice.spanned(order.d, [(n, 0), (0, n * order.f)]))

    @classmethod
    def of_norm(cls, order: Order, n: int) -> list[Ideal]:
        """All ideals of norm ``n``, invertible or not.

        Raises:
            ArgumentError: ``n`` is no whole number from 1 on.

        >>> [len(Ideal.of_norm(Order(-7, 6), n)) for n in (1, 2, 3, 4)]     # 2 and 3 divide the conductor
        [1, 1, 1, 3]
        """
        if not isinstance(n, int) or isinstance(n, bool) or n < 1:
            raise ArgumentError("n", "a whole number of at least 1", repr(n))
        found = []
        for c in divisors(n):
            for b in range(n // c):
                lattice = Lattice.spanned(order.d, [(n // c, 0), (b, c * order.f)])
                if order <= lattice.order:
                    found.append(cls(order, lattice))
        return found

    @property
    def norm(self) -> int:
        """``[O : I]``."""
        return int(Lattice.of_order(self.order).index(self.lattice))

    @property
    def multipliers(self) -> Order:
        """``(I : I)``: the endomorphisms of the curve that it leads to."""
        return self.lattice.order

    @property
    def is_invertible(self) -> bool:
        return self.multipliers == self.order

    @property
    def form(self) -> Form:
        """The reduced form of its class, of the discriminant of its multiplier ring."""
        return self.lattice.form

    @property
    def coordinates(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Its basis ``(a, 0), (b, c)`` over ``1, f w`` of the order."""
        (a, _), (b, c) = self.lattice.basis
        return (int(a), 0), (int(b), int(c / self.order.f))

    def __mul__(self, other: Ideal) -> Ideal:
        if other.order != self.order:
            raise ArgumentError("other", f"an ideal of {self.order}", f"one of {other.order}")
        return Ideal(self.order, self.lattice * other.lattice)

    def conjugate(self) -> Ideal:
        return Ideal(self.order, self.lattice.conjugate())

    def is_equivalent(self, other: Ideal) -> bool:
        """Whether one is the other times an element of the field."""
        return self.order == other.order and self.form == other.form
