"""The other way round: is a structure made of copies of one motif? Then inverting the motif gives a mate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from erlangen.fields.microstructures.correlation import two_point
from erlangen.fields.microstructures.structure import as_structure

#: Sites of the largest motif that is looked for.
LARGEST_MOTIF = 12
#: What is spent: sets of sites to extend and motifs to fit, for each size of motif; sites to cover, for all.
GROWN, FITTED, COVERED = 50_000, 1_000, 200_000


@dataclass(frozen=True, eq=False)
class Factors:
    """A structure whose phases but one are copies of a motif.

    Attributes:
        motif: its points, the first 0, ``[m, D]``.
        copies: where they stand, ``[c, D]``.
        owners: the phase of each copy.
        ground: the phase that is left.
        sizes: the grid's.
    """

    motif: np.ndarray
    copies: np.ndarray
    owners: np.ndarray
    ground: int
    sizes: tuple[int, ...]

    def inverted(self) -> np.ndarray:
        """The same copies of the inverted motif: a structure with the same two-point correlations."""
        made = np.full(self.sizes, self.ground)
        for offset in self.motif:
            made[tuple(((self.copies - offset) % self.sizes).T)] = self.owners
        return made


def common_factors(S: np.ndarray) -> Iterator[Factors | None]:
    """Motifs of 3 to 12 sites that tile all phases but one; those that are their own inverse but for a shift are left out.

    A difference of the motif's points occurs in each phase at least once for each copy: the correlations say which may. Motifs are
    cliques of such differences, the most frequent first, and are then fitted to the phases exactly. After 1000 motifs of a size the next
    size follows: a dense structure has too many.

    Yields:
        what fits; None for each motif that was tried and does not.

    >>> from erlangen.fields.microstructures.factors import factor_roots
    >>> pair = factor_roots((32, 32), seed=0, copies=6)
    >>> found = next(f for f in common_factors(pair.a) if f)
    >>> len(found.motif), len(found.copies)
    (5, 6)
    """
    S = as_structure(S)
    n = int(S.max())
    auto = [two_point(np.where(np.equal(S, a), 1, 2))[0] for a in range(1, n + 1)] if n > 1 else []
    counts = np.bincount(S.reshape(-1))[1:]
    covered = _Budget(COVERED)
    for ground in sorted(range(1, n + 1), key=lambda a: -counts[a - 1]):
        phases = [a for a in range(1, n + 1) if a != ground]
        if not phases:
            continue
        share = math.gcd(*(int(counts[a - 1]) for a in phases))
        masks = [np.equal(S, a) for a in phases]
        sites = np.argwhere(masks[int(np.argmin([counts[a - 1] for a in phases]))])
        for size in (m for m in range(3, min(share, LARGEST_MOTIF) + 1) if share % m == 0):
            # Every difference occurs at least once for each copy, in each phase.
            excess = np.stack([auto[a - 1] - counts[a - 1] // size for a in phases]).min(0)
            grown, fitted = _Budget(GROWN), _Budget(FITTED)
            for motif in _cliques(sites, excess, size, grown):
                if _own_inverse(motif, S.shape):
                    continue
                if not fitted.spend(1):
                    break
                found: list[np.ndarray] = []
                for mask in masks:
                    copies = _fit(mask, motif, covered)
                    if copies is None:
                        break
                    found.append(copies)
                if len(found) < len(masks):
                    yield None
                    continue
                owners = np.repeat(phases, [len(copies) for copies in found])
                yield Factors(motif, np.concatenate(found), owners, ground, S.shape)


class _Budget:
    """So much work, and no more."""

    def __init__(self, left: int) -> None:
        self.left = left

    def spend(self, work: int) -> bool:
        self.left -= work
        return self.left >= 0


def _cliques(sites: np.ndarray, excess: np.ndarray, size: int, budget: _Budget) -> Iterator[np.ndarray]:
    """Sets of ``size`` sites, the first among them, no difference of which is too rare, moved to start at 0; frequent ones first."""
    sizes = np.array(excess.shape)

    def allowed(i: int, others: np.ndarray) -> np.ndarray:
        often = excess[tuple(((sites[others] - sites[i]) % sizes).T)]
        return others[often >= 0][np.argsort(-often[often >= 0], kind="stable")] if i == 0 else others[often >= 0]

    def grow(chosen: list[int], left: np.ndarray) -> Iterator[list[int]]:
        if len(chosen) == size:
            yield chosen
            return
        for k, i in enumerate(left):
            if not budget.spend(1):
                return
            if len(chosen) + 1 == size:
                yield [*chosen, int(i)]
            else:
                yield from grow([*chosen, int(i)], allowed(int(i), left[k + 1 :]))

    for chosen in grow([0], allowed(0, np.arange(1, len(sites)))):
        yield (sites[chosen] - sites[0]) % sizes


def _own_inverse(motif: np.ndarray, sizes: tuple[int, ...]) -> bool:
    """Whether inversion shifts the motif only."""
    points = {tuple(p) for p in (motif % sizes).tolist()}
    return any({tuple(p) for p in ((end - motif) % sizes).tolist()} == points for end in motif)


def _fit(mask: np.ndarray, motif: np.ndarray, budget: _Budget) -> np.ndarray | None:
    """Points at which copies of the motif cover a set exactly; None: there are none, or the budget was spent before."""
    sizes, axes = np.array(mask.shape), tuple(range(mask.ndim))
    inside = np.ones(mask.shape, bool)
    for offset in motif:
        inside &= np.roll(mask, [-int(o) for o in offset], axes)
    reached = np.zeros(mask.shape, bool)
    for offset in motif:
        reached |= np.roll(inside, offset, axes)
    if (mask & ~reached).any():
        return None
    options: dict[tuple[int, ...], list[tuple[int, ...]]] = {tuple(p): [] for p in np.argwhere(mask).tolist()}
    covers = {tuple(u): [tuple(p) for p in ((np.array(u) + motif) % sizes).tolist()] for u in np.argwhere(inside).tolist()}
    for u, points in covers.items():
        for p in points:
            options[p].append(u)

    def free(p: tuple[int, ...], left: set[tuple[int, ...]]) -> list[tuple[int, ...]]:
        return [u for u in options[p] if all(q in left for q in covers[u])]

    def solve(left: set[tuple[int, ...]]) -> list[tuple[int, ...]] | None:
        placed: list[tuple[int, ...]] = []
        while left:
            choices = {p: free(p, left) for p in left}
            if not budget.spend(len(left)):
                return None
            hardest = min(left, key=lambda p: len(choices[p]))
            if not choices[hardest]:
                return None
            if len(choices[hardest]) > 1:
                for u in choices[hardest]:
                    rest = solve(left - set(covers[u]))
                    if rest is not None:
                        return [*placed, u, *rest]
                return None
            for p, only in choices.items():  # all that is forced, at once
                if len(only) == 1 and p in left and all(q in left for q in covers[only[0]]):
                    placed.append(only[0])
                    left = left - set(covers[only[0]])
        return placed

    found = solve(set(options))
    return None if found is None else np.array(found).reshape(-1, mask.ndim)
