"""All allocations, in tables: what each is worth to everybody."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from erlangen.fields.mechanisms.division.instance import Instance

#: So many allocations are gone through at most.
LARGEST_COUNT = 10_000_000


def totals_of(inst: Instance, items: Sequence[int]) -> np.ndarray:
    """Everybody's utility in all allocations of these items, ``[n ** len(items), n]``; the last item's owner changes fastest."""
    n = inst.n
    table = np.zeros((1, n), dtype=inst.numbers.dtype)
    for o in items:
        gains = np.zeros((n, n), dtype=inst.numbers.dtype)
        np.fill_diagonal(gains, inst.numbers[:, o])
        table = (table[:, None] + gains).reshape(-1, n)
    return table


def unranked(number: int, n: int, m: int) -> np.ndarray:
    """The owners ``[m]`` of the allocation of this number, as ``totals_of`` counts them."""
    owner = np.zeros(m, dtype=np.int64)
    for o in range(m - 1, -1, -1):
        number, owner[o] = divmod(number, n)
    return owner
