"""`Crystal`: a lattice, fractional coordinates and elements; to and from the objects of ASE and pymatgen."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.crystals.composition import SYMBOLS, atomic_number, formula_of, reduced

#: Cells flatter than this, relative to the box of their edges, have no volume that rounding leaves.
FLAT = 1e-10


@dataclass(frozen=True, eq=False)
class Crystal:
    """A periodic structure.

    Attributes:
        cell: lattice vectors as **rows**, float64 ``[3, 3]``, angstrom. Either hand is allowed.
        fractional: coordinates in the cell, float64 ``[n, 3]``, taken into [0, 1).
        numbers: atomic numbers, int64 ``[n]``; symbols are taken too.

    Raises:
        ArgumentError: shapes that do not fit, numbers that are not finite, a cell without volume, or unknown elements.

    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> salt, len(salt), round(salt.volume, 2), salt.composition
    (Crystal('NaCl', 2 atoms), 2, 44.85, {'Na': 1, 'Cl': 1})
    """

    cell: Float[Tensor, "3 3"]
    fractional: Float[Tensor, "n 3"]
    numbers: Int[Tensor, " n"]

    def __post_init__(self) -> None:
        cell, fractional = (
            torch.as_tensor(x, dtype=torch.float64, device="cpu").detach().clone() for x in (self.cell, self.fractional)
        )
        if cell.shape != (3, 3) or not bool(cell.isfinite().all()):
            raise ArgumentError("cell", "three finite lattice vectors as rows, [3, 3]", _shown(cell))
        if abs(float(torch.linalg.det(cell))) <= FLAT * float(cell.norm(dim=1).prod()):
            raise ArgumentError("cell", "lattice vectors that span a volume", _shown(cell))
        if fractional.ndim != 2 or fractional.shape[1] != 3 or not bool(fractional.isfinite().all()):
            raise ArgumentError("fractional", "finite coordinates [n, 3]", _shown(fractional))
        each = self.numbers.tolist() if isinstance(self.numbers, Tensor) else list(self.numbers)
        numbers = torch.tensor([atomic_number(one, "numbers") for one in each], dtype=torch.int64)
        if len(numbers) != len(fractional) or not len(numbers):
            raise ArgumentError("numbers", f"an element for each of {len(fractional)} atoms, one at least", f"{len(numbers)}")
        for name, value in (("cell", cell), ("fractional", into_cell(fractional)), ("numbers", numbers)):
            object.__setattr__(self, name, value)

    @classmethod
    def from_parameters(cls, lengths: Sequence[float], angles: Sequence[float], fractional: Any, numbers: Any) -> Crystal:
        """From edges (angstrom) and angles (degrees) of the cell: right-handed, a along x, b in the plane of x and y.

        >>> Crystal.from_parameters((3, 3, 5), (90, 90, 120), [[0, 0, 0]], ["Mg"])
        Crystal('Mg', 1 atom)
        """
        return cls(cell_of(lengths, angles), torch.as_tensor(fractional, dtype=torch.float64), numbers)

    def __len__(self) -> int:
        return len(self.numbers)

    @property
    def cartesian(self) -> Float[Tensor, "n 3"]:
        """Positions in angstrom."""
        return self.fractional @ self.cell

    @property
    def volume(self) -> float:
        """Of the cell, in cubic angstrom."""
        return abs(float(torch.linalg.det(self.cell)))

    @property
    def symbols(self) -> list[str]:
        """The element of each atom."""
        return [SYMBOLS[one] for one in self.numbers.tolist()]

    @property
    def counts(self) -> dict[int, int]:
        """Atomic number -> atoms in the cell."""
        return dict(Counter(self.numbers.tolist()))

    @property
    def composition(self) -> dict[str, int]:
        """Symbol -> atoms in the cell."""
        return {SYMBOLS[number]: count for number, count in self.counts.items()}

    @property
    def formula(self) -> str:
        """The reduced formula, the more electropositive elements first."""
        return formula_of(reduced(self.counts))

    def lengths_angles(self) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
        """The edges a, b, c in angstrom and the angles alpha, beta, gamma in degrees; they do not know the hand."""
        lengths = self.cell.norm(dim=1)
        unit = self.cell / lengths.unsqueeze(1)
        angles = []
        for i, j in ((1, 2), (0, 2), (0, 1)):
            # atan2 keeps right angles right, where acos rounds
            across = torch.linalg.cross(unit[i], unit[j]).norm()
            angles.append(math.degrees(math.atan2(float(across), float(unit[i] @ unit[j]))))
        a, b, c = lengths.tolist()
        return (a, b, c), (angles[0], angles[1], angles[2])

    @property
    def is_right_handed(self) -> bool:
        """Whether the lattice vectors are; a property of the basis, not of the crystal."""
        return float(torch.linalg.det(self.cell)) > 0

    def right_handed(self) -> Crystal:
        """The same crystal, of the same hand, in a right-handed basis: all lattice vectors and all fractions change sign.

        Much that reads or writes crystals rebuilds the basis from lengths and angles, and mirrors those in left-handed ones.
        """
        return self if self.is_right_handed else Crystal(-self.cell, -self.fractional, self.numbers)

    def mirrored(self) -> Crystal:
        """The mirror image, in a basis of the same hand: the crystal inverted through the origin of the cell."""
        return Crystal(self.cell, -self.fractional, self.numbers)

    def to_ase(self) -> Any:
        """ASE's ``Atoms``, periodic in all directions (extra ``crystals``)."""
        ase = engine("crystals", "ase")
        return ase.Atoms(numbers=self.numbers.numpy(), cell=self.cell.numpy(), scaled_positions=self.fractional.numpy(), pbc=True)

    def to_pymatgen(self) -> Any:
        """pymatgen's ``Structure`` (extra ``crystals``)."""
        core = engine("crystals", "pymatgen.core")
        return core.Structure(core.Lattice(self.cell.numpy()), self.numbers.tolist(), self.fractional.numpy())

    def __repr__(self) -> str:
        return f"Crystal({self.formula!r}, {len(self)} atom{'s' if len(self) != 1 else ''})"


def as_crystal(structure: Any, argument: str = "structure") -> Crystal:
    """A crystal from one of ours, from ASE's ``Atoms``, from pymatgen's ``Structure``, or from what holds one as its ``crystal``.

    Raises:
        ArgumentError: another kind of object, atoms that do not repeat in all three directions, or sites that are disordered.
    """
    inner = getattr(structure, "crystal", structure)
    if isinstance(inner, Crystal):
        return inner
    if hasattr(structure, "get_scaled_positions") and hasattr(structure, "pbc"):
        if not all(structure.pbc):
            hint = "Set atoms.pbc = True if it is a crystal; ASE's Atoms are not periodic unless they say so"
            raise ArgumentError(
                argument, "atoms that repeat in all three directions", f"pbc {list(map(bool, structure.pbc))}", hint
            )
        # ASE keeps the first element of a shared site, and says so in a note alone.
        for site in (structure.info.get("occupancy") or {}).values():
            if len(site) != 1 or not math.isclose(sum(site.values()), 1, abs_tol=1e-3):
                raise ArgumentError(argument, "sites of one element each, all of them filled", repr(dict(site)))
        cell = torch.tensor(structure.cell.array.copy())
        return Crystal(cell, torch.tensor(structure.get_scaled_positions(wrap=False)), torch.tensor(structure.numbers.copy()))
    if hasattr(structure, "lattice") and hasattr(structure, "frac_coords"):
        if not structure.is_ordered:
            raise ArgumentError(argument, "sites of one element each", f"a disordered structure, {structure.formula}")
        if not all(structure.lattice.pbc):
            got = f"pbc {list(map(bool, structure.lattice.pbc))}"
            raise ArgumentError(argument, "atoms that repeat in all three directions", got)
        numbers = torch.tensor([site.specie.Z for site in structure])
        return Crystal(torch.tensor(structure.lattice.matrix.copy()), torch.tensor(structure.frac_coords.copy()), numbers)
    raise ArgumentError(argument, "a Crystal, ASE's Atoms or pymatgen's Structure", type(structure).__name__)


def cell_of(lengths: Sequence[float], angles: Sequence[float]) -> Float[Tensor, "3 3"]:
    """Lattice vectors as rows, right-handed, from edges (angstrom) and angles (degrees).

    Raises:
        ArgumentError: edges that are not positive, or angles of no cell.
    """
    (a, b, c), (alpha, beta, gamma) = lengths, angles
    if not min(a, b, c) > 0:
        raise ArgumentError("lengths", "positive edges", repr(tuple(lengths)))
    ca, cb, cg = (_cosine(angle) for angle in (alpha, beta, gamma))
    sg = math.sqrt(max(0.0, 1 - cg * cg))
    if not sg > 0:
        raise ArgumentError("angles", "three angles of a cell, in degrees", repr(tuple(angles)))
    y = (ca - cb * cg) / sg
    rest = 1 - cb * cb - y * y
    if not rest > 0:
        raise ArgumentError("angles", "three angles of a cell, in degrees", repr(tuple(angles)))
    rows = [[a, 0, 0], [b * cg, b * sg, 0], [c * cb, c * y, c * math.sqrt(rest)]]
    return torch.tensor(rows, dtype=torch.float64)


def _cosine(angle: float) -> float:
    """Of degrees; 0 and halves are exact."""
    exact = {90.0: 0.0, 60.0: 0.5, 120.0: -0.5}
    return exact.get(float(angle), math.cos(math.radians(angle)))


def _shown(x: Tensor) -> str:
    return repr(x.tolist()) if x.numel() <= 9 else f"shape {tuple(x.shape)}"
