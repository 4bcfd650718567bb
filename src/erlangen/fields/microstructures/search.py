"""All structures of a small grid that share their two-point correlations with unrelated ones, by exhaustion."""

from __future__ import annotations

import itertools
import math
import operator
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.microstructures.relations import DEFAULT, relation_group
from erlangen.fields.microstructures.words import Words, all_words
from erlangen.groups import GridSymmetries, PermutationGroup
from erlangen.groups.grid import check_sizes
from erlangen.reporting import progress

#: Structures that an exhaustive search looks at, at most.
LARGEST_SEARCH = 200_000_000


@dataclass(frozen=True, eq=False)
class Root:
    """Unrelated structures with the same two-point correlations.

    Attributes:
        members: one of each orbit, int64 ``[m, *P]`` with ``m >= 2``; their correlations are equal as they stand.
        phase_swap: whether all are related once phases of equal numbers may be exchanged, too.
    """

    members: np.ndarray
    phase_swap: bool


@dataclass(frozen=True, eq=False)
class RootSearch:
    """What an exhaustive search found.

    Attributes:
        sizes, counts: the grid, and the sites of each phase.
        structures: how many structures there are.
        orbits: how many up to relations.
        correlations: how many different two-point correlations up to relations.
        shared: how many of these several orbits have.
        unexplained: how many of those are not explained by an exchange of phases.
        roots: the classes of at least two, those that are explained only where asked for; as many as asked for.
        representatives: the least member of each orbit, ``[orbits, *P]``.
    """

    sizes: tuple[int, ...]
    counts: tuple[int, ...]
    structures: int
    orbits: int
    correlations: int
    shared: int
    unexplained: int
    roots: list[Root] = field(repr=False)
    _least: np.ndarray = field(repr=False)

    @property
    def representatives(self) -> np.ndarray:
        return Words(self.sizes, len(self.counts)).unpack(self._least)

    @property
    def row(self) -> tuple[int, int, int, int]:
        """Orbits, correlations, shared and unexplained ones."""
        return self.orbits, self.correlations, self.shared, self.unexplained

    def __iter__(self) -> Iterator[Root]:
        return iter(self.roots)

    def __len__(self) -> int:
        return len(self.roots)


def search_roots(
    P: Sequence[int] | int,
    counts: Sequence[int],
    relations: str | PermutationGroup = DEFAULT,
    *,
    phase_swap: bool = False,
    max_results: int | None = None,
    seed: int | None = None,
    quiet: bool = True,
) -> RootSearch:
    """Classify all structures with given numbers of sites by relations and by two-point correlations.

    Args:
        P: the grid's sides (one number: a ring).
        counts: sites of each phase; where they do not sum to the grid's, one more phase takes the rest.
        relations: as for :func:`relation_group`.
        phase_swap: whether classes that an exchange of phases explains are among the roots (half of a ring and its complement).
        max_results: keep so many roots; all are counted.
        seed: draw these at random; by default the first.
        quiet: show no progress.

    Raises:
        ArgumentError: counts do not fit the grid, there are too many structures to go through, or ``max_results`` or ``seed`` is negative.

    >>> found = search_roots(12, (4,), "inversion")
    >>> found.row
    (29, 28, 1, 1)
    >>> [np.flatnonzero(m == 1).tolist() for m in found.roots[0].members]
    [[0, 1, 3, 7], [0, 1, 4, 6]]
    """
    sizes = check_sizes((P,) if isinstance(P, (int, np.integer)) else P, "P")
    wanted = all_counts(sizes, counts)
    for name, value in (("max_results", max_results), ("seed", seed)):
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 0):
            raise ArgumentError(name, "a whole number from 0 up", repr(value))
    check_size(sizes, wanted)
    words = Words(sizes, len(wanted))
    group = relation_group(sizes, relations)
    total, chunks = all_words(sizes, wanted)
    least, waiting, pending = np.zeros(0, np.uint64), [], 0
    with progress(total, f"structures of {'x'.join(map(str, sizes))} with {wanted} sites", quiet) as bar:
        for chunk in chunks:
            waiting.append(np.unique(words.least_translate(chunk)))
            pending += len(waiting[-1])
            bar.advance(len(chunk))
            if pending > max(len(least), 1 << 20):
                least, waiting, pending = np.unique(np.concatenate([least, *waiting])), [], 0
    least = np.unique(np.concatenate([least, *waiting]))
    orbits = _orbits(words, least, group)
    keys = _keys(words, least)
    return _classified(words, wanted, group, least, orbits, keys, phase_swap, max_results, seed)


def all_counts(sizes: tuple[int, ...], counts: Sequence[int]) -> tuple[int, ...]:
    """Sites of each phase, the rest included.

    Raises:
        ArgumentError: they are no positive integers, or more than the grid has sites.
    """
    sites = math.prod(sizes)
    try:
        found = tuple(operator.index(c) for c in counts)
    except TypeError:
        found = ()
    if not found or min(found) < 1 or sum(found) > sites:
        raise ArgumentError("counts", f"positive numbers of sites that sum to at most {sites}", repr(counts))
    return found if sum(found) == sites else (*found, sites - sum(found))


def check_size(sizes: tuple[int, ...], counts: tuple[int, ...], most: int = LARGEST_SEARCH) -> int:
    """How many structures an exhaustive search would look at: one of each N / (sites of the rarest phase) translates.

    Raises:
        ArgumentError: too many.
    """
    total, left = 1, math.prod(sizes)
    for c in counts:
        total, left = total * math.comb(left, c), left - c
    total = total * min(counts) // math.prod(sizes)
    if total > most:
        raise ArgumentError(
            "P", f"at most {most:.1g} structures to go through", f"about {total:.1g} of {sizes} with {counts} sites",
            "larger pairs are made by factor_roots, and from small ones by recipes",
        )  # fmt: skip
    return total


def _orbits(words: Words, least: np.ndarray, group: PermutationGroup) -> np.ndarray:
    """The least word of each one's orbit."""
    found = least.copy()
    if isinstance(group, GridSymmetries):
        for move in group.element(group.linear[1:], torch.zeros(len(words.sizes), dtype=torch.int64)):
            np.minimum(found, words.least_translate(words.permute(least, words.tables(move.tolist()))), out=found)
    else:
        for move in group.elements():
            np.minimum(found, words.permute(least, words.tables(move.tolist())), out=found)
    return found


def _keys(words: Words, least: np.ndarray) -> np.ndarray:
    """Numbers ``[m]``, equal where all correlations are."""
    counts = np.concatenate([words.correlations(least[i : i + 4096]) for i in range(0, len(least), 4096)])
    padded = np.zeros((len(counts), 8 * math.ceil(max(1, counts.shape[1]) / 8)), np.uint8)
    padded[:, : counts.shape[1]] = counts
    packed = padded.view(np.uint64)
    order = np.lexsort(packed.T)
    new = np.concatenate([[True], (packed[order][1:] != packed[order][:-1]).any(1)])
    keys = np.empty(len(least), np.int64)
    keys[order] = np.cumsum(new) - 1
    return keys


def _classified(
    words: Words,
    counts: tuple[int, ...],
    group: PermutationGroup,
    least: np.ndarray,
    orbits: np.ndarray,
    keys: np.ndarray,
    phase_swap: bool,
    max_results: int | None,
    seed: int | None,
) -> RootSearch:
    swapped = orbits.copy()
    for labels in itertools.permutations(range(1, words.n + 1)):
        if labels != tuple(range(1, words.n + 1)) and all(counts[a] == counts[b - 1] for a, b in enumerate(labels)):
            np.minimum(swapped, _orbits(words, words.least_translate(words.relabel(orbits, labels)), group), out=swapped)
    # One word of each correlation and orbit; those of one correlation stand together, the least orbit first.
    order = np.lexsort((orbits, keys))
    kept = order[np.concatenate([[True], (keys[order][1:] != keys[order][:-1]) | (orbits[order][1:] != orbits[order][:-1])])]
    edges = np.flatnonzero(np.concatenate([[True], keys[kept][1:] != keys[kept][:-1], [True]]))
    sets: dict[bytes, np.ndarray] = {}
    for i, j in itertools.pairwise(edges):  # correlations that a relation moves have the same orbits
        sets.setdefault(orbits[kept[i:j]].tobytes(), kept[i:j])
    shared = [places for places in sets.values() if len(places) > 1]
    explained = [len(np.unique(swapped[places])) == 1 for places in shared]
    chosen = [(places, why) for places, why in zip(shared, explained) if phase_swap or not why]
    chosen.sort(key=lambda one: int(least[one[0][0]]))
    if max_results is not None and len(chosen) > max_results:
        picked = range(max_results) if seed is None else np.random.default_rng(seed).choice(len(chosen), max_results, replace=False)
        chosen = [chosen[i] for i in picked]
    structures = math.factorial(words.sites) // math.prod(math.factorial(c) for c in counts)
    first = np.unique(orbits)
    return RootSearch(
        words.sizes, counts, structures, len(first), len(sets), len(shared), len(shared) - sum(explained),
        [Root(words.unpack(least[places]), why) for places, why in chosen], first,
    )  # fmt: skip
