"""How many equivariant maps there are: closed forms, and independent counts by walks and by characters."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache

from erlangen.errors import ArgumentError

Partition = tuple[int, ...]


def stirling(size: int, blocks: int) -> int:
    """Stirling number of the second kind: partitions of ``size`` things into ``blocks`` blocks.

    >>> [stirling(4, t) for t in range(5)]
    [0, 1, 7, 6, 1]
    """
    if blocks < 0 or blocks > size:
        return 0
    return _stirling_row(size)[blocks]


@lru_cache(maxsize=256)
def _stirling_row(size: int) -> tuple[int, ...]:
    row = [1]
    for m in range(1, size + 1):
        row = [0] + [row[t - 1] + t * (row[t] if t < m else 0) for t in range(1, m + 1)]
    return tuple(row)


def dimension(kind: str, n: int, size: int, *, twisted: bool = False) -> int:
    """Dimension of the equivariant maps between tensor powers of ``R^n`` with ``size`` axes in all.

    Args:
        kind: ``"S"``, ``"A"``, ``"O"``, ``"SO"`` or ``"Sp"``.
        n: the size of an axis.
        size: ``k + l``, axes of input and output.
        twisted: of S or O, the maps that change by the sign or the determinant.

    Sources: Benkart, Halverson, Harman, arXiv:1605.06543 (S, A); Brauer 1937 and the hook formula (O, SO, Sp).

    >>> dimension("S", 3, 4), dimension("A", 4, 4), dimension("O", 3, 8), dimension("SO", 3, 5), dimension("Sp", 4, 6)
    (14, 22, 91, 6, 14)
    """
    if not isinstance(n, int) or n < 1:
        raise ArgumentError("n", "a positive size", repr(n))
    if not isinstance(size, int) or size < 0:
        raise ArgumentError("size", "a non-negative number of axes", repr(size))
    if kind in ("S", "A"):
        plain = sum(stirling(size, t) for t in range(n + 1))
        signed = stirling(size, n - 1) + stirling(size, n) if n > 1 else 0
        return {"S": signed if twisted else plain, "A": plain + signed}[kind] if n > 1 else plain
    if kind == "Sp":
        return sum(standard_tableaux(p) for p in partitions(size) if all(c % 2 == 0 and c <= n for c in conjugate(p)))
    if kind not in ("O", "SO"):
        raise ArgumentError("kind", "'S', 'A', 'O', 'SO' or 'Sp'", repr(kind))
    even = sum(standard_tableaux(p) for p in partitions(size, n) if all(row % 2 == 0 for row in p))
    odd = sum(standard_tableaux(p) for p in partitions(size, n) if len(p) == n and all(row % 2 for row in p))
    return even + odd if kind == "SO" else odd if twisted else even


def spanning_size(kind: str, n: int, size: int, *, twisted: bool = False) -> int:
    """How many diagrams span the maps that :func:`dimension` counts (for O, SO and Sp often more than that).

    >>> spanning_size("SO", 3, 5), dimension("SO", 3, 5)
    (10, 6)
    """
    if kind in ("S", "A"):
        return dimension(kind, n, size, twisted=twisted)
    brauer = _double_factorial(size - 1) if size % 2 == 0 else 0
    rest = size - n
    grood = math.comb(size, n) * _double_factorial(rest - 1) if rest >= 0 and rest % 2 == 0 else 0
    return {"O": grood if twisted else brauer, "Sp": brauer, "SO": brauer + grood}[kind]


def partitions(size: int, rows: int | None = None, largest: int | None = None) -> Iterator[Partition]:
    """Partitions of an integer, rows descending, with at most ``rows`` rows.

    >>> list(partitions(4, 2))
    [(4,), (3, 1), (2, 2)]
    """
    if size == 0:
        yield ()
        return
    if rows == 0:
        return
    for first in range(min(size, largest or size), 0, -1):
        for rest in partitions(size - first, None if rows is None else rows - 1, first):
            yield (first, *rest)


def conjugate(shape: Partition) -> Partition:
    """Columns as rows.

    >>> conjugate((3, 1))
    (2, 1, 1)
    """
    return tuple(sum(row > i for row in shape) for i in range(shape[0] if shape else 0))


def standard_tableaux(shape: Partition) -> int:
    """Number of standard Young tableaux, by hooks.

    >>> standard_tableaux((2, 1)), standard_tableaux(())
    (2, 1)
    """
    columns = conjugate(shape)
    hooks = math.prod(row - j + columns[j] - i - 1 for i, row in enumerate(shape) for j in range(row))
    return math.factorial(sum(shape)) // hooks


def irrep_multiplicities(n: int, k: int) -> dict[Partition, int]:
    """How often each irreducible representation of S_n occurs in the k-th tensor power of ``R^n``: walks on the McKay quiver.

    Irreps are partitions of ``n``; a step takes a box away and puts one back. Independent of the diagrams: the sum of products of two
    such counts is the dimension of the maps.

    >>> irrep_multiplicities(3, 2)
    {(3,): 2, (2, 1): 3, (1, 1, 1): 1}
    """
    walks: Counter[Partition] = Counter({(n,): 1})
    for _ in range(k):
        after: Counter[Partition] = Counter()
        for shape, count in walks.items():
            for smaller in _neighbours(shape, -1):
                for larger in _neighbours(smaller, +1):
                    after[larger] += count
        walks = after
    return dict(sorted(walks.items(), reverse=True))


def _neighbours(shape: Partition, change: int) -> Iterator[Partition]:
    """Shapes with one box more or less."""
    for i in range(len(shape) + (change > 0)):
        rows = [*shape, 0]
        rows[i] += change
        if rows[i] >= 0 and all(a >= b for a, b in itertools.pairwise(rows)):
            yield tuple(r for r in rows if r)


def dimension_by_characters(kind: str, n: int, size: int) -> int:
    """The same count for S_n or A_n as an average of ``fixed points ** size``, by cycle types.

    >>> dimension_by_characters("A", 4, 4), dimension_by_characters("S", 4, 4)
    (22, 15)
    """
    total, order = 0, math.factorial(n)
    for shape in partitions(n):
        if kind == "A" and (n - len(shape)) % 2:
            continue
        centralizer = math.prod(part**count * math.factorial(count) for part, count in Counter(shape).items())
        total += order // centralizer * shape.count(1) ** size
    return total // (order // 2 if kind == "A" and n > 1 else order)


def _double_factorial(m: int) -> int:
    return math.prod(range(m, 0, -2))
