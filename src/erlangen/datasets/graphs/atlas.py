"""All connected graphs with up to seven nodes, from the atlas that networkx ships, with three numbers that no labelling changes."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine

#: What :func:`targets` counts.
TARGETS: tuple[str, ...] = ("algebraic connectivity", "log spanning trees", "triangles")


def connected_graphs(nodes: int) -> Float[Tensor, "graphs nodes nodes"]:
    """Adjacency matrices, in float64, of all connected graphs with so many nodes, one of each isomorphism class.

    After R. C. Read and R. J. Wilson, An Atlas of Graphs (1998), whose graphs networkx lists.

    Raises:
        ArgumentError: ``nodes`` is not from 1 to 7.
        MissingExtra: networkx is not installed.

    >>> [len(connected_graphs(n)) for n in (1, 2, 3, 4, 5, 6, 7)]
    [1, 1, 2, 6, 21, 112, 853]
    """
    if nodes not in range(1, 8):
        raise ArgumentError("nodes", "a number from 1 to 7", repr(nodes))
    nx = engine("graphs", "networkx")
    graphs = [g for g in nx.graph_atlas_g() if g.number_of_nodes() == nodes and nx.is_connected(g)]
    return torch.stack([torch.from_numpy(nx.to_numpy_array(g)) for g in graphs])


def targets(a: Float[Tensor, "graphs n n"]) -> Float[Tensor, "graphs 3"]:
    """Of connected graphs: the algebraic connectivity, the log of the number of spanning trees and the number of triangles.

    The connectivity is the second smallest eigenvalue of the Laplacian (Fiedler 1973); trees are counted by a minor of it (Kirchhoff 1847).

    >>> torch.allclose(targets(1 - torch.eye(4)[None])[0], torch.tensor([4.0, math.log(4**2), 4.0]))
    True
    """
    laplacian = torch.diag_embed(a.sum(-1)) - a
    connectivity = torch.linalg.eigvalsh(laplacian)[:, 1]
    trees = torch.linalg.slogdet(laplacian[:, 1:, 1:])[1]
    return torch.stack([connectivity, trees, torch.einsum("bij,bjk,bki->b", a, a, a) / 6], -1)


def intensive(y: Float[Tensor, "graphs 3"], nodes: int) -> Float[Tensor, "graphs 3"]:
    """The targets relative to those of the complete graph, so that sizes compare; trees on a logarithmic scale, for each node but one.

    An affine function of ``y``: connectivity / n, (log trees - (n - 2) log n) / (n - 1), triangles / (n choose 3).
    """
    most = math.log(nodes) * (nodes - 2)
    return torch.stack([y[:, 0] / nodes, (y[:, 1] - most) / (nodes - 1), y[:, 2] / math.comb(nodes, 3)], -1)


def relabelled(a: Float[Tensor, "graphs n n"], generator: torch.Generator | None = None) -> Float[Tensor, "graphs n n"]:
    """Every graph with its nodes in a random order."""
    order = torch.rand(a.shape[:2], generator=generator).argsort(-1)
    rows = a.gather(1, order[:, :, None].expand_as(a))
    return rows.gather(2, order[:, None, :].expand_as(a))
