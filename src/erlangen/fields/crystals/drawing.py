"""Crystals as drawings in space: the atoms of a cell with those on its faces, its edges, and bonds."""

from __future__ import annotations

import itertools
from typing import Any

import torch

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.crystals.composition import SYMBOLS
from erlangen.fields.crystals.conventional import Conventional
from erlangen.fields.crystals.crystal import Crystal, as_crystal
from erlangen.fields.crystals.radii import LAST, covalent_radii
from erlangen.reporting import Balls, Figure, balls

#: Atoms are bonded where they are nearer than so many times the sum of their covalent radii.
BOND = 1.15
#: Atoms that are drawn at most, in the cell.
MOST_ATOMS = 1500
#: Fractions so near to a face are drawn on both sides.
FACE = 1e-3


def draw(structure: Any, title: str = "", caption: str = "") -> Figure:
    """A crystal in space (extra ``crystals``): the cell, its atoms in the usual colours, and bonds.

    Atoms on faces, edges and corners are drawn on all of them. Bonds join atoms nearer than 1.15 times the sum of their covalent radii,
    metals among themselves left out.

    Raises:
        ArgumentError: more than 1500 atoms.

    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> draw(salt).title
    'NaCl, 2 atoms in the cell'
    """
    crystal = as_crystal(structure)
    if len(crystal) > MOST_ATOMS:
        raise ArgumentError("structure", f"at most {MOST_ATOMS} atoms in the cell for a drawing", f"{len(crystal)}")
    colours, radii = engine("crystals", "ase.data.colors").jmol_colors, covalent_radii()
    fractional, numbers = _on_all_faces(crystal)
    points = fractional @ crystal.cell
    kinds = {}
    for number in dict.fromkeys(crystal.numbers.tolist()):
        # The heaviest elements have no colour and no radius of their own.
        red, green, blue = (round(255 * float(one)) for one in colours[min(number, len(colours) - 1)])
        kinds[SYMBOLS[number]] = Balls(
            points[numbers == number], f"rgb({red},{green},{blue})", 8 + 6 * float(radii[min(number, LAST)])
        )
    corners = torch.tensor(list(itertools.product((0.0, 1.0), repeat=3)), dtype=torch.float64)
    edges = [torch.stack([a, b]) @ crystal.cell for a, b in itertools.combinations(corners, 2) if int((a != b).sum()) == 1]
    if isinstance(structure, Conventional):
        title = title or f"{crystal.formula}, {structure.group} (No. {structure.group.number})"
    title = title or f"{crystal.formula}, {len(crystal)} atom{'s' if len(crystal) != 1 else ''} in the cell"
    return balls(kinds, edges, sticks=_bonds(points, numbers, radii), title=title, caption=caption)


def _on_all_faces(crystal: Crystal) -> tuple[torch.Tensor, torch.Tensor]:
    """Atoms of the cell, with copies of those on faces."""
    points, numbers = [], []
    for place, number in zip(crystal.fractional, crystal.numbers):
        choices = [(0.0, 1.0) if v < FACE else (0.0, -1.0) if v > 1 - FACE else (0.0,) for v in place.tolist()]
        for shift in itertools.product(*choices):
            points.append(place + torch.tensor(shift, dtype=torch.float64))
            numbers.append(number)
    return torch.stack(points), torch.stack(numbers)


def _bonds(points: torch.Tensor, numbers: torch.Tensor, radii: Any) -> list[torch.Tensor]:
    """Pairs that are near enough, of which one is no metal; none of elements without a radius."""
    reach = torch.tensor([float(radii[number]) for number in numbers.tolist()])
    near = torch.cdist(points, points) < BOND * (reach.unsqueeze(1) + reach)
    metal = torch.tensor([_is_metal(number) for number in numbers.tolist()])
    near &= ~(metal.unsqueeze(1) & metal)
    return [torch.stack([points[i], points[j]]) for i, j in near.triu(1).nonzero().tolist()]


def _is_metal(number: int) -> bool:
    return SYMBOLS[number] not in NONMETALS


NONMETALS = frozenset(
    [
        "H",
        "He",
        "B",
        "C",
        "N",
        "O",
        "F",
        "Ne",
        "Si",
        "P",
        "S",
        "Cl",
        "Ar",
        "Ge",
        "As",
        "Se",
        "Br",
        "Kr",
        "Te",
        "I",
        "Xe",
        "At",
        "Rn",
    ]
)
