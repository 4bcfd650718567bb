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


@dataclass
class Gaps:
    """What a tolerance decided: the gaps between sorted values that came nearest to it.

    Attributes:
        tol: gaps above it separate.
        smallest_kept: the smallest gap that separated two values.
        largest_closed: the largest gap that did not.
        chained: values further apart than the tolerance were joined by others between them.
    """

    tol: float
    smallest_kept: float = float("inf")
    largest_closed: float = 0.0
    chained: bool = False

    @property
    def ambiguous(self) -> bool:
        """A gap lies within a factor of ten of the tolerance, or values were chained."""
        return self.chained or self.smallest_kept <= 10 * self.tol or self.largest_closed >= self.tol / 10

    def note(self, gaps: Floats) -> None:
        """Count some gaps in."""
        wide = gaps > self.tol
        self.smallest_kept = min(self.smallest_kept, float(gaps[wide].min(initial=np.inf)))
        self.largest_closed = max(self.largest_closed, float(gaps[~wide].max(initial=0.0)))


def dense(keys: Ints) -> Ints:
    """Keys as 0, 1, 2, ... in their order.

    >>> dense(np.array([7, 3, 7])).tolist()
    [1, 0, 1]
    """
    return np.unique(keys, return_inverse=True)[1].reshape(-1).astype(np.int64)


def pairs(first: Ints, second: Ints) -> Ints:
    """One identifier for each pair of non-negative integers, equal exactly where the pairs are.

    >>> pairs(np.array([0, 1, 0]), np.array([5, 5, 5])).tolist()
    [0, 1, 0]
    """
    if not len(first):
        return np.zeros(0, np.int64)
    width = int(second.max()) + 1
    if int(first.max()) >= np.iinfo(np.int64).max // width - 1:
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
    first = np.concatenate([[0], np.cumsum(size)[:-1]])
    # The k-th entries of all rows that have one are joined to what is known of these rows; rows of different sizes differ already.
    for k in range(int(size.max())):
        active = np.flatnonzero(size > k)
        key[active] = pairs(key[active], entry[first[active] + k])
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
    ids = dense(group)
    for column in range(values.shape[1]):
        ids = _split(ids, values[:, column], gaps)
    if not len(ids):
        return ids
    # One column at a time is too coarse where values lie dense in every column but not in all at once.
    order = np.argsort(ids, kind="stable")
    starts = np.flatnonzero(np.diff(ids[order], prepend=-1))
    sorted_values = values[order]
    spread = np.maximum.reduceat(sorted_values, starts) - np.minimum.reduceat(sorted_values, starts)
    loose = np.flatnonzero((spread > gaps.tol).any(-1))
    if not len(loose):
        return ids
    fresh = int(ids.max()) + 1
    stops = np.append(starts[1:], len(ids))
    for one in loose:
        members = order[starts[one] : stops[one]]
        parts = _linked(values[members], gaps)
        ids[members] = np.where(parts == 0, ids[members], fresh + parts - 1)
        fresh += int(parts.max())
    return dense(ids)


def _split(ids: Ints, column: Floats, gaps: Gaps) -> Ints:
    order = np.lexsort((column, ids))
    step = np.diff(column[order])
    same = np.diff(ids[order]) == 0
    gaps.note(step[same])
    fresh = np.empty(len(ids), np.int64)
    fresh[order] = np.concatenate([[0], np.cumsum(~same | (step > gaps.tol))]) if len(ids) else 0
    return fresh


def _linked(values: Floats, gaps: Gaps) -> Ints:
    """Connected components of rows that are within the tolerance of each other in all columns."""
    # Copies first, so that the pairs among them need not be listed.
    copies = np.zeros(len(values), np.int64)
    for column in range(values.shape[1]):
        copies = _split(copies, values[:, column], Gaps(1e-3 * gaps.tol))
    _, chosen = np.unique(copies, return_index=True)
    near = cKDTree(values[chosen]).query_pairs(gaps.tol, p=np.inf, output_type="ndarray")
    size = len(chosen)
    links = coo_matrix((np.ones(len(near), np.int8), (near[:, 0], near[:, 1])), shape=(size, size))
    parts = connected_components(links, directed=False)[1].astype(np.int64)[copies]
    low, high = np.full((int(parts.max()) + 1, values.shape[1]), np.inf), np.full((int(parts.max()) + 1, values.shape[1]), -np.inf)
    np.minimum.at(low, parts, values)
    np.maximum.at(high, parts, values)
    gaps.chained |= bool(((high - low) > 2 * gaps.tol).any())
    return parts
