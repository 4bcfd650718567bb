"""Tetrahedra straight from a silhouette: a plane mesh whose vertices become columns, front and back mirror images to the bit."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.spatial import Delaunay, cKDTree

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.solids.mesh import TetMesh
from erlangen.fields.solids.pictures import checked, torsion
from erlangen.fields.solids.structured import mirrored

#: Away from the rim, edges grow by this part of the distance to it.
GRADING = 0.25
#: Rounds of smoothing of the plane mesh.
ROUNDS = 12


def inflate_tets(mask: Any, height: float, *, thickness: float = 1.0, edge: float = 0.03) -> TetMesh:
    """The body of :func:`~erlangen.fields.solids.inflate` as tetrahedra, without a surface that has to be simplified and filled first.

    The silhouette is meshed in the plane by triangles that are small at the rim. Each of their vertices becomes a column of vertices
    across the depth, as many as its thickness asks for, and none but itself at the rim, where the thickness is zero. The space between
    three columns is filled by climbing them in turns, always the one whose next step is lowest relative to its column: each climb is a
    tetrahedron of positive volume, and neighbours agree on their common side, whatever the numbers of vertices. The half in front is
    made so and reflected: the mesh is **exactly** invariant under y -> -y.

    Args:
        mask: ``[rows, columns]``, True inside; see :func:`~erlangen.fields.solids.silhouette`. Right is x, up is z, the depth y.
        height: of the body, metres.
        thickness: the depth is multiplied by this.
        edge: length of edges at the rim, relative to the height.

    Returns:
        Positively oriented tetrahedra, the lowest vertex on the ground.

    Raises:
        ArgumentError: an empty mask, one that touches the border, a size that is not positive, or edges so long that parts of the
            silhouette would be lost.

    >>> rows, columns = np.indices((84, 84)) - 41.5
    >>> ball = inflate_tets(rows**2 + columns**2 < 40**2, 0.4, edge=0.03)
    >>> abs(ball.volume() / (4 / 3 * np.pi * 0.2**3) - 1) < 0.03
    True
    """
    inside = checked(mask)
    for name, value in (("height", height), ("thickness", thickness)):
        if not 0 < value < float("inf"):
            raise ArgumentError(name, "a positive number", repr(value))
    tall = int(np.ptp(np.flatnonzero(inside.any(1)))) + 1
    if not 1.5 / tall <= edge <= 0.2:
        raise ArgumentError("edge", f"a part of the height from 0.2 down to a pixel and a half, {1.5 / tall:.2g}", repr(edge))
    points, triangles, rim = _plane(inside, edge * tall)
    half = thickness * _depth(inside, points, rim)
    size = np.minimum(edge * tall * (1 + GRADING * half / thickness / (edge * tall)), half.max())
    layers = np.where(rim, 0, np.maximum(1, np.rint(half / size))).astype(np.int64)
    scale = height / tall
    x, z = scale * points[:, 1], -scale * points[:, 0]
    vertices, first = [], np.concatenate([[0], np.cumsum(layers + 1)])
    for a, n in enumerate(layers):
        share = np.arange(n + 1) / max(n, 1)
        vertices.append(np.column_stack([np.full(n + 1, x[a]), scale * half[a] * share, np.full(n + 1, z[a])]))
    front = TetMesh(torch.from_numpy(np.concatenate(vertices)), torch.from_numpy(_climbed(triangles, layers, first)))
    whole = mirrored(front, (0.0, 1.0, 0.0)).check()
    low, high = whole.vertices.amin(0), whole.vertices.amax(0)
    return whole.moved(whole.vertices - torch.stack([(low[0] + high[0]) / 2, torch.zeros_like(low[1]), low[2]]))


def _climbed(triangles: np.ndarray, layers: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Tetrahedra between columns: one for each step of each of the three columns of a triangle."""
    made = []
    for triangle in triangles:
        steps = sorted(((i + 0.5) / layers[a], a, corner) for corner, a in enumerate(triangle) for i in range(layers[a]))
        at = first[triangle].copy()
        for _, _, corner in steps:
            made.append([*at, at[corner] + 1])
            at[corner] += 1
    return np.array(made, dtype=np.int64)


def _plane(inside: np.ndarray, edge: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Vertices (row, column), triangles, and which vertices are on the rim; no triangle has its three corners there."""
    loops = [_resampled(loop, edge) for loop in _outlines(inside)]
    loops = [loop for loop in loops if len(loop) >= 3]
    if not loops:
        raise ArgumentError("edge", "edges shorter than the silhouette", f"{edge:.3g} pixels")
    inner = _scattered(loops, edge)
    for _ in range(ROUNDS):
        loops, triangles = _conforming(loops, inner)
        inner = _smoothed(loops, inner, triangles)
    loops, triangles = _conforming(loops, inner)
    points = np.concatenate([*loops, inner])
    rim = np.arange(len(points)) < sum(len(loop) for loop in loops)
    # Vertices that the smoothing left without a triangle.
    used, places = np.unique(triangles, return_inverse=True)
    points, rim, triangles = points[used], rim[used], places.reshape(-1, 3)
    return _split(points, triangles, rim)


def _outlines(inside: np.ndarray) -> list[np.ndarray]:
    """Closed loops around the silhouette and its holes, the staircase of pixels smoothed, ``[k, 2]`` each."""
    from scipy.ndimage import gaussian_filter1d

    loops = engine("solids", "skimage.measure").find_contours(inside.astype(float), 0.5)
    return [gaussian_filter1d(loop[:-1], 2.0, axis=0, mode="wrap") for loop in loops if len(loop) > 8]


def _resampled(loop: np.ndarray, edge: float) -> np.ndarray:
    closed = np.concatenate([loop, loop[:1]])
    along = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(closed, axis=0), axis=1))])
    at = np.linspace(0, along[-1], max(3, round(along[-1] / edge)) + 1)[:-1]
    return np.column_stack([np.interp(at, along, closed[:, k]) for k in (0, 1)])


def _scattered(loops: list[np.ndarray], edge: float) -> np.ndarray:
    """Points inside, at distances that grow away from the rim: of a fine triangular lattice, those that no chosen one is near."""
    low, high = np.concatenate(loops).min(0), np.concatenate(loops).max(0)
    step = edge / 4
    rows = np.arange(low[0], high[0], step * np.sqrt(3) / 2)
    columns = np.arange(low[1], high[1], step)
    lattice = np.stack(np.meshgrid(rows, columns, indexing="ij"), -1)
    lattice[1::2, :, 1] += step / 2
    lattice = lattice.reshape(-1, 2)
    lattice = lattice[_within(lattice, loops)]
    distance = _distance(lattice, loops)
    keep = distance > 0.55 * edge
    lattice, distance = lattice[keep], distance[keep]
    apart = 0.9 * (edge + GRADING * distance)
    tree, free, chosen = cKDTree(lattice), np.ones(len(lattice), dtype=bool), []
    # From the rim inwards, so that rows of points follow it.
    for at in np.argsort(np.round(distance / step), kind="stable"):
        if free[at]:
            chosen.append(at)
            free[tree.query_ball_point(lattice[at], apart[at])] = False
    return lattice[chosen].reshape(-1, 2)


def _conforming(loops: list[np.ndarray], inner: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Delaunay's triangles inside of the loops; edges of the loops that are not among theirs are halved until all are."""
    for _ in range(20):
        points = np.concatenate([*loops, inner])
        triangles = Delaunay(points).simplices
        pairs = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
        known = set((pairs[:, 0] * len(points) + pairs[:, 1]).tolist())
        start, missing, halved = 0, False, []
        for loop in loops:
            i = start + np.arange(len(loop))
            j = np.roll(i, -1)
            lost = np.array([min(a, b) * len(points) + max(a, b) not in known for a, b in zip(i, j)])
            missing |= bool(lost.any())
            where = np.flatnonzero(lost)
            halved.append(np.insert(loop, where + 1, (loop[where] + np.roll(loop, -1, 0)[where]) / 2, axis=0))
            start += len(loop)
        if not missing:
            corners = points[triangles]
            keep = _within(corners.mean(1), loops)
            a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
            # Rows run downwards: with (column, -row) as (x, z), y is away from who looks, and this order makes columns climb along y.
            area = a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]
            triangles = np.where((area > 0)[:, None], triangles, triangles[:, [1, 0, 2]])
            return loops, triangles[keep]
        loops = halved
    raise ArgumentError("edge", "edges with which the silhouette's outline can be followed", "ones that are too long")


def _smoothed(loops: list[np.ndarray], inner: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """Each inner point half the way to the middle of its triangles, weighted by area (Lloyd's relaxation, nearly)."""
    points = np.concatenate([*loops, inner])
    corners = points[triangles]
    a, b = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    area = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]) ** 0.5
    total, weight = np.zeros_like(points), np.zeros(len(points))
    for corner in range(3):
        np.add.at(total, triangles[:, corner], area[:, None] * corners.mean(1))
        np.add.at(weight, triangles[:, corner], area)
    start = len(points) - len(inner)
    moving = weight[start:] > 0
    new = inner.copy()
    new[moving] += 0.5 * (total[start:][moving] / weight[start:][moving, None] - inner[moving])
    return new


def _split(points: np.ndarray, triangles: np.ndarray, rim: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Inner edges between two vertices of the rim get a vertex in their middle: a triangle all on the rim would have no thickness."""
    edges = np.sort(triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), 1)
    pairs, count = np.unique(edges, axis=0, return_counts=True)
    inner = pairs[(count == 2) & rim[pairs].all(1)]
    new = {(int(a), int(b)): len(points) + k for k, (a, b) in enumerate(inner)}
    points = np.concatenate([points, points[inner].mean(1)])
    rim = np.concatenate([rim, np.zeros(len(inner), dtype=bool)])
    made: list[list[int]] = []
    for triangle in triangles.tolist():
        todo = [triangle]
        while todo:
            t = todo.pop()
            for k in range(3):
                a, b, c = t[k], t[(k + 1) % 3], t[(k + 2) % 3]
                middle = new.get((min(a, b), max(a, b)))
                if middle is not None:
                    todo += [[a, middle, c], [middle, b, c]]
                    break
            else:
                made.append(t)
    whole = np.array(made)
    flat = rim[whole].all(1)
    if flat.any():  # an ear, cut off by one edge of the rim: its middle is lifted
        middle = points[whole[flat]].mean(1)
        at = len(points) + np.arange(int(flat.sum()))
        a, b, c = whole[flat].T
        ears = [np.column_stack([a, b, at]), np.column_stack([b, c, at]), np.column_stack([c, a, at])]
        points, rim = np.concatenate([points, middle]), np.concatenate([rim, np.zeros(len(at), dtype=bool)])
        whole = np.concatenate([whole[~flat], *ears])
    return points, whole, rim


def _depth(inside: np.ndarray, points: np.ndarray, rim: np.ndarray) -> np.ndarray:
    """Half the thickness at points, in pixels; at inner points never less than a third of the way to the rim."""
    from scipy.ndimage import map_coordinates

    u = map_coordinates(torsion(inside), points.T, order=1, mode="nearest")
    floor = cKDTree(points[rim]).query(points)[0] / 3
    return np.where(rim, 0.0, np.maximum(np.sqrt(np.maximum(u, 0)), floor))


def _within(points: np.ndarray, loops: list[np.ndarray]) -> np.ndarray:
    """Which points an odd number of the loops' edges lies to the right of."""
    odd = np.zeros(len(points), dtype=bool)
    for loop in loops:
        for (r0, c0), (r1, c1) in zip(loop, np.roll(loop, -1, 0)):
            if r0 != r1:
                spans = (points[:, 0] >= min(r0, r1)) & (points[:, 0] < max(r0, r1))
                odd[spans] ^= points[spans, 1] < c0 + (points[spans, 0] - r0) * (c1 - c0) / (r1 - r0)
    return odd


def _distance(points: np.ndarray, loops: list[np.ndarray]) -> np.ndarray:
    """To the nearest edge of the loops."""
    dense = np.concatenate([loop + share * (np.roll(loop, -1, 0) - loop) for loop in loops for share in np.arange(8) / 8])
    return cKDTree(dense).query(points)[0]
