"""Structures with one two-point correlation: full classification, against all-pairs comparison in the plain formulation.

The peer is written here as the source describes its search: every structure up to translation and reflections, its correlations by Fourier
transforms, all pairs compared, canonical forms by going through the images one by one; it stops at the first class, ours finds all. Then
the check of two structures of 256 x 256 with 3 phases, and conductivities, with their targets in seconds.
"""

from __future__ import annotations

import itertools

import numpy as np
from _timing import compare, show

from erlangen.fields import microstructures as micro


def images(S: np.ndarray) -> list[bytes]:
    """All translates of all reflections, one by one."""
    found = []
    for axes in itertools.chain.from_iterable(itertools.combinations(range(S.ndim), k) for k in range(S.ndim + 1)):
        flipped = np.flip(S, axes) if axes else S
        found += [np.roll(flipped, shift, tuple(range(S.ndim))).tobytes() for shift in np.ndindex(S.shape)]
    return found


def first_class(sizes: tuple[int, ...], sites: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Two unrelated structures with one autocorrelation, by comparing all pairs."""
    seen: set[bytes] = set()
    kept: list[tuple[np.ndarray, np.ndarray]] = []
    for chosen in itertools.combinations(range(int(np.prod(sizes))), sites):
        S = np.full(sizes, 2)
        S.reshape(-1)[list(chosen)] = 1
        if S.tobytes() in seen:
            continue
        seen.update(images(S))
        hat = np.fft.fftn(S == 1)
        C = np.rint(np.fft.ifftn(np.abs(hat) ** 2).real)
        for other, D in kept:
            if np.array_equal(C, D):
                return other, S
        kept.append((S, C))
    return None


def main() -> None:
    for sizes, sites in (((4, 3), 5), ((4, 4), 6), ((2, 3, 4), 5)):
        ours, peer = compare(lambda s=sizes, k=sites: micro.search_roots(s, (k,)), lambda s=sizes, k=sites: first_class(s, k), 4, 1)
        show(f"{'x'.join(map(str, sizes))}, {sites} sites: all classes, against the first", ours, peer, "plain search", "0.05")
    pair = micro.factor_roots((256, 256), 3)
    ours, peer = compare(lambda: micro.equivalent(*pair), lambda: [micro.two_point(S, "all") for S in pair], 8, 1)
    show("check of 256 x 256, 3 phases (target 20 ms)", ours, peer, "all nine correlations of both", "0.7")
    S = micro.search_roots((4, 3), (5,)).roots[0].members[0]
    solve = [lambda m=m: micro.effective_conductivity(S, (10, 1), 32, m) for m in ("auto", "direct")]
    ours, peer = compare(*solve, 4, 1)
    show("conductivity on 128 x 96 elements (target 500 ms)", ours, peer, "sparse factorisation", "1")


if __name__ == "__main__":
    main()
