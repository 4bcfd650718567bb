"""Exactness: copies are never told apart, and stars exactly where a search over permutations finds no isometry."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
import torch

from erlangen.groups import SO, O
from erlangen.measure.gwl import GWL, WL, GeometricGraph, dodecahedron

CUBE = dodecahedron()[:8]
PHI = (1 + math.sqrt(5)) / 2
ICOSAHEDRON = torch.tensor(
    [p for a in (1, -1) for b in (PHI, -PHI) for p in ([0, a, b], [a, b, 0], [b, 0, a])], dtype=torch.float64
)


def _random_graph(i: int, rng: np.random.Generator) -> GeometricGraph:
    n = int(rng.integers(4, 13))
    pos = torch.from_numpy(rng.normal(size=(n, 3)))
    kind = i % 10
    if kind == 1:
        pos[:, 2] = 0.0
    elif kind == 2:
        pos[:, 1:] = 0.0
    elif kind == 3:
        pos = CUBE.clone()
    elif kind == 4:
        pos = ICOSAHEDRON.clone()
    elif kind == 5:
        pos[1] = pos[0]
    elif kind == 6:
        pos = torch.from_numpy(rng.integers(-1, 2, size=(n, 3)).astype(float))
    n = len(pos)
    chance = rng.uniform(0.15, 0.9)
    edges = [(j, k) for j in range(n) for k in range(n) if rng.uniform() < chance and (j != k or kind == 7)]
    if kind in (3, 4):
        near = torch.cdist(pos, pos)
        edges = (near < 2.1).nonzero().tolist() if i % 20 > 10 else [(j, k) for j in range(n) for k in range(n) if j != k]
        edges = [(j, k) for j, k in edges if j != k]
    if kind == 8:
        edges += edges[:3]
    labels = rng.integers(0, 2, size=n) if kind != 4 else np.zeros(n, int)
    vectors = torch.from_numpy(rng.normal(size=(n, 2, 3))) if kind == 9 else None
    return GeometricGraph.of(pos, edges, labels=labels, vectors=vectors, directed=True)


@pytest.mark.parametrize("group", ["O(3)", "SO(3)"])
@pytest.mark.filterwarnings("ignore::erlangen.measure.gwl.AmbiguousToleranceWarning")
def test_moved_copies_are_the_same(group: str) -> None:
    rng, generator = np.random.default_rng(0), torch.Generator().manual_seed(0)
    tests = [GWL(group), GWL(group, invariant=True), GWL(group, body_order=2), GWL(group, body_order=3), WL()]
    for i in range(100):
        graph = _random_graph(i, rng)
        matrix = (O(3) if group == "O(3)" else SO(3)).sample(generator=generator, dtype=torch.float64)
        shift = 5 * torch.randn(3, generator=generator, dtype=torch.float64)
        copy = graph.moved(matrix, shift, torch.randperm(len(graph), generator=generator))
        for test in tests:
            result = test.compare(graph, copy)
            assert not result, (i, str(result))
            assert result.final


@pytest.mark.parametrize("group", ["O(3)", "SO(3)"])
def test_colours_of_a_copy_go_with_its_nodes(group: str) -> None:
    generator = torch.Generator().manual_seed(1)
    graph = GeometricGraph.of(torch.randn(7, 3, generator=generator, dtype=torch.float64), [(i, (i + 1) % 7) for i in range(7)])
    order = torch.randperm(7, generator=generator)
    copy = graph.moved(SO(3).sample(generator=generator, dtype=torch.float64), order=order)
    first, second = GWL(group).colors([graph, copy])
    assert torch.equal(first[order], second)
    assert first.unique().numel() == 7


def test_a_change_of_anything_is_seen() -> None:
    """The counterpart: one position, label, vector, or edge changed, and the graphs differ."""
    rng = np.random.default_rng(2)
    for i in range(40):
        pos, vectors = rng.normal(size=(6, 3)), rng.normal(size=(6, 1, 3))
        edges = [(j, (j + 1) % 6) for j in range(6)]
        graph = GeometricGraph.of(pos, edges, vectors=vectors)
        other = pos.copy()
        other[i % 6, i % 3] += 1e-3
        assert GWL().compare(graph, GeometricGraph.of(other, edges, vectors=vectors))
        other = vectors.copy()
        other[i % 6, 0, i % 3] += 1e-3
        assert GWL().compare(graph, GeometricGraph.of(pos, edges, vectors=other))
        assert GWL().compare(graph, GeometricGraph.of(pos, edges, vectors=vectors, labels=np.arange(6) == i % 6)).iteration == 0
        assert GWL().compare(graph, GeometricGraph.of(pos, [*edges, edges[i % 6]], vectors=vectors)).iteration == 1


@pytest.mark.parametrize("planar", [False, True])
def test_mirror_images_of_stars(planar: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    for _ in range(10):
        pos = torch.cat([torch.zeros(1, 3), torch.randn(5, 3, generator=generator)]).double()
        if planar:
            pos[:, 2] = 0.0
        star = GeometricGraph.of(pos, [(0, i) for i in range(1, 6)])
        turn = SO(3).sample(generator=generator, dtype=torch.float64)
        mirror = star.moved(turn @ torch.diag(torch.tensor([-1.0, 1.0, 1.0], dtype=torch.float64)))
        assert not GWL("O(3)").compare(star, mirror)
        assert GWL("SO(3)").compare(star, mirror).iteration == (None if planar else 1)


def test_plane_groups() -> None:
    triangle = torch.tensor([[0.0, 0], [2.0, 0], [0.5, 1.0]], dtype=torch.float64)
    graph = GeometricGraph.of(triangle, "complete")
    mirror = graph.moved(torch.diag(torch.tensor([-1.0, 1.0], dtype=torch.float64)))
    turned = graph.moved(SO(2).sample(generator=torch.Generator().manual_seed(0), dtype=torch.float64))
    assert not GWL("O(2)").compare(graph, mirror)
    assert GWL("SO(2)").compare(graph, mirror).iteration == 1
    assert not GWL("SO(2)").compare(graph, turned)
    # In space the plane is turned over.
    flat, over = (GeometricGraph.of(torch.nn.functional.pad(g.pos, (0, 1)), "complete") for g in (graph, mirror))
    assert not GWL("SO(3)").compare(flat, over)


def _isometric(a: np.ndarray, b: np.ndarray, la: np.ndarray, lb: np.ndarray, proper: bool) -> bool:
    """Does a motion map one set of labelled vectors to the other? All permutations, each with its best motion (Kabsch)."""
    for p in permutations(range(len(a))):
        order = list(p)
        if (la != lb[order]).any():
            continue
        u, _, vt = np.linalg.svd(b[order].T @ a)
        for flip in (1.0, -1.0) if not proper else (np.linalg.det(u @ vt),):
            matrix = u @ np.diag([1.0, 1.0, flip]) @ vt
            if np.abs(a @ matrix.T - b[order]).max() < 1e-8:
                return True
    return False


@pytest.mark.parametrize("group", ["O(3)", "SO(3)"])
def test_stars_against_a_search_over_permutations(group: str) -> None:
    rng = np.random.default_rng(4)
    same = 0
    for case in range(250):
        n = int(rng.integers(2, 7 if case % 5 == 0 else 6))
        a = rng.integers(-1, 2, size=(n, 3)).astype(float)
        b = rng.integers(-1, 2, size=(n, 3)).astype(float)
        if case % 2:
            # Near misses: shuffled and mirrored, then perhaps one vector changes one sign.
            b = a[rng.permutation(n)][:, rng.permutation(3)] * rng.choice([-1.0, 1.0], size=3)
            if case % 4 == 1:
                b[0, rng.integers(3)] *= -1
        labels = (rng.integers(0, 2, size=n), rng.integers(0, 2, size=n)) if case % 3 == 0 else (np.zeros(n, int),) * 2
        expected = _isometric(a, b, *labels, proper=group == "SO(3)")
        graphs = [
            GeometricGraph.of(
                np.concatenate([np.zeros((1, 3)), x]),
                [(j + 1, 0) for j in range(n)],
                labels=np.concatenate([[7], y]),
                directed=True,
            )
            for x, y in zip((a, b), labels)
        ]
        first, second = GWL(group, invariant=True, max_iter=1).colors(graphs)
        assert (first[0] == second[0]) == expected, (case, a, b)
        deep = GWL(group, max_iter=1).colors(graphs)
        assert (deep[0][0] == deep[1][0]) == expected
        same += expected
    assert 40 < same < 190


@pytest.mark.parametrize("group", ["O(3)", "SO(3)"])
def test_connected_graphs_against_a_search_over_permutations(group: str) -> None:
    """With distinct positions the tree of a node is the whole graph: GWL separates exactly the pairs that no motion joins."""
    rng = np.random.default_rng(8)
    grid = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    same = 0
    for case in range(150):
        n = int(rng.integers(3, 6))
        a = grid[rng.permutation(8)[:n]]
        # Half of them with axes exchanged, which is a rotation or a reflection.
        b = grid[rng.permutation(8)[:n]] if case % 2 else a[:, rng.permutation(3)]
        edges = [(i, int(rng.integers(i))) for i in range(1, n)]
        adjacency = np.zeros((n, n), bool)
        for i, j in edges:
            adjacency[i, j] = adjacency[j, i] = True
        expected = False
        for p in permutations(range(n)):
            order = list(p)
            if (adjacency[np.ix_(order, order)] != adjacency).any():
                continue
            x, y = a - a.mean(0), b[order] - b[order].mean(0)
            u, _, vt = np.linalg.svd(y.T @ x)
            for flip in (1.0, -1.0) if group == "O(3)" else (np.linalg.det(u @ vt),):
                expected |= bool(np.abs(x @ (u @ np.diag([1.0, 1.0, flip]) @ vt).T - y).max() < 1e-8)
        result = GWL(group).compare(GeometricGraph.of(a, edges), GeometricGraph.of(b, edges))
        assert bool(result) != expected, (case, a, b, edges)
        same += expected
    assert 30 < same < 120


def test_stronger_tests_separate_what_weaker_ones_do() -> None:
    rng = np.random.default_rng(5)
    separated = dict.fromkeys(range(2, 8), 0)
    for case in range(200):
        n = int(rng.integers(3, 6))
        a = rng.integers(-1, 2, size=(n, 3)).astype(float)
        b = a.copy()
        b[0] = rng.permutation(b[0]) * rng.choice([-1.0, 1.0], size=3)
        if case % 10 == 0:
            b[0] = rng.integers(-1, 2, size=3)
        graphs = [GeometricGraph.of(np.concatenate([np.zeros((1, 3)), x]), [(0, j + 1) for j in range(n)]) for x in (a, b)]
        group = "SO(3)" if case % 2 else "O(3)"
        ladder = [GWL(group, body_order=k) for k in range(2, 6)] + [GWL(group, invariant=True), GWL(group)]
        found = [bool(test.compare(*graphs)) for test in ladder]
        assert found == sorted(found), (case, found)
        for k, one in enumerate(found, 2):
            separated[k] += one
    assert 0 < separated[2] < separated[3] < separated[4] <= separated[7] < 200


def test_all_neighbours_are_the_last_body_order() -> None:
    rng = np.random.default_rng(6)
    for _ in range(20):
        graphs = [
            GeometricGraph.of(np.concatenate([np.zeros((1, 3)), x]), [(0, j + 1) for j in range(4)], vectors=v)
            for x, v in ((rng.integers(-1, 2, size=(4, 3)).astype(float), rng.integers(-1, 2, size=(5, 1, 3))) for _ in range(6))
        ]
        assert torch.equal(GWL(body_order=5).classes(graphs), GWL(invariant=True).classes(graphs))


def test_classes_of_a_list_are_those_of_its_pairs() -> None:
    rng = np.random.default_rng(7)
    graphs = [GeometricGraph.of(rng.integers(0, 2, size=(5, 3)).astype(float), [(0, 1), (1, 2), (2, 3), (3, 4)]) for _ in range(12)]
    for test in (GWL("SO(3)"), GWL("O(3)"), GWL(invariant=True), GWL(body_order=3), GWL(max_iter=2), WL()):
        classes = test.classes(graphs)
        for i in range(12):
            for j in range(i):
                assert bool(test.compare(graphs[i], graphs[j])) == bool(classes[i] != classes[j]), (str(test), i, j)
