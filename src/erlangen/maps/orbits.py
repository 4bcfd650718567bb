"""Equivariant maps of a group of signed permutations: one for each orbit of index pairs. Exact, without any linear algebra."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.maps.constraints import Constraints


@dataclass(frozen=True, eq=False)
class Orbits:
    """A space of invariant tensors by the orbits of its indices, the sparse form of its basis.

    Args:
        labels: the orbit of each index, numbered by first occurrence; -1 where an orbit meets its own negative, so that every
            invariant vanishes on it. ``[size]`` int64.
        signs: 1 or -1: an invariant is, up to a factor per orbit, this. ``[size]`` int8.
        count: how many orbits carry an invariant.
    """

    labels: Int[Tensor, " size"]
    signs: Int[Tensor, " size"]
    count: int

    def sizes(self) -> Int[Tensor, " count"]:
        """How many indices each orbit has."""
        return torch.bincount(self.labels[self.labels >= 0], minlength=self.count)

    def columns(self) -> Float[Tensor, "size count"]:
        """The orthonormal basis, float64: each orbit's signs over the root of its size."""
        basis = torch.zeros(len(self.labels), self.count, dtype=torch.float64)
        where = (self.labels >= 0).nonzero().squeeze(1)
        label = self.labels[where]
        basis[where, label] = self.signs[where].double() / self.sizes()[label].double().sqrt()
        return basis


def signed_permutation(matrix: Float[Tensor, "d d"]) -> tuple[np.ndarray, np.ndarray] | None:
    """``(p, s)`` with ``matrix e_i = s_i e_{p_i}`` and ``s_i`` 1 or -1, up to rounding; ``None`` for any other matrix.

    >>> signed_permutation(torch.tensor([[0.0, -1.0], [1.0, 0.0]]))
    (array([1, 0]), array([ 1, -1], dtype=int8))
    """
    m = matrix.round().numpy()
    if np.abs(m - matrix.numpy()).max() > 1e-14:
        return None
    place, filled = np.abs(m).argmax(0), m != 0
    sign = m[place, np.arange(len(m))]
    if (filled.sum(0) != 1).any() or (filled.sum(1) != 1).any() or (np.abs(sign) != 1).any():
        return None
    return place, sign.astype(np.int8)


def find_orbits(constraints: Constraints) -> Orbits | None:
    """The orbits of the indices, or ``None`` where some generator is no signed permutation (or is infinitesimal).

    Indices with a sign, ``(i, +)`` and ``(i, -)``, are the vertices of a graph with an edge from each to its image under each generator;
    its connected components are the orbits. An orbit that holds ``(i, +)`` and ``(i, -)`` says ``x_i = -x_i``.

    >>> from erlangen.groups import Symmetric
    >>> V = Symmetric(4).vector
    >>> find_orbits(Constraints.of(V ** 2 >> V ** 2)).count
    15
    """
    if constraints.has_algebra:
        return None
    size, images, flips = constraints.size, [], []
    for generator in constraints.finite():
        axes = [signed_permutation(m) for m in generator.matrices]
        image, flip = np.zeros(1, dtype=np.int64), np.ones(1, dtype=np.int8)
        for axis in axes:
            if axis is None:
                return None
            image = (image[:, None] * len(axis[0]) + axis[0]).reshape(-1)
            flip = (flip[:, None] * axis[1]).reshape(-1)
        images.append(image)
        flips.append(flip)
    labels, signs = np.arange(size), np.ones(size, dtype=np.int8)
    if images:
        labels, signs = _components(size, np.concatenate(images), np.concatenate(flips))
    kept = labels >= 0
    first, numbered = np.unique(labels[kept], return_inverse=True)
    labels[kept] = numbered
    return Orbits(torch.from_numpy(labels), torch.from_numpy(signs), len(first))


def _components(size: int, image: np.ndarray, flip: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each index's smallest companion, as the name of its orbit (-1 where the orbit meets its negative), and its sign against it."""
    start = np.tile(np.arange(size), len(image) // size)
    if (flip > 0).all():
        component = _connected(start, image, size)
        return _smallest(component), np.ones(size, dtype=np.int8)
    # Vertex i is (i, +), vertex i + size is (i, -).
    turned = np.where(flip > 0, 0, size)
    both, images = np.concatenate([start, start + size]), np.concatenate([image + turned, image + size - turned])
    component = _connected(both, images, 2 * size)
    smallest = _smallest(component)
    plus, minus = smallest[:size], smallest[size:]
    # The component of (i, +) holds the smallest index either with its plus (then so names it) or with its minus (then the other's does).
    name = np.minimum(plus % size, minus % size)
    sign = np.where(plus < minus, 1, -1).astype(np.int8)
    return np.where(plus == minus, -1, name), sign


def _connected(start: np.ndarray, end: np.ndarray, size: int) -> np.ndarray:
    """The number of the component of each vertex of a graph, given by its edges."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    edges = coo_array((np.ones(len(start), dtype=np.int8), (start, end)), shape=(size, size)).tocsr()
    return connected_components(edges, directed=False)[1]


def _smallest(component: np.ndarray) -> np.ndarray:
    """For every vertex the smallest vertex of its component."""
    _, first = np.unique(component, return_index=True)
    return first[component]
