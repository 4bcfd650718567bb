"""Isogenies as elements of lattices, in whole numbers: the index theorem in rank two, and the degree form.

A curve with endomorphisms in an imaginary quadratic field stands for a lattice ``a``; ``Hom(E1, E2)`` is then ``(a2 : a1)``, and ``x`` in
it has degree ``[a2 : x a1]``. What holds of all lattices holds of all curves (Waterhouse 1969; Luo, Xiao and Deng, arXiv 2001.00126).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd, lcm

from erlangen.errors import ArgumentError
from erlangen.fields.curves.forms import Form
from erlangen.fields.curves.ideals import Lattice, Number
from erlangen.fields.curves.orders import Order
from erlangen.verdict import Verdict


def index_by_theorem(degree: int, order1: Order, order2: Order) -> int:
    """``[End(E2) : Hom(E1, E2) beta] = deg(beta) f1/gcd(f1, f2)`` of an isogeny ``beta`` from E2 to E1.

    Raises:
        ArgumentError: the degree is no whole number from 1 on, or the orders are of two fields.

    >>> index_by_theorem(2, Order(-7, 2), Order(-7, 1)), index_by_theorem(2, Order(-7, 1), Order(-7, 2))
    (4, 2)
    """
    if not isinstance(degree, int) or isinstance(degree, bool) or degree < 1:
        raise ArgumentError("degree", "a whole number of at least 1", repr(degree))
    return degree * order1.f // (order1 + order2).f


def homs(a1: Lattice, a2: Lattice) -> Lattice:
    """``Hom(E1, E2)`` of the curves of two lattices: ``{x : x a1 in a2}``.

    Raises:
        ArgumentError: the lattices are of two fields: there is no isogeny.
    """
    return a2.colon(a1)


def degree(x: Number, a1: Lattice, a2: Lattice) -> int:
    """``[a2 : x a1]``, the degree of ``x`` from the curve of ``a1`` to that of ``a2``.

    Raises:
        ArgumentError: ``x`` is zero, or takes ``a1`` out of ``a2``.
    """
    if not any(x) or not a1.scaled(x) <= a2:
        raise ArgumentError("x", "an element, not zero, of Hom(E1, E2)", repr(x))
    return int(a2.index(a1.scaled(x)))


def index_theorem(a1: Lattice, a2: Lattice, beta: Number) -> Verdict:
    """Whether the index of ``Hom(E1, E2) beta`` in ``End(E2)``, counted as lattices, is the theorem's.

    Args:
        a1, a2: lattices of one field.
        beta: an element of ``Hom(E2, E1)``, not zero.

    >>> one, two = Lattice.of_order(Order(-7, 1)), Lattice.of_order(Order(-7, 2))
    >>> index_theorem(one, two, (2, 0))["index"], index_theorem(two, one, (2, 0))["index"]
    (8, 4)
    """
    deg = degree(beta, a2, a1)
    ring = Lattice.of_order(a2.order)
    ideal = homs(a1, a2).scaled(beta)
    index, formula = ring.index(ideal), index_by_theorem(deg, a1.order, a2.order)
    return Verdict(
        ideal <= ring and index == formula,
        f"[End(E2) : Hom(E1, E2) beta] = deg(beta) f1/g for conductors {a1.order.f} and {a2.order.f}",
        how="exact",
        numbers={"index": int(index) if index.denominator == 1 else float(index), "formula": formula, "degree": deg},
        witness=ideal,
    )


@dataclass(frozen=True)
class DegreeForm:
    """The degrees of isogenies between two curves: ``factor`` times a primitive form.

    >>> found = degree_form_of(Order(-7, 2), Order(-7, 3), Form(1, 1, 2))
    >>> found.factor, found.minimum, sorted(found.values(30))
    (6, 6, [6, 12, 24])
    """

    factor: int
    form: Form

    def __call__(self, x: int, y: int) -> int:
        return self.factor * self.form(x, y)

    @property
    def minimum(self) -> int:
        """The smallest degree of an isogeny, zero left out."""
        return self.factor * self.form.reduced().a

    @property
    def bound(self) -> float:
        """What the minimum cannot exceed: ``factor sqrt(|D|/3)``."""
        return float(self.factor * (-self.form.discriminant / 3) ** 0.5)

    def values(self, largest: int) -> set[int]:
        """All degrees up to ``largest``."""
        return {self.factor * v for v in self.form.values(largest // self.factor)}


def degree_form_of(order1: Order, order2: Order, form: Form) -> DegreeForm:
    """``deg = (l/g) Q`` of two curves with these endomorphisms: ``g`` and ``l`` are the greatest common divisor and the least common
    multiple of the conductors, and ``Q`` has discriminant ``g^2 d``.

    Raises:
        ArgumentError: the orders are of two fields, or the form is of another discriminant.
    """
    common = order1 + order2
    if form.discriminant != common.discriminant or form.content != 1:
        raise ArgumentError("form", f"a primitive form of discriminant {common.discriminant}", repr(form))
    return DegreeForm(lcm(order1.f, order2.f) // gcd(order1.f, order2.f), form.reduced())
