"""Positive definite binary quadratic forms ``a x^2 + b x y + c y^2``: reduction, composition, class groups by listing (Gauss)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import floor, gcd, isqrt

import numpy as np

from erlangen.errors import ArgumentError

#: Discriminants down to here are counted and listed form by form.
LARGEST_LISTED = 10**8


@dataclass(frozen=True, order=True)
class Form:
    """``a x^2 + b x y + c y^2`` with whole ``a, c > 0`` and a negative discriminant.

    Raises:
        ArgumentError: a coefficient is no whole number of Python, or the form is not positive definite.

    >>> three, seven = Form(3, 2, 140), Form(7, 2, 60)
    >>> three**5 == seven.reduced(), (three**27).is_principal
    (True, True)
    """

    a: int
    b: int
    c: int

    def __post_init__(self) -> None:
        if not type(self.a) is type(self.b) is type(self.c) is int:  # NumPy's would overflow without a word
            raise ArgumentError("form", "three whole numbers of Python", f"({self.a!r}, {self.b!r}, {self.c!r})")
        if self.a <= 0 or self.discriminant >= 0:
            raise ArgumentError("form", "a positive definite form: a > 0 and b^2 < 4 a c", f"({self.a}, {self.b}, {self.c})")

    @classmethod
    def of(cls, a: int, b: int, D: int) -> Form:
        """The form of discriminant ``D`` that begins with ``a, b``.

        Raises:
            ArgumentError: ``a`` is not positive, or ``b^2 - D`` is no multiple of ``4 a``.
        """
        if a < 1:
            raise ArgumentError("a", "a whole number of at least 1", repr(a))
        c, rest = divmod(b * b - D, 4 * a)
        if rest:
            raise ArgumentError("b", f"a number whose square is {D} modulo {4 * a}", repr(b))
        return cls(a, b, c)

    @classmethod
    def principal(cls, D: int) -> Form:
        """The neutral form of discriminant ``D``."""
        return cls.of(1, D % 2, D)

    @property
    def discriminant(self) -> int:
        return self.b * self.b - 4 * self.a * self.c

    @property
    def content(self) -> int:
        """The greatest common divisor of its coefficients."""
        return gcd(self.a, self.b, self.c)

    @property
    def is_principal(self) -> bool:
        """Whether it belongs to the neutral class."""
        return self.reduced().a == 1

    def __call__(self, x: int, y: int) -> int:
        return self.a * x * x + self.b * x * y + self.c * y * y

    def reduced(self) -> Form:
        """The one form of its class with ``|b| <= a <= c``, and ``b >= 0`` where one of the two is an equality.

        >>> Form(7, 2, 60).reduced(), Form(84, 2, 5).reduced()
        (Form(a=7, b=2, c=60), Form(a=5, b=-2, c=84))
        """
        a, b, c = self.a, self.b, self.c
        while True:
            if not -a < b <= a:
                k = (a - b) // (2 * a)
                c += k * (b + k * a)
                b += 2 * k * a
            if a < c or (a == c and b >= 0):
                return Form(a, b, c)
            a, b, c = c, -b, a

    def inverse(self) -> Form:
        return Form(self.a, -self.b, self.c).reduced()

    def __mul__(self, other: Form) -> Form:
        """Gauss's composition (Cohen 1993, algorithm 5.4.7), reduced.

        Raises:
            ArgumentError: another discriminant; or a form that is not primitive, which has no inverse.
        """
        D = self.discriminant
        if other.discriminant != D:
            raise ArgumentError("other", f"a form of discriminant {D}", f"one of {other.discriminant}")
        if self.content != 1 or other.content != 1:
            raise ArgumentError("other", "primitive forms", f"contents {self.content} and {other.content}")
        a1, b1, a2, b2, c2 = self.a, self.b, other.a, other.b, other.c
        s, n = (b1 + b2) // 2, (b1 - b2) // 2
        d, _, v = _xgcd(a1, a2)  # d = u a1 + v a2
        if s % d == 0:
            d1, x2, y1 = d, 0, v
            y2 = -1
            y = y1 * n % (a1 // d1)
            a3 = a1 // d1 * (a2 // d1)
            b3 = b2 + 2 * (a2 // d1) * y
        else:
            d1, x2, y2 = _xgcd(s, d)  # d1 = x2 s + y2 d
            v1, v2 = a1 // d1, a2 // d1
            r = (v * y2 * n - x2 * c2) % v1
            a3, b3 = v1 * v2, b2 + 2 * v2 * r
        return Form.of(a3, b3, D).reduced()

    def __pow__(self, k: int) -> Form:
        base = self.reduced() if k >= 0 else self.inverse()
        result, k = Form.principal(self.discriminant).reduced(), abs(k)
        while k:
            if k & 1:
                result = result * base
            k >>= 1
            if k:
                base = base * base
        return result

    def values(self, largest: float) -> set[int]:
        """All numbers up to ``largest`` that it takes at integers, zero left out."""
        D, largest = -self.discriminant, max(floor(largest), 0)
        found: set[int] = set()
        for y in range(isqrt(4 * self.a * largest // D) + 1):
            # |2 a x + b y| <= sqrt(4 a largest - |D| y^2)
            room = isqrt(4 * self.a * largest - D * y * y)
            for x in range(-(room + self.b * y) // (2 * self.a) - 1, (room - self.b * y) // (2 * self.a) + 2):
                if 0 < (value := self(x, y)) <= largest:
                    found.add(value)
        return found


def _xgcd(a: int, b: int) -> tuple[int, int, int]:
    """``g, u, v`` with ``g = gcd(a, b) = u a + v b`` and ``g > 0``."""
    u0, v0, u1, v1 = 1, 0, 0, 1
    while b:
        q, r = divmod(a, b)
        a, b, u0, v0, u1, v1 = b, r, u1, v1, u0 - q * u1, v0 - q * v1
    return (a, u0, v0) if a > 0 else (-a, -u0, -v0)


def reduced_forms(D: int) -> list[Form]:
    """All primitive reduced forms of discriminant ``D``, the principal one first, then ascending.

    Raises:
        ArgumentError: ``D`` is no negative discriminant, or below ``-10^8``.

    >>> reduced_forms(-63)
    [Form(a=1, b=1, c=16), Form(a=2, b=-1, c=8), Form(a=2, b=1, c=8), Form(a=4, b=1, c=4)]
    """
    _check_listed(D)
    found = []
    for a in range(1, isqrt(-D // 3) + 1):
        for b in range(-a + 1, a + 1):
            c, rest = divmod(b * b - D, 4 * a)
            if not rest and c >= a and (b >= 0 or c > a) and gcd(a, b, c) == 1:
                found.append(Form(a, b, c))
    return found


@lru_cache(maxsize=1024)
def count_reduced(D: int) -> int:
    """How many classes of primitive forms of discriminant ``D`` there are.

    >>> count_reduced(-1676), count_reduced(-7), count_reduced(-23)
    (27, 1, 3)
    """
    _check_listed(D)
    count = 0
    for a in range(1, isqrt(-D // 3) + 1):
        b = np.arange(-a + 1, a + 1)
        c, rest = np.divmod(b * b - D, 4 * a)
        count += int(((rest == 0) & (c >= a) & ((b >= 0) | (c > a)) & (np.gcd(np.gcd(a, b), c) == 1)).sum())
    return count


def _check_listed(D: int) -> None:
    if not isinstance(D, int) or D >= 0 or D % 4 > 1 or D < -LARGEST_LISTED:
        raise ArgumentError("D", f"a negative discriminant from {-LARGEST_LISTED} on", repr(D))
