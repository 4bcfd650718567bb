"""The normalizer of a space group: the maps of space that take its elements to each other, and with them equivalent descriptions.

Two descriptions of one crystal that differ by such a map name its atoms' Wyckoff positions by other letters: the letters alone are no
invariant, their orbit under :func:`letter_maps` is.
"""

from __future__ import annotations

import csv
import itertools
from functools import lru_cache
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.groups.closure import close_objects
from erlangen.groups.rational_maps import STANDARD_DENOMINATOR, compose, inverse_map
from erlangen.groups.settings import TABLES

#: No group has more renamings than P-1: the 1344 affine maps of eight inversion centres.
LARGEST_ORDER = 2_000

if TYPE_CHECKING:
    from erlangen.groups.crystallographic import CrystallographicGroup
    from erlangen.groups.space_groups import TabulatedGroup


@lru_cache(maxsize=64)
@torch.inference_mode(False)  # what is kept must serve training too
def normalizer(group: TabulatedGroup) -> CrystallographicGroup:
    """The maps ``n`` with ``n G n^-1 = G`` modulo the lattice, a crystallographic group of its own with ``G`` among its elements.

    Linear parts are the symmetries of the group's axes: signed permutations of the coordinates, or the 24 symmetries of hexagonal axes, so
    that axes may change places (the affine normalizer, without the shears that oblique cells have beside). Shifts along polar
    directions, which are free, are left out; so are, for the same reason, those within the plane of a group that has only mirrors.

    >>> from erlangen.groups import SpaceGroup
    >>> normalizer(SpaceGroup(225)).order // SpaceGroup(225).order
    2
    """
    from erlangen.groups.crystallographic import CrystallographicGroup

    if not group.is_standard:
        basis, origin = group.to_standard
        maps, denominator = normalizer(group.standard)._transformed_maps(basis, origin)
        return CrystallographicGroup(maps, denominator, f"normalizer of {group.name}")
    found = torch.cat([_normalizing(group, _symmetries_of_axes(group)), group.generators])
    return CrystallographicGroup(found, group.denominator, f"normalizer of {group.name}")


def letter_maps(group: TabulatedGroup) -> tuple[tuple[int, ...], ...]:
    """How the affine normalizer renames the Wyckoff positions: ``map[i]`` is where position ``i`` goes; each map once, the identity first.

    Unlike :func:`normalizer` these include what the shears of oblique cells do, which change one choice of a cell into another: finitely
    many renamings. So two descriptions of a crystal belong together just when a map takes one's letters to the other's. For 223 of the 230
    space groups they are those of pymatgen 2026.10; groups 2, 3 and 10 to 14 have more, by shears that it leaves out.

    >>> from erlangen.groups import SpaceGroup
    >>> G = SpaceGroup(225)
    >>> ["".join(G.wyckoff_positions[i].letter for i in one) for one in letter_maps(G)]
    ['abcdefghijkl', 'bacdefgihjkl']
    """
    known = group.kind == "space"
    generators = _renamings()[group.number] if known else found_letter_maps(group.standard)
    identity = tuple(range(len(group.wyckoff_positions)))
    closed = close_objects(identity, generators, _after, lambda one: one, LARGEST_ORDER)
    assert closed is not None
    return tuple(closed[0])


def found_letter_maps(group: TabulatedGroup) -> list[tuple[int, ...]]:
    """The renamings as they are found, of a group in its standard setting; :func:`letter_maps` reads what this found once."""
    maps = torch.cat([normalizer(group).elements(), _normalizing(group, _shears(group))])
    generic = torch.tensor([0.1234567, 0.2918273, 0.4471829], dtype=torch.float64)[: group.n]
    values = torch.stack([position.representative for position in group.wyckoff_positions]).to(torch.float64)
    points = values[..., :-1] @ generic + values[..., -1] / group.denominator
    moved = torch.einsum("gij,pj->gpi", maps[..., :-1].to(torch.float64), points) + maps[..., None, :, -1] / group.denominator
    return list(dict.fromkeys(map(tuple, group.position_index(moved, 1e-6).tolist())))


@lru_cache
def _renamings() -> dict[int, list[tuple[int, ...]]]:
    """A few renamings of each space group that generate all of them."""
    table: dict[int, list[tuple[int, ...]]] = {number: [] for number in range(1, 231)}
    with (TABLES / "space_group_renamings.csv").open(newline="") as file:
        for number, order in list(csv.reader(file))[1:]:
            table[int(number)].append(tuple(map(int, order.split())))
    return table


def _after(second: tuple[int, ...], first: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(second[i] for i in first)


def _normalizing(group: TabulatedGroup, bases: list[Int[Tensor, "n n"]]) -> Int[Tensor, "m n k"]:
    """All maps with these linear parts that take the group's elements to each other."""
    translations: dict[tuple[int, ...], list[Tensor]] = {}
    for g in group.elements():
        translations.setdefault(_turn(g), []).append(g[:, -1])
    gens, shifts = group.generators, _shifts(group)
    found = [gens[:0]]
    for basis in bases:
        linear = torch.cat([basis, torch.zeros(group.n, 1, dtype=torch.int64)], 1)
        moved = compose(compose(linear, gens), inverse_map(linear))
        if any(_turn(g) not in translations for g in moved):
            continue
        keep = shifts
        for g in moved:
            # n = (P, p): the translation of n g n^-1 is P w + p - W' p, and must be one that belongs to W'.
            w = (g[:, -1] + keep - keep @ g[:, :-1].mT) % group.denominator
            keep = keep[(w.unsqueeze(1) == torch.stack(translations[_turn(g)])).all(-1).any(-1)]
        found.append(torch.cat([basis.expand(len(keep), -1, -1), keep.unsqueeze(-1)], -1))
    return torch.cat(found)


def _turn(g: Int[Tensor, "n k"]) -> tuple[int, ...]:
    return tuple(g[:, :-1].flatten().tolist())


def _symmetries_of_axes(group: TabulatedGroup) -> list[Int[Tensor, "n n"]]:
    """The symmetries of the axes, the identity first."""
    n = group.n
    if group.crystal_system in ("trigonal", "hexagonal"):
        plane = torch.tensor([[1, -1], [1, 0]])
        mirror = torch.tensor([[0, 1], [1, 0]])
        turns = [torch.linalg.matrix_power(plane.double(), k).round().long() for k in range(6)]
        flat = [turn @ side for side in (torch.eye(2, dtype=torch.int64), mirror) for turn in turns]
        if n == 2:
            return flat
        return [torch.block_diag(one, torch.tensor([[z]])) for z in (1, -1) for one in flat]
    eye = torch.eye(n, dtype=torch.int64)
    choices = itertools.product(itertools.permutations(range(n)), itertools.product((1, -1), repeat=n))
    return [eye[list(order)] * torch.tensor(signs) for order, signs in choices]


def _shears(group: TabulatedGroup) -> list[Int[Tensor, "n n"]]:
    """Linear parts that generate, with the symmetries of the axes, those that an oblique cell has beside them."""
    eye = torch.eye(group.n, dtype=torch.int64)
    if group.crystal_system in ("triclinic", "oblique"):
        pairs = [(i, j) for i in range(group.n) for j in range(group.n) if i != j]
        return [eye + eye[:, i : i + 1] * eye[j] for i, j in pairs]
    if group.crystal_system != "monoclinic":
        return []
    # The plane of the cell across the unique axis b.
    made = []
    for a, b, c, d in itertools.product(range(-2, 3), repeat=4):
        if abs(a * d - b * c) == 1:
            made.append(torch.tensor([[a, 0, b], [0, 1, 0], [c, 0, d]]))
    return made


def _shifts(group: TabulatedGroup) -> Int[Tensor, "m n"]:
    """Candidates for shifts: 24ths of the cell, none along polar directions."""
    kept = group.elements()[..., :-1].to(torch.float64).mean(0)
    polar = (kept.abs() > 1e-9).any(0)
    steps = [torch.zeros(1, dtype=torch.int64) if free else torch.arange(STANDARD_DENOMINATOR) for free in polar.tolist()]
    return torch.cartesian_prod(*steps).view(-1, group.n)
