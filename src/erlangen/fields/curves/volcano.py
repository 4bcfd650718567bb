"""Where a curve stands in its isogeny volcanoes: the order of its endomorphisms, and the volcano of one prime (Kohel 1996)."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from sympy import factorint

from erlangen.errors import ArgumentError, unsupported
from erlangen.fields.curves.engine import pari, whole
from erlangen.fields.curves.orders import Order, check_prime, kronecker

if TYPE_CHECKING:
    from erlangen.fields.curves.curve import Curve

#: Modular polynomials are asked for up to this prime.
LARGEST_PRIME = 300


def neighbour_invariants(p: int, j: int, ell: int) -> list[int]:
    """The roots of the modular polynomial of ``ell`` at ``j``, each as often as it is one, ascending."""
    gp = pari()
    poly = gp.polmodular(ell, 0, gp.Mod(j, p))
    found: list[int] = []
    for root in sorted(whole(r) for r in gp.polrootsmod(poly, p)):
        factor, rest = gp.Pol([1, -root], "y") * gp.Mod(1, p), poly
        while (divided := rest.divrem(factor))[1] == 0:
            found.append(root)
            rest = divided[0]
    return found


def _to_the_floor(p: int, j: int, ell: int, height: int) -> int:
    """How many steps down the floor of the volcano is: of three ways at least one goes straight down (Fouquet and Morain 2002)."""
    first = neighbour_invariants(p, j, ell)
    if len(first) <= 1:
        return 0
    ways = [(j, k) for k in islice(dict.fromkeys(first), 3)]
    for steps in range(1, height):
        following = []
        for before, here in ways:
            around = neighbour_invariants(p, here, ell)
            if len(around) <= 1:
                return steps
            around.remove(before)
            following.append((here, around[0]))
        ways = following
    return height


def endomorphism_order(E: Curve) -> Order:
    """The order of the endomorphisms of a curve that are defined over its field.

    For each prime that divides the conductor of ``Z[pi]``, how far the curve is above the floor of its volcano.

    Raises:
        UnsupportedError: a prime above 300 divides the conductor.

    >>> from erlangen.fields.curves import Curve
    >>> [Curve(67, j=j, trace=4).endomorphism_order().f for j in (42, 14, 33, 4)]
    [1, 2, 3, 6]
    """
    frobenius = E.frobenius_order
    if E.is_supersingular:  # the conductor is 1 or 2, and (pi - 1)/2 is an endomorphism where pi is the identity on the 2-torsion
        a, b = E.short
        halved = frobenius.f == 2 and len(pari().polrootsmod(pari().Pol([1, 0, a, b]), E.p)) == 3
        return Order(frobenius.d, 1 if halved else frobenius.f)
    if E.j in (0, 1728 % E.p):
        return Order(frobenius.d, 1)
    f = 1
    for ell, height in factorint(frobenius.f).items():
        if ell > LARGEST_PRIME:
            unsupported(
                f"{E} (its Frobenius has the conductor {frobenius.f}, which {ell} divides)",
                f"modular polynomial of at most {LARGEST_PRIME} for its level",
                "take a trace whose conductor has small primes; curves.walk needs no order",
            )
        f *= ell ** (height - _to_the_floor(E.p, E.j, ell, height))
    return Order(frobenius.d, f)


@dataclass(frozen=True)
class Volcano:
    """The curves that rational isogenies of one prime degree join to a curve.

    Attributes:
        ell: the degree.
        curves: each once, the given one first.
        levels: of each curve: how often ``ell`` divides the conductor of its endomorphisms, 0 on the crater.
        depth: the level of the floor.
        arrows: ``(from, to)`` for every rational kernel of order ``ell``, numbers of curves.
    """

    ell: int
    curves: list[Curve]
    levels: list[int]
    depth: int
    arrows: list[tuple[int, int]]

    def counts(self) -> dict[tuple[int, int], int]:
        """How many arrows lead from one level to another."""
        found: dict[tuple[int, int], int] = {}
        for a, b in self.arrows:
            pair = self.levels[a], self.levels[b]
            found[pair] = found.get(pair, 0) + 1
        return dict(sorted(found.items()))


def volcano(E: Curve, ell: int, *, largest: int = 2000) -> Volcano:
    """The volcano of a curve at a prime.

    Args:
        E: a curve.
        ell: a prime other than the field's.
        largest: so many curves are followed.

    Raises:
        ArgumentError: ``ell`` is the field's prime, or none.
        UnsupportedError: the volcano is larger.

    >>> from erlangen.fields.curves import Curve
    >>> found = volcano(Curve(67, j=42, trace=4), 2)
    >>> [(E.j, level) for E, level in zip(found.curves, found.levels)], found.counts()
    ([(42, 0), (14, 1)], {(0, 0): 2, (0, 1): 1, (1, 0): 1})
    """
    from erlangen.fields.curves.isogeny import isogenies

    curves, places, arrows, here = [E], {E: 0}, [], 0
    while here < len(curves):
        for phi in isogenies(curves[here], ell):
            there = places.setdefault(phi.codomain, len(curves))
            if there == len(curves):
                curves.append(phi.codomain)
                if len(curves) > largest:
                    unsupported(E, f"volcano of at most {largest} curves at {ell}", "ask for more with largest=")
            arrows.append((here, there))
        here += 1
    levels = [_power(curve.endomorphism_order().f, ell) for curve in curves]
    return Volcano(ell, curves, levels, _power(E.frobenius_order.f, ell), arrows)


def _power(n: int, ell: int) -> int:
    k = 0
    while n % ell == 0:
        n, k = n // ell, k + 1
    return k


def expected_neighbours(order: Order, frobenius: Order, ell: int) -> dict[str, int]:
    """How many rational isogenies of prime degree go level, up and down from a curve with these endomorphisms (``j`` not 0 or 1728).

    Below ``j`` 0 and 1728, whose units exchange kernels, the count of kernels is the same, and several lead to one curve.

    Raises:
        ArgumentError: the order does not contain Frobenius, or ``ell`` is no prime.
    """
    check_prime(ell)
    if not frobenius <= order:
        raise ArgumentError("order", f"an order that contains {frobenius}", repr(order))
    v, V = _power(order.f, ell), _power(frobenius.f, ell)
    symbol = kronecker(order.d, ell)
    level = 1 + symbol if v == 0 else 0
    up = int(v > 0)
    down = 0 if v == V else ell - symbol if v == 0 else ell
    return {"level": level, "up": up, "down": down}
