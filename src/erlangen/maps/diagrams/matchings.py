"""Perfect and partial matchings: the diagrams of the orthogonal and symplectic groups, and which of them are independent."""

from __future__ import annotations

import bisect
import itertools
from collections.abc import Iterator

Pairs = tuple[tuple[int, int], ...]


def matchings(vertices: tuple[int, ...]) -> Iterator[Pairs]:
    """Perfect matchings of the vertices: the smallest is joined to each other one in turn.

    >>> [len(list(matchings(tuple(range(k))))) for k in (0, 2, 4, 6)]
    [1, 1, 3, 15]
    """
    if not vertices:
        yield ()
        return
    first, rest = vertices[0], vertices[1:]
    for i, partner in enumerate(rest):
        for others in matchings(rest[:i] + rest[i + 1 :]):
            yield ((first, partner), *others)


def partial_matchings(size: int, free: int) -> Iterator[tuple[Pairs, tuple[int, ...]]]:
    """Matchings of ``0 .. size-1`` that leave ``free`` vertices alone: ``(pairs, free vertices)``.

    >>> list(partial_matchings(3, 1))
    [(((1, 2),), (0,)), (((0, 2),), (1,)), (((0, 1),), (2,))]
    """
    if free > size or (size - free) % 2:
        return
    for alone in itertools.combinations(range(size), free):
        rest = tuple(v for v in range(size) if v not in alone)
        for pairs in matchings(rest):
            yield pairs, alone


def longest_increasing(pairs: Pairs, alone: tuple[int, ...]) -> int:
    """Length of the longest increasing subsequence of the involution that swaps the pairs and fixes the free vertices.

    Diagrams of O(n) and SO(n) in which it is at most n are a basis; by Robinson-Schensted they are as many as the invariants.

    >>> longest_increasing(((0, 3), (1, 2)), ()), longest_increasing(((0, 2), (1, 3)), ())
    (1, 2)
    """
    word = dict.fromkeys(alone)
    image = {v: v for v in word} | dict(pairs) | {b: a for a, b in pairs}
    piles: list[int] = []
    for v in sorted(image):
        at = bisect.bisect_left(piles, image[v])
        piles[at : at + 1] = [image[v]]
    return len(piles)


def mutually_crossing(pairs: Pairs) -> int:
    """The largest number of pairs of which any two cross: diagrams of Sp(2m) in which it is at most m are a basis.

    >>> mutually_crossing(((0, 2), (1, 3))), mutually_crossing(((0, 3), (1, 2)))
    (2, 1)
    """

    def extend(chosen: int, last: tuple[int, int], start: int, first_end: int) -> int:
        best = chosen
        for i in range(start, len(pairs)):
            a, b = pairs[i]
            # With pairs by their first vertex, all cross when the first vertices precede the earliest end and the ends ascend.
            if a < first_end and b > last[1]:
                best = max(best, extend(chosen + 1, pairs[i], i + 1, first_end))
        return best

    return max((extend(1, p, i + 1, p[1]) for i, p in enumerate(pairs)), default=0)
