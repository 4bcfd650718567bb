"""Homometric point sets in a torus: crystals, or parts of them, with the same diffraction intensities."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Complex, Float, Int
from scipy.spatial import cKDTree

from erlangen.actions import Fractional
from erlangen.errors import ArgumentError
from erlangen.groups import SpaceGroup, WyckoffPosition
from erlangen.verdict import Verdict

#: Fractional coordinates nearer than this are one point.
SAME = 1e-5


class Points(NamedTuple):
    """A crystal in plain arrays.

    Attributes:
        cell: lattice vectors as rows ``[3, 3]``.
        fractional: coordinates ``[n, 3]``.
        numbers: what each point is, ``[n]``.
    """

    cell: Float[np.ndarray, "3 3"]
    fractional: Float[np.ndarray, "n 3"]
    numbers: Int[np.ndarray, " n"]


class Moved(NamedTuple):
    """A homometric mate of a crystal's sublattice.

    Attributes:
        crystal: the whole crystal with the mate in the sublattice's place, of the type that was given.
        sublattice: the sublattice's atoms.
        atoms: which of them were moved.
        letter: of the Wyckoff position they are on.
        before, after: its free coordinates.
    """

    crystal: Any
    sublattice: Int[np.ndarray, " n"]
    atoms: Int[np.ndarray, " m"]
    letter: str
    before: tuple[float, ...]
    after: tuple[float, ...]


def structure_factors(fractional: Any, h: Int[np.ndarray, "m D"], weights: Any = None) -> Complex[np.ndarray, " m"]:
    """``F(h) = sum_j f_j exp(2 pi i h . x_j)``.

    Args:
        fractional: coordinates ``[n, D]``.
        h: integer vectors ``[m, D]``.
        weights: ``f_j``, all 1 by default.

    >>> structure_factors([[0.0], [0.5]], np.array([[1], [2]])).real.round(12).tolist()
    [0.0, 2.0]
    """
    x = np.asarray(fractional, np.float64)
    f = np.ones(len(x)) if weights is None else np.asarray(weights, np.float64)
    return np.exp(2j * np.pi * (np.asarray(h) @ x.T)) @ f


def homometric(x: Any, y: Any, weights: Sequence[float] | None = None, other_weights: Sequence[float] | None = None) -> Verdict:
    """Whether two periodic point sets have one multiset of difference vectors, and so the same ``|F(h)|`` for *all* ``h``.

    Args:
        x, y: fractional coordinates ``[n, D]`` and ``[m, D]`` in one lattice.
        weights, other_weights: of the points, all 1 by default; of ``y`` those of ``x`` where it has as many points.

    Returns:
        a verdict with the number ``intensities``: the largest difference of ``|F(h)|`` over a few hundred ``h``. Exact up to the
        tolerance of 1e-5 in fractional coordinates; where it does not hold, its witness is a difference vector whose weight differs.

    >>> bool(homometric([[0.0], [0.1]], [[0.3], [0.2]])), bool(homometric([[0.0], [0.1]], [[0.3], [0.1]]))
    (True, False)
    """
    sets = [_fractional(x, "x"), _fractional(y, "y")]
    if sets[0].shape[1] != sets[1].shape[1]:
        raise ArgumentError("y", f"coordinates of {sets[0].shape[1]} numbers, as x", f"{sets[1].shape[1]}")
    if other_weights is None and weights is not None and len(sets[0]) == len(sets[1]):
        other_weights = weights
    each = [_weights(w, len(s), name) for w, s, name in zip((weights, other_weights), sets, ("weights", "other_weights"))]
    differences = [((s[:, None] - s[None]) % 1).reshape(-1, s.shape[1]) for s in sets]
    signed = np.concatenate([np.outer(each[0], each[0]).reshape(-1), -np.outer(each[1], each[1]).reshape(-1)])
    every = np.concatenate(differences)
    label = _clusters(every)
    total = np.bincount(label, signed)
    worst = int(np.abs(total).argmax())
    h = _box(sets[0].shape[1])
    f, g = (np.abs(structure_factors(s, h, w)) for s, w in zip(sets, each))
    holds = bool(np.abs(total).max() <= 1e-9 * np.abs(signed).sum())
    where = every[label == worst][0]
    return Verdict(
        holds, "both point sets have the same differences", "exact", tried=len(every), numbers={"intensities": float(np.abs(f - g).max())},
        witness=None if holds else where, reason="" if holds else f"not so at {where.round(5).tolist()}, by {abs(total[worst]):.3g}",
    )  # fmt: skip


def lattice_symmetries(cell: Any) -> Int[np.ndarray, "k 3 3"]:
    """All integer matrices ``W`` acting on fractional coordinates (columns) that keep lengths and angles; the identity first.

    >>> len(lattice_symmetries(np.eye(3))), len(lattice_symmetries([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]))
    (48, 48)
    """
    cell = np.asarray(cell, np.float64)
    if cell.shape != (3, 3) or abs(np.linalg.det(cell)) < 1e-12:
        raise ArgumentError("cell", "three lattice vectors as rows that span a volume", repr(cell.tolist()))
    gram = cell @ cell.T
    dual = np.linalg.norm(np.linalg.inv(cell), axis=0)
    candidates = []
    for i in range(3):
        reach = np.floor(np.sqrt(gram[i, i]) * dual * (1 + 1e-9)).astype(int)  # how far a vector of this length can go
        every = np.array(list(itertools.product(*(range(-r, r + 1) for r in reach))))
        candidates.append(every[np.abs(((every @ gram) * every).sum(1) - gram[i, i]) < 1e-4 * gram[i, i]])
    found = []
    for rows in itertools.product(*candidates):
        images = np.array(rows)  # the image of lattice vector i, in the lattice's basis
        if np.abs(images @ gram @ images.T - gram).max() < 1e-4 * gram.max():
            found.append(images.T)
    return np.array(sorted(found, key=lambda w: (not np.array_equal(w, np.eye(3)), w.tolist())))


def congruent(a: Any, b: Any) -> Verdict:
    """Whether an isometry, of either hand, takes one crystal to the other of the same lattice.

    Args:
        a, b: crystals: with ``cell``, ``fractional`` and ``numbers``, of ASE, of pymatgen, or :class:`Points`.

    Returns:
        an exhaustive verdict (up to 1e-5 in fractional coordinates); where it holds, its witness is ``(W, w)``.

    >>> x, y = (Points(np.eye(3), np.array([[0, 0, 0], [a, 0, 0]]), np.array([1, 2])) for a in (0.1, 0.2))
    >>> bool(congruent(x, x)), bool(congruent(x, y))
    (True, False)
    """
    first, second = as_points(a, "a"), as_points(b, "b")
    claim = "an isometry of the lattice takes one crystal to the other"
    if not np.allclose(first.cell, second.cell, rtol=1e-6):
        raise ArgumentError("b", "a crystal with the cell of a", "another cell")
    if not np.array_equal(np.sort(first.numbers), np.sort(second.numbers)):
        return Verdict(False, claim, "exact", reason="they are made of different atoms")
    kinds, counts = np.unique(first.numbers, return_counts=True)
    rare = kinds[counts.argmin()]
    start, ends = first.fractional[first.numbers == rare][0], second.fractional[second.numbers == rare]
    trees = {kind: cKDTree(_inside(second.fractional[second.numbers == kind]), boxsize=1) for kind in kinds}
    tried = 0
    for linear in lattice_symmetries(first.cell):
        turned = first.fractional @ linear.T
        for end in ends:
            tried += 1
            shift = end - linear @ start
            if all(_covers(trees[kind], turned[first.numbers == kind] + shift) for kind in kinds):
                return Verdict(True, claim, "exact", tried=tried, witness=(linear, shift % 1))
    return Verdict(False, claim, "exhaustive", tried=tried, reason="no isometry that fits one atom fits all")


def homometric_mate(crystal: Any, group: SpaceGroup, sublattice: Sequence[int] | None = None, *, steps: int = 4) -> Verdict:
    """A sublattice that keeps all diffraction intensities with other coordinates of one Wyckoff position, and is another one.

    Each occupied position's free coordinates ``x`` are changed to ``+- x`` plus multiples of ``1 / steps``, the rest stays. The first
    change that keeps the sublattice's difference vectors and gives one that is not congruent is taken. Other atoms stay as they are.

    Args:
        crystal: in the conventional cell of the group's setting; with ``cell``, ``fractional`` and ``numbers``, of ASE, of pymatgen, or
            :class:`Points`.
        group: its space group.
        sublattice: indices of its atoms, whole orbits; by default those of one element, each element in turn, that with the fewest first.
        steps: see above.

    Returns:
        a verdict; where it holds its witness is a :class:`Moved`. Where not, nothing is proved: its ``reason`` says what was tried.

    Raises:
        ArgumentError: the group moves atoms where there are none.

    Source: L. Pauling, M. D. Shappell, Z. Krist. 75 (1930) 128: bixbyite, the first such case.
    """
    points = as_points(crystal, "crystal")
    sites = _occupied(points, group)
    kinds, counts = np.unique(points.numbers, return_counts=True)
    lattices = (
        [np.flatnonzero(points.numbers == kind) for kind in kinds[np.argsort(counts, kind="stable")]]
        if sublattice is None
        else [_indices(sublattice, len(points.numbers), "sublattice")]
    )
    claim, tried = "a sublattice has a homometric mate", 0
    for atoms in lattices:
        for moving, position, free in sites:
            if not np.isin(moving, atoms).all() or len(moving) == len(atoms):
                continue
            for signs in itertools.product((-1, 1), repeat=len(free)):
                for shift in itertools.product(range(steps), repeat=len(free)):
                    after = np.array(signs) * free + np.array(shift) / steps
                    if np.abs((after - free + 0.5) % 1 - 0.5).max(initial=0) < SAME:
                        continue
                    tried += 1
                    fractional = points.fractional.copy()
                    fractional[moving] = position.coordinates(torch.from_numpy(after)).numpy()
                    old, new = (
                        points._replace(fractional=x[atoms], numbers=points.numbers[atoms]) for x in (points.fractional, fractional)
                    )
                    verdict = homometric(old.fractional, new.fractional)
                    if verdict and not congruent(old, new):
                        made = _rebuilt(crystal, fractional)
                        witness = Moved(made, atoms, moving, position.letter, tuple(free.tolist()), tuple((after % 1).tolist()))
                        return Verdict(True, claim, "exact", tried=tried, numbers=verdict.numbers, witness=witness)
    what = f"{len(lattices)} sublattices, free coordinates with either sign and shifted by multiples of 1/{steps}"
    return Verdict(False, claim, "search", tried=tried, reason=f"none among {what}")


def _occupied(points: Points, group: SpaceGroup) -> list[tuple[np.ndarray, WyckoffPosition, np.ndarray]]:
    """Atoms of each orbit in the order of the position's coordinates, the position, and its free coordinates."""
    if not isinstance(group, SpaceGroup):
        raise ArgumentError("group", "a space group", repr(group))
    left = set(range(len(points.numbers)))
    trees = {kind: (cKDTree(_inside(points.fractional[where]), boxsize=1), where) for kind in np.unique(points.numbers)
             for where in [np.flatnonzero(points.numbers == kind)]}  # fmt: skip
    found = []
    while left:
        atom = min(left)
        tree, where = trees[points.numbers[atom]]
        orbit = _orbit(points.fractional[atom], group)
        near, index = tree.query(_inside(orbit))
        members = where[index]
        if near.max() > 3 * SAME or len(set(members.tolist())) != len(orbit):
            raise ArgumentError(
                "crystal", f"atoms in the conventional cell of {group}, which takes them to one another", f"atom {atom} alone"
            )
        position, free, order = _position(points.fractional[members], group)
        found.append((members[order], position, free))
        left -= set(members.tolist())
    return found


def _orbit(point: np.ndarray, group: SpaceGroup) -> np.ndarray:
    images = Fractional(group).act(group.elements(), torch.from_numpy(point)).numpy()
    label = _clusters(images)
    return np.stack([images[label == k][0] for k in range(label.max() + 1)])


def _position(orbit: np.ndarray, group: SpaceGroup) -> tuple[WyckoffPosition, np.ndarray, np.ndarray]:
    """The Wyckoff position of an orbit, its free coordinates, and the orbit's members in the order of the position's coordinates."""
    tree = cKDTree(_inside(orbit), boxsize=1)
    whole = np.array(list(itertools.product((0, -1, 1), repeat=3)))
    for position in sorted((p for p in group.wyckoff_positions if p.multiplicity == len(orbit)), key=lambda p: p.dof):
        zero, unit = torch.zeros(position.dof, dtype=torch.float64), torch.eye(position.dof, dtype=torch.float64) / 8
        start = position.coordinates(zero)[0].numpy()
        # The first coordinates are affine in the free ones; an eighth is never folded back across the cell by more than a sign.
        slope = (
            np.stack([8 * ((position.coordinates(u)[0].numpy() - start + 0.5) % 1 - 0.5) for u in unit], 1)
            if position.dof
            else np.zeros((3, 0))
        )
        for point in orbit:
            for lattice in whole:
                target = point + lattice - start
                free = np.linalg.lstsq(slope, target, rcond=None)[0] if position.dof else np.zeros(0)
                if np.abs(slope @ free - target).max() > SAME:
                    continue
                near, order = tree.query(_inside(position.coordinates(torch.from_numpy(free)).numpy()))
                if near.max() < 3 * SAME and len(np.unique(order)) == len(orbit):
                    return position, free, order
    raise ArgumentError("crystal", f"atoms on Wyckoff positions of {group} in its standard setting", f"an orbit of {len(orbit)}")


def as_points(crystal: Any, argument: str = "crystal") -> Points:
    """A crystal of any kind in plain arrays.

    Raises:
        ArgumentError: it is none, or has sites that several elements share or that are not filled.
    """
    shared = (getattr(crystal, "info", None) or {}).get("occupancy") or {}  # ASE keeps the first element of a shared site
    partial = [site for site in shared.values() if len(site) != 1 or abs(sum(site.values()) - 1) > 1e-3]
    if partial or getattr(crystal, "is_ordered", True) is False:
        raise ArgumentError(
            argument, "sites of one element each, all of them filled", repr(partial[0] if partial else crystal.formula)
        )
    if all(hasattr(crystal, name) for name in ("cell", "fractional", "numbers")):
        found = crystal.cell, crystal.fractional, crystal.numbers
    elif hasattr(crystal, "get_scaled_positions"):
        found = crystal.cell.array, crystal.get_scaled_positions(wrap=False), crystal.numbers
    elif hasattr(crystal, "frac_coords"):
        found = crystal.lattice.matrix, crystal.frac_coords, crystal.atomic_numbers
    else:
        raise ArgumentError(argument, "a crystal: cell, fractional and numbers, or of ASE or pymatgen", type(crystal).__name__)
    return Points(*(np.array(part, dtype) for part, dtype in zip(found, (np.float64, np.float64, np.int64))))


def _rebuilt(crystal: Any, fractional: np.ndarray) -> Any:
    """The crystal with other coordinates."""
    if isinstance(crystal, Points):
        return crystal._replace(fractional=fractional)
    if dataclasses.is_dataclass(crystal) and not isinstance(crystal, type):
        return dataclasses.replace(crystal, fractional=torch.from_numpy(fractional))
    if hasattr(crystal, "set_scaled_positions"):
        made = crystal.copy()
        made.set_scaled_positions(fractional)
        return made
    return type(crystal)(crystal.lattice, crystal.species, fractional)


def _clusters(points: np.ndarray) -> np.ndarray:
    """Which points of a torus are one, up to :data:`SAME`."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    pairs = cKDTree(_inside(points), boxsize=1).query_pairs(SAME, output_type="ndarray")
    graph = coo_matrix((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), (len(points),) * 2)
    return connected_components(graph, directed=False)[1]


def _covers(tree: cKDTree, points: np.ndarray) -> bool:
    """Whether each point is near one of the tree's, all of them different."""
    near, index = tree.query(_inside(points))
    return bool(near.max() < SAME * 3) and len(np.unique(index)) == len(index)


def _inside(points: np.ndarray) -> np.ndarray:
    inside = points % 1
    return np.where(inside >= 1, 0.0, inside)  # a tiny negative number's remainder rounds to 1


def _box(dimension: int) -> np.ndarray:
    reach = {1: 200, 2: 12}.get(dimension, 4)
    return np.array(list(itertools.product(range(-reach, reach + 1), repeat=dimension)))


def _fractional(x: Any, argument: str) -> np.ndarray:
    array = np.asarray(x, np.float64)
    if array.ndim != 2 or not array.size or not np.isfinite(array).all():
        raise ArgumentError(argument, "finite fractional coordinates [n, D]", f"shape {array.shape}")
    return array


def _weights(weights: Any, count: int, argument: str) -> np.ndarray:
    array = np.ones(count) if weights is None else np.asarray(weights, np.float64)
    if array.shape != (count,) or not np.isfinite(array).all():
        raise ArgumentError(argument, f"{count} finite numbers, one for each point", f"shape {array.shape}")
    return array


def _indices(given: Sequence[int], count: int, argument: str) -> np.ndarray:
    found = np.asarray(given)
    if found.dtype.kind not in "iu" or found.ndim != 1 or not len(found) or found.min() < 0 or found.max() >= count:
        raise ArgumentError(argument, f"indices of atoms below {count}", repr(given))
    return np.unique(found)
