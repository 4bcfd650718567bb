"""Orbits of tensors, walked a whole generation at a time: all newest members moved by all generators in one call.

The members, their order and the elements that lead to them are those of the walk one by one (:meth:`Action.orbit`), and two data are the
same as they are there (:mod:`erlangen.actions.members`). Memory: of each member its numbers as they are, in float64 and as bytes, and about
1 kB for the tensor that it is in Python; what moving a generation takes on the way stays below 64 MB.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from erlangen.actions.members import direction_of, inexact_rows, rounding
from erlangen.groups.base import Element
from erlangen.groups.lookup import chunks

if TYPE_CHECKING:
    from erlangen.actions.base import Action


def generations(
    action: Action, x: Tensor, gens: Element, known: list[tuple[Tensor, Element]], newest: int
) -> Iterator[tuple[Tensor, Element]]:
    """The members that are still to be found, each with an element that leads to it from ``x``.

    Args:
        action: one that moves a batch of data by a batch of elements (:attr:`Action.moves_batches`).
        x: the datum that the walk began with.
        gens: generators ``[m, *element_shape]``.
        known: the members found so far, with their elements.
        newest: how many of them, at the end, were not moved yet.
    """
    group, members = action.group, Rows()
    (count,) = group.batch_shape(gens)
    numbers = count * (x.numel() + sum(map(math.prod, group._shapes())))
    members.add(action.compared(torch.stack([y for y, _ in known])))
    last = torch.stack([y for y, _ in known[-newest:]])
    elements = group.join([group.map(lambda leaf, shape: leaf.unsqueeze(0), h) for _, h in known[-newest:]])
    rounds = x.is_floating_point() or x.is_complex()
    while len(last):
        found: list[tuple[Tensor, Element]] = []
        for part in chunks(len(last), numbers):
            # The order of the walk one by one: the first member by each generator, then the second.
            here = torch.arange(part.start, part.stop).repeat_interleave(count)
            step = group.take(gens, torch.arange(count).repeat(part.stop - part.start))
            before = group.take(elements, here)
            # Moved from x itself, a floating-point member is rounded once, however long the way to it.
            g = group.multiply(step, before) if rounds else None
            moved = action.act(step, last[here]) if g is None else action.act(g, x.unsqueeze(0))
            new = torch.from_numpy(members.add(action.compared(moved)))
            g = group.multiply(group.take(step, new), group.take(before, new)) if g is None else group.take(g, new)
            found.append((moved[new], g))
        last = torch.cat([moved for moved, _ in found])
        elements = group.join([g for _, g in found])
        for i, y in enumerate(last.unbind()):
            yield y, group.take(elements, i)


class Rows:
    """Tensors of one type and shape found so far, each once; :class:`~erlangen.actions.members.Members` for many at a time.

    >>> seen = Rows()
    >>> seen.add(torch.tensor([[1e-21], [2e-21], [1e-21 * (1 + 1e-7)]])).tolist()
    [0, 1]
    """

    def __init__(self) -> None:
        self._same: set[bytes] = set()
        self._rows = np.zeros((0, 0))  # with room for more
        self._sizes = np.zeros(0)
        self._direction = np.zeros(0)
        #: Projections in ascending order, and the rows that they belong to.
        self._keys, self._places = np.zeros(0), np.zeros(0, dtype=np.int64)

    def add(self, data: Tensor) -> np.ndarray:
        """Take up data ``[count, *shape]``; the positions of those that were not known, each the first of its kind."""
        numbers = inexact_rows(data)
        exact = data.detach().cpu().reshape(len(data), -1).numpy() if numbers is None else numbers
        fresh = []
        for i, row in enumerate(exact):
            if (name := row.tobytes()) not in self._same:
                self._same.add(name)
                fresh.append(i)
        new = np.array(fresh, dtype=np.int64)
        return new if numbers is None or not len(new) else new[self._add_inexact(numbers[new], rounding(data))]

    def _add_inexact(self, rows: np.ndarray, tolerance: float) -> np.ndarray:
        """Take up rows of numbers, no two of them equal in all digits; the positions of those that differ by more than rounding."""
        sizes = np.abs(np.where(np.isfinite(rows), rows, 0.0)).max(1, initial=0.0)
        reach, keys = 2.5 * tolerance, self._project(rows, sizes)
        known = np.zeros(len(rows), dtype=bool)
        here, stop = np.searchsorted(self._keys, keys - reach), np.searchsorted(self._keys, keys + reach, side="right")
        while len(active := (~known & (here < stop)).nonzero()[0]):
            other = self._places[here[active]]
            known[active] = _same(rows[active], self._rows[other], np.maximum(sizes[active], self._sizes[other]), tolerance)
            here[active] += 1
        left = (~known).nonzero()[0]
        left = left[_first_of_each(rows[left], sizes[left], keys[left], tolerance, reach)]
        self._keep(rows[left], sizes[left], keys[left])
        return left

    def _project(self, rows: np.ndarray, sizes: np.ndarray) -> np.ndarray:
        """A number for each row: those of the same datum lie within 2.5 times the tolerance."""
        if len(self._direction) != rows.shape[1]:
            self._direction = direction_of(rows.shape[1])
        scaled = rows / np.where(sizes, sizes, 1.0)[:, None]
        if not np.isfinite(scaled).all():
            scaled = np.nan_to_num(scaled, nan=12.0, posinf=8.0, neginf=4.0)
        return scaled @ self._direction

    def _keep(self, rows: np.ndarray, sizes: np.ndarray, keys: np.ndarray) -> None:
        count = len(self._keys)
        if count + len(rows) > len(self._rows):
            room = 2 * (count + len(rows))
            larger, more = np.empty((room, rows.shape[1])), np.empty(room)
            larger[:count], more[:count] = self._rows[:count].reshape(count, rows.shape[1]), self._sizes[:count]
            self._rows, self._sizes = larger, more
        self._rows[count : count + len(rows)], self._sizes[count : count + len(rows)] = rows, sizes
        order = np.argsort(keys, kind="stable")
        where = np.searchsorted(self._keys, keys[order])
        self._keys = np.insert(self._keys, where, keys[order])
        self._places = np.insert(self._places, where, count + order)


def _first_of_each(rows: np.ndarray, sizes: np.ndarray, keys: np.ndarray, tolerance: float, reach: float) -> np.ndarray:
    """The positions, ascending, of the rows that are not the same as an earlier one of these."""
    order = np.argsort(keys, kind="stable")
    sorted_keys, pairs = keys[order], []
    for apart in range(1, len(rows)):
        near = (sorted_keys[apart:] - sorted_keys[:-apart] <= reach).nonzero()[0]
        if not len(near):
            break
        a, b = order[near], order[near + apart]
        same = _same(rows[a], rows[b], np.maximum(sizes[a], sizes[b]), tolerance)
        pairs.append(np.stack([np.minimum(a, b)[same], np.maximum(a, b)[same]]))
    first = np.ones(len(rows), dtype=bool)
    if pairs:
        earlier, later = np.concatenate(pairs, 1)
        while True:  # settled from the first row on
            settled = np.ones(len(rows), dtype=bool)
            settled[later[first[earlier]]] = False
            if (settled == first).all():
                break
            first = settled
    return first.nonzero()[0]


def _same(a: np.ndarray, b: np.ndarray, sizes: np.ndarray, tolerance: float) -> np.ndarray:
    """Whether rows are the same datum: numbers up to rounding relative to their size, infinities and NaN exactly."""
    with np.errstate(invalid="ignore"):  # inf - inf
        near = np.abs(a - b) <= (tolerance * sizes)[:, None]
    return (near | (a == b) | (np.isnan(a) & np.isnan(b))).all(1)
