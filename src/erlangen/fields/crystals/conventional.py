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
        for point, number in zip(self.asymmetric, self.numbers.tolist()):
            orbit = orbit_of(self.group, point)
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
    first = list(dict.fromkeys(found.orbit))
    places, numbers, letters = [], [], []
    for i in first:
        position = group.wyckoff_positions[_place(group, found.letters[i])]
        places.append(_first(position, orbit_of(group, onto(group, points[i], position.multiplicity))))
        numbers.append(int(crystal.numbers[i]))
        letters.append(position.letter)
    return Conventional(found.protostructure, cell, torch.stack(places), torch.tensor(numbers), tuple(letters))


def onto(group: SpaceGroup, point: Float[Tensor, 3], multiplicity: int) -> Float[Tensor, 3]:
    """The nearest point whose orbit has so many points: the mean of the images that lie near it.

    Raises:
        ArgumentError: as many images do not come together.
    """
    count = group.order // multiplicity
    every = group.elements()
    images = every[..., :-1].to(point.dtype) @ point + every[..., -1].to(point.dtype) / group.denominator
    apart = images - point
    apart = apart - apart.round()
    near = apart.norm(dim=-1).argsort()[:count]
    moved = point + apart[near].mean(0)
    if len(orbit_of(group, moved)) != multiplicity:
        raise ArgumentError("structure", f"atoms near positions of {multiplicity} points of {group}", f"one at {point.tolist()}")
    return into_cell(moved)


def orbit_of(group: SpaceGroup, point: Float[Tensor, 3], tolerance: float = 1e-6) -> Float[Tensor, "m 3"]:
    """The points of an orbit in the cell, fractions, the point first; images nearer than the tolerance are one."""
    every = group.elements()
    images = into_cell(every[..., :-1].to(point.dtype) @ point + every[..., -1].to(point.dtype) / group.denominator)
    apart = images.unsqueeze(1) - images
    same = (apart - apart.round()).abs().amax(-1) < tolerance
    return images[same.to(torch.int8).argmax(1) == torch.arange(len(images))]


def _first(position: WyckoffPosition, orbit: Float[Tensor, "m 3"]) -> Float[Tensor, 3]:
    """The point of an orbit that the position's representative describes, as the tables name it."""
    rows, shift = position.conditions[0]
    off = (orbit - shift.to(orbit.dtype) / position.denominator) @ rows.to(orbit.dtype).mT
    return orbit[(off - off.round()).abs().sum(-1).argmin()]


def _place(group: SpaceGroup, letter: str) -> int:
    return next(i for i, one in enumerate(group.wyckoff_positions) if one.letter == letter)


def _right(angle: float) -> float:
    """An angle that the group fixes, without what rounding left."""
    return next((exact for exact in (90.0, 120.0, 60.0) if abs(angle - exact) < 1e-9), angle)
