"""Questions about two curves: is there an isogeny, which degrees have they, what is the index of ``Hom(E1, E2) beta`` in ``End(E2)``."""

from __future__ import annotations

from sympy import factorint

from erlangen.errors import ArgumentError, unsupported
from erlangen.fields.curves.class_groups import class_group
from erlangen.fields.curves.curve import Curve
from erlangen.fields.curves.forms import Form
from erlangen.fields.curves.hom import DegreeForm, degree_form_of, index_by_theorem
from erlangen.fields.curves.isogeny import Isogeny, isogenies
from erlangen.fields.curves.kernel_ideals import eigenvalue, ideal_isogeny
from erlangen.fields.curves.orders import Order
from erlangen.fields.curves.walk import walk
from erlangen.verdict import Verdict

#: So many curves are looked at to relate two.
LARGEST_SEARCH = 20_000


def isogenous(E1: Curve, E2: Curve) -> Verdict:
    """Whether there is an isogeny over the field: exactly where the traces of Frobenius are equal (Tate 1966).

    >>> print(isogenous(Curve(67, j=42, trace=4), Curve(67, j=42, trace=-4)))
    does not hold: there is an isogeny over the field of 67 elements (exact; traces 4 and -4)
    """
    for name, E in (("E1", E1), ("E2", E2)):
        if not isinstance(E, Curve):
            raise ArgumentError(name, "a Curve", repr(E))
    if E1.p != E2.p:
        raise ArgumentError("E2", f"a curve over the field of {E1.p} elements", f"one over that of {E2.p}")
    return Verdict(
        E1.trace == E2.trace,
        f"there is an isogeny over the field of {E1.p} elements",
        how="exact",
        reason=f"traces {E1.trace} and {E2.trace}",
    )


def _check_isogenous(E1: Curve, E2: Curve) -> None:
    if not isogenous(E1, E2):
        raise ArgumentError("E2", f"a curve of trace {E1.trace}, as E1 is", f"no isogeny: traces {E1.trace}, {E2.trace}")


def hom_index(E1: Curve, E2: Curve, beta: Isogeny) -> int:
    """``[End(E2) : Hom(E1, E2) beta]`` for an isogeny ``beta`` from E2 to E1: ``deg(beta) f1/g``.

    ``f1`` is the conductor of the endomorphisms of E1, ``g`` the greatest common divisor of both. The left ideal itself is
    ``beta.kernel_ideal()``, found by explicit points and independently of this formula.

    Raises:
        ArgumentError: the traces differ, or ``beta`` does not lead from E2 to E1.

    >>> E1, E2 = Curve(67, j=14, trace=4), Curve(67, j=42, trace=4)
    >>> beta = next(phi for phi in isogenies(E2, 2) if phi.codomain == E1)
    >>> hom_index(E1, E2, beta), beta.kernel_ideal().norm
    (4, 4)
    """
    _check_isogenous(E1, E2)
    if not isinstance(beta, Isogeny) or beta.domain != E2 or beta.codomain != E1:
        raise ArgumentError("beta", f"an isogeny from E2 = {E2} to E1 = {E1}", repr(beta))
    return index_by_theorem(beta.degree, E1.endomorphism_order(), E2.endomorphism_order())


def recovered(beta: Isogeny) -> Verdict:
    """Whether an isogeny is the quotient by what its ideal kills: ``ker beta = E2[I_beta]``, which is so exactly where ``f1`` divides
    ``f2`` (level or ascending).

    By explicit points; the witness is the quotient.

    >>> E = Curve(67, j=42, trace=4)
    >>> [(phi.codomain.j, recovered(phi).holds) for phi in isogenies(E, 2)]
    [(14, False), (42, True), (42, True)]
    """
    if not isinstance(beta, Isogeny):
        raise ArgumentError("beta", "an Isogeny", repr(beta))
    ideal = beta.kernel_ideal()
    quotient = ideal_isogeny(beta.domain, ideal)
    f1, f2 = beta.codomain.endomorphism_order().f, beta.domain.endomorphism_order().f
    return Verdict(
        quotient.kernel == beta.kernel,
        "the isogeny is the quotient by what its ideal kills",
        how="exact",
        numbers={"degree": beta.degree, "killed": quotient.degree, "f1": f1, "f2": f2},
        witness=quotient,
    )


def ascended(E: Curve, f: int) -> Curve:
    """The one curve of conductor ``f``, a divisor of that of E, to which isogenies lead straight up.

    Raises:
        ArgumentError: ``f`` does not divide the conductor.

    >>> [ascended(Curve(67, j=4, trace=4), f).j for f in (6, 2, 1)]
    [4, 14, 42]
    """
    here = E.endomorphism_order()
    if not isinstance(f, int) or f < 1 or here.f % f:
        raise ArgumentError("f", f"a divisor of the conductor {here.f}", repr(f))
    for ell, k in factorint(here.f // f).items():
        for _ in range(k):
            above = Order(here.d, here.f // ell)
            E = next(phi.codomain for phi in isogenies(E, ell) if phi.codomain.endomorphism_order() == above)
            here = above
    return E


def class_between(E1: Curve, E2: Curve) -> Form:
    """The class of ideals that takes one curve to the other of the same endomorphisms, as a reduced form.

    Raises:
        ArgumentError: the traces or the endomorphisms differ.
        UnsupportedError: more than 20 000 curves would be looked at.
    """
    _check_isogenous(E1, E2)
    order = E1.endomorphism_order()
    if E2.endomorphism_order() != order:
        raise ArgumentError("E2", f"a curve with endomorphisms {order}", f"{E2.endomorphism_order()}")
    D = order.discriminant
    classes = class_group(order, avoiding=E1.p * E1.frobenius_order.f)
    letters = [(ell, b, Form.of(ell, b, D).reduced()) for ell, b in classes.primes]
    found, queue, here = {E1: Form.principal(D).reduced()}, [E1], 0
    while E2 not in found:
        if here == len(queue) or len(queue) > LARGEST_SEARCH:
            unsupported(E1, f"class to {E2} among {len(queue)} curves", "take curves of a smaller class group")
        E = queue[here]
        here += 1
        for ell, b, form in letters:
            there = walk(E, [(ell, eigenvalue(E, ell, b))])[-1]
            if there not in found:
                found[there] = found[E] * form
                queue.append(there)
    return found[E2]


def degree_form(E1: Curve, E2: Curve) -> DegreeForm:
    """The degrees of all isogenies from E1 to E2: ``l/g`` times a primitive form of discriminant ``g^2 d``, up to its orientation.

    Both curves are taken straight up to the conductor ``g``, the greatest common divisor; the class of ideals between what they lead to is
    the form.

    Raises:
        ArgumentError: the traces differ.
        UnsupportedError: see :func:`class_between`.

    >>> found = degree_form(Curve(67, j=14, trace=4), Curve(67, j=33, trace=4))
    >>> found.factor, found.form, found.minimum
    (6, Form(a=1, b=1, c=2), 6)
    """
    _check_isogenous(E1, E2)
    O1, O2 = E1.endomorphism_order(), E2.endomorphism_order()
    g = (O1 + O2).f
    return degree_form_of(O1, O2, class_between(ascended(E1, g), ascended(E2, g)))


def min_degree(E1: Curve, E2: Curve) -> int:
    """The smallest degree of an isogeny from E1 to E2; of isomorphic curves, of one that is no multiplication by a number.

    Raises:
        ArgumentError: the traces differ.

    >>> E = {j: Curve(67, j=j, trace=4) for j in (42, 14, 33, 35)}
    >>> min_degree(E[42], E[14]), min_degree(E[14], E[33]), min_degree(E[33], E[35]), min_degree(E[42], E[42])
    (2, 6, 4, 2)
    """
    _check_isogenous(E1, E2)
    return E1.endomorphism_order().smallest_norm() if E1 == E2 else degree_form(E1, E2).minimum
