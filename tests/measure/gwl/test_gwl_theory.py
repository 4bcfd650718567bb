"""What theory says the tests do on chains, stars and subsets of a dodecahedron."""

from __future__ import annotations

import math

import pytest
import torch

from erlangen.measure.gwl import GWL, WL, GeometricGraph, counterexample, distance_incomplete, kchain, rotsym

GROUPS = ["O(3)", "SO(3)"]


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("k", range(2, 9))
def test_chains_need_half_their_length(k: int, group: str) -> None:
    a, b = kchain(k)
    assert GWL(group).compare(a, b).iteration == k // 2 + 1
    assert WL().compare(a, b).iteration is None
    for weaker in (GWL(group, invariant=True), GWL(group, body_order=2), GWL(group, body_order=3)):
        result = weaker.compare(a, b)
        assert result.iteration is None
        assert result.final


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("k", [3, 4, 5, 6])
def test_one_iteration_less_cannot(k: int, group: str) -> None:
    result = GWL(group, max_iter=k // 2).compare(*kchain(k))
    assert not result
    assert not result.final


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("k", [4, 5])
def test_complete_chains_need_distances_only(k: int, group: str) -> None:
    pair = kchain(k, complete=True)
    assert WL().compare(*pair).iteration is None
    for test in (GWL(group, body_order=2), GWL(group, invariant=True), GWL(group)):
        assert test.compare(*pair).iteration == 1


#: The first body order that separates the centres, or None.
FIRST = {
    ("2-body", "O(3)"): 3,
    ("2-body", "SO(3)"): 3,
    ("3-body", "O(3)"): 4,
    ("3-body", "SO(3)"): 4,
    ("4-body", "O(3)"): 5,
    ("4-body", "SO(3)"): 5,
    ("4-body-chiral", "O(3)"): None,
    ("4-body-chiral", "SO(3)"): 5,
}


def _centres_differ(test: GWL, pair: tuple[GeometricGraph, GeometricGraph]) -> bool:
    a, b = test.colors(pair)
    return bool(a[0] != b[0])


@pytest.mark.parametrize(("order", "group"), FIRST)
def test_counterexamples(order: str, group: str) -> None:
    pair, first = counterexample(order), FIRST[order, group]  # type: ignore[arg-type]
    for k in range(2, 8):
        assert _centres_differ(GWL(group, body_order=k, max_iter=1), pair) == (first is not None and k >= first), k
    for test in (GWL(group, invariant=True, max_iter=1), GWL(group, max_iter=1)):
        assert _centres_differ(test, pair) == (first is not None)


def _star(neighbours: torch.Tensor) -> GeometricGraph:
    centre = torch.zeros(1, 3, dtype=torch.float64)
    return GeometricGraph.of(torch.cat([centre, neighbours]), [(0, i + 1) for i in range(len(neighbours))])


@pytest.mark.parametrize("group", GROUPS)
def test_pairs_over_isosceles_triangles_are_one_star(group: str) -> None:
    """As first published: the triangle has two equal sides, and a half turn maps one star to the other."""
    triangle = torch.tensor([[3.0, 0, -4.0], [0, 0, 5.0], [0, 0, -5.0]], dtype=torch.float64)
    triangle[2] = torch.tensor([-3.0, 0, -4.0])
    above, below = torch.tensor([[0.0, 5.0, 0.0], [0.0, -5.0, 0.0]], dtype=torch.float64).unsqueeze(1)
    assert not GWL(group).compare(_star(torch.cat([triangle, above])), _star(torch.cat([triangle, below])))
    c, s = math.cos(math.pi / 5), math.sin(math.pi / 5)
    turn = torch.tensor([[c, 0, s], [0, 1, 0], [-s, 0, c]], dtype=torch.float64)
    up = torch.tensor([0.0, 2.0, 0.0], dtype=torch.float64)
    prism = torch.cat([triangle + up, triangle @ turn - up])
    assert not GWL(group).compare(_star(torch.cat([prism, above])), _star(torch.cat([prism, below])))


@pytest.mark.parametrize("group", GROUPS)
@pytest.mark.parametrize("number", [1, 2])
def test_distances_do_not_complete(number: int, group: str) -> None:
    pair = distance_incomplete(number)  # type: ignore[arg-type]
    distances = GWL(group, body_order=2).compare(*pair)
    assert not distances
    assert distances.final
    for test in (GWL(group, body_order=3), GWL(group, invariant=True), GWL(group)):
        assert test.compare(*pair).iteration == 1


def _butane(torsion: float) -> GeometricGraph:
    bond, angle, turn = 1.53, math.radians(112), math.radians(torsion)
    s, c = math.sin(angle), math.cos(angle)
    pos = [
        [bond * s, 0, bond * c],
        [0, 0, 0],
        [0, 0, bond],
        [bond * s * math.cos(turn), bond * s * math.sin(turn), bond - bond * c],
    ]
    return GeometricGraph.of(pos, [(0, 1), (1, 2), (2, 3)], labels=[6] * 4)


@pytest.mark.parametrize("group", GROUPS)
def test_torsion_of_butane(group: str) -> None:
    trans, gauche, other = _butane(180), _butane(65), _butane(-65)
    assert GWL(group, invariant=True).compare(trans, gauche).iteration is None
    assert GWL(group).compare(trans, gauche).iteration == 2
    assert GWL(group, invariant=True).compare(gauche, other).iteration is None
    assert GWL(group).compare(gauche, other).iteration == (2 if group == "SO(3)" else None)


def test_turned_stars_are_one_orbit() -> None:
    for fold in (2, 3, 5, 10):
        pair = rotsym(fold, generator=torch.Generator().manual_seed(fold))
        assert not GWL("SO(3)").compare(*pair)


def test_refinement_goes_on_where_the_partition_pauses() -> None:
    """For even k the joint partition of the chains stands still just before they come apart."""
    a, b = kchain(6)
    counts = [torch.cat(GWL(max_iter=t).colors([a, b])).unique().numel() for t in (2, 3, 4)]
    assert counts[0] == counts[1] < counts[2]


def test_equal_stars_are_equal_forever_and_it_is_said_so() -> None:
    a, _ = kchain(4)
    result = GWL().compare(a, a)
    assert not result
    assert result.final
    assert torch.equal(result.colors_a, result.colors_b)


def test_positions_in_one_place_need_as_many_rounds_as_labels_do() -> None:
    """All nodes in one point: GWL is the test of the abstract graph, which may need more iterations than the graph is wide."""
    zeros = torch.zeros(9, 3, dtype=torch.float64)
    path = [(i, i + 1) for i in range(7)]
    first = GeometricGraph.of(zeros, [*path, (1, 8)])
    second = GeometricGraph.of(zeros, [*path, (2, 8)])
    assert GWL().compare(first, second).iteration == WL().compare(first, second).iteration
    cycles = [
        GeometricGraph.of(zeros[:6], [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0)]),
        GeometricGraph.of(zeros[:6], [(0, 1), (1, 2), (2, 0), (3, 4), (4, 5), (5, 3)]),
    ]
    assert not WL().compare(*cycles)
    assert not GWL().compare(*cycles)
