"""A census of isogeny classes: the index of each subgroup by points, which isogenies their ideals give back, torsors."""

from __future__ import annotations

from collections.abc import Iterator
from math import gcd
from typing import Any

from sympy import isprime, primerange

from erlangen.fields import curves
from erlangen.fields.curves import Curve, Order
from erlangen.reporting import Claim, Section, Table
from erlangen.studies.isogeny.settings import CLAIMS, CSIDH, SOURCE, Config, Found, told


def _classes(config: Config) -> Iterator[tuple[int, int]]:
    """Primes and traces whose Frobenius has a conductor above 1, in fields without extra units; first those of the reference run."""
    yield from ((67, 4), (103, 4))
    for p in primerange(67, (2000 if config.full else config.largest) + 1):
        found = 0
        for t in range(int(2 * p**0.5) + 1):
            order = Order.of_frobenius(p, t)
            if order.f > 1 and order.d not in (-3, -4) and (p, t) not in ((67, 4), (103, 4)):
                yield p, t
                found += 1
                if found == (2 if config.full else config.traces):
                    break


def census(config: Config, quiet: bool) -> Found:
    """Every rational cyclic subgroup of order 2, 3, 4, 6 of every curve of some isogeny classes, by explicit points."""
    rows: list[list[Any]] = []
    wrong: list[Any] = []
    torsors = orders = count = equal = naive = again = level = 0
    classes = list(_classes(config))
    for number, (p, t) in enumerate(told(classes, "isogeny classes", quiet)):
        every = curves.curves_with_trace(p, t)
        for order in {E.endomorphism_order() for E in every}:
            E = next(E for E in every if E.endomorphism_order() == order)
            orders += 1
            torsors += bool(curves.class_group_action(E).is_torsor())
        here = fits = 0
        for E in every:
            f2 = E.endomorphism_order().f
            for n in (2, 3, 4, 6):
                torsion = curves.Torsion(E, n)
                for line in torsion.rational_lines():
                    killing = torsion.killing(line)
                    index = n * n // len(killing)
                    quotient = Curve(p, curves.Isogeny(E, _coefficients(torsion, line)).codomain.a, trace=t)
                    f1 = quotient.endomorphism_order().f
                    formula = n * f1 // gcd(f1, f2)
                    back = set(torsion.killed_by(killing)) == set(line)
                    here, fits = here + 1, fits + (index == formula)
                    naive += index == n
                    again += back == (f2 % f1 == 0)
                    level += back
                    if index != formula:
                        wrong.append((p, t, E.j, quotient.j, n, index))
        count, equal = count + here, equal + fits
        if number < 12:
            rows.append([p, t, every[0].frobenius_order.d, every[0].frobenius_order.f, len(every), here, fits])
    scale = f"{count} subgroups of {orders} orders"
    claims = [
        Claim(
            CLAIMS["index"],
            "equal",
            f"{equal} of {count} equal",
            equal == count,
            f"deg(beta) alone: {naive} of {count}",
            scale,
            source=SOURCE,
            key="index",
        ),
        Claim(
            CLAIMS["recovered"],
            "exactly where",
            f"{again} of {count} as said",
            again == count,
            f"'always': {level} of {count}",
            scale,
            source=SOURCE,
            key="recovered",
        ),
        Claim(CLAIMS["torsor"], "yes", f"{torsors} of {orders} orders", torsors == orders, None, scale, source=CSIDH, key="torsor"),
    ]
    columns = ["p", "trace", "field", "conductor of Z[pi]", "curves", "subgroups", "equal"]
    E = Curve(67, j=33, trace=4)
    p, t = _deep()
    deep = next(F for F in curves.curves_with_trace(p, t) if F.endomorphism_order().f == 1)
    section = Section(
        "The index, counted by points",
        [
            "For each curve and each rational cyclic subgroup, the endomorphisms that kill it are counted on explicit points over the "
            "field where they live. The formula knows the degree and the two conductors only.",
            "An isogeny that descends is not recovered from its ideal: the ideal kills more points than the kernel.",
        ],
        [Table("Isogeny classes", columns, rows, f"The first {len(rows)} of the run.")],
        [curves.draw_volcano(curves.volcano(E, 2)), curves.draw_volcano(curves.volcano(deep, 2))],
    )
    return claims, section, {"census": {"subgroups": count, "equal": equal, "naive": naive, "recovered": level, "wrong": wrong}}


def _coefficients(torsion: curves.Torsion, line: list[tuple[int, int]]) -> list[int]:
    poly = torsion.polynomial(line)
    return [int(c.lift()) for c in reversed(list(poly.Vec()))]


def _deep() -> tuple[int, int]:
    """A prime and a trace with a crater of five curves and two levels below, at 2: ``t^2 - 4 p = -47 * 16``."""
    return next((p, t) for t in range(2, 200, 2) for p in [(47 * 16 + t * t) // 4] if (t * t) % 4 == 0 and isprime(p))
