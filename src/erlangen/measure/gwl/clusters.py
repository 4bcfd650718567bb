"""From numbers to identifiers: clusters of nearly equal vectors, and exact identifiers of pairs and multisets of integers.

Nothing is ever rounded to a grid: a grid has borders, and two results of the same computation can fall on different sides of one. Values
belong together when a chain of steps of at most the tolerance joins them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
#: Numbers are joined to one as digits of larger ones up to this.
LARGEST = int(np.iinfo(np.int64).max)


@dataclass
class Gaps:
    """What a tolerance decided: how near to it the differences came.

    Attributes:
        tol: steps above it separate.
        smallest_kept: a lower bound of the difference between classes, exact where it is below ten tolerances.
        largest_closed: the largest difference within a class.
    """

    tol: float
    smallest_kept: float = float("inf")
    largest_closed: float = 0.0

    @property
    def ambiguous(self) -> bool:
        """A difference lies within a factor of ten of the tolerance, or above it within a class."""
        return self.smallest_kept < 10 * self.tol or self.largest_closed >= self.tol / 10


def dense(keys: Ints) -> Ints:
    """Keys as 0, 1, 2, ... in their order.

    >>> dense(np.array([7, 3, 7])).tolist()
    [1, 0, 1]
    """
    # Half the time of np.unique, which small graphs call thousands of times.
    order = keys.argsort()
    ids = np.zeros(len(keys), np.int64)
    ids[order[1:]] = (keys[order[1:]] != keys[order[:-1]]).cumsum()
    return ids


def pairs(first: Ints, second: Ints) -> Ints:
    """One identifier for each pair of non-negative integers, equal exactly where the pairs are.

    >>> pairs(np.array([0, 1, 0]), np.array([5, 5, 5])).tolist()
    [0, 1, 0]
    """
    if not len(first):
        return np.zeros(0, np.int64)
    width = int(second.max()) + 1
    if int(first.max()) >= LARGEST // width - 1:
        first, second = dense(first), dense(second)
        width = int(second.max()) + 1
    return dense(first * width + second)


def multisets(base: Ints, row: Ints, entry: Ints) -> Ints:
    """One identifier for each row's own number together with the multiset of its entries.

    Args:
        base: the number of each row.
        row: to which row each entry belongs.
        entry: the entries, non-negative.

    >>> multisets(np.array([0, 0, 0]), np.array([0, 0, 1, 1, 2]), np.array([4, 5, 5, 4, 4])).tolist()
    [1, 1, 0]
    """
    size = np.bincount(row, minlength=len(base))
    key = pairs(size, base)
    if not len(row):
        return key
    order = np.lexsort((entry, row))
    row, entry = row[order], dense(entry)[order]
    first = size.cumsum() - size
    kinds, most = int(entry.max()) + 1, int(key.max()) + 1
    # The k-th entries of all rows that have one are joined, as a digit, to what is known of these rows; sizes differ in the end.
    for k in range(int(size.max())):
        active = (size > k).nonzero()[0]
        if most > LARGEST // kinds:
            key = dense(key)
            most = int(key.max()) + 1
        key[active] = key[active] * kinds + entry[first[active] + k]
        most *= kinds
    return pairs(size, key)


def counts(ids: Ints) -> Ints:
    """How often the identifier of each element occurs."""
    return np.bincount(ids)[ids] if len(ids) else ids


def lowest(ids: Ints, values: Floats) -> Floats:
    """For each element the smallest value of its class: one number that all members of a class agree on.

    >>> lowest(np.array([0, 1, 0]), np.array([2.0, 5.0, 1.0])).tolist()
    [1.0, 5.0, 1.0]
    """
    least = np.full(int(ids.max(initial=-1)) + 1, np.inf)
    np.minimum.at(least, ids, values)
    return least[ids]


def cluster(group: Ints, values: Floats, gaps: Gaps) -> Ints:
    """Identifiers of rows of numbers: equal where the group is and a chain of steps of at most the tolerance joins the rows.

    Args:
        group: rows of different groups are different, ``[N]``.
        values: the rows, ``[N, D]``. A step is the largest difference over columns.
        gaps: holds the tolerance and is told how clear the decisions were.

    >>> cluster(np.array([0, 0, 0, 1]), np.array([[1.0], [2.0], [1.0 + 1e-12], [2.0]]), Gaps(1e-6)).tolist()
    [0, 1, 0, 2]
    """
    home = dense(group)
    if not values.size:
        return home
    ids, nearest = _crossed(home, values, gaps.tol)
    order, starts, spread = _runs(ids, values)
    if (spread > gaps.tol).any():
        # Values lie dense: cut only within what is left together, a column after another.
        ids, nearest = home, np.inf
        for column in range(values.shape[1]):
            ids, gap = _split(ids, values[:, column], gaps.tol)
            nearest = min(nearest, gap)
        order, starts, spread = _runs(ids, values)
    # One column at a time is too coarse where values lie dense in every column but not in all at once.
    loose = (spread > gaps.tol).nonzero()[0]
    if len(loose):
        fresh = int(ids.max()) + 1
        stops = np.append(starts[1:], len(ids))
        for one in loose:
            members = order[starts[one] : stops[one]]
            parts = _linked(values[members], gaps.tol)
            ids[members] = np.where(parts == 0, ids[members], fresh + parts - 1)
            fresh += int(parts.max())
        ids = dense(ids)
        order, starts, spread = _runs(ids, values)
    gaps.largest_closed = max(gaps.largest_closed, float(spread.max(initial=0.0)))
    if nearest <= 10 * gaps.tol or len(loose):
        nearest = _nearest(home[order[starts]], values[order[starts]], gaps.tol)
    gaps.smallest_kept = min(gaps.smallest_kept, nearest)
    return ids


def _crossed(home: Ints, values: Floats, tol: float) -> tuple[Ints, float]:
    """Cut every column at once, whatever the group; classes are what no cut and no group parts. And the smallest gap of a cut."""
    columns = np.ascontiguousarray(values.T)
    ranked = np.sort(columns, 1)
    step = ranked[:, 1:] - ranked[:, :-1]
    cut = step > tol
    ids, most = home, int(home.max()) + 1
    for column, starts, here in zip(columns, ranked[:, 1:], cut):
        edges = starts[here]  # the least value of each class but the first
        if kinds := len(edges):
            if most > LARGEST // (kinds + 1):
                ids = dense(ids)
                most = int(ids.max()) + 1
            ids, most = ids * (kinds + 1) + edges.searchsorted(column, "right"), most * (kinds + 1)
    return dense(ids), float(step[cut].min(initial=np.inf))


def _split(ids: Ints, column: Floats, tol: float) -> tuple[Ints, float]:
    """Cut each class where the sorted column leaves a gap; the classes, and the smallest such gap."""
    order = np.lexsort((column, ids))
    step = np.diff(column[order])
    same = np.diff(ids[order]) == 0
    cut = step > tol
    fresh = np.empty(len(ids), np.int64)
    fresh[order] = np.concatenate([[0], np.cumsum(~same | cut)])[: len(ids)]
    return fresh, float(step[same & cut].min(initial=np.inf))


def _runs(ids: Ints, values: Floats) -> tuple[Ints, Ints, Floats]:
    """Rows in the order of their classes, where each class starts there, and its largest difference in any column."""
    order = ids.argsort(kind="stable")
    ranked = ids[order]
    starts = np.concatenate([[0], (ranked[1:] != ranked[:-1]).nonzero()[0] + 1])
    rows = values[order]
    return order, starts, (np.maximum.reduceat(rows, starts) - np.minimum.reduceat(rows, starts)).max(-1)


def _linked(values: Floats, tol: float) -> Ints:
    """Connected components of rows that are within the tolerance of each other in all columns."""
    # Copies first, so that the pairs among them need not be listed.
    copies = np.zeros(len(values), np.int64)
    for column in range(values.shape[1]):
        copies, _ = _split(copies, values[:, column], 1e-3 * tol)
    _, chosen = np.unique(copies, return_index=True)
    near = cKDTree(values[chosen]).query_pairs(tol, p=np.inf, output_type="ndarray")
    links = coo_matrix((np.ones(len(near), np.int8), (near[:, 0], near[:, 1])), shape=(len(chosen), len(chosen)))
    return connected_components(links, directed=False)[1].astype(np.int64)[copies]


def _nearest(group: Ints, values: Floats, tol: float) -> float:
    """The smallest distance (largest difference over columns) of rows of one group, one row for each class."""
    if len(group) < 2:
        return np.inf
    # Groups are far apart in a column of their own.
    reach = 10 * tol
    rows = np.concatenate([values, 3 * reach * group[:, None]], 1)
    near = cKDTree(rows).query_pairs(reach, p=np.inf, output_type="ndarray")
    return float(np.abs(values[near[:, 0]] - values[near[:, 1]]).max(-1).min()) if len(near) else reach
