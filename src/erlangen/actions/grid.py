"""`GridArrays`: permutations of the points of a grid acting on arrays, with the least of an orbit in closed form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.groups.grid import GridSymmetries, check_sizes
from erlangen.groups.permutation import PermutationGroup


class GridArrays(Action):
    """Arrays ``[*batch, *sizes]`` moved by permutations of their points: ``(g x)[g(p)] = x[p]``, points in row-major order.

    Data are tensors of any type. The :meth:`representative` of whole numbers is the orbit's member that is least when it is read in
    row-major order: for a :class:`~erlangen.groups.grid.GridSymmetries` found by ranks of all translates at once,
    ``O(k N log^2 N)`` for ``k`` automorphisms, whatever the array; for other groups among all elements.

    Args:
        group: a permutation group of the ``N`` points.
        sizes: the grid's sides; those of the group where it knows them.

    Raises:
        ArgumentError: the group has another number of points.

    >>> act = GridArrays(GridSymmetries((2, 3), "inversion"))
    >>> least, g = act.representative(torch.tensor([[2, 1, 1], [1, 2, 1]]))
    >>> least.tolist()
    [[1, 1, 2], [1, 2, 1]]
    """

    group: PermutationGroup
    moves_batches = True

    def __init__(self, group: PermutationGroup, sizes: Sequence[int] | None = None) -> None:
        if not isinstance(group, PermutationGroup):
            raise ArgumentError("group", "a permutation group of the grid's points", repr(group))
        if sizes is None:
            if not isinstance(group, GridSymmetries):
                raise ArgumentError("sizes", f"the grid's sides, of {group.n} points", "none")
            sizes = group.sizes
        super().__init__(group)
        self.sizes = check_sizes(sizes)
        if math.prod(self.sizes) != group.n:
            raise ArgumentError("sizes", f"a grid of {group.n} points, as many as {group} permutes", repr(self.sizes))
        self.data_shape = self.sizes

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        flat = x.flatten(x.ndim - len(self.sizes))
        flat, source = torch.broadcast_tensors(flat, self.group.inverse(g).to(x.device))
        return flat.gather(-1, source).unflatten(-1, self.sizes)

    def representative(self, x: Any) -> tuple[Tensor, Element]:
        """The orbit's least member in row-major order, and an element that moves ``x`` to it."""
        self.check(x)
        if x.is_floating_point() or x.is_complex() or x.ndim != len(self.sizes):
            return super().representative(x)
        array = x.cpu().numpy()
        if isinstance(self.group, GridSymmetries) and self.group.sizes == self.sizes:
            g = self._least_by_ranks(self.group, array)
        else:
            every = self.group.elements()
            moved = array.reshape(-1)[self.group.inverse(every).numpy()]
            g = every[first_row(moved)]
        return self.act(g, x), g

    def _least_by_ranks(self, group: GridSymmetries, array: np.ndarray) -> Tensor:
        still = torch.zeros(len(self.sizes), dtype=torch.int64)
        best: tuple[np.ndarray, Tensor] | None = None
        for linear in group.linear:
            source = group.inverse(group.element(linear, still)).numpy()
            turned = array.reshape(-1)[source].reshape(self.sizes)
            shift = np.unravel_index(int(translate_ranks(turned).argmin()), self.sizes)
            least = np.roll(turned, [-int(s) for s in shift], tuple(range(len(self.sizes)))).reshape(-1)
            if best is None or _before(least, best[0]):
                best = least, group.element(linear, -torch.tensor([int(s) for s in shift]))
        assert best is not None  # the identity is linear
        return best[1]

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        return torch.randn((*batch, *self.sizes), generator=generator, dtype=dtype)

    def __repr__(self) -> str:
        return f"GridArrays({self.group})"


class GridShifts(GridArrays):
    """Arrays ``[*batch, *sizes]`` over the differences of points, such as correlations: ``p -> M p + t`` moves ``r`` to ``M r``.

    >>> import torch
    >>> act = GridShifts(GridSymmetries((4,), "inversion"))
    >>> act.act(torch.tensor([[1, 2, 3, 0], [1, 0, 3, 2]]), torch.tensor([5, 6, 7, 8])).tolist()
    [[5, 6, 7, 8], [5, 8, 7, 6]]
    """

    group: GridSymmetries

    def __init__(self, group: GridSymmetries) -> None:
        if not isinstance(group, GridSymmetries):
            raise ArgumentError("group", "a GridSymmetries, whose elements have linear parts", repr(group))
        super().__init__(group)

    def act(self, g: Element, x: Tensor) -> Tensor:
        linear, shift = self.group.parts(g)
        return super().act(self.group.element(linear, torch.zeros_like(shift)), x)

    def representative(self, x: Any) -> tuple[Tensor, Element]:
        """The orbit's first member and an element that moves ``x`` to it."""
        return Action.representative(self, x)

    def __repr__(self) -> str:
        return f"GridShifts({self.group})"


def translate_ranks(array: np.ndarray) -> np.ndarray:
    """For each point ``t`` the place of the translate ``p -> array[p + t]`` among all of them, read in row-major order.

    Equal translates have equal ranks. By prefix doubling: ranks of stretches of one length give, in pairs, those of up to twice the length
    (R. M. Karp, R. E. Miller, A. L. Rosenberg, STOC 1972).

    >>> translate_ranks(np.array([2, 1, 2, 1, 1]))
    array([4, 1, 3, 0, 2])
    """
    ranks = _dense(array)
    for axis in reversed(range(array.ndim)):
        have, size = 1, array.shape[axis]
        while have < size:
            step = min(have, size - have)  # two stretches may overlap: where the first agree, so do the shared parts
            later = np.roll(ranks, -step, axis)
            ranks = _dense(ranks * (int(ranks.max()) + 1) + later)
            have += step
    return ranks


def _dense(values: np.ndarray) -> np.ndarray:
    return np.unique(values, return_inverse=True)[1].reshape(values.shape).astype(np.int64)


def _before(a: np.ndarray, b: np.ndarray) -> bool:
    differ = np.flatnonzero(a != b)
    return bool(len(differ)) and bool(a[differ[0]] < b[differ[0]])


def first_row(rows: np.ndarray) -> int:
    """The place of the least row, read from the left."""
    left = np.arange(len(rows))
    for column in range(rows.shape[1]):
        values = rows[left, column]
        left = left[values == values.min()]
        if len(left) == 1:
            break
    return int(left[0])
