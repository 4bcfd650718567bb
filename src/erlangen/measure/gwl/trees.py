"""The equivariant test: each node hashes the orbit of its whole tree, all vectors in one frame."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from erlangen.measure.gwl.clusters import Floats, Gaps, Ints, cluster, multisets, pairs
from erlangen.measure.gwl.frames import choose_frames
from erlangen.measure.gwl.graph import Batch, expand

#: Upper bound of the depth of trees where none is given.
DEEP = np.iinfo(np.int64).max


class Trees:
    """The trees of some nodes, seen in frames: depth by depth.

    In one frame a tree with vectors is a tree with labels, and the trees of all nodes that a root can see, as it sees them, are hashed
    from the leaves up: the hash of depth ``t`` is that of the label and the multiset of (edge, hash of depth ``t - 1``). The hash of the
    orbit is the least over frames.

    Args:
        batch: the graphs.
        roots: whose trees.
        bucket: of each root; only trees of one bucket are compared.
        reflections: whether reflections count as motions.
        gaps: the tolerance.
        deepest: no tree deeper than this is asked for.
    """

    def __init__(
        self, batch: Batch, roots: Ints, bucket: Ints, *, reflections: bool, gaps: Gaps, deepest: int | None = None
    ) -> None:
        self.bucket = bucket
        self._limit = DEEP if deepest is None else deepest
        root, node, hops = _balls(batch, roots, self._limit)
        distinct = _distinct(batch, gaps)
        self._frame(batch, root, node, hops, reflections, gaps, distinct)
        self._start(batch, root, node, gaps, distinct)
        self.depth, self._settled = 0, False

    def _frame(self, batch: Batch, root: Ints, node: Ints, hops: Ints, reflections: bool, gaps: Gaps, distinct: Distinct) -> None:
        """Frames from the shortest part of each tree that has enough directions; while it has not, from the directions there are."""
        owner, kind, level, vector = _vectors(batch, root, node, hops, distinct)
        near = level <= self._limit
        owner, kind, level, vector = owner[near], kind[near], level[near], vector[near]
        rank = np.full(len(self.bucket), -1)
        until = np.ones(len(self.bucket), np.int64)
        axis = np.zeros((len(self.bucket), 3))
        active = np.ones(len(self.bucket), bool)
        owners, axes, since = [], [], []
        while active.any():
            use = active[owner] & (level <= until[owner])
            found = choose_frames(
                self.bucket,
                owner[use],
                kind[use],
                vector[use],
                dim=batch.dim,
                reflections=reflections,
                scale=batch.scale,
                gaps=gaps,
            )
            better = active & (found.rank > rank)
            take = better[found.owner]
            owners.append(found.owner[take])
            axes.append(found.axes[take])
            since.append(until[found.owner[take]])
            rank[better] = found.rank[better]
            axis[found.owner[take]] = np.where(rank[found.owner[take], None] > 0, found.axes[take, 0], 0.0)
            # Next where a vector leaves the line, or the origin, that those so far lie on.
            along = (vector * axis[owner]).sum(-1, keepdims=True) * axis[owner]
            fresh = (rank[owner] < 2) & (level > until[owner]) & (np.linalg.norm(vector - along, axis=-1) > gaps.tol)
            following = np.full(len(self.bucket), DEEP)
            np.minimum.at(following, owner[fresh], level[fresh])
            active &= following < DEEP
            until = np.where(active, following, until)
        self.owner = np.concatenate(owners)
        self.axes = np.concatenate(axes)
        self.since = np.concatenate(since)
        self.complete_at = int(self.since.max(initial=1))

    def _start(self, batch: Batch, root: Ints, node: Ints, gaps: Gaps, distinct: Distinct) -> None:
        """Rows (frame, node that its root sees), and their edges."""
        amount = np.bincount(root, minlength=len(self.bucket))
        start = np.cumsum(amount) - amount
        frame, ball = expand(start[self.owner], amount[self.owner])
        at = node[ball]
        first_row = np.cumsum(amount[self.owner]) - amount[self.owner]
        home = self.bucket[self.owner][frame]
        own = np.einsum("rij,rmj->rmi", self.axes[frame], batch.vectors[at]).reshape(len(at), 3 * batch.vectors.shape[1])
        self.base = cluster(pairs(home, batch.label[at]), own, gaps)
        self.root_row = first_row  # a ball begins with its root
        # Where in the ball of a root a node stands.
        size = len(batch.label)
        keys = root * size + node
        by_key = np.argsort(keys)
        row, edge = batch.edges_of(at)
        wanted = root[ball[row]] * size + batch.neighbour[edge]
        found = np.searchsorted(keys[by_key], wanted)
        found = by_key[np.minimum(found, len(keys) - 1)]
        inside = keys[found] == wanted
        row, edge, found = row[inside], edge[inside], found[inside]
        self.row = row
        self.to = first_row[frame[row]] + found - start[root[ball[row]]]
        # Equal vectors are turned once for each frame.
        kind, same, chosen = distinct.kind, distinct.same, distinct.chosen
        key = pairs(frame[row], same[edge])
        _, one = np.unique(key, return_index=True)
        turned = np.einsum("eij,ej->ei", self.axes[frame[row[one]]], batch.edge_vec[chosen[same[edge[one]]]])
        self.entry = cluster(pairs(home[row[one]], kind[edge[one]]), turned, gaps)[key]
        self._hash = self.base

    def step(self) -> None:
        """One hop deeper."""
        self.depth += 1
        if self._settled:
            return
        deeper = multisets(self.base, self.row, pairs(self.entry, self._hash[self.to]))
        # Within fixed frames this is colour refinement of rows, so that a step that refines nothing is the last one that could.
        self._settled = deeper.max(initial=0) == self._hash.max(initial=0)
        self._hash = deeper

    @property
    def finished(self) -> bool:
        """No deeper tree tells more apart."""
        return self._settled and self.depth >= self.complete_at

    def colours(self) -> Ints:
        """Of each root the identifier of the orbit of its tree."""
        until = np.full(len(self.bucket), 0)
        valid = self.since <= max(self.depth, 1)
        np.maximum.at(until, self.owner[valid], self.since[valid])
        valid &= self.since == until[self.owner]
        least = np.full(len(self.bucket), np.iinfo(np.int64).max)
        np.minimum.at(least, self.owner[valid], self._hash[self.root_row[valid]])
        return pairs(self.bucket, least)


def _balls(batch: Batch, roots: Ints, limit: int) -> tuple[Ints, Ints, Ints]:
    """All nodes that roots can see: for each the place of the root, the node and the number of hops; ordered by root, the root first."""
    size = len(batch.label)
    place, node = np.arange(len(roots)), roots
    known = np.sort(place * size + node)
    found = [(place, node, np.zeros(len(roots), np.int64))]
    hops = 0
    while len(place) and hops < limit:
        hops += 1
        which, edge = batch.edges_of(node)
        fresh = np.unique(place[which] * size + batch.neighbour[edge])
        where = np.minimum(np.searchsorted(known, fresh), len(known) - 1)
        fresh = fresh[known[where] != fresh]
        place, node = fresh // size, fresh % size
        known = np.sort(np.concatenate([known, fresh]))
        found.append((place, node, np.full(len(fresh), hops)))
    root, seen, far = (np.concatenate(parts) for parts in zip(*found))
    order = np.argsort(root, kind="stable")
    return root[order], seen[order], far[order]


class Distinct(NamedTuple):
    """The distinct vectors of edges and of nodes: of each its kind and which others of its graph are equal, and the first of each class."""

    kind: Ints
    same: Ints
    chosen: Ints
    own_kind: Ints
    own_same: Ints
    own_chosen: Ints


def _distinct(batch: Batch, gaps: Gaps) -> Distinct:
    kind = pairs(batch.label[batch.node], batch.label[batch.neighbour])
    same = cluster(pairs(batch.graph[batch.node], kind), batch.edge_vec, gaps)
    channels = batch.vectors.shape[1]
    label = (batch.label[:, None] * channels + np.arange(channels)).reshape(-1)
    own_kind = label + int(kind.max(initial=-1)) + 1
    own_same = cluster(pairs(np.repeat(batch.graph, channels), label), batch.vectors.reshape(-1, 3), gaps)
    return Distinct(kind, same, _firsts(same), own_kind, own_same, _firsts(own_same))


def _firsts(ids: Ints) -> Ints:
    return np.unique(ids, return_index=True)[1]


def _vectors(batch: Batch, root: Ints, node: Ints, hops: Ints, distinct: Distinct) -> tuple[Ints, Ints, Ints, Floats]:
    """The distinct vectors of each tree by kind, with the depth at which each comes in first.

    A tree does not say which of its nodes are one and the same node of the graph, so that nothing here may depend on how often a vector
    occurs: only whether it does. The depth is a part of the kind, as the first vectors are the fewest.
    """
    ball, edge = batch.edges_of(node)
    owner, level, name = [root[ball]], [hops[ball] + 1], [distinct.same[edge]]
    channels = batch.vectors.shape[1]
    if channels:
        owner.append(np.repeat(root, channels))
        level.append(np.repeat(np.maximum(hops, 1), channels))
        name.append(len(distinct.chosen) + distinct.own_same.reshape(-1, channels)[node].reshape(-1))
    all_owner, all_level, all_name = np.concatenate(owner), np.concatenate(level), np.concatenate(name)
    order = np.lexsort((all_level, all_name, all_owner))
    new = np.ones(len(order), bool)
    new[1:] = (np.diff(all_owner[order]) != 0) | (np.diff(all_name[order]) != 0)
    kept = order[new]
    table = np.concatenate([batch.edge_vec[distinct.chosen], batch.vectors.reshape(-1, 3)[distinct.own_chosen]])
    table_kind = np.concatenate([distinct.kind[distinct.chosen], distinct.own_kind[distinct.own_chosen]])
    return all_owner[kept], pairs(table_kind[all_name[kept]], all_level[kept]), all_level[kept], table[all_name[kept]]
