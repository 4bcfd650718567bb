"""Walks along prime ideals at a prime of 64 bits: ours, the same calls of PARI without anything around them, and passagemath.

`python benchmarks/isogeny_walk.py` compares with PARI. `python benchmarks/isogeny_walk.py passagemath`, in an environment of its own with
passagemath-schemes (it brings 17 packages, and needs nothing of ours), times the peer on the same steps: at each, the curves that rational
isogenies of the degree lead to, of which it takes the first, as it does not tell the two directions apart.
"""

from __future__ import annotations

import random
import sys
import time

PRIME, COEFFICIENTS, TRACE = 2**64 - 59, (3, 12345), 813039189
#: Split primes with one of the two eigenvalues of Frobenius.
LETTERS = ((3, 1), (13, 8), (17, 1), (23, 5), (29, 17))
STEPS = 50


def steps() -> list[tuple[int, int]]:
    rng = random.Random(1)
    chosen = [rng.choice(LETTERS) for _ in range(STEPS)]
    return [(ell, lam if ell == 3 or rng.random() < 0.5 else (TRACE - lam) % ell) for ell, lam in chosen]


def passagemath(way: list[tuple[int, int]]) -> None:
    from sage.all__sagemath_schemes import GF, EllipticCurve

    E = EllipticCurve(GF(PRIME), list(COEFFICIENTS))
    started = time.perf_counter()
    for ell, _ in way:
        E = E.isogenies_prime_degree(ell)[0].codomain()
    print(f"passagemath: {STEPS} steps in {time.perf_counter() - started:.3f} s")


def main() -> None:
    way = steps()
    if "passagemath" in sys.argv:
        passagemath(way)
        return
    from _timing import compare, show

    from erlangen.fields import curves
    from erlangen.studies.isogeny.bare import bare_walk

    def bare(way: list[tuple[int, int]]) -> list[int]:
        return bare_walk(PRIME, *COEFFICIENTS, TRACE, way)

    E = curves.Curve(PRIME, COEFFICIENTS)
    assert curves.Curve(PRIME, bare(way)) == curves.walk(E, way)[-1]
    ours, peer = compare(lambda: curves.walk(E, way), lambda: bare(way), 6, 1)
    show(f"{STEPS} steps of degree up to 29 at 64 bits (target 5 s)", ours, peer, "bare PARI", "2")
    toy = curves.Curve.montgomery(419, 0)
    ours, peer = compare(lambda: curves.walk(toy, [(3, 1)] * 27), lambda: [curves.isogenies(toy, 3) for _ in range(27)], 6, 1)
    show("27 steps at 419 (target 100 ms)", ours, peer, "kernels by factoring", "none")
    action = curves.class_group_action(toy)
    ours, peer = compare(lambda: action.orbit(toy), lambda: curves.walk(toy, [(3, 1)] * 27), 6, 1)
    show("the orbit of 27 as an Action (target 100 ms)", ours, peer, "a walk", "none")


if __name__ == "__main__":
    main()
