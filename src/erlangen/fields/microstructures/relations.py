"""Whether two structures have one two-point correlation, and whether they are one structure but for a symmetry: exact answers."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from erlangen.actions import GridArrays
from erlangen.errors import ArgumentError
from erlangen.fields.microstructures.correlation import phase_pairs, two_point_differences
from erlangen.fields.microstructures.structure import as_structure, both, like
from erlangen.groups import GridSymmetries, PermutationGroup
from erlangen.verdict import Verdict

#: The relation of the source: translations and reflections of each axis.
DEFAULT = "axis-reflections"


class Difference(NamedTuple):
    """Where two structures' counts differ.

    Attributes:
        phases: ``(a, b)``.
        shift: ``r``; empty where the numbers of sites of a phase differ.
        first, second: both counts.
    """

    phases: tuple[int, int]
    shift: tuple[int, ...]
    first: int
    second: int


class Move(NamedTuple):
    """A symmetry that takes the first structure to the second.

    Attributes:
        permutation: its index map, int64 ``[N]``, points in row-major order.
        linear, shift: ``M`` and ``t`` of ``p -> M p + t``; None where the group is not made of such.
    """

    permutation: Tensor
    linear: list[list[int]] | None
    shift: list[int] | None


def equivalent(a: Any, b: Any, *, tol: int = 0) -> Verdict:
    """Whether all two-point correlations agree, for every pair of phases and every shift.

    Args:
        a, b: structures ``[*P]``.
        tol: the largest difference of counts that is let pass, for any pair of phases.

    Returns:
        an exact verdict; where it does not hold, its witness is a :class:`Difference`.

    Raises:
        ArgumentError: they are no structures of one shape, or ``tol`` is no whole number from 0.

    >>> bool(equivalent([1, 1, 2, 2, 1, 2, 1, 2, 2, 2, 2, 2], [1, 1, 2, 1, 2, 2, 2, 1, 2, 2, 2, 2]))
    True
    """
    first, second = both(a, b)
    if isinstance(tol, bool) or not isinstance(tol, (int, np.integer)) or tol < 0:
        raise ArgumentError("tol", "a whole number from 0", repr(tol))
    claim = "both structures have the same two-point correlations" + (f", but for differences up to {tol}" if tol else "")
    n = int(max(first.max(), second.max()))
    counts = [np.bincount(x.reshape(-1), minlength=n + 1)[1:] for x in (first, second)]
    sites = np.abs(counts[0] - counts[1])
    if sites.max() > tol:
        c = int(sites.argmax())
        witness = Difference((c + 1, c + 1), (), int(counts[0][c]), int(counts[1][c]))
        return Verdict(
            False, claim, "exact", witness=witness, reason=f"phase {c + 1} has {witness.first} and {witness.second} sites"
        )
    # Equal independent correlations make all equal; where some may differ, those that follow from them may differ more.
    pairs = [(p, q) for p in range(1, n + 1) for q in range(p, n + 1)] if tol else phase_pairs(n)
    largest, tried = 0, len(pairs) * first.size
    for phases, difference in two_point_differences(first, second, pairs):
        where = np.unravel_index(int(np.abs(difference).argmax()), difference.shape)
        if abs(int(difference[where])) > largest:
            largest, shift, worst, more = abs(int(difference[where])), tuple(int(s) for s in where), phases, int(difference[where])
    numbers = {"largest difference": float(largest)}
    if largest <= tol:
        return Verdict(True, claim, "exact", tried=tried, numbers=numbers)
    count = _count(first, worst, shift)
    found = Difference(worst, shift, count, count - more)
    return Verdict(
        False, claim, "exact", tried=tried, numbers=numbers, witness=found,
        reason=f"phase {worst[1]} stands {shift} from phase {worst[0]} {found.first} times and {found.second} times",
    )  # fmt: skip


def _count(S: np.ndarray, phases: tuple[int, int], shift: tuple[int, ...]) -> int:
    """One number of the two-point correlations."""
    seen = np.roll(S, [-r for r in shift], tuple(range(S.ndim)))
    return int(((phases[0] == S) & (seen == phases[1])).sum())


def relation_group(P: Any, relations: str | PermutationGroup = DEFAULT) -> PermutationGroup:
    """The group of relations on a grid; translations always belong to it.

    Args:
        P: the grid's sides.
        relations: ``"translations"``, ``"inversion"``, ``"axis-reflections"``, ``"point-group"``, ``"automorphisms"``, or a permutation
            group of the points in row-major order.

    Raises:
        ArgumentError: it is none of these, or permutes another number of points.

    >>> relation_group((4, 3)).order, relation_group((12,), "inversion").order
    (48, 24)
    """
    shifts = GridSymmetries(P)
    if isinstance(relations, str):
        try:
            return GridSymmetries(P, relations)
        except ArgumentError as problem:
            if problem.argument != "linear":
                raise
            raise ArgumentError("relations", "a known name, or a permutation group of the points", repr(relations)) from None
    if not isinstance(relations, PermutationGroup) or relations.n != shifts.n:
        raise ArgumentError("relations", f"a permutation group of {shifts.n} points, or a name", repr(relations))
    if isinstance(relations, GridSymmetries) and relations.sizes == shifts.sizes:
        return relations
    inside = bool(relations.contains(shifts.generators).all())
    if inside and not isinstance(relations, GridSymmetries):
        return relations
    # The symmetries of a grid with other sides are permutations here, and nothing more.
    generators = [*([] if inside else shifts.generators), *relations.generators]
    return PermutationGroup(generators, name=f"{relations}" if inside else f"{relations} with translations")


def related(a: Any, b: Any, relations: str | PermutationGroup = DEFAULT) -> Verdict:
    """Whether a symmetry takes one structure to the other: their least images under the group are one.

    Args:
        a, b: structures ``[*P]``.
        relations: as for :func:`relation_group`; by default translations and reflections of each axis, as in the source.

    Returns:
        an exact verdict; where it holds, its witness is a :class:`Move` from ``a`` to ``b``; where not, the pair of least images.

    >>> verdict = related([1, 1, 2, 3], [3, 2, 1, 1])
    >>> bool(verdict), verdict.witness.linear, verdict.witness.shift
    (True, [[3]], [3])
    """
    first, second = both(a, b)
    group = relation_group(first.shape, relations)
    claim = f"an element of {group} takes one structure to the other"
    if not np.array_equal(np.bincount(first.reshape(-1)), np.bincount(second.reshape(-1))):
        return Verdict(False, claim, "exact", reason="their numbers of sites differ")
    if isinstance(group, GridSymmetries):
        found, tried = _matched(group, first, second)
        if found is None and tried:
            return Verdict(
                False, claim, "exhaustive", tried=tried, reason="no place of the rarest phase's first site fits all others"
            )
        if found is not None:
            return Verdict(True, claim, "exact", tried=tried, witness=found, reason=f"p -> {found.linear} p + {found.shift}")
    act = GridArrays(group, first.shape)
    (x, g), (y, h) = (act.representative(torch.from_numpy(s)) for s in (first, second))
    if not torch.equal(x, y):
        return Verdict(False, claim, "exact", witness=(x.numpy(), y.numpy()), reason="their least images differ")
    move = group.multiply(group.inverse(h), g)
    if not isinstance(group, GridSymmetries):
        return Verdict(True, claim, "exact", witness=Move(move, None, None))
    linear, shift = group.parts(move)
    found = Move(move, linear.tolist(), shift.tolist())
    return Verdict(True, claim, "exact", witness=found, reason=f"p -> {found.linear} p + {found.shift}")


def _matched(group: GridSymmetries, a: np.ndarray, b: np.ndarray) -> tuple[Move | None, int]:
    """The element that takes ``a`` to ``b``, by where the rarest phase's first site may go; how many places were tried, 0: given up.

    Few places survive a few sites, unless the structure repeats itself; then ranks of translates are faster, whatever the structure.
    """
    counts = np.bincount(a.reshape(-1))[1:]
    rarest = int(counts.argmin()) + 1
    sizes, budget, tried = np.array(a.shape), 50 * a.size, 0
    sites, places = np.argwhere(a == rarest), np.argwhere(b == rarest)
    for linear in group.linear.numpy():
        shifts = (places - linear @ sites[0]) % sizes
        tried += len(shifts)
        for site in itertools.chain(sites, _points(a != rarest)):
            seen = b[tuple(((linear @ site + shifts) % sizes).T)]
            budget -= len(shifts)
            shifts = shifts[seen == a[tuple(site)]]
            if not len(shifts):
                break
            if budget < 0:
                return None, 0
        else:
            move = group.element(torch.from_numpy(linear), torch.from_numpy(shifts[0]))
            return Move(move, linear.tolist(), shifts[0].tolist()), tried
    return None, tried


def _points(mask: np.ndarray) -> Iterator[np.ndarray]:
    """Where a mask is set; nothing is looked for before the first is asked for."""
    yield from np.argwhere(mask)


def canonical(S: Any, relations: str | PermutationGroup = DEFAULT) -> Any:
    """The least of a structure's images, read in row-major order: equal for related structures and for no others.

    >>> canonical([2, 1, 1, 2, 1])
    array([1, 1, 2, 1, 2])
    """
    array = as_structure(S)
    act = GridArrays(relation_group(array.shape, relations), array.shape)
    return like(S, act.representative(torch.from_numpy(array))[0].numpy())
