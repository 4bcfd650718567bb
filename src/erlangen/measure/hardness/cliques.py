"""Largest sets of vertices without an edge between any two of them: exactly for small graphs, greedily for large ones."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor


def largest_independent(conflicts: Bool[Tensor, "N N"], more_than: int = 0) -> list[int] | None:
    """A largest set of vertices no two of which are in conflict, if it has more than ``more_than`` members, else None.

    Branch and bound on the compatible pairs, with the number of colours of a greedy colouring as bound (Tomita & Seki 2003).

    >>> path = torch.tensor([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=torch.bool)
    >>> largest_independent(path)
    [0, 2]
    """
    count = len(conflicts)
    rows = (~conflicts).tolist()
    friends = [sum(1 << j for j in range(count) if j != i and rows[i][j]) for i in range(count)]
    best: list[int] | None = None
    size = more_than

    def coloured(inside: int) -> list[tuple[int, int]]:
        """The vertices with their colours, by colour; those of one colour are pairwise in conflict, so at most one can be taken."""
        order, colour = [], 0
        while inside:
            colour += 1
            free = inside
            while free:
                v = (free & -free).bit_length() - 1
                order.append((v, colour))
                inside &= ~(1 << v)
                free &= ~(1 << v) & ~friends[v]
        return order

    def extend(chosen: list[int], inside: int) -> None:
        nonlocal best, size
        for v, colours in reversed(coloured(inside)):
            if len(chosen) + colours <= size:
                return
            chosen.append(v)
            rest = inside & friends[v]
            if rest:
                extend(chosen, rest)
            elif len(chosen) > size:
                best, size = sorted(chosen), len(chosen)
            chosen.pop()
            inside &= ~(1 << v)

    extend([], (1 << count) - 1)
    return best


def greedy_independent(conflicts: Bool[Tensor, "N N"]) -> list[int]:
    """A large set of vertices no two of which are in conflict: take one with the fewest conflicts left, drop its neighbours, repeat.

    >>> greedy_independent(torch.zeros(3, 3, dtype=torch.bool))
    [0, 1, 2]
    """
    matrix: NDArray[np.bool_] = conflicts.numpy().copy()
    np.fill_diagonal(matrix, False)
    degree = matrix.sum(1)
    left = np.ones(len(matrix), dtype=bool)
    chosen = []
    while left.any():
        v = int(np.where(left, degree, len(matrix)).argmin())
        chosen.append(v)
        gone = left & matrix[v]
        gone[v] = True
        left &= ~gone
        degree = degree - matrix[:, gone].sum(1)
    return sorted(chosen)


def pairs_above_diagonal(values: Float[Tensor, "N N"]) -> Float[Tensor, " pairs"]:
    """The entries above the diagonal.

    >>> pairs_above_diagonal(torch.arange(9.0).view(3, 3))
    tensor([1., 2., 5.])
    """
    count = len(values)
    rows, columns = torch.triu_indices(count, count, 1)
    return values[rows, columns]
