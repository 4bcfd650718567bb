"""Kernels of prime degree as polynomials in ``x``: those that a field has, and the one where Frobenius has a given eigenvalue."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sympy import isprime

from erlangen.errors import ArgumentError
from erlangen.fields.curves.engine import pari, whole
from erlangen.fields.curves.orders import kronecker

if TYPE_CHECKING:
    from erlangen.fields.curves.curve import Curve


def check_prime(ell: int, p: int, argument: str = "ell") -> None:
    """Raise ArgumentError unless ``ell`` is a prime other than ``p``."""
    if not isinstance(ell, int) or isinstance(ell, bool) or not isprime(ell) or ell == p:
        raise ArgumentError(argument, f"a prime other than {p}, the field's characteristic", repr(ell))


def division_polynomial(E: Curve, n: int) -> Any:
    """The monic polynomial of the ``x`` of all points, not zero, that ``n`` kills, each once."""
    gp, gen = pari(), E.gen
    one = gp.Mod(1, E.p)
    if n % 2:
        poly = gen.elldivpol(n) * one
        return poly / poly.pollead()
    two = gen.elldivpol(2) * one
    poly = gen.elldivpol(n) * one
    if n > 2:  # an even one holds the points of order two twice
        poly = poly / two
    return poly / poly.pollead()


def rational_kernels(E: Curve, ell: int) -> list[Any]:
    """The polynomials of all subgroups of prime order that Frobenius keeps.

    A factor of the division polynomial gives one ``x``, in the field that it makes; the multiples of the point give the others, and the
    subgroup is rational where the product of all has coefficients in the small field.
    """
    gp, p = pari(), E.p
    check_prime(ell, p)
    psi = division_polynomial(E, ell)
    factors = psi.factor()[0]
    if ell == 2:
        return [f for f in factors if f.poldegree() == 1]
    half, found = (ell - 1) // 2, []
    X, z = gp("'x"), gp("'z")  # PARI's polynomials in z are coefficients of those in x, not the other way round
    for f in factors:
        d = int(f.poldegree())
        if half % d:
            continue
        x = gp.Mod(z, f.subst("x", z))
        kernel = gp.Mod(1, p)
        for k in range(1, half + 1):
            kernel = kernel * (X - multiple_x(E, k, x))
        coefficients = [c.lift() if c.type() == "t_POLMOD" else c for c in kernel.Vec()]
        if all(c.poldegree() <= 0 for c in coefficients):
            poly = gp.Pol([c.polcoef(0) if c.type() == "t_POL" else c for c in coefficients]) * gp.Mod(1, p)
            if poly not in found:
                found.append(poly)
    return found


def multiple_x(E: Curve, k: int, x: Any) -> Any:
    """The ``x`` of ``k`` times a point of which ``x`` is given, in whatever ring it is."""
    if k == 1:
        return x
    gen, (b2, b4, b6, _) = E.gen, E._b
    before, here, after = (gen.elldivpol(n).subst("x", x) for n in (k - 1, k, k + 1))
    two_squared = 4 * x**3 + b2 * x**2 + 2 * b4 * x + b6
    # The polynomial of an even n is psi_n times psi_2.
    if k % 2:
        return x - before * after / (two_squared * here**2)
    return x - before * after * two_squared / here**2


def check_eigenvalue(p: int, trace: int, ell: int, eigenvalue: int) -> int:
    """The eigenvalue modulo ``ell``.

    Raises:
        ArgumentError: ``ell`` is no prime, the field's, or divides the conductor of ``Z[pi]``; or the eigenvalue is none.
    """
    check_prime(ell, p)
    lam = eigenvalue % ell
    if (lam * lam - trace * lam + p) % ell:
        raise ArgumentError("eigenvalue", f"a root of X^2 - {trace} X + {p} modulo {ell}", repr(eigenvalue))
    D = trace * trace - 4 * p
    if D % (ell * ell) == 0 and (ell > 2 or D // 4 % 4 in (0, 1)):
        raise ArgumentError("ell", "a prime that does not divide the conductor of Z[pi]", repr(ell), "take isogenies(E, ell)")
    return lam


def eigen_kernel(E: Curve, ell: int, eigenvalue: int) -> Any:
    """The polynomial of the points of prime order ``ell`` that Frobenius multiplies by ``eigenvalue``.

    Raises:
        ArgumentError: as :func:`check_eigenvalue` says.
    """
    gp, p = pari(), E.p
    lam = check_eigenvalue(p, E.trace, ell, eigenvalue)
    kernel = short_kernel(p, *E.short, E.trace, ell, lam)
    if isinstance(kernel, list):
        x, poly = gp("'x"), gp.Mod(1, p)
        for r in kernel:
            poly = poly * (x - r)
        kernel = poly
    moved = E._b[0] * pow(12, -1, p) if any(E.a[:3]) else 0  # the x of the short curve is x + b2/12
    return kernel.subst("x", gp("'x") + moved % p) if moved else kernel


def short_kernel(p: int, a: int, b: int, trace: int, ell: int, lam: int) -> Any:
    """The points where Frobenius is ``lam``, of ``y^2 = x^3 + a x + b``: their ``x`` as a list, or the polynomial that has them as roots.

    Rational points of the curve where ``lam`` is 1, of its twist where it is -1, else the points at which ``x^p`` is the ``x`` of the
    multiple: a greatest common divisor with the division polynomial. Nothing is drawn at random.
    """
    gp = pari()
    if ell == 2:
        return [whole(r) for r in gp.polrootsmod(gp.Pol([1, 0, a, b]), p)][:1]
    if lam == 1:
        gen = gp.ellinit([a, b], p)
        return _multiples(gen, _of_order(gen, ell, p + 1 - trace), ell)
    if lam == ell - 1:
        d = next(d for d in range(2, p) if kronecker(d, p) == -1)
        gen = gp.ellinit([d * d * a, d**3 * b], p)
        inverse = pow(d, -1, p)
        return [x * inverse % p for x in _multiples(gen, _of_order(gen, ell, p + 1 + trace), ell)]
    gen = gp.ellinit([a, b], p)
    one = gp.Mod(1, p)
    psi = gen.elldivpol(ell) * one
    k = min(lam, ell - lam)
    x = gp.Mod(gp("'x") * one, psi)
    below, here, above = (gp.Mod(gen.elldivpol(n) * one, psi) for n in (k - 1, k, k + 1))
    curve = gp.Mod(gp.Pol([1, 0, a, b]) * one, psi)
    # psi_n is f_n for odd n and f_n / (2 y) for even n, and x(k P) = x - psi_{k-1} psi_{k+1} / psi_k^2
    if k == 1:
        missed = x**p - x
    elif k % 2:
        missed = (x**p - x) * (4 * curve * here**2) + below * above
    else:
        missed = (x**p - x) * here**2 + 4 * curve * below * above
    kernel = psi.gcd(missed.lift())
    if int(kernel.poldegree()) > (ell - 1) // 2:  # the other eigenvalue is -lam: y tells them apart
        x = gp.Mod(gp("'x") * one, kernel)
        curve = gp.Mod(gp.Pol([1, 0, a, b]) * one, kernel)
        here, twice = (gp.Mod(gen.elldivpol(n) * one, kernel) for n in (lam, 2 * lam))
        # y(n P)/y = f_2n / (4 curve psi_n^4)
        fourth = here**4 if lam % 2 else here**4 / (16 * curve**2)
        missed = curve ** ((p - 1) // 2) * (4 * curve * fourth) - twice
        kernel = kernel.gcd(missed.lift())
    return kernel / kernel.pollead()


def _of_order(gen: Any, ell: int, count: int) -> Any:
    """A point of prime order of a curve of ``count`` points whose ``ell``-part is cyclic, from the least ``x`` that gives one."""
    while count % ell == 0:
        count //= ell
    x = 0
    while True:
        y = gen.ellordinate(x)
        x += 1
        if not len(y):
            continue
        found, P = None, gen.ellmul([x - 1, y[0]], count)
        while len(P) > 1:
            found, P = P, gen.ellmul(P, ell)
        if found is not None:
            return found


def _multiples(gen: Any, P: Any, ell: int) -> list[int]:
    """The ``x`` of ``P, 2 P, ..., (ell - 1)/2 P``."""
    xs, Q = [whole(P[0])], P
    for _ in range((ell - 3) // 2):
        Q = gen.elladd(Q, P)
        xs.append(whole(Q[0]))
    return xs


def quotient(p: int, a: int, b: int, kernel: Any, ell: int) -> tuple[int, int]:
    """``y^2 = x^3 + a x + b`` by a kernel of prime order, after Velu (1971) and Kohel: from the sums of powers of the ``x``.

    Args:
        kernel: a list of ``x``, or a monic polynomial of PARI.
    """
    if ell == 2:
        x = kernel[0] if isinstance(kernel, list) else -whole(kernel.polcoef(0)) % p
        v = 3 * x * x + a
        return (a - 5 * v) % p, (b - 7 * x * v) % p
    d = (ell - 1) // 2
    if isinstance(kernel, list):
        s1, s2, s3 = (sum(pow(x, k, p) for x in kernel) for k in (1, 2, 3))
    else:
        e1, e2, e3 = (whole(kernel.polcoef(d - k)) * (-1) ** k if d >= k else 0 for k in (1, 2, 3))
        s1, s2 = e1, e1 * e1 - 2 * e2
        s3 = e1**3 - 3 * e1 * e2 + 3 * e3
    v, w = 6 * s2 + 2 * a * d, 10 * s3 + 6 * a * s1 + 4 * b * d
    return (a - 5 * v) % p, (b - 7 * w) % p
