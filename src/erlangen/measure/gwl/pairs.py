"""Pairs of geometric graphs that tell tests and networks apart, in exact coordinates."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.measure.gwl.graph import GeometricGraph

Pair = tuple[GeometricGraph, GeometricGraph]
Order = Literal["2-body", "3-body", "4-body", "4-body-chiral"]


def kchain(k: int, complete: bool = False) -> Pair:
    """Two chains that differ in the direction of one end, ``k`` bodies apart from the other (cis and trans).

    GWL tells them apart first at iteration ``k // 2 + 1``; IGWL never does, as every node has the same surroundings in both.

    Args:
        k: number of bodies in the row, at least 2; ``k + 2`` nodes in all.
        complete: join all nodes, not only those in turn.

    Source: Joshi et al. 2023, arXiv:2301.09308, section 5.

    >>> a, b = kchain(4)
    >>> len(a), a.pos[0].tolist(), b.pos[0].tolist()
    (6, [-4.0, -3.0, 0.0], [4.0, -3.0, 0.0])
    """
    if k < 2:
        raise ArgumentError("k", "at least 2", repr(k))
    row = [[0.0, 5.0 * i, 0.0] for i in range(k)]
    last = [4.0, 5.0 * (k - 1) + 3.0, 0.0]
    edges = "complete" if complete else [(i, i + 1) for i in range(k + 1)]
    first, second = (GeometricGraph.of([[x, -3.0, 0.0], *row, last], edges) for x in (-4.0, 4.0))
    return first, second


def rotsym(fold: int, angle: float | None = None, *, generator: torch.Generator | None = None) -> Pair:
    """A star of ``fold`` spokes in the plane, and the same star turned about its axis.

    The two are one orbit, and no test of orbits tells them apart: it is the orientation itself that a network should read from the
    centre's equivariant feature; features of degree below ``fold`` cannot hold it (see :func:`star_harmonic`).

    Args:
        fold: number of spokes, at least 1.
        angle: of the turn, radians; by default ``2 pi / (fold + r)`` with ``r`` uniform in ``1 .. fold``.
        generator: draws ``r``.

    >>> a, b = rotsym(3, angle=0.5)
    >>> a.pos[0].tolist(), len(b)
    ([0.0, 0.0, 0.0], 4)
    """
    if fold < 1:
        raise ArgumentError("fold", "at least 1", repr(fold))
    if angle is None:
        angle = 2 * math.pi / (fold + int(torch.randint(1, fold + 1, (), generator=generator)))
    if not 0 < angle < 2 * math.pi / fold:
        raise ArgumentError("angle", f"between 0 and {2 * math.pi / fold:.4g}, where the star comes back", repr(angle))
    turns = [2 * math.pi * j / fold for j in range(fold)]
    first, second = (_star([[math.cos(t + q), math.sin(t + q), 0.0] for t in turns]) for q in (0.0, angle))
    return first, second


def counterexample(order: Order) -> Pair:
    """Two stars that body orders up to the one named leave alike.

    ============== ================================== ==================================
    pair           first IGWL(k) that separates, O(3)  SO(3)
    ============== ================================== ==================================
    2-body         3                                   3
    3-body         4                                   4
    4-body         5                                   5
    4-body-chiral  none: mirror images                 5
    ============== ================================== ==================================

    The two of four bodies stand on a triangle without equal sides. Over an isosceles one, as first published, both stars of a pair are
    one and the same up to a rotation.

    Source: Pozdnyakov et al. 2020, Phys. Rev. Lett. 125, 166001; Joshi et al. 2023, arXiv:2301.09308, with its correction.

    >>> a, b = counterexample("2-body")
    >>> a.pos[1:].tolist(), b.pos[2].tolist()
    ([[5.0, 0.0, 0.0], [3.0, 0.0, 4.0]], [-5.0, 0.0, 0.0])
    """
    triangle = torch.tensor([[3.0, 0.0, -4.0], [0.0, 0.0, 5.0], [-4.0, 0.0, -3.0]], dtype=torch.float64)
    above, below = [[0.0, 5.0, 0.0]], [[0.0, -5.0, 0.0]]
    if order == "2-body":
        return _star([[5.0, 0, 0], [3.0, 0, 4.0]]), _star([[5.0, 0, 0], [-5.0, 0, 0]])
    if order == "3-body":
        shared = [[5.0, 0, 5.0], [5.0, 5.0, 5.0], [-5.0, -5.0, 5.0]]
        return _star([*shared, [0.0, 5.0, 5.0]]), _star([*shared, [0.0, -5.0, 5.0]])
    if order == "4-body-chiral":
        return _star([*triangle.tolist(), *above]), _star([*triangle.tolist(), *below])
    if order == "4-body":
        c, s = math.cos(math.pi / 5), math.sin(math.pi / 5)
        turn = torch.tensor([[c, 0.0, s], [0.0, 1.0, 0.0], [-s, 0.0, c]], dtype=torch.float64)
        up = torch.tensor([0.0, 2.0, 0.0], dtype=torch.float64)
        prism = torch.cat([triangle + up, triangle @ turn - up]).tolist()
        return _star([*prism, *above]), _star([*prism, *below])
    raise ArgumentError("order", "'2-body', '3-body', '4-body' or '4-body-chiral'", repr(order))


def distance_incomplete(number: Literal[1, 2]) -> Pair:
    """Two complete graphs on six vertices of a dodecahedron, not isometric, that refinement by distances never tells apart.

    Source: Pozdnyakov & Ceriotti 2022, arXiv:2201.07136, for such pairs; these two by exhaustive search.

    >>> a, b = distance_incomplete(1)
    >>> len(a), a.edge_index.shape[1]
    (6, 30)
    """
    subsets = {1: ([0, 1, 2, 5, 6, 7], [0, 1, 6, 7, 13, 14]), 2: ([0, 1, 6, 7, 8, 11], [0, 1, 6, 7, 16, 19])}
    if number not in subsets:
        raise ArgumentError("number", "1 or 2", repr(number))
    vertices = dodecahedron()
    first, second = (GeometricGraph.of(vertices[part], "complete") for part in subsets[number])
    return first, second


def dodecahedron() -> Tensor:
    """Its vertices ``[20, 3]``: first the cube's, then those in the three coordinate planes; signs + before -.

    >>> dodecahedron().norm(dim=-1).unique().numel() <= 2
    True
    """
    phi, signs = (1 + math.sqrt(5)) / 2, (1.0, -1.0)
    cube = [[x, y, z] for x in signs for y in signs for z in signs]
    planes = [[0.0, a / phi, b * phi] for a in signs for b in signs]
    planes += [[a / phi, b * phi, 0.0] for a in signs for b in signs]
    planes += [[a * phi, 0.0, b / phi] for a in signs for b in signs]
    return torch.tensor(cube + planes, dtype=torch.float64)


def _star(neighbours: list[list[float]]) -> GeometricGraph:
    return GeometricGraph.of([[0.0, 0.0, 0.0], *neighbours], [(0, i + 1) for i in range(len(neighbours))])
