"""Walks along prime ideals at a prime of 64 bits, beside what a user of PARI would write."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Any

from sympy import isprime, primerange, sqrt_mod

from erlangen.fields import curves
from erlangen.fields.curves import Curve
from erlangen.fields.curves.orders import kronecker
from erlangen.reporting import Claim, Rival, Section, Table
from erlangen.studies.isogeny.bare import bare_walk
from erlangen.studies.isogeny.settings import CLAIMS, CSIDH, Config, Found


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


def large(config: Config) -> Found:
    """Random products of prime ideals on a curve over a field of many bits: do they commute, and what does a step take."""
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
    rivals, times = _rivals(E, a + b, config.bits)
    commutes = there == other and there != E
    claims = [
        Claim(
            CLAIMS["commutes"],
            "yes",
            f"{'same curve' if commutes else 'two curves'}, {'back' if back == E else 'not back'}",
            commutes and back == E,
            None,
            f"{2 * (config.steps // 2)} steps of degree up to {max(alphabet)[0]} in {seconds:.2f} s",
            source=CSIDH,
            key="commutes",
        )
    ]
    rows = [[f"{what}, each step", value] for what, value in times.items()]
    section = Section(
        f"A prime of {config.bits} bits",
        [f"y^2 = x^3 + 3 x + 12345 over the field of {p} elements has trace {E.trace}; no class group is needed to walk."],
        [Table("Seconds of the processor", ["what", "seconds"], rows)],
    )
    numbers: dict[str, Any] = {
        "seconds": seconds,
        "seconds a step": times,
        "prime": str(p),
        "primes": [ell for ell, _ in alphabet[::2]],
        "rivals": rivals,
    }
    if config.full:
        numbers["CSIDH-like"] = [_csidh_like(n) for n in (8, 10, 12)]
    return claims, section, {"walk": numbers}


def _rivals(E: Curve, way: list[tuple[int, int]], bits: int) -> tuple[list[Rival], dict[str, float]]:
    """The walk beside the same steps by bare calls of PARI, and beside all rational kernels; seconds of the processor for a step."""
    p, (a, b), few = E.p, E.short, way[:8]
    plain_way = [(ell, lam) for ell, lam in way if E.trace % ell or lam in (1, ell - 1)]
    ours, plain = [], []
    for _ in range(3):  # by turns, as the machine may be busy
        ours.append(_seconds(lambda: curves.walk(E, plain_way)))
        plain.append(_seconds(lambda: bare_walk(p, a, b, E.trace, plain_way)))
    same = Curve(p, bare_walk(p, a, b, E.trace, plain_way)) == curves.walk(E, plain_way)[-1]
    if not same:
        raise ArithmeticError(f"bare calls of PARI lead from {E} to another curve along {plain_way}")
    walked, bare = min(ours) / len(plain_way), min(plain) / len(plain_way)
    short = _seconds(lambda: curves.walk(E, few)) / len(few)
    factoring = _seconds(lambda: _undirected(E, few)) / len(few)
    rivals = [
        Rival(
            "the same walk by bare calls of PARI",
            "a walk by eigenvalues of Frobenius",
            f"seconds a step at {bits} bits",
            walked,
            bare,
            "lower",
            settings="ellinit, ellmul, elldivpol, ellisogeny as a user writes them down; the least of three runs of each, by turns",
            scale=f"{len(plain_way)} steps of degree up to {max(plain_way)[0]}",
            note="the same curves; a difference of a tenth is none",
            level=bare / 10,
        ),
        Rival(
            "factoring division polynomials",
            "a walk by eigenvalues of Frobenius",
            f"seconds a step at {bits} bits",
            short,
            factoring,
            "lower",
            settings="PARI's factorisation; it takes the first of the kernels it finds",
            scale=f"the same {len(few)} degrees",
            note="for those who do not know eigenvalues; its kernels do not say their direction, so that it cannot act by an ideal",
        ),
    ]
    return rivals, {"a walk": walked, "bare calls of PARI": bare, "all kernels by factoring": factoring}


def _seconds(call: Callable[[], object]) -> float:
    """Of the processor."""
    started = time.process_time()
    call()
    return time.process_time() - started


def _undirected(E: Curve, way: list[tuple[int, int]]) -> Curve:
    """Where the first rational kernel of each degree leads."""
    for ell, _ in way[:8]:
        E = curves.isogenies(E, ell)[0].codomain
    return E


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
