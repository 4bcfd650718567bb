"""Neighbour lists with a skin: made anew only when particles may have come near unseen.

A list holds the pairs ``(i, j)``, in both orders or in one, of particles ``i`` and centres ``j`` (other particles, now or as a camera
saw them) of one replica that are nearer than the range and the skin. It stays right until both together have moved by the skin.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from erlangen.actions.neighbours import neighbours
from erlangen.fields.colloids.boxes import Box, Periodic

#: Up to so many candidate pairs they are all looked at; beyond, particles are sorted into cells.
MOST_DENSE = 400_000


class NeighbourList:
    """Pairs within a range, kept up to date.

    Args:
        range: of the interaction; infinite: all pairs, once and for all.
        batch, n: replicas, and particles of each.
        box: where they are.
        skin: added to the range; half of the mean distance or so is quick. It is cut to what the box allows.
        half: each pair once, ``i < j``: where particles are their own centres.

    Attributes:
        shift: of each pair, ``[dim, pairs]``: ``x_i - c_j - shift`` goes to the nearest image. It stays as long as the list does, for
            unwrapped positions do not jump. None where nothing repeats.
        places: where ``x_i`` and ``c_j`` stand in flattened positions, each ``[dim * pairs]``.

    >>> from erlangen.fields.colloids.boxes import Open
    >>> near = NeighbourList(1.5, 1, 3, Open(), skin=0.2)
    >>> x = torch.tensor([[0.0, 1.0, 3.0], [0.0, 0.0, 0.0]])
    >>> [one.tolist() for one in near.pairs(x, x)]
    [[0, 1], [1, 0]]
    """

    def __init__(self, range: float, batch: int, n: int, box: Box, skin: float, half: bool = False) -> None:
        self.range, self.batch, self.n, self.box, self.half = range, batch, n, box, half
        self.shift: Tensor | None = None
        self.places: tuple[Tensor, Tensor]
        self.skin = min(skin, box.reach - range)
        self.built = 0
        self._pairs: tuple[Tensor, Tensor] | None = None
        self._x: Tensor | None = None
        self._c: Tensor | None = None
        # In a box that is hardly larger than the range all pairs are looked at in every step.
        self._every = math.isinf(range) or self.skin < 0.02 * range
        if self._every:
            self._pairs = all_pairs(batch, n, half)

    def pairs(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """The pairs of particles at ``x`` and centres at ``c``, both ``[dim, batch * n]``, unwrapped; a few are beyond the range."""
        if self._every:
            assert self._pairs is not None
            if isinstance(self.box, Periodic) or self._x is None:
                self._x = x.detach()
                self._shift(x, c)
            return self._pairs
        if self._pairs is None or self._moved(x, c):
            return self.make(x.detach(), c.detach())
        return self._pairs

    @property
    def made_at(self) -> tuple[Tensor, Tensor] | None:
        """The particles and centres that the list was made for; None where it lasts or has not been made."""
        return None if self._every or self._x is None or self._c is None else (self._x, self._c)

    def make(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Make the list for particles at ``x`` and centres at ``c``."""
        self._x, self._c = x, c
        self._pairs = self._build(x, c)
        self._shift(x, c)
        self.built += 1
        return self._pairs

    def _shift(self, x: Tensor, c: Tensor) -> None:
        assert self._pairs is not None
        i, j = self._pairs
        lines = x.shape[1] * torch.arange(x.shape[0]).unsqueeze(1)
        self.places = ((i + lines).flatten(), (j + lines).flatten())
        if isinstance(self.box, Periodic):
            d = x.detach()[:, i] - c.detach()[:, j]
            self.shift = d - self.box.nearest(d)

    def _moved(self, x: Tensor, c: Tensor) -> bool:
        assert self._x is not None
        assert self._c is not None
        moved = float((x.detach() - self._x).square().sum(0).max().sqrt())
        if c is x:
            return not 2 * moved < self.skin
        return not moved + float((c.detach() - self._c).square().sum(0).max().sqrt()) < self.skin

    def _build(self, x: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        i, j = near_pairs(x, c, self.range + self.skin, self.batch, self.n, self.box)
        if self.half:
            once = i < j
            i, j = i[once], j[once]
        return i, j


def near_pairs(x: Tensor, c: Tensor, reach: float, batch: int, n: int, box: Box) -> tuple[Tensor, Tensor]:
    """The pairs ``(i, j)`` with ``|x_i - c_j| < reach`` and ``i != j``, of one replica each."""
    return (_dense if batch * n * n <= MOST_DENSE else _sparse)(x, c, reach, batch, n, box)


def _dense(x: Tensor, c: Tensor, reach: float, batch: int, n: int, box: Box) -> tuple[Tensor, Tensor]:
    """All differences."""
    dim = x.shape[0]
    d = box.nearest((x.view(dim, batch, n, 1) - c.view(dim, batch, 1, n)).reshape(dim, -1))
    near = (d.square().sum(0) < reach * reach).view(batch, n, n)
    near.diagonal(dim1=1, dim2=2).fill_(False)
    row, j = near.view(-1, n).nonzero(as_tuple=True)
    return row, j + row.div(n, rounding_mode="floor") * n


def _sparse(x: Tensor, c: Tensor, reach: float, batch: int, n: int, box: Box) -> tuple[Tensor, Tensor]:
    """By sorted cells; with centres of another time both kinds of points are sorted together and mixed pairs kept."""
    dim, total = x.shape
    together = c is x or torch.equal(c, x)
    points = x.T if together else torch.cat([x.T, c.T])
    replica = torch.arange(total).div(n, rounding_mode="floor").repeat(1 if together else 2)
    kept = points.isfinite().all(1).nonzero().flatten()
    cell = pbc = None
    if isinstance(box, Periodic):
        points = box.wrap(points.double())
        rows = torch.eye(3, dtype=torch.float64)
        rows[:dim, :dim] = box.cell()
        cell, pbc = rows.expand(batch, 3, 3), (torch.arange(3) < dim).expand(batch, 3)
    flat = torch.nn.functional.pad(points, (0, 3 - dim))
    edges, _ = neighbours(flat[kept], reach, batch=replica[kept], cell=cell, pbc=pbc)
    j, i = kept[edges]
    if not together:
        mixed = (i < total) & (j >= total)
        i, j = i[mixed], j[mixed] - total
    other = i != j
    return i[other], j[other]


def all_pairs(batch: int, n: int, half: bool = False) -> tuple[Tensor, Tensor]:
    """All ordered pairs of different particles, of each replica by itself; each pair once with ``half``."""
    i = torch.arange(n).repeat_interleave(n)
    j = torch.arange(n).repeat(n)
    kept = i < j if half else i != j
    i, j = i[kept], j[kept]
    shift = (n * torch.arange(batch)).unsqueeze(1)
    return (i + shift).flatten(), (j + shift).flatten()
