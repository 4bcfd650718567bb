"""A handful of frames for each set of vectors, chosen so that sets that are turned copies of each other get frames that are, too."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from erlangen.measure.gwl.clusters import Floats, Gaps, Ints, cluster, counts, lowest, pairs
from erlangen.measure.gwl.graph import expand

#: Vectors, and parts of vectors across another one, that are shorter than this times the median edge are taken only where there are no
#: others: a direction read from a short vector carries its rounding.
SHORT = 0.1


@dataclass(frozen=True)
class Frames:
    """Orthonormal bases, several for each object.

    Attributes:
        owner: the object of each frame, ``[F]``.
        axes: the basis vectors as rows, ``[F, 3, 3]``: ``axes @ x`` are the coordinates of ``x``.
        rank: of each object: 0 without a vector, 1 on a line, 2 beyond (``[objects]``). In the plane the first vector says all, and
            the rank is then 2.
    """

    owner: Ints
    axes: Floats
    rank: Ints


def choose_frames(
    bucket: Ints, owner: Ints, kind: Ints, vector: Floats, *, dim: int, reflections: bool, scale: float, gaps: Gaps
) -> Frames:
    """Frames from the vectors of objects.

    Two vectors span a frame. Of all pairs those of the rarest class are taken, where the class of a vector is its kind and length, and that
    of a pair their kinds, lengths and angle: a choice that turns along. For reflections both directions across the pair are frames.

    Two objects of one bucket are in one orbit exactly when they look the same in one frame of each, whatever frames they are: the choice
    only has to be the same for both.

    Args:
        bucket: of each object; only those of one bucket are ever compared, ``[objects]``.
        owner, kind, vector: of each vector: its object, what it is called, and itself ``[C, 3]``.
        dim: 2 (vectors have ``z = 0``) or 3.
        reflections: whether reflections count as motions.
        scale: a typical length.
        gaps: the tolerance.

    >>> star = np.array([[1.0, 0, 0], [0, 2.0, 0], [0, 0, 2.0]])
    >>> one = np.zeros(3, int)
    >>> found = choose_frames(one[:1], one, one, star, dim=3, reflections=False, scale=1.0, gaps=Gaps(1e-6))
    >>> found.axes.shape, found.rank.tolist()
    ((2, 3, 3), [2])
    """
    length = np.linalg.norm(vector, axis=-1)
    size = cluster(pairs(bucket[owner], kind), length[:, None], gaps)
    typical = lowest(size, length)
    seen = typical > gaps.tol
    first = seen.nonzero()[0]
    first = first[_rarest(owner[first], size[first], typical[first] < SHORT * scale)]
    rank = np.zeros(len(bucket), np.int64)
    rank[owner[first]] = 1
    none = (rank == 0).nonzero()[0]
    still = np.broadcast_to(np.eye(3), (len(none), 3, 3))
    e1 = vector[first] / length[first, None]
    if dim == 2:
        rank[owner[first]] = 2
        plane = _plane_frames(e1, reflections)
        owners = np.repeat(owner[first], plane.shape[1])
        return Frames(np.concatenate([none, owners]), np.concatenate([still, plane.reshape(-1, 3, 3)]), rank)

    # All vectors beside each of the chosen ones.
    others = seen.nonzero()[0]
    others = others[np.argsort(owner[others], kind="stable")]
    amount = np.bincount(owner[others], minlength=len(bucket))
    start = np.cumsum(amount) - amount
    a, place = expand(start[owner[first]], amount[owner[first]])
    b = others[place]
    along = (vector[b] * e1[a]).sum(-1)
    across = vector[b] - along[:, None] * e1[a]
    apart = np.linalg.norm(across, axis=-1)
    both = cluster(pairs(size[first][a], size[b]), np.stack([along, apart], -1), gaps)
    least = lowest(both, apart)
    chosen = (least > gaps.tol).nonzero()[0]
    chosen = chosen[_rarest(owner[first][a[chosen]], both[chosen], least[chosen] < SHORT * scale)]
    spanned = owner[first][a[chosen]]
    rank[spanned] = 2
    line = (rank[owner[first]] == 1).nonzero()[0]
    e2 = across[chosen] / apart[chosen, None]
    e3 = _cross(e1[a[chosen]], e2)
    space = np.stack([e1[a[chosen]], e2, e3], 1)
    parts = [(none, still), (owner[first][line], _completed(e1[line])), (spanned, space)]
    if reflections:
        parts.append((spanned, space * np.array([1.0, 1.0, -1.0])[:, None]))
    return Frames(np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), rank)


def _rarest(owner: Ints, ids: Ints, last: np.ndarray) -> Ints:
    """The members of each owner's class that has the fewest members; classes of ``last`` come after all others."""
    amount = counts(pairs(owner, ids))
    order = np.lexsort((ids, amount, last, owner))
    head = order[np.diff(owner[order], prepend=-1) != 0]
    wanted = np.full(int(owner.max(initial=-1)) + 1, -1)
    wanted[owner[head]] = ids[head]
    return (ids == wanted[owner]).nonzero()[0]


def _cross(a: Floats, b: Floats) -> Floats:
    """The cross product; of a few rows a fraction of the time of numpy's."""
    return a[:, [1, 2, 0]] * b[:, [2, 0, 1]] - a[:, [2, 0, 1]] * b[:, [1, 2, 0]]


def _plane_frames(e1: Floats, reflections: bool) -> Floats:
    across = np.stack([-e1[:, 1], e1[:, 0], e1[:, 2]], -1)
    up = np.broadcast_to([0.0, 0.0, 1.0], e1.shape)
    frames = np.stack([e1, across, up], 1)[:, None]
    return np.concatenate([frames, frames * np.array([1.0, -1.0, 1.0])[:, None]], 1) if reflections else frames


def _completed(e1: Floats) -> Floats:
    """Any two axes beside the first: of vectors on its line they show nothing."""
    helper = np.eye(3)[np.abs(e1).argmin(-1)]
    e2 = helper - (helper * e1).sum(-1, keepdims=True) * e1
    e2 /= np.linalg.norm(e2, axis=-1, keepdims=True)
    return np.stack([e1, e2, _cross(e1, e2)], 1)
