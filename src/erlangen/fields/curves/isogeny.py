"""Separable isogenies given by their kernels: images of points, duals, products, and the ideals that belong to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from erlangen.errors import ArgumentError, unsupported
from erlangen.fields.curves.curve import Curve, Point, _point
from erlangen.fields.curves.engine import pari, whole
from erlangen.fields.curves.kernels import division_polynomial, rational_kernels

if TYPE_CHECKING:
    from erlangen.fields.curves.ideals import Ideal


#: Kernels of points up to this order are listed.
LARGEST_KERNEL = 20_000


class Isogeny:
    """The isogeny with a given kernel.

    Args:
        domain: where it starts.
        kernel: a rational point ``(x, y)``, a tuple, which generates it; or the monic polynomial of the ``x`` of its points, each once, as
            a list of coefficients from the constant one on.
        codomain: a curve isomorphic to the quotient, to end at; by default the quotient that Velu's formulas make.
        scaling: with ``codomain``: the factor by which the isogeny moves the invariant differential, which decides between automorphisms.

    Attributes:
        domain, codomain: the curves.
        degree: the order of the kernel.
        kernel: the polynomial, as such a list.
        scaling: see above; 1 of a quotient.

    Raises:
        ArgumentError: the point is not on the curve; the polynomial is not that of a subgroup; the field's prime divides the degree; the
            codomain is not isomorphic to the quotient.
        UnsupportedError: the point has an order above 20 000.

    >>> E = Curve(67, j=42, trace=4)
    >>> phi = isogenies(E, 2)[0]
    >>> phi.degree, phi.codomain.trace, (phi.dual() @ phi).degree
    (2, 4, 4)
    >>> P = next(E.points())
    >>> phi.dual()(phi(P)) == E.multiply(2, P)
    True
    """

    def __init__(
        self, domain: Curve, kernel: Point | list[int], *, codomain: Curve | None = None, scaling: int | None = None
    ) -> None:
        if not isinstance(domain, Curve):
            raise ArgumentError("domain", "a Curve", repr(domain))
        if kernel is None:
            poly = pari().Mod(1, domain.p) * pari()("'x") ** 0
        elif isinstance(kernel, tuple):
            poly = _of_point(domain, kernel)
        else:
            if (
                not isinstance(kernel, list)
                or not all(isinstance(c, int) for c in kernel)
                or not kernel
                or kernel[-1] % domain.p != 1
            ):
                raise ArgumentError("kernel", "a point (x, y), or a list of whole coefficients, the last one 1", repr(kernel))
            poly = _polynomial(kernel, domain.p)
        self._set(domain, poly)
        self._check()
        if codomain is not None:
            self._end_at(codomain, scaling)

    @classmethod
    def _made(cls, domain: Curve, poly: Any) -> Isogeny:
        """One whose kernel is known to be a subgroup."""
        made = cls.__new__(cls)
        made._set(domain, poly)
        return made

    def _set(self, domain: Curve, poly: Any) -> None:
        gp = pari()
        self.domain, self._poly, self.scaling = domain, poly, 1
        size = int(poly.poldegree())
        two = 0 if size <= 0 else int(poly.gcd(domain.gen.elldivpol(2) * gp.Mod(1, domain.p)).poldegree())
        self.degree = 1 + two + 2 * (size - two)
        if self.degree % domain.p == 0:
            hint = "Frobenius and its dual have no kernel that points show"
            raise ArgumentError("kernel", f"one of an order that {domain.p} does not divide", f"order {self.degree}", hint)
        if self.degree == 1:
            self._velu: Any = None
            self.codomain = domain
            return
        try:
            self._velu = domain.gen.ellisogeny(poly)
        except Exception as failed:  # PARI refuses some polynomials that are no kernels
            raise ArgumentError("kernel", "the polynomial of a subgroup", f"{self.kernel}", str(failed)) from None
        self.codomain = Curve._made(domain.p, [whole(c) for c in self._velu[0]], domain.trace)
        self._change = (1, 0, 0, 0)

    def _check(self) -> None:
        """Raise unless the images of points lie on the quotient: a polynomial identity, which fails unless the kernel is a subgroup."""
        if self.degree == 1:
            return
        if int(self._poly.gcd(self._poly.deriv()).poldegree()):  # a double x would count its points twice
            raise ArgumentError("kernel", "the x of its points, each once", f"{self.kernel}, which has one several times")
        x, y = pari()("'x"), pari()("'y")
        a1, a2, a3, a4, a6 = self.domain.a
        if self.codomain.discriminant:
            f, g, h = self._velu[1]
            c1, c2, c3, c4, c6 = self.codomain.a
            one = pari().Mod(1, self.domain.p)
            equation = g**2 + c1 * f * g * h + c3 * g * h**3 - f**3 - c2 * f**2 * h**2 - c4 * f * h**4 - c6 * h**6
            curve = y**2 + (a1 * x + a3) * y - (x**3 + a2 * x**2 + a4 * x + a6)
            # As a polynomial in y of degree two over those in x, modulo the curve.
            c = [equation.polcoef(k, y) * one for k in range(3)]
            slope, constant = curve.polcoef(1, y), curve.polcoef(0, y)
            if c[1] - c[2] * slope == 0 and c[0] - c[2] * constant == 0:
                return
        raise ArgumentError("kernel", "the polynomial of a subgroup that Frobenius keeps", f"{self.kernel}")

    def _end_at(self, codomain: Curve, scaling: int | None) -> None:
        """Follow the quotient by an isomorphism onto ``codomain``."""
        if codomain != self.codomain:
            raise ArgumentError("codomain", f"a curve isomorphic over the field to {self.codomain}", repr(codomain))
        found = isomorphisms(self.codomain, codomain)
        fits = [c for c in found if scaling is None or c[0] == scaling % self.domain.p]
        if not fits:
            raise ArgumentError("scaling", f"one of {sorted(c[0] for c in found)}", repr(scaling))
        if self.degree == 1:
            self._change = (1, 0, 0, 0)
        self._change, self.codomain, self.scaling = fits[0], codomain, fits[0][0]

    @property
    def kernel(self) -> list[int]:
        return [whole(c) for c in reversed(list(self._poly.Vec()))]

    def __call__(self, P: Point) -> Point:
        """The image of a rational point.

        Raises:
            ArgumentError: it is not on the domain.
        """
        self.domain.check(P)
        if P is None:
            return None
        gp, p = pari(), self.domain.p
        if self._velu is None:
            return _moved(P, self._change, p) if self.scaling != 1 else P
        one = gp.Mod(1, p)
        image = _point(self._velu[1].ellisogenyapply([P[0] * one, P[1] * one]))
        return image if self._change == (1, 0, 0, 0) else _moved(image, self._change, p)

    def __matmul__(self, first: Isogeny) -> Isogeny:
        """``self @ first``: first the one on the right. Degrees multiply.

        Raises:
            ArgumentError: ``first`` does not end where this one starts.
        """
        if not isinstance(first, Isogeny) or first.codomain.a != self.domain.a:
            raise ArgumentError("first", f"an isogeny that ends at {self.domain}", repr(first))
        poly = first._poly
        if self.degree > 1:
            over, under = first._x_map()
            size = int(self._poly.poldegree())
            pulled = sum((self._poly.polcoef(k) * over**k * under ** (size - k) for k in range(size + 1)), pari()(0))
            poly = _distinct(poly * pulled)
        made = Isogeny._made(first.domain, poly)
        made._end_at(self.codomain, self.scaling * first.scaling % self.domain.p)
        return made

    def _x_map(self) -> tuple[Any, Any]:
        """The image's ``x`` as a quotient of two polynomials."""
        gp = pari()
        u, r = self._change[:2] if self.degree > 1 or self.scaling != 1 else (1, 0)
        if self._velu is None:
            f, h2 = gp("'x") * gp.Mod(1, self.domain.p), gp.Mod(1, self.domain.p)
        else:
            f, h2 = self._velu[1][0], self._velu[1][2] ** 2
            common = f.gcd(h2)
            f, h2 = f / common, h2 / common
        return f - r * h2, h2 * (u * u)

    def dual(self) -> Isogeny:
        """The isogeny back, with which this one composes to multiplication by the degree.

        Its kernel is the image of the points that the degree kills.
        """
        n, p, gp = self.degree, self.domain.p, pari()
        if n == 1:
            return Isogeny(self.codomain, None, codomain=self.domain, scaling=pow(self.scaling, -1, p))
        torsion = division_polynomial(self.domain, n)
        over, under = self._x_map()
        # The x of the images: the resultant over those of the n-torsion outside of the kernel, each as often as it has preimages.
        outside = torsion / torsion.gcd(self._poly)
        t = gp("'t")
        images = outside.polresultant(over - t * under, "x").subst("t", gp("'x"))
        poly = _distinct(images) if int(outside.poldegree()) else gp.Mod(1, p) * gp("'x") ** 0
        made = Isogeny._made(self.codomain, poly)
        made._end_at(self.domain, n * pow(self.scaling, -1, p))
        return made

    def kernel_ideal(self) -> Ideal:
        """``{alpha in End(domain) : alpha(kernel) = 0}``; of rank two.

        See :func:`erlangen.fields.curves.kernel_ideals.kernel_ideal`.
        """
        from erlangen.fields.curves.kernel_ideals import kernel_ideal

        return kernel_ideal(self)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Isogeny)
            and (self.domain.p, self.domain.a, self.codomain.a) == (other.domain.p, other.domain.a, other.codomain.a)
            and (self.kernel, self.scaling) == (other.kernel, other.scaling)
        )

    def __hash__(self) -> int:
        return hash((self.domain, tuple(self.kernel), self.scaling))

    def __repr__(self) -> str:
        return f"Isogeny({self.domain} -> {self.codomain}, degree {self.degree})"


def isogenies(E: Curve, ell: int) -> list[Isogeny]:
    """The isogenies of prime degree, one for each rational kernel.

    Raises:
        ArgumentError: ``ell`` is no prime, or the field's.

    >>> len(isogenies(Curve(67, j=33, trace=4), 2)), len(isogenies(Curve(67, j=42, trace=4), 3))
    (3, 4)
    """
    if not isinstance(E, Curve):
        raise ArgumentError("E", "a Curve", repr(E))
    return [Isogeny._made(E, poly) for poly in rational_kernels(E, ell)]


def isomorphisms(E: Curve, F: Curve) -> list[tuple[int, int, int, int]]:
    """All ``(u, r, s, t)`` with ``x = u^2 x' + r, y = u^3 y' + s u^2 x' + t``, from E (x, y) to F (x', y')."""
    p = E.p
    if E != F:
        return []
    units: set[int] = set()
    gp = pari()
    # c4(E) = u^4 c4(F), c6(E) = u^6 c6(F)
    if F.c4 and F.c6:
        square = E.c6 * F.c4 * pow(F.c6 * E.c4, -1, p) % p
        units = {whole(r) for r in gp.polrootsmod(gp.Pol([1, 0, -square]), p)}
    elif F.c4:
        units = {whole(r) for r in gp.polrootsmod(gp.Pol([1, 0, 0, 0, -E.c4 * pow(F.c4, -1, p) % p]), p)}
    else:
        units = {whole(r) for r in gp.polrootsmod(gp.Pol([1, 0, 0, 0, 0, 0, -E.c6 * pow(F.c6, -1, p) % p]), p)}
    (a1, a2, a3, _, _), (b1, b2, b3, _, _) = E.a, F.a
    found = []
    for u in sorted(units):
        s = (u * b1 - a1) * pow(2, -1, p) % p
        r = (u * u * b2 - a2 + s * a1 + s * s) * pow(3, -1, p) % p
        t = (u**3 * b3 - a3 - r * a1) * pow(2, -1, p) % p
        found.append((u, r, s, t))
    return found


def _moved(P: Point, change: tuple[int, int, int, int], p: int) -> Point:
    if P is None:
        return None
    (x, y), (u, r, s, t) = P, change
    inverse = pow(u, -1, p)
    new = (x - r) * inverse**2 % p
    return new, (y - s * (x - r) - t) * inverse**3 % p


def _polynomial(coefficients: Sequence[int], p: int) -> Any:
    gp = pari()
    return gp.Pol([c % p for c in reversed(coefficients)]) * gp.Mod(1, p)


def _of_point(E: Curve, P: Any) -> Any:
    E.check(P, "kernel")
    gp, p = pari(), E.p
    Q, xs = P, dict.fromkeys([P[0] % p])
    while (Q := E.add(Q, P)) is not None and Q[0] not in xs:
        xs[Q[0]] = None
        if 2 * len(xs) > LARGEST_KERNEL:
            unsupported(P, f"list of its multiples: there are more than {LARGEST_KERNEL}", "take a point of a smaller order")
    poly = gp.Mod(1, p) * gp("'x") ** 0
    for x in xs:
        poly = poly * (gp("'x") - x)
    return poly


def _distinct(poly: Any) -> Any:
    """The monic polynomial with the same roots, each once."""
    gp = pari()
    result = poly.factor()[0]
    product = gp(1)
    for f in result:
        product = product * f
    return product / product.pollead()
