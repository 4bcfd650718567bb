"""A walk along prime ideals as a user of PARI writes it down, without anything of ours: the rival in speed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from erlangen.extras import engine


def bare_walk(p: int, a: int, b: int, trace: int, way: Iterable[tuple[int, int]]) -> list[int]:
    """Where steps ``(ell, eigenvalue)`` lead from ``y^2 = x^3 + a x + b``: ``[a1, a2, a3, a4, a6]`` of the last curve.

    Kernels are points where Frobenius is 1, points of the twist where it is -1, else a greatest common divisor with the division
    polynomial; quotients are ``ellisogeny``'s. Degrees that divide the trace are taken at the eigenvalues 1 and -1 only: at others both
    kernels have one greatest common divisor.
    """
    pari = engine("isogeny", "cypari").pari
    one, x = pari.Mod(1, p), pari("'x")
    d = next(d for d in range(2, p) if pow(d, (p - 1) // 2, p) == p - 1)
    here = [0, 0, 0, a, b]
    for ell, lam in way:
        E = pari.ellinit(here, p)
        if lam == 1:
            kernel = _point(E, ell, p + 1 - trace)
        elif lam == ell - 1:
            twisted = pari.ellinit([0, 0, 0, here[3] * d * d, here[4] * d**3], p)
            P = _point(twisted, ell, p + 1 + trace)
            kernel, Q = (x - P[0] / d) * one, P
            for _ in range((ell - 3) // 2):
                Q = twisted.elladd(Q, P)
                kernel *= x - Q[0] / d
        else:
            kernel = _common(E, here, p, ell, lam)
        here = [int(c.lift()) if c.type() == "t_INTMOD" else int(c) for c in E.ellisogeny(kernel, 1)]
    return here


def _point(E: Any, ell: int, count: int) -> Any:
    """A point of order ``ell`` of a curve of so many points."""
    while count % ell == 0:
        count //= ell
    for start in range(10**6):
        y = E.ellordinate(start)
        if len(y):
            kernel, P = None, E.ellmul([start, y[0]], count)
            while len(P) > 1:
                kernel, P = P, E.ellmul(P, ell)
            if kernel is not None:
                return kernel
    raise ArithmeticError(f"no point of order {ell} among the first")


def _common(E: Any, here: list[int], p: int, ell: int, lam: int) -> Any:
    """The polynomial of the points where ``x^p`` is the ``x`` of ``lam`` times the point."""
    pari = engine("isogeny", "cypari").pari
    one, x = pari.Mod(1, p), pari("'x")
    psi, k = E.elldivpol(ell) * one, min(lam, ell - lam)
    below, at, above = (pari.Mod(E.elldivpol(n) * one, psi) for n in (k - 1, k, k + 1))
    curve, t = pari.Mod(pari.Pol([1, 0, here[3], here[4]]) * one, psi), pari.Mod(x * one, psi)
    moved = t**p - t
    missed = moved * (4 * curve * at**2) + below * above if k % 2 else moved * at**2 + 4 * curve * below * above
    kernel = psi.gcd(missed.lift())
    return kernel / kernel.pollead()
