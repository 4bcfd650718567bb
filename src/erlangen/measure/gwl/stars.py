"""The invariant tests: each node hashes the orbit of what it sees one hop away, whole (IGWL) or a few neighbours at a time (IGWL(k))."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import combinations

import numpy as np

from erlangen.measure.gwl.clusters import Gaps, Ints, cluster, counts, dense, multisets, pairs
from erlangen.measure.gwl.frames import choose_frames
from erlangen.measure.gwl.graph import Batch, expand

#: Of the sorted distances between the neighbours of a node so many are looked at before frames are.
DISTANCES = 32


def invariant_colours(batch: Batch, *, reflections: bool, gaps: Gaps, body_order: int | None = None) -> Iterator[Ints]:
    """Colours of all nodes at iteration 0, 1, 2, ..., up to and including the first that refines nothing: all later ones are like it.

    Args:
        batch: the graphs; without vectors the colours are those of the Weisfeiler-Leman test.
        reflections: whether reflections count as motions.
        gaps: the tolerance.
        body_order: a node and so many less one of its neighbours are looked at together; by default all neighbours.
    """
    colour = batch.label
    yield colour
    bucket = star_buckets(batch, gaps, distances=body_order != 2)
    rest = (counts(bucket) > 1).nonzero()[0]
    stars = _Stars(batch, rest, bucket, None if body_order is None else body_order - 1, reflections, gaps)
    while True:
        seen = bucket.copy()
        seen[rest] = int(bucket.max()) + 1 + stars.hash(colour)
        refined = pairs(colour, seen)
        yield refined
        if refined.max() == colour.max():
            return
        colour = refined


def star_buckets(batch: Batch, gaps: Gaps, distances: bool) -> Ints:
    """A cheap first partition of the nodes: labels, lengths of edges and, with ``distances``, those between neighbours.

    All of these are functions of the multiset of pairs of neighbours, so that no test of body order 3 or more can fail to see them, and
    sorted lists of numbers do not move more than the numbers.
    """
    kind = batch.label[batch.neighbour]
    length = np.linalg.norm(batch.edge_vec, axis=-1)
    order = np.lexsort((length, kind, batch.node))
    bucket = multisets(batch.label, batch.node, kind)
    if not len(order):
        return bucket
    column = np.arange(len(order)) - batch.first[batch.node]  # edges stay with their node: `order` sorts within
    table = np.zeros((len(bucket), int(batch.degree.max())))
    table[batch.node, column] = length[order]
    bucket = cluster(bucket, table, gaps)
    rest = np.flatnonzero((counts(bucket) > 1) & (batch.degree > 1))
    if not distances or not len(rest):
        return bucket
    which, edge = batch.edges_of(rest)
    later = batch.degree[rest][which] - 1 - column[edge]
    a, b = expand(edge + 1, later)
    a = edge[a]
    apart = np.linalg.norm(batch.edge_vec[order[a]] - batch.edge_vec[order[b]], axis=-1)
    kinds = pairs(kind[order[a]], kind[order[b]])  # already in order: edges are sorted by kind
    node = batch.node[a]
    apart = apart[np.lexsort((apart, kinds, node))]
    amount = (batch.degree[rest] * (batch.degree[rest] - 1)) // 2
    shown = np.minimum(amount, DISTANCES)
    row, place = expand(np.zeros(len(rest), np.int64), shown)
    table = np.zeros((len(rest), int(shown.max())))
    table[row, place] = apart[(np.cumsum(amount) - amount)[row] + place * amount[row] // shown[row]]
    fine = cluster(bucket[rest], table, gaps)
    bucket[rest] = int(bucket.max()) + 1 + fine
    return dense(bucket)


class _Stars:
    """Sets of neighbours in frames, for nodes that share their bucket with others."""

    def __init__(self, batch: Batch, nodes: Ints, bucket: Ints, size: int | None, reflections: bool, gaps: Gaps) -> None:
        self.nodes, self.neighbour = nodes, batch.neighbour
        self.at, owner, edge = _subsets(batch, nodes, size)
        root = nodes[self.at]
        channels = batch.vectors.shape[1]
        slots = 1 + 2 * channels
        seen = np.concatenate([batch.edge_vec[edge, None], batch.vectors[batch.neighbour[edge]]], 1)
        label = batch.label[batch.neighbour[edge]]
        kinds = [
            label[:, None] * slots + np.arange(1 + channels),
            batch.label[root][:, None] * slots + 1 + channels + np.arange(channels),
        ]
        own = batch.vectors[root]
        frames = choose_frames(
            bucket[root],
            np.concatenate([np.repeat(owner, 1 + channels), np.repeat(np.arange(len(root)), channels)]),
            np.concatenate([k.reshape(-1) for k in kinds]),
            np.concatenate([seen.reshape(-1, 3), own.reshape(-1, 3)]),
            dim=batch.dim,
            reflections=reflections,
            scale=batch.scale,
            gaps=gaps,
        )
        self.object = frames.owner
        amount = np.bincount(owner, minlength=len(root))
        self.row, member = expand((np.cumsum(amount) - amount)[frames.owner], amount[frames.owner])
        turned = np.einsum("eij,emj->emi", frames.axes[self.row], seen[member]).reshape(len(member), 3 * (1 + channels))
        self.edge = edge[member]
        home = bucket[root][frames.owner]
        self.entry = cluster(pairs(home[self.row], label[member]), turned, gaps)
        self.base = cluster(home, np.einsum("fij,fmj->fmi", frames.axes, own[frames.owner]).reshape(len(home), 3 * channels), gaps)

    def hash(self, colour: Ints) -> Ints:
        """For each node the identifier of the orbits that it sees, neighbours coloured."""
        looks = multisets(self.base, self.row, pairs(self.entry, colour[self.neighbour[self.edge]]))
        orbit = np.full(len(self.at), np.iinfo(np.int64).max)
        np.minimum.at(orbit, self.object, looks)
        return multisets(np.zeros(len(self.nodes), np.int64), self.at, orbit)


def _subsets(batch: Batch, nodes: Ints, size: int | None) -> tuple[Ints, Ints, Ints]:
    """Sets of ``size`` edges of nodes, or of all where there are not so many.

    Returns:
        the place of each set's node in ``nodes``; for each member its set, and its edge.
    """
    at, members, sizes = [], [], []
    degree = batch.degree[nodes]
    for d in np.unique(degree).tolist():
        some = (degree == d).nonzero()[0]
        take = d if size is None else min(size, d)
        chosen = np.array(list(combinations(range(d), take)), np.int64).reshape(math.comb(d, take), take)
        at.append(np.repeat(some, len(chosen)))
        members.append((batch.first[nodes[some]][:, None, None] + chosen).reshape(-1))
        sizes.append(np.full(len(some) * len(chosen), take))
    if not at:
        return (np.zeros(0, np.int64),) * 3
    size_of = np.concatenate(sizes)
    return np.concatenate(at), np.repeat(np.arange(len(size_of)), size_of), np.concatenate(members)
