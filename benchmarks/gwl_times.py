"""Times of the geometric Weisfeiler-Leman tests: targets of the specification, and a plain formulation and networkx beside them.

The plain formulation does what the definition says, without any of the library's short cuts: all pairs of vectors of a tree as frames, a
recursive hash of nested tuples for each frame and node, numbers as clusters of all that were met. Run with OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import islice

import networkx as nx
import numpy as np
from _timing import compare, show

from erlangen.measure.gwl import GWL, WL, GeometricGraph, counterexample, kchain

Frames = list[np.ndarray]


def plain_frames(vectors: list[np.ndarray], reflections: bool) -> Frames:
    """A frame for every ordered pair of independent vectors, one for every vector on a line."""
    found = []
    for a in vectors:
        for b in vectors:
            if np.linalg.norm(np.cross(a, b)) > 1e-6:
                e1 = a / np.linalg.norm(a)
                e2 = b - (b @ e1) * e1
                e2 /= np.linalg.norm(e2)
                e3 = np.cross(e1, e2)
                found += [np.stack([e1, e2, e3]), np.stack([e1, e2, -e3])] if reflections else [np.stack([e1, e2, e3])]
    if found:
        return found
    return [np.stack([v / np.linalg.norm(v)]) for v in vectors if np.linalg.norm(v) > 1e-6] or [np.zeros((1, 3))]


def plain_gwl(pair: tuple[GeometricGraph, GeometricGraph], reflections: bool, most: int) -> int | None:
    """First iteration of the equivariant test."""
    graphs = []
    for g in pair:
        near: list[list[tuple[int, np.ndarray]]] = [[] for _ in range(len(g))]
        for (j, i), x in zip(g.edge_index.T.tolist(), g.edge_vec.numpy()):
            near[i].append((j, x))
        graphs.append(near)

    def tree(near: list, node: int, depth: int) -> tuple:
        return tuple((x, tree(near, j, depth - 1)) for j, x in near[node]) if depth else ()

    def vectors(nested: tuple) -> list[np.ndarray]:
        return [v for x, below in nested for v in (x, *vectors(below))]

    def seen(nested: tuple, frame: np.ndarray, names: Callable[[np.ndarray], tuple]) -> tuple:
        return tuple(sorted((names(frame @ x), seen(below, frame, names)) for x, below in nested))

    for depth in range(1, most + 1):
        trees = [[tree(near, i, depth) for i in range(len(near))] for near in graphs]
        distinct = [[list({tuple(v): v for v in vectors(t)}.values()) for t in nodes] for nodes in trees]
        frames = [[plain_frames(v, reflections) for v in nodes] for nodes in distinct]
        numbers = np.sort(
            np.concatenate([(np.stack(f) @ np.stack(v).T).reshape(-1) for d, fs in zip(distinct, frames) for v, f in zip(d, fs)])
        )
        edges = numbers[np.flatnonzero(np.diff(numbers, prepend=-np.inf) > 5e-5)]
        names = lambda x, edges=edges: tuple(np.searchsorted(edges, x + 1e-7).tolist())  # noqa: E731
        colours = [sorted(min(seen(t, f, names) for f in fs) for t, fs in zip(*both)) for both in zip(trees, frames)]
        if colours[0] != colours[1]:
            return depth
    return None


def chains(test: Callable[[tuple[GeometricGraph, GeometricGraph], bool, int], object]) -> None:
    """Acceptance 1, the equivariant half, and 2."""
    for reflections in (True, False):
        for k in range(2, 9):
            test(kchain(k), reflections, k // 2 + 1)
        for order in ("2-body", "3-body", "4-body", "4-body-chiral"):
            test(counterexample(order), reflections, 1)  # type: ignore[arg-type]


def ours(pair: tuple[GeometricGraph, GeometricGraph], reflections: bool, most: int) -> int | None:
    return GWL("O(3)" if reflections else "SO(3)", max_iter=most).compare(*pair).iteration


def once(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def main() -> None:
    phi = (1 + 5**0.5) / 2
    icosahedron = [p for a in (1, -1) for b in (phi, -phi) for p in ([0, a, b], [a, b, 0], [b, 0, a])]
    star = GeometricGraph.of([[0.0, 0, 0], *icosahedron], [(0, i + 1) for i in range(12)])
    GWL().compare(star, star)
    for name, test in (("IGWL", GWL(invariant=True)), ("GWL", GWL())):
        print(
            f"icosahedral star, {name}: {1e3 * min(once(partial(test.compare, star, star)) for _ in range(5)):.0f} ms (target 50)"
        )
    chain = kchain(20)
    print(f"chain of 20, 11 iterations: {1e3 * once(lambda: GWL(max_iter=11).compare(*chain)):.0f} ms (target 1000)")

    for k in range(2, 6):
        for reflections in (True, False):
            assert plain_gwl(kchain(k), reflections, k) == ours(kchain(k), reflections, k) == k // 2 + 1
    fast, slow = compare(lambda: chains(ours), lambda: chains(plain_gwl), repeats=2, warmup=0)
    show("chains 2 to 8 and counterexamples, O(3) and SO(3)", fast, slow, "plain formulation", "0.1")

    graphs = [kchain(k)[0] for k in range(2, 60)]
    abstract = [nx.Graph(g.edge_index.T.tolist()) for g in graphs]
    fast, slow = compare(
        lambda: WL(max_iter=10).colors(graphs),
        lambda: [nx.weisfeiler_lehman_graph_hash(g, iterations=10) for g in abstract],
        repeats=4,
        warmup=1,
    )
    show("WL, 10 iterations of 58 paths", fast, slow, "networkx", "1")

    if "--qm9" in sys.argv:
        from erlangen.studies.gwl.qm9 import TOLERANCE, bonds, read

        molecules = [bonds(m) for m in islice(read(), 5000)]
        seconds = once(lambda: GWL(invariant=True, tol=TOLERANCE).classes(molecules))
        print(f"QM9, 5000 molecules, IGWL on bonds: {seconds:.1f} s (target 60)")


if __name__ == "__main__":
    main()
