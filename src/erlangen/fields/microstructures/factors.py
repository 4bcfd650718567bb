"""Pairs by factorisation: what is ``U * V`` has the mate ``U * V~``, for ``V`` and its inverse have one autocorrelation."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence

import numpy as np

from erlangen.errors import ArgumentError
from erlangen.fields.microstructures.pair import Pair
from erlangen.fields.microstructures.relations import DEFAULT, related
from erlangen.groups import PermutationGroup
from erlangen.groups.grid import check_sizes

#: How often random factors are drawn.
TRIES = 300


def factor_roots(
    P: Sequence[int] | int,
    n_phases: int = 2,
    *,
    copies: int | Sequence[int] | None = None,
    motif: int | None = None,
    relations: str | PermutationGroup = DEFAULT,
    seed: int = 0,
) -> Pair:
    """A pair of unrelated structures with the same two-point correlations, on any periodic grid.

    Draw random sets ``V`` (a motif) and ``U_1 .. U_{n-1}`` (where copies of it stand) so that all ``U_a * V`` are disjoint, and all
    ``U_a * V~`` with the inverted motif; these are phases ``1 .. n - 1`` of the two, the rest is phase ``n``. Correlations agree because
    ``conj(A_a) A_b = conj(U_a) U_b |V|^2`` for both; that copies are disjoint, which this needs, is checked on both structures by their
    numbers of sites, and that they are not related.

    Args:
        P: the grid's sides.
        n_phases: at least 2.
        copies: of the motif, in each phase or for each; by default a quarter of what can stand apart.
        motif: sites of the motif, at least 3; by default 3 on small grids, 5 on those of 1024 sites and more.
        relations: what they must not be related by; see :func:`relation_group`.
        seed: of the draw.

    Raises:
        ArgumentError: the grid is too small for such factors (none in 300 draws); the message names what to change.

    Source: J. Rosenblatt, P. D. Seymour, SIAM J. Algebraic Discrete Methods 3 (1982).

    >>> from erlangen.fields.microstructures import equivalent
    >>> a, b = factor_roots((64, 64), n_phases=3, seed=0)
    >>> bool(equivalent(a, b)), bool(related(a, b))
    (True, False)
    """
    sizes = check_sizes((P,) if isinstance(P, (int, np.integer)) else P, "P")
    sites = math.prod(sizes)
    if not isinstance(n_phases, (int, np.integer)) or n_phases < 2:
        raise ArgumentError("n_phases", "at least 2 phases", repr(n_phases))
    if not isinstance(seed, (int, np.integer)) or seed < 0:
        raise ArgumentError("seed", "a whole number from 0", repr(seed))
    motif = (5 if sites >= 1024 else 3) if motif is None else motif
    if not isinstance(motif, (int, np.integer)) or motif < 3:
        raise ArgumentError("motif", "at least 3 sites: fewer are their own inverse but for a shift", repr(motif))
    try:
        many = (
            [int(copies)] * (n_phases - 1)
            if isinstance(copies, (int, np.integer))
            else [operator.index(c) for c in (() if copies is None else copies)]
        )
    except TypeError:
        raise ArgumentError("copies", f"{n_phases - 1} whole numbers of copies", repr(copies)) from None
    if copies is None:  # a quarter of what can stand apart when copies are thrown at random
        many = [max(3, sites // (4 * motif**2 * (n_phases - 1)))] * (n_phases - 1)
    if len(many) != n_phases - 1 or min(many) < 1 or sum(many) * motif > sites - 1:
        raise ArgumentError("copies", f"{n_phases - 1} positive numbers of copies with room for {motif} sites each", repr(copies))
    rng = np.random.default_rng(seed)
    for tried in range(1, TRIES + 1):
        V = np.append(0, 1 + rng.choice(sites - 1, motif - 1, replace=False))
        points = np.stack(np.unravel_index(V, sizes), 1)
        placed = _place(sizes, points, sum(many), rng)
        if placed is None:
            continue
        owners = np.repeat(np.arange(1, n_phases), many)
        a, b = (_together(sizes, placed, owners, sign * points) for sign in (1, -1))
        if not related(a, b, relations):
            for made in (a, b):  # copies that do not overlap: no more is needed for equal correlations
                assert np.bincount(made.reshape(-1))[1:-1].tolist() == [motif * c for c in many]
            origin = {
                "made by": "factor_roots",
                "P": list(sizes),
                "n_phases": int(n_phases),
                "copies": many,
                "seed": int(seed),
                "draws": tried,
            }
            return Pair(a, b, origin | {"motif": points.tolist()})
    raise ArgumentError(
        "P", f"room for {sum(many)} copies of {motif} sites, apart and unrelated to those inverted", f"{sizes}: none in {TRIES} draws",
        "take fewer copies or a smaller motif, or search_roots on a small grid",
    )  # fmt: skip


def _place(sizes: tuple[int, ...], motif: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray | None:
    """Random points ``[count, D]`` no two of which differ by a difference of the motif: copies there do not overlap; None: no room.

    The inverted motif has the same differences, so that its copies do not overlap either.
    """
    sites = math.prod(sizes)
    differences = np.unique((motif[:, None] - motif[None]).reshape(-1, len(sizes)) % sizes, axis=0)
    free, ranks, none = np.ones(sites, bool), np.full(sites, sites), np.zeros(0, np.int64)
    placed, left = [none], count
    while left:
        # Points at random are mostly free; where they are not, some of those that are.
        draws = rng.integers(sites, size=2 * left + 16)
        draws = draws[free[draws]]
        if not len(draws):
            room = np.flatnonzero(free)
            if not len(room):
                return None
            draws = rng.choice(room, min(len(room), 2 * left + 16), replace=False)
        draws = draws[np.sort(np.unique(draws, return_index=True)[1])]
        # Of points that are too near to each other the first is kept.
        ranks[draws] = np.arange(len(draws))
        points = np.stack(np.unravel_index(draws, sizes), 1)
        near = np.ravel_multi_index(tuple(np.moveaxis((points[:, None] + differences) % sizes, -1, 0)), sizes)
        first = np.flatnonzero(ranks[near].min(1) == np.arange(len(draws)))[:left]
        ranks[draws] = sites
        placed.append(draws[first])
        free[near[first]] = False
        left -= len(first)
    return np.stack(np.unravel_index(np.concatenate(placed), sizes), 1)


def _together(sizes: tuple[int, ...], points: np.ndarray, owners: np.ndarray, motif: np.ndarray) -> np.ndarray:
    """Copies of the motif at points, each of its owner's phase, on the ground of one more."""
    made = np.full(sizes, owners.max() + 1)
    for offset in motif:
        made[tuple(((points + offset) % sizes).T)] = owners
    return made
