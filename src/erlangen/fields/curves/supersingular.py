"""Rank four: left ideals of a maximal order of quaternions, one for each supersingular curve, and the isogenies between them.

Left ideals ``I`` of a fixed maximal order stand for the curves; ``Hom(E1, E2)`` is ``conj(I2) I1 / N(I2)``, in which ``x`` has degree
``nrd(x) N(I2)/N(I1)`` (Kohel 1996; Voight, Quaternion algebras, chapter 42). Every left ideal is a kernel ideal here.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import product

from erlangen.errors import ArgumentError
from erlangen.fields.curves.quaternions import Algebra, Quaternion, QuaternionLattice, reduced_rows
from erlangen.verdict import Verdict


def left_ideals(ideal: QuaternionLattice, ell: int) -> list[QuaternionLattice]:
    """The ``ell + 1`` left ideals of index ``ell^2`` in a left ideal, for a prime ``ell`` at which the algebra does not ramify."""
    found: list[QuaternionLattice] = []
    order, rows, unit = ideal.left_order(), ideal.rows, int(ideal.norm * ideal.n**2)
    inner = ideal.scaled(ell)
    for k in product(range(ell), repeat=4):
        x = [sum(a * v[c] for a, v in zip(k, rows)) for c in range(4)]
        if any(k) and ideal.algebra.norm(x) // unit % ell == 0:
            below = order.times([Fraction(c, ideal.n) for c in x]) + inner
            if below not in found:
                found.append(below)
                if len(found) == ell + 1:
                    break
    return found


def equivalent(one: QuaternionLattice, other: QuaternionLattice) -> bool:
    """Whether two left ideals of one order are one times an element on the right: their curves are isomorphic."""
    return (one.conjugate() * other).shortest()[0] == 1


def left_classes(p: int) -> list[QuaternionLattice]:
    """One left ideal of a maximal order for each class, the order first, found along ideals of norm two (three where ``p`` is 2).

    >>> [len(left_classes(p)) for p in (11, 37)]
    [2, 3]
    """
    order = Algebra(p).maximal_order
    found, here = [order], 0
    while here < len(found):
        for ideal in left_ideals(found[here], 2 if p != 2 else 3):
            if not any(equivalent(ideal, other) for other in found):
                found.append(ideal)
        here += 1
    return found


def mass(classes: list[QuaternionLattice]) -> Fraction:
    """The sum of one over the units of each right order: ``(p - 1)/24`` of all classes (Eichler), which proves that none is missing."""
    return sum((Fraction(1, unit_count(ideal.right_order())) for ideal in classes), Fraction(0))


def unit_count(order: QuaternionLattice) -> int:
    """How many elements of norm one a maximal order has."""
    _, gram = reduced_rows(order.rows, [[v // order.n**2 for v in row] for row in order.gram])
    # Over a reduced basis the vectors of norm one have coefficients up to 2.
    return sum(
        sum(a * b * gram[i][j] for i, a in enumerate(k) for j, b in enumerate(k)) == 2 for k in product(range(-2, 3), repeat=4)
    )


def quaternion_homs(I1: QuaternionLattice, I2: QuaternionLattice) -> QuaternionLattice:
    """``Hom(E1, E2)`` of the curves of two left ideals of one order."""
    return (I2.conjugate() * I1).scaled(1 / I2.norm)


def quaternion_degree(x: Quaternion, I1: QuaternionLattice, I2: QuaternionLattice) -> int:
    """The degree of ``x`` in ``Hom(E1, E2)``.

    Raises:
        ArgumentError: ``x`` is zero or not in it.
    """
    homs = quaternion_homs(I1, I2)
    if not any(x) or homs + QuaternionLattice.spanned(I1.algebra, [*homs.basis, x]) != homs:
        raise ArgumentError("x", "an element, not zero, of Hom(E1, E2)", repr(x))
    return int(I1.algebra.norm(x) * I2.norm / I1.norm)


def quaternion_min_degree(I1: QuaternionLattice, I2: QuaternionLattice) -> int:
    """The smallest degree of an isogeny from E1 to E2, zero left out; 1 where they are isomorphic."""
    return (I2.conjugate() * I1).shortest()[0]


def quaternion_index_theorem(I1: QuaternionLattice, I2: QuaternionLattice, beta: Quaternion) -> Verdict:
    """Whether ``[End(E2) : Hom(E1, E2) beta] = deg(beta)^2``, and the ideal has reduced norm ``deg(beta)``; ``beta`` in ``Hom(E2, E1)``.

    >>> E1, E2 = left_classes(11)
    >>> beta = quaternion_homs(E2, E1).shortest()[1]
    >>> found = quaternion_index_theorem(E1, E2, beta)
    >>> found.holds, found["degree"], found["index"]
    (True, 2, 4)
    """
    deg = quaternion_degree(beta, I2, I1)
    ring, ideal = I2.right_order(), quaternion_homs(I1, I2).times(beta)
    index = ring.index(ideal)
    return Verdict(
        ideal <= ring and ring * ideal == ideal and index == deg**2 and ideal.norm == deg,
        "[End(E2) : Hom(E1, E2) beta] = deg(beta)^2 and nrd = deg(beta)",
        how="exact",
        numbers={"index": int(index), "degree": deg, "norm": float(ideal.norm)},
        witness=ideal,
    )
