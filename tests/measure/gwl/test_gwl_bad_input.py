"""Errors name the argument; what is unusual but meaningful works."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.groups import SE, SO, O
from erlangen.measure.gwl import GWL, WL, AmbiguousToleranceWarning, GeometricGraph, counterexample, kchain, rotsym
from erlangen.measure.gwl.clusters import Gaps, cluster

LINE = [[0.0, 0, 0], [1.0, 0, 0]]


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("pos", lambda: GeometricGraph.of(torch.zeros(0, 3), [])),
        ("pos", lambda: GeometricGraph.of([[0.0], [1.0]], [(0, 1)])),
        ("pos", lambda: GeometricGraph.of(torch.zeros(2, 4), [(0, 1)])),
        ("pos", lambda: GeometricGraph.of([[0.0, 0, math.nan], [1.0, 0, 0]], [(0, 1)])),
        ("pos", lambda: GeometricGraph.of([["x"]], [])),
        ("pos", lambda: GeometricGraph.of([1.0, 2.0], [])),
        ("edge_index", lambda: GeometricGraph.of(LINE, [(0, 2)])),
        ("edge_index", lambda: GeometricGraph.of(LINE, [(-1, 0)])),
        ("edges", lambda: GeometricGraph.of(LINE, "all")),
        ("labels", lambda: GeometricGraph.of(LINE, [(0, 1)], labels=[1, 2, 3])),
        ("labels", lambda: GeometricGraph.of(LINE, [(0, 1)], labels=[0.5, 1.0])),
        ("vectors", lambda: GeometricGraph.of(LINE, [(0, 1)], vectors=torch.zeros(2, 1, 2))),
        ("vectors", lambda: GeometricGraph.of(LINE, [(0, 1)], vectors=torch.full((2, 1, 3), math.inf))),
        ("edge_vec", lambda: GeometricGraph.of(LINE, [(0, 1)], edge_vec=torch.zeros(1, 3))),
        ("edge_vec", lambda: GeometricGraph.of(LINE, [(0, 1)], edge_vec=torch.zeros(2, 3), directed=True)),
        ("tol", lambda: GWL(tol=0.0)),
        ("tol", lambda: GWL(tol=math.nan)),
        ("group", lambda: GWL("O(4)")),
        ("group", lambda: GWL(SE(3))),
        ("group", lambda: GWL(SO(2, axis="z"))),
        ("group", lambda: GWL("rotations")),
        ("body_order", lambda: GWL(body_order=1)),
        ("max_iter", lambda: GWL(max_iter=0)),
        ("max_iter", lambda: GWL(max_iter="all")),  # type: ignore[arg-type]
        ("graphs", lambda: GWL().compare(kchain(2)[0], GeometricGraph.of(torch.zeros(3, 2), [(0, 1)]))),
        ("graphs", lambda: GWL("O(2)").compare(*kchain(2))),
        ("graphs", lambda: GWL().compare(kchain(2)[0], GeometricGraph.of(LINE, [(0, 1)], vectors=torch.zeros(2, 1, 3)))),
        ("graphs", lambda: GWL().colors([])),
        ("k", lambda: kchain(1)),
        ("fold", lambda: rotsym(0)),
        ("angle", lambda: rotsym(3, angle=2 * math.pi / 3)),
        ("order", lambda: counterexample("6-body")),  # type: ignore[arg-type]
    ],
)
def test_errors_name_the_argument(argument: str, make) -> None:
    with pytest.raises(ArgumentError) as caught:
        make()
    assert caught.value.argument == argument


def test_groups_by_object_and_by_name() -> None:
    pair = counterexample("4-body-chiral")
    for group in (SO(3), "SO(3)", "SO3"):
        assert GWL(group).compare(*pair).iteration == 1
    for group in (O(3), "O(3)"):
        assert not GWL(group).compare(*pair)


def test_isolated_nodes_count() -> None:
    alone, two = GeometricGraph.of(LINE, []), GeometricGraph.of([*LINE, [9.0, 9, 9]], [])
    assert not GWL().compare(alone, GeometricGraph.of([[0.0, 0, 0], [7.0, 1, 0]], []))
    assert GWL().compare(alone, two).iteration == 0
    for k in (2, 3):
        assert not GWL(body_order=k).compare(alone, alone)


def test_loops_and_repeated_edges_are_entries() -> None:
    plain = GeometricGraph.of(LINE, [(0, 1)])
    looped = GeometricGraph.of(LINE, [(0, 1), (0, 0)])
    twice = GeometricGraph.of(LINE, [(0, 1), (0, 1)])
    for test in (WL(), GWL(body_order=2), GWL(invariant=True), GWL()):
        assert test.compare(plain, looped).iteration == 1
        assert test.compare(plain, twice).iteration == 1
        assert test.compare(looped, twice).iteration == 1
        assert not test.compare(looped, looped)
    # A loop has no direction: nothing turns with it.
    assert not GWL("SO(3)").compare(looped, looped.moved(SO(3).sample(generator=torch.Generator().manual_seed(0)).double()))


def test_directions_of_edges_matter() -> None:
    there = GeometricGraph.of([*LINE, [0.0, 2, 0]], [(0, 1), (1, 2)], directed=True)
    back = GeometricGraph.of([*LINE, [0.0, 2, 0]], [(1, 0), (1, 2)], directed=True)
    assert WL().compare(there, back)


def test_edge_vectors_replace_positions() -> None:
    """A lattice row with one atom in a cell: the neighbour to both sides is the atom itself."""
    step = torch.tensor([[1.5, 0, 0], [-1.5, 0, 0]], dtype=torch.float64)
    row = GeometricGraph.of([[0.0, 0, 0]], [(0, 0), (0, 0)], edge_vec=step, directed=True)
    wide = GeometricGraph.of([[0.0, 0, 0]], [(0, 0), (0, 0)], edge_vec=1.1 * step, directed=True)
    turned = row.moved(O(3).sample(generator=torch.Generator().manual_seed(1), dtype=torch.float64))
    assert not GWL().compare(row, turned)
    assert GWL().compare(row, turned).final
    assert GWL().compare(row, wide).iteration == 1


def test_single_precision_positions() -> None:
    generator = torch.Generator().manual_seed(2)
    pos = torch.randn(6, 3, generator=generator)
    turned = pos @ SO(3).sample(generator=generator).T
    edges = [(i, (i + 1) % 6) for i in range(6)]
    assert not GWL().compare(GeometricGraph.of(pos, edges), GeometricGraph.of(turned, edges))


def test_a_tolerance_that_decides_is_told() -> None:
    a = GeometricGraph.of([[0.0, 0, 0], [1.0, 0, 0]], [(0, 1)])
    b = GeometricGraph.of([[0.0, 0, 0], [1.0 + 3e-5, 0, 0]], [(0, 1)])
    with pytest.warns(AmbiguousToleranceWarning):
        result = GWL().compare(a, b)
    assert result.distinguished
    assert result.ambiguous
    assert result.min_gap == pytest.approx(3e-5)
    clear = GWL(tol=1e-8).compare(a, b)
    assert clear
    assert not clear.ambiguous
    assert not GWL(tol=1e-3).compare(a, b)


def test_results_print_and_become_verdicts() -> None:
    result = GWL("SO(3)").compare(*kchain(3))
    assert str(result) == "GWL under SO(3): distinguished at iteration 2"
    verdict = result.verdict()
    assert verdict
    assert verdict["iteration"] == 2
    assert verdict.how == "exact"
    assert result.to_dict()["level"] == "GWL"
    assert str(GWL(max_iter=1).compare(*kchain(3))) == "GWL under O(3): not distinguished in 1 iterations"
    assert str(WL().compare(*kchain(3))) == "WL: never distinguished"


def test_dense_columns_do_not_chain() -> None:
    """Values lie closer than the tolerance in each column, and rows far apart all the same."""
    rng = np.random.default_rng(0)
    values = rng.uniform(size=(20_000, 6))
    assert np.diff(np.sort(values[:, 0])).max() < 1e-3 * 1.5
    gaps = Gaps(1e-3)
    ids = cluster(np.zeros(len(values), int), values, gaps)
    near = torch.cdist(torch.from_numpy(values[:2000]), torch.from_numpy(values[:2000]), p=math.inf)
    linked = (near <= 1e-3).fill_diagonal_(False).nonzero()
    assert all(ids[i] == ids[j] for i, j in linked.tolist())
    assert len(np.unique(ids)) > 19_900
    copies = cluster(np.zeros(2 * len(values), int), np.concatenate([values, values + 1e-9]), Gaps(1e-3))
    assert (copies[: len(values)] == copies[len(values) :]).all()
