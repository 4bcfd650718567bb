"""The dictionary between isogenies from a curve and ideals of its endomorphisms (Waterhouse 1969; Luo, Xiao and Deng, arXiv 2001.00126)."""

from __future__ import annotations

from typing import Any

from sympy import factorint

from erlangen.errors import ArgumentError
from erlangen.fields.curves.curve import Curve
from erlangen.fields.curves.engine import pari
from erlangen.fields.curves.ideals import Ideal, Lattice
from erlangen.fields.curves.isogeny import Isogeny
from erlangen.fields.curves.kernels import division_polynomial, eigen_kernel
from erlangen.fields.curves.torsion import Torsion


def eigenvalue(E: Curve, ell: int, b: int) -> int:
    """What Frobenius is on the points that ``(ell, (-b + sqrt D)/2)`` kills, ``ell`` odd and prime to the conductor of ``Z[pi]``."""
    m = E.frobenius_order.f // E.endomorphism_order().f
    return (E.trace + m * b) * pow(2, -1, ell) % ell if ell > 2 else 1


def ideal_isogeny(E: Curve, ideal: Ideal) -> Isogeny:
    """The quotient by all points that an ideal kills, ``E -> E/E[I]``; its degree is the norm, and the endomorphisms of what it leads to
    are the multipliers ``(I : I)``.

    Norms prime to the conductor of ``Z[pi]`` are taken in steps of prime degree; what shares primes with it, by explicit points.

    Args:
        E: a curve.
        ideal: of ``E.endomorphism_order()``, invertible or not.

    Raises:
        ArgumentError: an ideal of another order, or of a norm that the field's prime divides.

    >>> from erlangen.fields.curves import Ideal
    >>> E = Curve.montgomery(419, 0)
    >>> phi = ideal_isogeny(E, Ideal.prime(E.endomorphism_order(), 3, 2))
    >>> phi.degree, phi.codomain.montgomery_coefficient
    (3, 158)
    """
    if not isinstance(E, Curve):
        raise ArgumentError("E", "a Curve", repr(E))
    order = E.endomorphism_order()
    if not isinstance(ideal, Ideal) or ideal.order != order:
        raise ArgumentError("ideal", f"an ideal of {order}, the endomorphisms of {E}", repr(ideal))
    if ideal.norm % E.p == 0:
        raise ArgumentError("ideal", f"one of a norm that {E.p} does not divide", f"norm {ideal.norm}")
    phi: Isogeny | None = None
    while True:
        step, rest = _part(E, ideal)
        phi = step if phi is None else step @ phi
        if rest is None:
            return phi
        E, ideal = step.codomain, rest


def _part(E: Curve, ideal: Ideal) -> tuple[Isogeny, Ideal | None]:
    """The quotient by one prime's part, and the ideal that is left, of the order that comes next."""
    order, n = ideal.order, ideal.norm
    if n == 1:
        return Isogeny(E, None), None
    ell, power = min(factorint(n).items())
    if E.frobenius_order.f % ell:
        part = Ideal(order, ideal.lattice + Ideal.whole(order, ell).lattice)
        kernel = eigen_kernel(E, ell, eigenvalue(E, ell, _b(part, ell))) if part.norm == ell else division_polynomial(E, ell)
        rest = Ideal(order, ideal.lattice.colon(part.lattice))
    else:
        part = Ideal(order, ideal.lattice + Ideal.whole(order, ell**power).lattice)
        (size, _), _ = part.coordinates
        kernel = ideal_kernel(E, part, size)
        above = part.multipliers
        other = ideal.lattice + Ideal.whole(order, n // ell**power).lattice
        rest = Ideal(above, other * Lattice.of_order(above))
    phi = Isogeny._made(E, kernel)
    phi.codomain._order = part.multipliers
    return phi, (rest if rest.norm > 1 else None)


def _b(ideal: Ideal, ell: int) -> int:
    """``b`` of an ideal ``(ell, (-b + sqrt D)/2)`` of prime norm."""
    order = ideal.order
    for b in range(2 * ell):
        if (b * b - order.discriminant) % (4 * ell) == 0 and Ideal.prime(order, ell, b) == ideal:
            return b
    raise ArithmeticError(f"{ideal} is not of the form (ell, (-b + sqrt D)/2)")


def _endomorphisms(ideal: Ideal) -> list[tuple[int, int]]:
    """A basis ``x + y omega`` with ``omega = (D + sqrt D)/2`` of its order."""
    d, f = ideal.order.d, ideal.order.f
    # f w = (f d + sqrt D)/2 = omega + (f d - D)/2
    return [(x + y * (f * d - f * f * d) // 2, y) for x, y in ideal.coordinates]


def ideal_kernel(E: Curve, ideal: Ideal, size: int) -> Any:
    """The polynomial of the points that an ideal kills, found among those that ``size``, a number in the ideal, kills."""
    torsion = Torsion(E, size)
    return torsion.polynomial(torsion.killed_by(_endomorphisms(ideal)))


def kernel_ideal(phi: Isogeny) -> Ideal:
    """``I = {alpha in End(E) : alpha(ker phi) = 0}`` of an isogeny from E: ``Hom(E1, E) phi`` where it leads to E1.

    By explicit points; of an odd prime degree that does not divide the conductor of ``Z[pi]``, by the eigenvalue of Frobenius.

    >>> from erlangen.fields.curves import isogenies
    >>> E = Curve(67, j=42, trace=4)
    >>> [(phi.codomain.j, phi.kernel_ideal().norm) for phi in isogenies(E, 2)]
    [(14, 4), (42, 2), (42, 2)]
    """
    E, n = phi.domain, phi.degree
    order = E.endomorphism_order()
    if len(factors := factorint(n)) == 1 and factors.get(n) == 1 and n > 2 and E.frobenius_order.f % n:
        for b in range(n + 1):
            if (b * b - order.discriminant) % (4 * n) == 0:
                for sign in (b, -b):
                    if eigen_kernel(E, n, eigenvalue(E, n, sign)) == phi._poly:
                        return Ideal.prime(order, n, sign)
    torsion = Torsion(E, n)
    one = pari().Mod(1, E.p)
    kernel = [v for v, x in torsion._x.items() if (phi._poly * one).subst("x", x) == 0]
    d, f = order.d, order.f
    shift = (f * d - f * f * d) // 2  # omega = f w - shift
    numbers = [(x - y * shift, y * f) for x, y in torsion.killing(kernel)]
    return Ideal(order, Lattice.spanned(d, [*numbers, (n, 0), (0, n * f)]))
