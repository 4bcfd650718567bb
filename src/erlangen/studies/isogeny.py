"""Isogenies as ideals: the index of ``Hom(E1, E2) beta``, kernel ideals, class groups on curves, minimal degrees in both ranks.

Source: L. Luo, G. Xiao, Y. Deng, "On two problems about isogenies of elliptic curves over finite fields" (2020), arXiv:2001.00126, whose
statements are derived again; the action is that of Castryck, Lange, Martindale, Panny and Renes, "CSIDH" (2018).
"""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import gcd
from typing import Any

from sympy import isprime, primerange, sqrt_mod

from erlangen.errors import ArgumentError
from erlangen.fields import curves
from erlangen.fields.curves import Curve, Order
from erlangen.fields.curves.orders import kronecker
from erlangen.parallel import one_thread
from erlangen.reporting import RIVAL, RIVAL_CLAIM, Claim, Claims, KeyNumber, Outcome, Rival, Section, Table, heatmap, progress
from erlangen.studies.base import Study

SOURCE = "Luo, Xiao and Deng, arXiv:2001.00126"
CSIDH = "Castryck et al. 2018"
#: Degrees are searched up to this.
MOST = 30
CLAIMS = {
    "index": "[End(E2) : Hom(E1, E2) beta] is deg(beta) f1/g for every rational cyclic subgroup of order 2, 3, 4, 6, counted by points",
    "recovered": "an isogeny is the quotient by what its ideal kills exactly where f1 divides f2",
    "torsor": "the class group acts freely and transitively on the curves of each order",
    "orbits": "on y^2 = x^3 + A x^2 + x over the field of 419, the ideals of norm 3, 5, 7 have orbits of 27, 9, 27 curves",
    "relations": "[7] = [3]^5 and [5] = [3]^12, in forms and on curves",
    "minimum": "the smallest degree between two curves is the first coefficient of a reduced form times l/g",
    "commutes": "random products of prime ideals commute at a prime of 64 bits, and the conjugates lead back",
    "rank-four-index": "in rank four the index is deg(beta)^2",
    "rank-four-minimum": "in rank four the smallest degree between two curves is at most sqrt(p/2)",
    RIVAL: RIVAL_CLAIM,
}


@dataclass(frozen=True)
class Config:
    """Settings.

    Attributes:
        full: all primes up to 2000 with few traces each, minimal degrees in rank four up to 500, larger primes of CSIDH's kind.
        largest: primes of the census, from 67 on.
        traces: traces of each prime, the first whose Frobenius has a conductor above 1.
        searched: isogeny classes whose minimal degrees are searched for, 1 to 4.
        quaternions: primes of rank four, up to this.
        bits: of the large prime.
        steps: of its walks.
        seed: of all random numbers.
    """

    full: bool = False
    largest: int = 200
    traces: int = 6
    searched: int = 4
    quaternions: int = 200
    bits: int = 64
    steps: int = 50
    seed: int = 0


def run(config: Config, *, quiet: bool = False) -> Outcome:
    """Run the five parts, on one thread."""
    if (
        config.largest < 67
        or config.bits < 16
        or config.steps < 2
        or config.quaternions < 11
        or config.traces < 1
        or not 1 <= config.searched <= 4
    ):
        raise ArgumentError(
            "config", "largest >= 67, traces >= 1, searched from 1 to 4, quaternions >= 11, bits >= 16, steps >= 2", repr(config)
        )
    started = time.perf_counter()
    with one_thread():
        parts = [_census(config, quiet), _toy(), _degrees(config), _large(config), _rank_four(config, quiet)]
    claims = Claims([claim for part in parts for claim in part[0]])
    metrics = {name: value for part in parts for name, value in part[2].items()}
    census, rival = metrics["census"], metrics["walk"].pop("rival")
    return Outcome(
        name="isogeny",
        title="Isogenies of elliptic curves as ideals",
        config=config,
        claims=claims,
        metrics=metrics,
        rivals=[rival],
        sections=[part[1] for part in parts],
        seconds=time.perf_counter() - started,
        answer=f"Counted by explicit points, the index of {census['equal']} of {census['subgroups']} subgroups is the theorem's; "
        f"{claims.summary()}.",
        key_numbers=[
            KeyNumber("subgroups whose index is the formula's", f"{census['equal']} of {census['subgroups']}"),
            KeyNumber("curves under Z/27 over the field of 419", 27),
            KeyNumber(f"{config.steps} steps at {config.bits} bits", f"{metrics['walk']['seconds']:.2f} s"),
            KeyNumber("largest minimal degree / sqrt p in rank four", metrics["rank four"]["largest ratio"]),
        ],
    )


Found = tuple[list[Claim], Section, Mapping[str, Any]]


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


def _census(config: Config, quiet: bool) -> Found:
    rows: list[list[Any]] = []
    wrong: list[Any] = []
    torsors = orders = count = equal = naive = again = level = 0
    classes = list(_classes(config))
    for number, (p, t) in enumerate(_told(classes, "isogeny classes", quiet)):
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


def _told(items: list[Any], what: str, quiet: bool) -> Iterator[Any]:
    with progress(len(items), what, quiet=quiet) as bar:
        for item in items:
            yield item
            bar.advance()


def _coefficients(torsion: curves.Torsion, line: list[tuple[int, int]]) -> list[int]:
    poly = torsion.polynomial(line)
    return [int(c.lift()) for c in reversed(list(poly.Vec()))]


def _deep() -> tuple[int, int]:
    """A prime and a trace with a crater of five curves and two levels below, at 2: ``t^2 - 4 p = -47 * 16``."""
    return next((p, t) for t in range(2, 200, 2) for p in [(47 * 16 + t * t) // 4] if (t * t) % 4 == 0 and isprime(p))


def _toy() -> Found:
    E = Curve.montgomery(419, 0)
    ways = {ell: curves.walk(E, [(ell, 1)] * 27) for ell in (3, 5, 7)}
    lengths = [way.index(E) + 1 for way in ways.values()]
    started = time.perf_counter()
    curves.walk(E, [(3, 1)] * 27)
    seconds = time.perf_counter() - started
    forms = {3: curves.Form(3, 2, 140), 5: curves.Form(5, 2, 84), 7: curves.Form(7, 2, 60)}
    by_forms = forms[7].reduced() == forms[3] ** 5 and forms[5].reduced() == forms[3] ** 12
    by_curves = ways[7][0] == ways[3][4] and ways[5][0] == ways[3][11]
    action = curves.class_group_action(E)
    classes = len(action.points().points)
    claims = [
        Claim(
            CLAIMS["orbits"],
            "27, 9, 27",
            ", ".join(map(str, lengths)),
            lengths == [27, 9, 27],
            f"all curves of the trace: {len(curves.curves_with_trace(419, 0))}",
            f"{classes} curves, {seconds * 1000:.1f} ms for 27 steps",
            source=CSIDH,
            key="orbits",
        ),
        Claim(
            CLAIMS["relations"],
            "both",
            f"forms {'yes' if by_forms else 'no'}, curves {'yes' if by_curves else 'no'}",
            by_forms and by_curves,
            None,
            "class group Z/27",
            source=CSIDH,
            key="relations",
        ),
    ]
    start = ", ".join(str(F.montgomery_coefficient) for F in [E, *ways[3][:5]])
    section = Section(
        "A class group on curves",
        [
            f"The ideal of norm 3 leads along A = {start}, ... through all 27 curves; that of norm 5 through every twelfth, in threes."
        ],
        figures=[curves.draw_graph(action.graph((3, 5, 7)), "Z/27 on the supersingular curves over the field of 419", "A")],
    )
    return claims, section, {"toy": {"lengths": lengths, "seconds": seconds, "classes": classes}}


def _degrees(config: Config) -> Found:
    checked = right = naive = 0
    table: list[list[int]] = []
    labels: list[str] = []
    exhaustive = formula = 0.0
    for p, t in [(67, 4), (109, 6), (113, 12), (59, 0)][: config.searched]:
        every = curves.curves_with_trace(p, t)
        started = time.perf_counter()
        steps = {
            (E, ell): [phi.codomain for phi in curves.isogenies(E, ell)]
            for E in every
            for ell in primerange(2, MOST + 1)
            if ell != p
        }
        searched = {E: _searched(E, steps) for E in every}
        exhaustive += time.perf_counter() - started
        started = time.perf_counter()
        for E1 in every:
            row = []
            for E2 in every:
                form = curves.degree_form(E1, E2)
                row.append(form.minimum)
                if E1 != E2 and (E2 in searched[E1] or form.minimum <= MOST):
                    found = searched[E1].get(E2)
                    checked, right = checked + 1, right + (form.minimum == found)
                    naive += form.form.a == found
            if p == 67:
                table.append(row)
                labels.append(f"{E1.j} ({E1.endomorphism_order().f})")
        formula += time.perf_counter() - started
    claims = [
        Claim(
            CLAIMS["minimum"],
            "equal",
            f"{right} of {checked} pairs equal to an exhaustive search",
            right == checked and checked > 0,
            f"without l/g: {naive} of {checked}",
            f"{config.searched} isogeny classes, degrees up to {MOST}",
            source=SOURCE,
            key="minimum",
        )
    ]
    figure = heatmap(
        table,
        title="Smallest degrees over the field of 67 elements, trace 4",
        row_labels=labels,
        column_labels=[label.split()[0] for label in labels],
        colour_label="degree",
        caption="Curves by j, with the conductor of their endomorphisms in brackets; 1 on the diagonal is the identity.",
    )
    section = Section("Minimal degrees", ["Every pair has its form; the search multiplies prime isogenies."], figures=[figure])
    return claims, section, {"degrees": {"pairs": checked, "right": right, "search seconds": exhaustive, "form seconds": formula}}


def _searched(E: Curve, steps: Mapping[tuple[Curve, int], list[Curve]]) -> dict[Curve, int]:
    """The smallest degrees that products of prime isogenies have, up to the largest of them."""
    found, queue, seen = {E: 1}, [(1, E)], {(1, E)}
    for n, here in queue:
        for ell in primerange(2, MOST // n + 1):
            for there in steps.get((here, ell), ()):
                pair = n * ell, there
                if pair not in seen:
                    seen.add(pair)
                    queue.append(pair)
                    found[there] = min(found.get(there, MOST + 1), n * ell)
    return found


def large_prime(bits: int) -> int:
    """The largest prime below a power of two."""
    return next(p for p in range(2**bits - 1, 0, -2) if isprime(p))


def letters(E: Curve, largest: int = 31) -> list[tuple[int, int]]:
    """Split primes up to ``largest`` that do not divide the conductor of ``Z[pi]``, each with both eigenvalues of Frobenius."""
    p, t = E.p, E.trace
    found = []
    for ell in primerange(3, largest + 1):
        D = t * t - 4 * p
        if kronecker(D, ell) == 1:
            lam = (t + int(sqrt_mod(D % ell, ell))) * pow(2, -1, ell) % ell
            found += [(ell, lam), (ell, (t - lam) % ell)]
    return found


def _large(config: Config) -> Found:
    p = large_prime(config.bits)
    E = Curve(p, (3, 12345))
    rng = random.Random(config.seed)
    alphabet = letters(E)
    a, b = ([rng.choice(alphabet) for _ in range(config.steps // 2)] for _ in range(2))
    started = time.perf_counter()
    there = curves.walk(E, a + b)[-1]
    seconds = time.perf_counter() - started
    other = curves.walk(E, b + a)[-1]
    back = curves.walk(there, [(ell, E.trace - lam) for ell, lam in a + b])[-1]
    # What a user of PARI would do: all rational kernels by factoring the division polynomial, without a direction.
    few = (a + b)[:8]
    kernels, here = 0, E
    factoring = time.perf_counter()
    for ell, _ in few:
        found = curves.isogenies(here, ell)
        kernels, here = kernels + len(found), found[0].codomain
    plain = (time.perf_counter() - factoring) / len(few)
    started = time.perf_counter()
    curves.walk(E, few)
    step = (time.perf_counter() - started) / len(few)
    rival = Rival(
        "factoring division polynomials",
        "a walk by eigenvalues of Frobenius",
        f"seconds a step at {config.bits} bits",
        step,
        plain,
        "lower",
        settings="PARI's factorisation; it takes one of the kernels it finds",
        scale=f"the same {len(few)} degrees",
        note="its kernels do not say their direction, so that it cannot act by an ideal",
    )
    commutes = there == other and there != E
    claims = [
        Claim(
            CLAIMS["commutes"],
            "yes",
            f"{'same curve' if commutes else 'two curves'}, {'back' if back == E else 'not back'}",
            commutes and back == E,
            f"factoring division polynomials: {kernels} kernels for {len(few)} steps, without a direction",
            f"{2 * (config.steps // 2)} steps of degree up to {max(alphabet)[0]} in {seconds:.2f} s",
            source=CSIDH,
            key="commutes",
        )
    ]
    rows = [
        ["a walk, each step", seconds / (2 * (config.steps // 2))],
        ["all kernels by factoring, each step", plain],
    ]
    section = Section(
        f"A prime of {config.bits} bits",
        [f"y^2 = x^3 + 3 x + 12345 over the field of {p} elements has trace {E.trace}; no class group is needed to walk."],
        [Table("Seconds", ["what", "seconds"], rows)],
    )
    numbers: dict[str, Any] = {
        "seconds": seconds,
        "factoring seconds": plain,
        "prime": str(p),
        "primes": [ell for ell, _ in alphabet[::2]],
        "rival": rival,
    }
    if config.full:
        numbers["CSIDH-like"] = [_csidh_like(n) for n in (8, 10, 12)]
    return claims, section, {"walk": numbers}


def _csidh_like(count: int) -> dict[str, Any]:
    """``p = 4 * 3 * 5 * ... * k - 1`` with so many odd primes, times the least number that makes it prime: 50 steps."""
    primes = list(primerange(3, 200))[:count]
    product = 4
    for ell in primes:
        product *= ell
    k = next(k for k in range(1, 1000) if isprime(k * product - 1))
    p = k * product - 1
    E = Curve.montgomery(p, 0)
    rng = random.Random(count)
    steps = [(rng.choice(primes), rng.choice((1, -1))) for _ in range(50)]
    started = time.perf_counter()
    curves.walk(E, steps)
    return {"prime": str(p), "seconds": time.perf_counter() - started}


def _rank_four(config: Config, quiet: bool) -> Found:
    worst, where, pairs, bound = 0.0, (0, 0), 0, True
    last = 500 if config.full else config.quaternions
    for p in _told(list(primerange(11, last)), "rank four", quiet):
        classes = curves.left_classes(p)
        for i, one in enumerate(classes):
            for other in classes[:i]:
                least = curves.quaternion_min_degree(one, other)
                bound &= 2 * least**2 <= p
                pairs += 1
                if least / p**0.5 > worst:
                    worst, where = least / p**0.5, (p, least)
    tried = right = 0
    rng = random.Random(config.seed)
    for p in (11, 37):
        classes = curves.left_classes(p)
        for one in classes:
            for other in classes:
                basis = curves.quaternion_homs(other, one).basis
                for _ in range(5):
                    k = [rng.randint(1, 3) for _ in range(4)]
                    beta = tuple(sum(a * v[c] for a, v in zip(k, basis)) for c in range(4))
                    if any(beta):
                        tried += 1
                        right += bool(curves.quaternion_index_theorem(one, other, beta))
    claims = [
        Claim(
            CLAIMS["rank-four-index"],
            "equal",
            f"{right} of {tried} equal",
            right == tried,
            "the formula of rank two, deg(beta): none but degree 1",
            "maximal orders at p = 11 and 37",
            source=SOURCE,
            key="rank-four-index",
        ),
        Claim(
            CLAIMS["rank-four-minimum"],
            "at most 0.7071",
            worst,
            bound,
            f"Hermite's constant: {0.5**0.5:.4f} sqrt p",
            f"{pairs} pairs of curves, p below {last}",
            note=f"largest at p = {where[0]}, degree {where[1]}",
            source=SOURCE,
            key="rank-four-minimum",
        ),
    ]
    section = Section(
        "Rank four",
        ["Where Frobenius is a whole number, endomorphisms are a maximal order of quaternions; all of this is whole numbers."],
        [
            Table(
                "Rank four",
                ["what", "value"],
                [["pairs", pairs], ["largest degree / sqrt p", worst], ["at p", where[0]], ["degree", where[1]]],
            )
        ],
    )
    return claims, section, {"rank four": {"pairs": pairs, "largest ratio": worst, "p": where[0], "degree": where[1]}}


STUDY = Study(
    name="isogeny",
    system=26,
    title="Isogenies of elliptic curves over finite fields: Hom as an ideal, class groups on curves, minimal degrees",
    source=SOURCE,
    config=Config,
    run=run,
    claims=CLAIMS,
)
