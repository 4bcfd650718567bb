"""Finite G-sets: permutations of exact and of rounded data, orbits, Schreier graphs, functions."""

from __future__ import annotations

import itertools
from fractions import Fraction
from typing import Any

import pytest
import torch

import erlangen as er
from erlangen.errors import ArgumentError, UnsupportedError
from erlangen.groups import SpaceGroup
from erlangen.reps import PointSet


class Subsets(er.Action):
    """Sets of points under permutations."""

    def act(self, g: Any, x: frozenset[int]) -> frozenset[int]:
        return frozenset(int(g[i]) for i in x)


@pytest.mark.parametrize(("n", "k"), [(4, 2), (5, 2), (5, 0), (3, 3)])
def test_subsets_are_one_orbit_and_a_representation(n: int, k: int) -> None:
    every = [frozenset(c) for c in itertools.combinations(range(n), k)]
    V = PointSet(Subsets(er.Symmetric(n)), every)
    er.testing.check_rep(V)
    assert V.is_transitive
    g = er.Symmetric(n).sample(generator=torch.Generator().manual_seed(0))
    assert [every[i] for i in V.places(g).tolist()] == [Subsets(er.Symmetric(n)).act(g, x) for x in every]


def test_functions_move_with_their_points() -> None:
    G = er.Symmetric(4)
    V = PointSet.closed(Subsets(G), [frozenset({0, 1}), frozenset({2})])
    f = torch.randn(V.dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for g in G.elements()[::5]:
        moved = V.act(g, f)
        for i, point in enumerate(V.points):
            assert moved[V.index(V.action.act(g, point))] == f[i]
    torch.testing.assert_close(V(g) @ f, V.act(g, f))
    assert [len(orbit) for orbit in V.orbits()] == [6, 4]
    assert not V.is_transitive
    # The number of orbits is the dimension of invariants (Burnside), and Johnson's scheme has three maps on pairs.
    assert er.EquivariantMaps(V, G.scalar).dim == 2
    pairs = PointSet.closed(Subsets(G), [frozenset({0, 1})])
    assert er.EquivariantMaps(pairs, pairs).dim == 3


def test_sites_of_a_crystal_exact_and_rounded() -> None:
    G = SpaceGroup(221)
    exact = PointSet.closed(G.point, [(0, Fraction(1, 2), Fraction(1, 2)), (Fraction(1, 5), 0, 0)])
    assert [len(orbit) for orbit in exact.orbits()] == [3, 6]
    rounded = PointSet.closed(G.point, [torch.tensor([0.0, 0.5, 0.5]), torch.tensor([0.2, 0.0, 1.0])])
    assert [len(orbit) for orbit in rounded.orbits()] == [3, 6]
    assert rounded.index(torch.tensor([1.0, 0.5, 0.5])) == 0
    er.testing.check_rep(rounded)


def test_the_schreier_graph_has_an_arrow_for_each_generator_and_point() -> None:
    V = PointSet.closed(Subsets(er.Symmetric(5)), [frozenset({0, 1})])
    graph = V.schreier_graph()
    assert graph.shape == (10 * len(V.images), 3)
    for start, end, s in graph.tolist():
        moved = V.action.act(er.Symmetric(5).generators[s], V.points[start])
        assert V.points[end] == moved
    reached = {0}
    for _ in range(10):
        reached |= {end for start, end, _ in graph.tolist() if start in reached}
    assert len(reached) == 10


def test_large_groups_need_no_list() -> None:
    V = PointSet.closed(Subsets(er.Symmetric(40)), [frozenset({0, 1})])
    assert V.dim == 780
    assert V.is_transitive
    with pytest.raises(UnsupportedError, match="images"):
        V.places(er.Symmetric(40).identity())


@pytest.mark.parametrize("first_in_inference", [False, True])
def test_tables_serve_training(first_in_inference: bool) -> None:
    V = PointSet.closed(Subsets(er.Symmetric(3)), [frozenset({0})])
    g = er.Symmetric(3).sample(2, generator=torch.Generator().manual_seed(0))
    if first_in_inference:
        with torch.inference_mode():
            V.act(g, torch.ones(2, 3))
    x = torch.ones(2, 3, requires_grad=True)
    V.act(g, x).sum().backward()
    assert x.grad is not None
    assert torch.equal(x.grad, torch.ones(2, 3))


def test_sets_that_are_none_are_refused() -> None:
    act = Subsets(er.Symmetric(3))
    with pytest.raises(ArgumentError, match="takes to itself"):
        PointSet(act, [frozenset({0})])
    with pytest.raises(ArgumentError, match="number 1 is number 0 again"):
        PointSet(act, [frozenset({0}), frozenset({0})])
    with pytest.raises(ArgumentError, match="at least one"):
        PointSet(act, [])
    V = PointSet.closed(act, [frozenset({0})])
    with pytest.raises(ArgumentError, match="one of the 3 points"):
        V.index(frozenset({0, 1}))
    assert PointSet.closed(act, [frozenset({0})]) == V
    assert V.dim == len(V.points) == 3
