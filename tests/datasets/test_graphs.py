"""Small graphs: how many there are, and what is counted on them, against graphs whose numbers are known."""

import math

import pytest
import torch

from erlangen.datasets.graphs import connected_graphs, intensive, relabelled, targets
from erlangen.errors import ArgumentError


def graph(nodes, edges):
    a = torch.zeros(1, nodes, nodes, dtype=torch.float64)
    for i, j in edges:
        a[0, i, j] = a[0, j, i] = 1
    return a


def test_how_many_connected_graphs_there_are():
    graphs = {n: connected_graphs(n) for n in (1, 4, 5, 6, 7)}
    assert [len(g) for g in graphs.values()] == [1, 6, 21, 112, 853]
    for n, a in graphs.items():
        assert a.shape[1:] == (n, n)
        assert torch.equal(a, a.mT)
        assert not a.diagonal(dim1=1, dim2=2).any()
        assert torch.isfinite(targets(a) if n > 1 else a).all()
    with pytest.raises(ArgumentError, match="nodes"):
        connected_graphs(8)


@pytest.mark.parametrize(
    ("a", "connectivity", "trees", "triangles"),
    [
        (graph(6, [(i, (i + 1) % 6) for i in range(6)]), 2 - 2 * math.cos(math.pi / 3), 6, 0),  # cycle
        (graph(5, [(0, i) for i in range(1, 5)]), 1, 1, 0),  # star
        (graph(7, [(i, i + 1) for i in range(6)]), 2 - 2 * math.cos(math.pi / 7), 1, 0),  # path
        (graph(5, [(i, j) for i in range(5) for j in range(i)]), 5, 5**3, 10),  # complete: Cayley
        (graph(6, [(i, j) for i in range(3) for j in range(3, 6)]), 3, 81, 0),  # complete bipartite: 3^2 3^2
        (graph(5, [(0, i) for i in range(1, 5)] + [(1, 2), (2, 3), (3, 4), (4, 1)]), 3, 45, 4),  # wheel: L_8 - 2
    ],
)
def test_known_graphs(a, connectivity, trees, triangles):
    wanted = torch.tensor([[connectivity, math.log(trees), triangles]], dtype=torch.float64)
    assert torch.allclose(targets(a), wanted, atol=1e-12)


def test_kirchhoff_against_counting_edge_subsets():
    import itertools

    import networkx as nx

    for a in connected_graphs(5)[::4]:
        edges = torch.triu(a).nonzero().tolist()
        trees = sum(nx.is_tree(nx.Graph(t)) and len(nx.Graph(t)) == 5 for t in itertools.combinations(map(tuple, edges), 4))
        assert math.isclose(float(targets(a[None])[0, 1]), math.log(trees), abs_tol=1e-10)


def test_labels_do_not_matter_and_complete_graphs_are_the_unit():
    a = connected_graphs(7)
    moved = relabelled(a, torch.Generator().manual_seed(0))
    assert not torch.equal(moved, a)
    assert torch.allclose(targets(moved), targets(a), atol=1e-10)
    for n in (4, 7):
        full = (1 - torch.eye(n, dtype=torch.float64))[None]
        assert torch.allclose(intensive(targets(full), n), torch.tensor([[1.0, 0.0, 1.0]], dtype=torch.float64), atol=1e-12)
