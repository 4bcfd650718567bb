"""A crystal in the conventional cell of its space group, exactly symmetric, its hand kept."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError
from erlangen.fields.crystals.crystal import Crystal, as_crystal, cell_of
from erlangen.fields.crystals.found import FoundSymmetry, spglib_symmetry
from erlangen.fields.crystals.protostructure import Protostructure, to_primitive
from erlangen.groups.space_groups import SpaceGroup
from erlangen.groups.wyckoff import WyckoffPosition


@dataclass(frozen=True, eq=False)
class Conventional:
    """A crystal in the standard setting of its space group: origin choice 2, hexagonal axes, a right-handed basis.

    Attributes:
        protostructure: its group and positions.
        cell: the conventional cell, rows, angstrom; the group's rotations keep it to rounding.
        asymmetric: a point of each orbit, exactly on its position, ``[s, 3]``, fractions.
        numbers: the element of each orbit, ``[s]``.
        letters: the position of each orbit.
    """

    protostructure: Protostructure
    cell: Float[Tensor, "3 3"]
    asymmetric: Float[Tensor, "s 3"]
    numbers: Int[Tensor, " s"]
    letters: tuple[str, ...]

    @property
    def group(self) -> SpaceGroup:
        """The space group."""
        return self.protostructure.group

    @cached_property
    def crystal(self) -> Crystal:
        """All atoms of the conventional cell, orbit by orbit."""
        points, numbers = [], []
        for point, number, letter in zip(self.asymmetric, self.numbers.tolist(), self.letters):
            orbit = orbit_of(position_of(self.group, letter), point)
            points.append(orbit)
            numbers += [number] * len(orbit)
        return Crystal(self.cell, torch.cat(points), torch.tensor(numbers))

    @cached_property
    def primitive(self) -> Crystal:
        """In a primitive cell."""
        return to_primitive(self.crystal, self.group)

    def __repr__(self) -> str:
        return f"Conventional({self.protostructure.label()!r})"


def conventional(structure: Any, symprec: float = 0.01, *, found: FoundSymmetry | None = None) -> Conventional:
    """The crystal that is symmetric to rounding and nearest to the given one: lattice and atoms are averaged over the group.

    All atoms of an orbit count alike in the average, those of a supercell too.

    Mirror images stay apart: P3_121 stays P3_121, whatever the hand of the given basis.

    Args:
        structure: a crystal of ours, ASE's or pymatgen's.
        symprec: how far atoms may be off, angstrom.
        found: what was found already.

    Raises:
        ArgumentError: no symmetry is found.

    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> conventional(salt).crystal
    Crystal('NaCl', 8 atoms)
    """
    crystal = as_crystal(structure)
    found = spglib_symmetry(crystal, symprec) if found is None else found
    group = found.space_group
    # x' = P x + p; rows of the lattice go by the inverse transpose.
    basis = torch.linalg.inv(found.linear).mT @ crystal.cell
    if float(torch.linalg.det(basis)) < 0:
        raise ArgumentError("structure", "a standard basis that is right-handed", f"{found} with a left-handed one")
    turns = group.point_group.elements().to(torch.float64)
    metric = (turns.mT @ (basis @ basis.mT) @ turns).mean(0)
    lengths = metric.diagonal().sqrt()
    unit = metric / lengths / lengths.unsqueeze(1)
    angles = [float(torch.rad2deg(torch.arccos(unit[i, j]))) for i, j in ((1, 2), (0, 2), (0, 1))]
    cell = cell_of(lengths.tolist(), [_right(angle) for angle in angles])
    points = into_cell(crystal.fractional @ found.linear.mT + found.shift)
    belongs = torch.tensor(found.orbit)
    first = list(dict.fromkeys(found.orbit))
    positions = [position_of(group, found.letters[i]) for i in first]
    places = [averaged(position, points[belongs == i], cell) for i, position in zip(first, positions)]
    letters = tuple(position.letter for position in positions)
    return Conventional(found.protostructure, cell, torch.stack(places), crystal.numbers[first], letters)


def averaged(position: WyckoffPosition, points: Float[Tensor, "n 3"], cell: Float[Tensor, "3 3"]) -> Float[Tensor, 3]:
    """The point on a position's representative whose orbit is nearest to points (fractions), which belong to one orbit of it."""
    start = onto(position, points[0], cell)
    linear, orbit = position.cosets[..., :-1].to(points.dtype), orbit_of(position, start)
    apart = points.unsqueeze(1) - orbit
    apart = apart - apart.round()
    near = (apart @ cell).norm(dim=-1).argmin(1)
    # What each point is off by, taken to the representative.
    off = torch.linalg.solve(linear[near], apart[torch.arange(len(points)), near].unsqueeze(-1)).squeeze(-1)
    away, rows = off.mean(0), position.conditions[0][0].to(points.dtype)
    return into_cell(start + away - _across(rows, rows @ away, cell))


def onto(position: WyckoffPosition, point: Float[Tensor, 3], cell: Float[Tensor, "3 3"]) -> Float[Tensor, 3]:
    """The point of a position that is nearest in space, taken to the position's representative by the group."""
    best, least = point, float("inf")
    for (kernel, shift), coset in zip(position.conditions, position.cosets):
        rows = kernel.to(point.dtype)
        off = rows @ (point - shift.to(point.dtype) / position.denominator)
        moved = _across(rows, off - off.round(), cell)
        if (distance := float((moved @ cell).norm())) < least - 1e-9:
            translation = coset[:, -1].to(point.dtype) / position.group.denominator
            best, least = torch.linalg.solve(coset[:, :-1].to(point.dtype), point - moved - translation), distance
    return into_cell(best)


def orbit_of(position: WyckoffPosition, point: Float[Tensor, 3]) -> Float[Tensor, "m 3"]:
    """The points of an orbit in the cell, fractions, from the one on the position's representative, which comes first."""
    cosets = position.cosets
    return into_cell(cosets[..., :-1].to(point.dtype) @ point + cosets[..., -1].to(point.dtype) / position.group.denominator)


def position_of(group: SpaceGroup, letter: str) -> WyckoffPosition:
    """The position with a letter."""
    return next(one for one in group.wyckoff_positions if one.letter == letter)


def _across(rows: Float[Tensor, "r 3"], values: Float[Tensor, " r"], cell: Float[Tensor, "3 3"]) -> Float[Tensor, 3]:
    """The shortest displacement in space (fractions) on which the rows have these values."""
    if not len(rows):
        return torch.zeros(3, dtype=cell.dtype)
    raised = torch.linalg.solve(cell @ cell.mT, rows.mT)
    return raised @ torch.linalg.solve(rows @ raised, values)


def _right(angle: float) -> float:
    """An angle that the group fixes, without what rounding left."""
    return next((exact for exact in (90.0, 120.0, 60.0) if abs(angle - exact) < 1e-9), angle)
