"""Triangles of a surface that pass through one another."""

from __future__ import annotations

import numpy as np

from erlangen.fields.solids.surface import TriMesh


def crossing_pairs(surface: TriMesh) -> np.ndarray:
    """Pairs of triangles, ``[k, 2]`` in ascending order, of which an edge of one passes through the inside of the other.

    Neighbours, which share a vertex, and triangles that only touch or lie in one plane are not counted. Candidates are found by their
    enclosing balls, in a tree for each size, so that a few large triangles among many small ones cost little.

    >>> blades = TriMesh(
    ...     [[0, 0, 0], [2, 0, 0], [0, 2, 0], [0.5, 0.5, -1], [0.6, 0.5, 1], [0.5, 0.6, 1]], [[0, 1, 2], [3, 4, 5]]
    ... )
    >>> crossing_pairs(blades).tolist()
    [[0, 1]]
    """
    corners = surface.vertices.numpy()[surface.triangles.numpy()]
    faces = surface.triangles.numpy()
    pairs = _candidates(corners)
    if len(pairs):
        shared = (faces[pairs[:, 0]][:, :, None] == faces[pairs[:, 1]][:, None, :]).any((1, 2))
        pairs = pairs[~shared]
    low, high = corners.min(1), corners.max(1)
    apart = (low[pairs[:, 0]] > high[pairs[:, 1]]).any(1) | (low[pairs[:, 1]] > high[pairs[:, 0]]).any(1)
    pairs = pairs[~apart]
    crosses = _through(corners[pairs[:, 0]], corners[pairs[:, 1]]) | _through(corners[pairs[:, 1]], corners[pairs[:, 0]])
    found = np.sort(pairs[crosses], 1)
    return found[np.lexsort((found[:, 1], found[:, 0]))]


def _candidates(corners: np.ndarray) -> np.ndarray:
    from scipy.spatial import cKDTree

    middle = corners.mean(1)
    radius = np.linalg.norm(corners - middle[:, None], axis=2).max(1)
    size = np.floor(np.log2(np.maximum(radius, radius.max() * 1e-6))).astype(int)
    classes = [np.flatnonzero(size == k) for k in np.unique(size)]
    trees = [cKDTree(middle[members]) for members in classes]
    pairs = []
    for i, (mine, tree) in enumerate(zip(classes, trees)):
        for j in range(i, len(classes)):
            theirs, other = classes[j], trees[j]
            reach = radius[mine].max() + radius[theirs].max()
            near = tree.sparse_distance_matrix(other, reach, output_type="coo_matrix")
            a, b = mine[near.row], theirs[near.col]
            keep = near.data <= radius[a] + radius[b]
            if i == j:
                keep &= a < b
            pairs.append(np.stack([a[keep], b[keep]], 1))
    return np.concatenate(pairs)


def _through(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Whether an edge of each triangle of ``a`` passes strictly through the one of ``b``, by signs of volumes."""
    crosses = np.zeros(len(a), dtype=bool)
    # A volume that rounding could have made has no sign.
    small = 1e-12 * np.maximum(np.abs(a - a[:, :1]).max((1, 2)), np.abs(b - a[:, :1]).max((1, 2))) ** 3
    for k in range(3):
        p, q = a[:, k], a[:, (k + 1) % 3]
        first, second = _volume(p, b[:, 0], b[:, 1], b[:, 2]), _volume(q, b[:, 0], b[:, 1], b[:, 2])
        sides = np.stack([_volume(p, q, b[:, i], b[:, (i + 1) % 3]) for i in range(3)])
        opposite = (first * second < 0) & (np.minimum(np.abs(first), np.abs(second)) > small)
        crosses |= opposite & ((sides > small).all(0) | (sides < -small).all(0))
    return crosses


def _volume(p: np.ndarray, q: np.ndarray, r: np.ndarray, s: np.ndarray) -> np.ndarray:
    return np.einsum("ni,ni->n", q - p, np.cross(r - p, s - p))
