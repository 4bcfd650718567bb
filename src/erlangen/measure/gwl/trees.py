"""The equivariant test: each node knows the orbit of its whole tree, and how the tree is turned."""

from __future__ import annotations

import numpy as np

from erlangen.measure.gwl.clusters import Floats, Gaps, Ints, cluster, dense, multisets, pairs
from erlangen.measure.gwl.frames import choose_frames
from erlangen.measure.gwl.graph import Batch, expand
from erlangen.measure.gwl.stars import star_buckets

#: So few frames are not looked through for copies.
FEW = 64


class Trees:
    """The trees of all nodes, depth by depth; none is ever written out.

    A tree is known by the number of its orbit and by the frames in which it looks the same: a coset of its stabilizer. The tree of depth
    ``t`` of a node is a star whose ends carry trees of depth ``t - 1``, so that in one frame it is a multiset of (edge, orbit of the
    neighbour's tree, the neighbour's frames), all seen from there; the number of the orbit is the least over frames, and the frames that
    give it are kept. One step costs as much as there are edges, times the frames of a node, which are few but for symmetric stars.

    A tree whose vectors lie on one line has an axis for a frame, one without vectors none. Where the neighbours' frames bring directions
    beyond these, frames are chosen anew.

    Args:
        batch: the graphs.
        reflections: whether reflections count as motions.
        gaps: the tolerance.

    Attributes:
        depth: of the trees.
        colours: of each node the number of the orbit of its tree ``[N]``.
        finished: no deeper tree tells more apart.
    """

    def __init__(self, batch: Batch, *, reflections: bool, gaps: Gaps) -> None:
        self._batch, self._reflections, self._gaps = batch, reflections, gaps
        self._owner = np.zeros(0, np.int64)
        self._axes = np.zeros((0, 3, 3))
        self._rank = np.full(len(batch.label), -1)
        # Trees of depth 0: labels, and what vectors the nodes have themselves.
        self.colours, self.depth, self.finished = batch.label, 0, False
        self._choose(np.zeros(0, np.int64), np.zeros((0, 3)), np.zeros(0, np.int64), self.colours)
        self._orbits(self._own(self.colours), self.colours)
        self._bucket = star_buckets(batch, gaps, distances=True)

    def step(self) -> None:
        """One hop deeper."""
        batch, before = self._batch, self.colours
        kinds, known, frames = int(before.max()) + 1, self._rank.copy(), len(self._owner)
        amount = np.bincount(self._owner, minlength=len(before))
        start = np.cumsum(amount) - amount
        bucket = pairs(self._bucket, before)
        # What the neighbours were before this step, seen from here: the edges, and the directions of their frames.
        told, colour = self._rank[batch.neighbour], before[batch.neighbour]
        low = (self._rank[batch.node] < 2).nonzero()[0]
        parts = [(batch.node[low], batch.edge_vec[low], 3 * colour[low])]
        for axis, least in ((0, 1), (1, 2)):
            beyond = low[told[low] >= least]
            edge, frame = expand(start[batch.neighbour[beyond]], amount[batch.neighbour[beyond]])
            edge = beyond[edge]
            parts.append((batch.node[edge], batch.scale * self._axes[frame, axis], 3 * colour[edge] + 1 + axis))
        owner, vector, kind = (np.concatenate(column) for column in zip(*parts))
        theirs = (self._axes, start, amount, told, colour, kinds)
        self._choose(owner, vector, kind, bucket)
        self._orbits(self._seen(bucket, *theirs), bucket)
        self.depth += 1
        same = len(np.unique(self.colours)) == len(np.unique(before)) and len(self._owner) == frames
        self.finished = self.depth > 1 and same and bool((known == self._rank).all())

    def _choose(self, owner: Ints, vector: Floats, kind: Ints, bucket: Ints) -> None:
        """Frames for trees that show more directions than before; all others keep theirs."""
        batch = self._batch
        low = (self._rank < 2).nonzero()[0]
        channels = batch.vectors.shape[1]
        own = np.repeat(low, channels)
        owner = np.concatenate([owner, own])
        vector = np.concatenate([vector, batch.vectors[low].reshape(-1, 3)])
        first = int(kind.max(initial=-1)) + 1
        kind = np.concatenate([kind, first + np.tile(np.arange(channels), len(low))])
        place = np.zeros(len(self._rank), np.int64)
        place[low] = np.arange(len(low))
        found = choose_frames(
            dense(bucket[low]) if len(low) else low,
            place[owner],
            kind,
            vector,
            dim=batch.dim,
            reflections=self._reflections,
            scale=batch.scale,
            gaps=self._gaps,
        )
        better = np.zeros(len(self._rank), bool)
        better[low] = found.rank > self._rank[low]
        taken, kept = better[low[found.owner]], ~better[self._owner]
        owners = np.concatenate([self._owner[kept], low[found.owner][taken]])
        order = np.argsort(owners, kind="stable")
        self._axes = np.concatenate([self._axes[kept], found.axes[taken]])[order]
        self._owner = owners[order]
        self._rank[low] = np.maximum(found.rank, self._rank[low])

    def _own(self, bucket: Ints) -> Ints:
        """A number for each frame: the node's rank and own vectors, seen there."""
        batch, home = self._batch, pairs(bucket[self._owner], self._rank[self._owner])
        vectors = np.einsum("fij,fmj->fmi", self._axes, batch.vectors[self._owner])
        return cluster(home, vectors.reshape(len(home), 3 * batch.vectors.shape[1]), self._gaps)

    def _seen(self, bucket: Ints, axes: Floats, start: Ints, amount: Ints, told: Ints, colour: Ints, kinds: int) -> Ints:
        """A number for each frame: everything that a node sees there. ``axes`` are the neighbours' frames of one step before."""
        batch = self._batch
        row, edge = expand(batch.first[self._owner], batch.degree[self._owner])
        home = bucket[self._owner][row] * kinds + colour[edge]
        entry = cluster(dense(home), np.einsum("rij,rj->ri", self._axes[row], batch.edge_vec[edge]), self._gaps)
        # How each neighbour's frames are turned: nine numbers, three of an axis, none of a tree without vectors. In a crystal most
        # frames are copies of a few, and what has been computed once is not computed again.
        turned = (told[edge] > 0).nonzero()[0]
        mine, theirs = _copies(self._axes), _copies(axes)
        sets = multisets(np.zeros(len(start), np.int64), np.repeat(np.arange(len(start)), amount), theirs)
        key = pairs(pairs(mine[row[turned]], sets[batch.neighbour[edge[turned]]]), entry[turned])
        _, one, back = np.unique(key, return_index=True, return_inverse=True)
        first = turned[one]
        which, frame = expand(start[batch.neighbour[edge[first]]], amount[batch.neighbour[edge[first]]])
        at = first[which]
        relative = np.einsum("rij,rkj->rki", self._axes[row[at]], axes[frame])
        relative[told[edge[at]] < 2, 1:] = 0.0
        turn = cluster(entry[at], batch.scale * relative.reshape(len(at), 9), self._gaps)
        whole = pairs(entry, told[edge])
        known = multisets(whole[first], which, turn)
        whole[turned] = int(whole.max(initial=-1)) + 1 + known[back]
        return multisets(self._own(bucket), row, whole)

    def _orbits(self, looks: Ints, bucket: Ints) -> None:
        """The least look of each node is that of its orbit; the frames that show it are kept."""
        least = np.full(len(bucket), np.iinfo(np.int64).max)
        np.minimum.at(least, self._owner, looks)
        kept = looks == least[self._owner]
        self._owner, self._axes = self._owner[kept], self._axes[kept]
        self.colours = pairs(bucket, least)


def _copies(axes: Floats) -> Ints:
    """Which frames are one and the same, far below the tolerance: only so much as saves work, so that few frames are all taken for new."""
    if len(axes) < FEW:
        return np.arange(len(axes))
    return cluster(np.zeros(len(axes), np.int64), axes.reshape(len(axes), 9), Gaps(1e-9))
