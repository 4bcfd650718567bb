"""How many equivariant maps there are between tensors: by the formula, by characters and by the library."""

from __future__ import annotations

import math
from typing import Any

from erlangen.groups import Symmetric
from erlangen.maps import EquivariantMaps
from erlangen.reporting import Table


def count() -> tuple[Table, int, int, int]:
    """The table of dimensions; in how many cases all counts agree, of how many, and in how many they are Bell's numbers."""
    agreed = tried = bell_right = 0
    rows = []
    bell = [bounded_partitions(total, total) for total in range(9)]
    for n in range(1, 9):
        cells: list[str] = []
        V = Symmetric(n).vector
        for total in range(9):
            formula = bounded_partitions(total, n)
            k = total // 2
            maps = EquivariantMaps(_power(V, k), _power(V, total - k))
            same = formula == maps.dim == by_characters(total, n)
            if n**total <= 300 and n > 1:
                same = same and bool(maps.verify())
            agreed, tried, bell_right = agreed + same, tried + 1, bell_right + (formula == bell[total])
            cells.append(str(formula))
        rows.append([f"n = {n}", *cells])
    rows.append(["Bell", *map(str, bell)])
    caption = "Dimension of the space of equivariant maps by n and k + l. Below n = k + l it falls short of Bell's number."
    return Table("dim Hom(M^k, M^l)", ["", *(f"k + l = {t}" for t in range(9))], rows, caption), agreed, tried, bell_right


def bounded_partitions(total: int, blocks: int) -> int:
    """Set partitions of ``total`` things into at most ``blocks`` blocks: a sum of Stirling numbers of the second kind.

    >>> [bounded_partitions(4, n) for n in (1, 2, 3, 4)]
    [1, 8, 14, 15]
    """
    row = [1]  # S(0, 0)
    for _ in range(total):
        row = [t * (row[t] if t < len(row) else 0) + (row[t - 1] if t else 0) for t in range(len(row) + 1)]
    return sum(row[: blocks + 1])


def by_characters(total: int, n: int) -> int:
    """The same dimension as the mean of (number of fixed points) ** total over S_n.

    >>> by_characters(4, 3)
    14
    """
    derangements = [round(math.factorial(m) * sum((-1) ** j / math.factorial(j) for j in range(m + 1))) for m in range(n + 1)]
    return sum(math.comb(n, f) * derangements[n - f] * f**total for f in range(n + 1)) // math.factorial(n)


def _power(V: Any, k: int) -> Any:
    return V**k if k else V.group.scalar
