"""Structures as machine words: all of a small grid in one ``uint64``, so that many are moved and counted at once."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from erlangen.errors import ArgumentError

#: Words that are worked on together: they stay in the processor's cache.
CHUNK = 1 << 15
_ONE = np.uint64(1)


class Words:
    """How structures of ``n`` phases on a grid stand in words: ``b`` bits a site, label - 1, the first site on top.

    So the order of words is that of structures read in row-major order.

    Raises:
        ArgumentError: a structure needs more than 64 bits.

    >>> words = Words((2, 3), 3)
    >>> words.unpack(words.pack(np.array([[[1, 3, 2], [2, 1, 1]]])))
    array([[[1, 3, 2],
            [2, 1, 1]]])
    """

    def __init__(self, sizes: tuple[int, ...], n: int) -> None:
        self.sizes, self.n, self.sites = sizes, n, math.prod(sizes)
        self.bits = max(1, math.ceil(math.log2(max(n, 2))))
        if self.sites * self.bits > 64:
            raise ArgumentError(
                "P",
                f"at most {64 // self.bits} sites for {n} phases, one word of 64 bits",
                f"{sizes}, of {self.sites} sites",
                "larger pairs are made by factor_roots, and from small ones by recipes",
            )

    def _place(self, site: int) -> int:
        return (self.sites - 1 - site) * self.bits

    def pack(self, structures: np.ndarray) -> np.ndarray:
        """Words ``[m]`` of structures ``[m, *P]``."""
        shifts = np.array([self._place(i) for i in range(self.sites)], np.uint64)
        return np.bitwise_or.reduce((structures.reshape(len(structures), -1) - 1).astype(np.uint64) << shifts, axis=1)

    def unpack(self, words: np.ndarray) -> np.ndarray:
        """Structures ``[m, *P]`` of words ``[m]``."""
        shifts = np.array([self._place(i) for i in range(self.sites)], np.uint64)
        labels = (words[:, None] >> shifts) & np.uint64((1 << self.bits) - 1)
        return (labels.astype(np.int64) + 1).reshape(len(words), *self.sizes)

    # ---- moving ----

    def step(self, words: np.ndarray, axis: int) -> np.ndarray:
        """The translates ``x[p + e]`` by one site along an axis."""
        return self.jump(words, axis, 1)

    def jump(self, words: np.ndarray, axis: int, steps: int) -> np.ndarray:
        """The translates ``x[p + steps e]`` along an axis."""
        if self.sizes[axis] == 1:
            return words
        (up, near), (down, far) = self._jumps[axis][steps]
        return ((words << up) & near) | ((words >> down) & far)

    @cached_property
    def _jumps(self) -> list[list[tuple[tuple[np.uint64, np.uint64], tuple[np.uint64, np.uint64]]]]:
        """For each axis and number of steps: how far bits go up and down, and where those are that did."""
        places = np.arange(self.sites).reshape(self.sizes)
        full, every = (1 << self.bits) - 1, (1 << self.sites * self.bits) - 1
        made = []
        for axis, size in enumerate(self.sizes):
            stride = math.prod(self.sizes[axis + 1 :]) * self.bits
            jumps = []
            for steps in range(size):
                wrapped = np.take(places, range(size - steps, size), axis).reshape(-1).tolist()
                far = sum(full << self._place(i) for i in wrapped)
                # A shift by 64 is none: where nothing wraps nothing is taken from it.
                down = stride * (size - steps) if steps else 0
                jumps.append(((np.uint64(stride * steps), np.uint64(every ^ far)), (np.uint64(down), np.uint64(far))))
            made.append(jumps)
        return made

    def translates(self, words: np.ndarray) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        """``r`` and the words of ``x[p + r]``, for each shift once, zero first."""
        yield from self._translates((), words)

    def _translates(self, done: tuple[int, ...], words: np.ndarray) -> Iterator[tuple[tuple[int, ...], np.ndarray]]:
        if len(done) == len(self.sizes):
            yield done, words
            return
        for r in range(self.sizes[len(done)]):
            if r:
                words = self.step(words, len(done))
            yield from self._translates((*done, r), words)

    def least_translate(self, words: np.ndarray) -> np.ndarray:
        """Of each word the least of its translates."""
        return self._in_chunks(words, self._least_translate)

    def _least_translate(self, words: np.ndarray) -> np.ndarray:
        least = words.copy()
        for _, moved in self.translates(words):
            np.minimum(least, moved, out=least)
        return least

    def permute(self, words: np.ndarray, tables: np.ndarray) -> np.ndarray:
        """Words moved by a permutation of sites, given as :meth:`tables`."""
        moved = tables[0][words & np.uint64(255)]
        for i in range(1, len(tables)):
            moved |= tables[i][(words >> np.uint64(8 * i)) & np.uint64(255)]
        return moved

    def tables(self, permutation: Sequence[int]) -> np.ndarray:
        """Of a permutation (site ``i`` goes to ``permutation[i]``) what each byte of a word becomes, ``[bytes, 256]``."""
        width = self.sites * self.bits
        to = np.zeros(8 * math.ceil(width / 8), np.uint64)
        for i, j in enumerate(permutation):
            for bit in range(self.bits):
                to[self._place(i) + bit] = 1 << (self._place(int(j)) + bit)
        bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
        return np.stack(
            [np.bitwise_or.reduce(np.where(bits, to[8 * k : 8 * k + 8], np.uint64(0)), axis=1) for k in range(len(to) // 8)]
        )

    def relabel(self, words: np.ndarray, labels: Sequence[int]) -> np.ndarray:
        """Words in which phase ``a`` has become ``labels[a - 1]``."""
        made = np.zeros_like(words)
        for a in range(1, self.n + 1):
            made |= self.phase(words, a) * np.uint64(labels[a - 1] - 1)
        return made

    # ---- counting ----

    def phase(self, words: np.ndarray, a: int) -> np.ndarray:
        """Where a phase stands: the lowest bit of each of its sites."""
        low = sum(1 << self._place(i) for i in range(self.sites))
        differ = words ^ np.uint64(low * (a - 1))
        other = differ
        for bit in range(1, self.bits):  # of the site alone: what was gathered already would bring in the next one's
            other = other | (differ >> np.uint64(bit))
        return ~other & np.uint64(low)

    @cached_property
    def half(self) -> set[tuple[int, ...]]:
        """One of each shift and its negative; those of an autocorrelation are enough."""
        every = itertools.product(*map(range, self.sizes))
        return {r for r in every if r <= tuple(-x % s for x, s in zip(r, self.sizes))}

    def correlations(self, words: np.ndarray) -> np.ndarray:
        """The counts of :func:`two_point` that determine all of them, ``[m, counts]`` uint8."""
        masks = [self.phase(words, a) for a in range(1, self.n)]
        columns = []
        for b in range(1, self.n):
            for r, moved in self.translates(masks[b - 1]):
                columns += [np.bitwise_count(masks[a - 1] & moved) for a in range(1, b + 1) if a < b or r in self.half]
        return np.stack(columns, 1) if columns else np.zeros((len(words), 0), np.uint8)

    def _in_chunks(self, words: np.ndarray, function) -> np.ndarray:  # type: ignore[no-untyped-def]
        return np.concatenate([function(words[i : i + CHUNK]) for i in range(0, len(words), CHUNK)]) if len(words) else words


def all_words(sizes: tuple[int, ...], counts: Sequence[int]) -> tuple[int, Iterator[np.ndarray]]:
    """All structures with these numbers of sites whose first site has the phase with the fewest: of each, a translate is among them.

    Returns:
        how many there are, and their words, some at a time; phases are in the order of ``counts``.
    """
    words = Words(sizes, len(counts))
    order = sorted(range(len(counts)), key=lambda a: counts[a])
    n, first = words.sites, counts[order[0]]
    total, left = math.comb(n - 1, first - 1), n - first
    for a in order[1:]:
        total *= math.comb(left, counts[a])
        left -= counts[a]

    def fields(mask: np.ndarray, a: int) -> np.ndarray:
        """A mask of sites, the first on top, as a phase's field in words."""
        if not a:
            return np.zeros_like(mask)
        if words.bits == 1:
            return mask
        made = np.zeros_like(mask)
        for i in range(n):
            made |= ((mask >> np.uint64(n - 1 - i)) & _ONE) << np.uint64(words._place(i))
        return made * np.uint64(a)

    def extend(taken: np.ndarray, made: np.ndarray, rest: list[int]) -> Iterator[np.ndarray]:
        """Give the sites that are free to the phases that are left; the last takes all."""
        full = np.uint64((1 << n) - 1)
        if not rest:  # one phase everywhere
            yield made
            return
        if len(rest) == 1:
            yield made | fields(~taken & full, rest[0])
            return
        free_count = n - int(np.bitwise_count(taken[0]))
        combinations = math.comb(free_count, counts[rest[0]])
        piece = max(1, CHUNK // combinations)
        for i in range(0, len(taken), piece):
            part = taken[i : i + piece]
            bits = (part[:, None] >> np.arange(n, dtype=np.uint64)) & _ONE
            free = np.nonzero(bits == 0)[1].reshape(len(part), free_count).astype(np.uint64)
            for chosen in _subsets(free_count, counts[rest[0]]):
                here = np.zeros((len(part), len(chosen)), np.uint64)
                for j in range(free_count):
                    here |= ((chosen >> np.uint64(j)) & _ONE)[None] << free[:, j : j + 1]
                grown, of = (part[:, None] | here).reshape(-1), fields(here.reshape(-1), rest[0])
                yield from extend(grown, np.repeat(made[i : i + piece], len(chosen)) | of, rest[1:])

    def every() -> Iterator[np.ndarray]:
        for below in _subsets(n - 1, first - 1):
            mask = below | np.uint64(1 << (n - 1))
            yield from extend(mask, fields(mask, order[0]), order[1:])

    return total, _gathered(every())


def _gathered(chunks: Iterator[np.ndarray]) -> Iterator[np.ndarray]:
    """The same words in larger chunks: many phases leave few to a choice, and each chunk costs what its correlations do."""
    waiting: list[np.ndarray] = []
    held = 0
    for chunk in chunks:
        waiting.append(chunk)
        held += len(chunk)
        if held >= CHUNK // 4:
            yield np.concatenate(waiting)
            waiting, held = [], 0
    if waiting:
        yield np.concatenate(waiting)


def _subsets(n: int, k: int) -> Iterator[np.ndarray]:
    """All ``k`` of ``n`` bits as masks, at most a chunk at a time, in a fixed order."""
    low = n // 2
    for j in range(max(0, k - (n - low)), min(low, k) + 1):
        lower, upper = _of_weight(low, j), _of_weight(n - low, k - j) << np.uint64(low)
        piece = max(1, CHUNK // len(lower))
        for i in range(0, len(upper), piece):
            yield (upper[i : i + piece, None] | lower).reshape(-1)


def _of_weight(n: int, k: int) -> np.ndarray:
    """All masks of ``n`` bits with ``k`` set, ascending."""
    if n <= 16:
        every = np.arange(1 << n, dtype=np.uint64)
        return every[np.bitwise_count(every) == k]
    low = n // 2
    halves = [
        (_of_weight(n - low, k - j)[:, None] << np.uint64(low) | _of_weight(low, j)).reshape(-1)
        for j in range(max(0, k - (n - low)), min(low, k) + 1)
    ]
    return np.sort(np.concatenate(halves))
