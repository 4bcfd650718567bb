"""Walks on isogeny graphs along prime ideals: many steps, without the isogenies between."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from erlangen.errors import ArgumentError
from erlangen.fields.curves.curve import Curve
from erlangen.fields.curves.kernels import check_eigenvalue, quotient, short_kernel


def walk(E: Curve, steps: Iterable[tuple[int, int]]) -> list[Curve]:
    """The curves that steps of prime degree lead to, one after another: ``E / E[(ell, pi - lam)]`` for each ``(ell, lam)``.

    A step of degree ``ell`` costs O(ell) operations of the field where ``lam`` is 1 or -1 (all of CSIDH's); else a power ``x^p`` modulo a
    polynomial of degree ``(ell^2 - 1)/2``. Neither the order of the endomorphisms nor a class group is needed.

    Args:
        E: the first curve, not part of the answer.
        steps: primes that do not divide the conductor of ``Z[pi]``, each with an eigenvalue of Frobenius. The conjugate ideal, which
            goes back, has the eigenvalue ``trace - lam``.

    Raises:
        ArgumentError: not a curve, a step is no such pair, ``ell`` is not such a prime, or ``lam`` no eigenvalue.

    >>> E = Curve.montgomery(419, 0)
    >>> [curve.montgomery_coefficient for curve in walk(E, [(3, 1), (3, 1), (3, -1)])]
    [158, 410, 158]
    """
    if not isinstance(E, Curve):
        raise ArgumentError("E", "a Curve", repr(E))
    p, trace, (a, b) = E.p, E.trace, E.short
    order = getattr(E, "_order", None)  # level steps keep it
    found = []
    for step in steps:
        if not isinstance(step, Sequence) or len(step) != 2 or not all(isinstance(k, int) for k in step):
            raise ArgumentError("steps", "pairs (ell, eigenvalue) of whole numbers", repr(step))
        ell, eigenvalue = step
        lam = check_eigenvalue(p, trace, ell, eigenvalue)
        a, b = quotient(p, a, b, short_kernel(p, a, b, trace, ell, lam), ell)
        found.append(Curve._made(p, (a, b), trace, order))
    return found
