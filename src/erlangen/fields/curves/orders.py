"""Orders of imaginary quadratic fields: a fundamental discriminant and a conductor, in whole numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isqrt

from sympy import divisors, factorint, isprime, sqrt_mod
from sympy.functions.combinatorial.numbers import kronecker_symbol

from erlangen.errors import ArgumentError


@lru_cache(maxsize=4096)
def split_discriminant(D: int) -> tuple[int, int]:
    """``D = f^2 d`` with ``d`` a fundamental discriminant: ``(d, f)``.

    Raises:
        ArgumentError: ``D`` is no negative discriminant.

    >>> split_discriminant(-252), split_discriminant(-1676)
    ((-7, 6), (-419, 2))
    """
    if not isinstance(D, int) or D >= 0 or D % 4 not in (0, 1):
        raise ArgumentError("D", "a negative whole number that is 0 or 1 modulo 4", repr(D))
    f = 1
    for prime, power in factorint(-D).items():
        f *= prime ** (power // 2)
    d = D // f**2
    if d % 4 != 1:  # the square-free part needs a factor of four
        d, f = 4 * d, f // 2
    return d, f


def kronecker(d: int, n: int) -> int:
    """The Kronecker symbol ``(d/n)``: of a prime ``n``, 1 where it splits in the field of discriminant d, 0 ramified, -1 inert."""
    return int(kronecker_symbol(d, n))


@dataclass(frozen=True)
class Order:
    """The order of conductor ``f`` in the field of discriminant ``d``: ``Z + f O_K``.

    Args:
        d: a fundamental discriminant below zero.
        f: the conductor, at least 1.

    Raises:
        ArgumentError: ``d`` is not fundamental, or ``f`` not positive.

    >>> O = Order(-7, 6)
    >>> O.discriminant, O.class_number, O <= Order(-7, 2)
    (-252, 4, True)
    """

    d: int
    f: int = 1

    def __post_init__(self) -> None:
        if split_discriminant(self.d)[1] != 1:
            raise ArgumentError("d", "a fundamental discriminant", repr(self.d), f"its field has {split_discriminant(self.d)[0]}")
        if not isinstance(self.f, int) or isinstance(self.f, bool) or self.f < 1:
            raise ArgumentError("f", "a conductor of at least 1", repr(self.f))

    @classmethod
    def of_discriminant(cls, D: int) -> Order:
        """The order of discriminant ``D``."""
        return cls(*split_discriminant(D))

    @classmethod
    def of_frobenius(cls, q: int, trace: int) -> Order:
        """``Z[pi]`` of Frobenius with this trace over the field of ``q`` elements.

        Raises:
            ArgumentError: ``trace^2 > 4 q``; or Frobenius is a whole number, so that no quadratic field belongs to it.

        >>> Order.of_frobenius(67, 4)
        Order(d=-7, f=6)
        """
        if trace**2 >= 4 * q:
            hint = "Frobenius is a whole number: the endomorphisms are a maximal order of quaternions" if trace**2 == 4 * q else ""
            raise ArgumentError("trace", f"a whole number below 2 sqrt({q}) in size", repr(trace), hint)
        return cls.of_discriminant(trace**2 - 4 * q)

    @property
    def discriminant(self) -> int:
        return self.d * self.f**2

    @property
    def omega(self) -> tuple[int, int]:
        """Trace and norm of ``omega = (D + sqrt D)/2``, with which ``1`` spans the order."""
        D = self.discriminant
        return D, (D * D - D) // 4

    @cached_property
    def class_number(self) -> int:
        """The number of classes of invertible ideals: reduced forms counted up to -10^8, else from that of the maximal order.

        Raises:
            ArgumentError: the field's discriminant is beyond what is counted.
        """
        from erlangen.fields.curves.forms import count_reduced

        h = count_reduced(self.d)
        index = self.f
        for prime in factorint(self.f):
            index = index // prime * (prime - kronecker(self.d, prime))
        return h * index // self.unit_index

    @property
    def unit_index(self) -> int:
        """How many times more units the maximal order has: 3 below discriminant -3, 2 below -4, else 1."""
        return {-3: 3, -4: 2}.get(self.d, 1) if self.f > 1 else 1

    @property
    def units(self) -> int:
        """How many units it has."""
        return {-3: 6, -4: 4}.get(self.discriminant, 2)

    def __le__(self, other: Order) -> bool:
        """Whether it lies in the other one."""
        return self.d == other.d and self.f % other.f == 0

    def __add__(self, other: Order) -> Order:
        """The order that both generate: its conductor is the greatest common divisor."""
        from math import gcd

        return Order(self._same(other).d, gcd(self.f, other.f))

    def __and__(self, other: Order) -> Order:
        """What both have in common: its conductor is the least common multiple."""
        from math import lcm

        return Order(self._same(other).d, lcm(self.f, other.f))

    def _same(self, other: Order) -> Order:
        if self.d != other.d:
            raise ArgumentError("other", f"an order of the field of discriminant {self.d}", f"one of {other.d}")
        return self

    def overorders(self) -> list[Order]:
        """All orders that contain it, itself last."""
        return [Order(self.d, f) for f in divisors(self.f)]

    def smallest_norm(self) -> int:
        """The least norm of an element that is no whole number: the degree of the smallest endomorphism that is not in Z.

        >>> Order(-7).smallest_norm(), Order(-7, 2).smallest_norm()
        (2, 7)
        """
        D = -self.discriminant
        return D // 4 if D % 4 == 0 else (D + 1) // 4

    def split_primes(self, above: int = 1, avoiding: int = 1) -> Iterator[tuple[int, int]]:
        """Primes that split and are prime to the conductor, ascending, each with the ``b`` of its form ``(ell, b, c)``, ``0 < b <= ell``;
        ramified ones too, whose class has order two.

        Args:
            above: start after this.
            avoiding: leave out what divides this number.

        >>> primes = Order(-419, 2).split_primes()
        >>> [next(primes) for _ in range(3)]
        [(3, 2), (5, 2), (7, 2)]
        """
        D, ell = self.discriminant, max(above, 1)
        while True:
            ell += 1
            if isprime(ell) and self.f % ell and avoiding % ell and kronecker(D, ell) >= 0:
                yield ell, square_root(D, ell)


def check_prime(ell: int, argument: str = "ell") -> None:
    """Raise ArgumentError unless a number is prime."""
    if not isinstance(ell, int) or isinstance(ell, bool) or not isprime(ell):
        raise ArgumentError(argument, "a prime", repr(ell))


def square_root(D: int, ell: int) -> int:
    """The least ``b >= 0`` with ``b^2 = D mod 4 ell`` for a prime ``ell``.

    Raises:
        ArgumentError: ``ell`` is no prime, or there is none.
    """
    check_prime(ell)
    if ell == 2:
        found = [b for b in range(3) if (b * b - D) % 8 == 0]
    else:
        root = sqrt_mod(D % ell, ell)
        found = [] if root is None else sorted(b + ell * ((b - D) % 2) for b in {int(root), (-int(root)) % ell})
    if not found:
        raise ArgumentError("ell", f"a prime that does not stay prime in the order of discriminant {D}", repr(ell))
    return found[0]


def is_square(n: int) -> bool:
    return n >= 0 and isqrt(n) ** 2 == n
