"""Set partitions: the diagrams of the symmetric group, in the order of restricted growth strings."""

from __future__ import annotations

from collections.abc import Iterator

Blocks = tuple[tuple[int, ...], ...]


def set_partitions(size: int, most: int | None = None) -> Iterator[Blocks]:
    """Partitions of ``0 .. size-1`` into at most ``most`` blocks (default: any number).

    Blocks are ordered by their smallest member; partitions by their restricted growth strings (member ``i``'s block number).

    >>> [len(list(set_partitions(k))) for k in range(6)]          # Bell numbers
    [1, 1, 2, 5, 15, 52]
    >>> list(set_partitions(2))
    [((0, 1),), ((0,), (1,))]
    """
    most = size if most is None else most
    if size == 0:
        yield ()
        return
    if most < 1:
        return
    word = [0] * size
    while True:
        blocks: list[list[int]] = [[] for _ in range(max(word) + 1)]
        for member, block in enumerate(word):
            blocks[block].append(member)
        yield tuple(map(tuple, blocks))
        # The next word: raise the last letter that may rise, and start over behind it.
        for i in range(size - 1, -1, -1):
            if i and word[i] <= max(word[:i]) and word[i] + 1 < most:
                word[i] += 1
                word[i + 1 :] = [0] * (size - i - 1)
                break
        else:
            return


def coarser(blocks: Blocks) -> Iterator[tuple[int, Blocks]]:
    """Every partition that is coarser than or equal to one, with its Moebius value ``mu(blocks, coarser)``.

    >>> list(coarser(((0,), (1,))))
    [(-1, ((0, 1),)), (1, ((0,), (1,)))]
    """
    for merge in set_partitions(len(blocks)):
        value = 1
        for part in merge:
            for i in range(1, len(part)):
                value *= -i
        yield value, tuple(sorted(tuple(sorted(v for i in part for v in blocks[i])) for part in merge))
