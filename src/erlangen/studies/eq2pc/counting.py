"""How many classes of structures share their correlations, and how long it takes to know."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np

from erlangen.fields import microstructures as micro
from erlangen.reporting import Crossover, progress

#: Rings by translations and inversion: orbits, correlations, shared, not explained by an exchange of phases. Those of Z_12 are the
#: musicians' set classes and Z-relations (A. Forte, The Structure of Atonal Music, 1973).
RINGS = {
    (8, 4): (8, 7, 1, 0),
    (12, 4): (29, 28, 1, 1),
    (12, 5): (38, 35, 3, 3),
    (12, 6): (50, 35, 15, 0),
    (16, 8): (440, 254, 180, 3),
}
#: Grids by translations and reflections of axes: sizes, counts, and what the official code took to its first pair, in seconds.
GRIDS = [((12,), (5,), 0.44), ((4, 3), (5,), 1.4), ((4, 3), (3, 2), 14.5), ((2, 3, 4), (5,), 34.2)]
MORE = [((4, 3), (4,)), ((4, 3), (6,)), ((4, 4), (6,)), ((5, 5), (8,)), ((3, 3, 3), (6,))]
FULL = [((5, 5), (12,)), ((3, 3, 3), (13,)), ((20,), (10,)), ((24,), (8,))]


#: Points and sites of the rings all of whose structures are looked at.
LOOKED_AT = ((12, 5), (14, 6), (16, 7), (18, 8), (20, 9))


class Row(NamedTuple):
    """One search.

    Attributes:
        sizes, counts, relations: what was searched.
        found: orbits, correlations, shared, unexplained.
        of_representatives: correlations when one structure of each orbit is looked at alone.
        structures: how many there are.
        seconds: of the search; ``official``: to the first pair, as its notebooks print.
    """

    sizes: tuple[int, ...]
    counts: tuple[int, ...]
    relations: str
    found: tuple[int, int, int, int]
    of_representatives: int
    structures: int
    seconds: float
    official: float | None


def count(full: bool, quiet: bool) -> list[Row]:
    """Search all of the table."""
    jobs: list[tuple[tuple[int, ...], tuple[int, ...], str, float | None]] = [((n,), (k,), "inversion", None) for n, k in RINGS]
    jobs += [(sizes, counts, "axis-reflections", seconds) for sizes, counts, seconds in GRIDS]
    jobs += [(sizes, counts, "axis-reflections", None) for sizes, counts in [*MORE, *(FULL if full else [])]]
    rows = []
    micro.search_roots((2, 2), (2,))  # what the first call loads is no search
    with progress(len(jobs), "searches", quiet) as bar:
        for sizes, counts, relations, official in jobs:
            started = time.perf_counter()
            found = micro.search_roots(sizes, counts, relations, max_results=1)
            seconds = time.perf_counter() - started
            C = micro.two_point(found.representatives, dims=len(sizes))
            distinct = len(np.unique(C.reshape(len(C), -1), axis=0))
            rows.append(Row(sizes, counts, relations, found.row, distinct, found.structures, seconds, official))
            bar.advance()
    return rows


class Child(NamedTuple):
    """A pair that a recipe made.

    Attributes:
        shape: of both.
        phases: how many.
        seed: of the kernels, or of the factors.
        equivalent, related: the exact answers.
        made, checked: seconds.
    """

    shape: tuple[int, ...]
    phases: int
    seed: int
    equivalent: bool
    related: bool
    made: float
    checked: float


def children(seeds: Sequence[int]) -> list[Child]:
    """For each seed recipes of three levels to 256 x 256 sites and to 48^3 with other kernels, and a pair by factors of each size."""
    ring = micro.Pair(*micro.search_roots((16,), (6,), "inversion").roots[0].members[:2])
    block = micro.Pair(*micro.search_roots((2, 3, 4), (5,)).roots[0].members[:2])
    grid = micro.Pair(*micro.search_roots((4, 4), (6,)).roots[0].members[:2])
    found = []
    for seed in seeds:
        kernel = partial(_kernel, np.random.default_rng(seed))
        recipes: list[tuple[micro.Pair, list[tuple[str, Any]]]] = [
            (grid, [("kernel-extend", [kernel(4, 4)]), ("kernel-extend", [kernel(4, 4), kernel(4, 4)]),
                    ("kernel-extend", [kernel(4, 4)]), ("coalesce", [[2, 3]])]),
            (block, [("kernel-extend", [kernel(6, 4, 3)]), ("kernel-extend", [kernel(4, 2, 2)]), ("tile", [1, 2, 2])]),
            (ring, [("extend", [2, 4]), ("coalesce", [[1, 3]]), ("kernel-extend", [kernel(8, 64)])]),
        ]  # fmt: skip
        makers: list[Callable[[], micro.Pair]] = [partial(root.child, micro.Recipe(steps)) for root, steps in recipes]
        makers += [partial(micro.factor_roots, (256, 256), 3, seed=seed), partial(micro.factor_roots, (64, 64, 64), seed=seed)]
        for make in makers:
            started = time.perf_counter()
            pair = make()
            between = time.perf_counter()
            same = bool(micro.equivalent(*pair))
            checked = time.perf_counter() - between
            related = bool(micro.related(*pair))
            found.append(Child(pair.a.shape, int(pair.a.max()), seed, same, related, between - started, checked))
    return found


def _kernel(rng: np.random.Generator, *shape: int) -> np.ndarray:
    made = rng.integers(0, 2, shape)
    made[(0,) * len(shape)] = 1
    return made


class Brute(NamedTuple):
    """The classes of a ring by looking at every structure, beside the search.

    Attributes:
        ring: points and sites.
        found, searched: orbits, correlations, shared, by both.
        seconds, search_seconds: of CPU.
    """

    ring: tuple[int, int]
    found: tuple[int, int, int]
    searched: tuple[int, int, int]
    seconds: float
    search_seconds: float


def brute_force(n: int, sites: int) -> Brute:
    """All structures of a ring, their correlations by NumPy's FFT, their orbits by the least of all images."""
    started = time.process_time()
    chosen = np.array(list(itertools.combinations(range(n), sites)))
    masks = np.zeros((len(chosen), n), dtype=np.int64)
    np.put_along_axis(masks, chosen, 1, 1)
    correlations = np.fft.irfft(np.abs(np.fft.rfft(masks)) ** 2, n).round().astype(np.int64)[:, : n // 2 + 1]
    places = np.arange(n)
    images = [masks[:, (sign * places + shift) % n] @ (1 << places) for sign in (1, -1) for shift in range(n)]
    orbit = np.min(images, 0)
    pairs = np.unique(np.concatenate([correlations, orbit[:, None]], 1), axis=0)
    _, members = np.unique(pairs[:, :-1], axis=0, return_counts=True)
    between = time.process_time()
    row = micro.search_roots((n,), (sites,), "inversion", max_results=1).row
    found = len(pairs), len(members), int((members > 1).sum())
    return Brute((n, sites), found, (row[0], row[1], row[2]), between - started, time.process_time() - between)


def race(rings: Sequence[tuple[int, int]], repeats: int = 3) -> tuple[Crossover, list[Brute]]:
    """Seconds of both over the size of a ring, each several times, and for each ring what they found."""
    runs = [[brute_force(*ring) for _ in range(repeats)] for ring in rings]
    curves = {
        "the search": [[one.search_seconds for one in each] for each in runs],
        "every structure, NumPy": [[one.seconds for one in each] for each in runs],
    }
    about = f"Rings of 2 m points with m - 1 sites, by translations and inversion; {repeats} runs each. Both find the same classes."
    axis, quantity = "points of the ring", "CPU seconds for all classes"
    return Crossover(axis, [n for n, _ in rings], quantity, "lower", "the search", curves, False, True, about), [
        each[-1] for each in runs
    ]
