"""`realise`: crystals of a protostructure: a lattice and free coordinates at random, atoms apart, relaxed under the symmetry."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields.crystals.composition import SYMBOLS
from erlangen.fields.crystals.crystal import Crystal, as_crystal, cell_of
from erlangen.fields.crystals.dataset import CrystalDataset
from erlangen.fields.crystals.found import spglib_symmetry
from erlangen.fields.crystals.images import images_within
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.fields.crystals.radii import check_radii, covalent_radii

#: Tolerances at which the symmetry is looked for again, angstrom.
TOLERANCES = (0.1, 0.01)
#: Draws of coordinates and lattices for each try, of which the one with atoms farthest apart is taken.
DRAWS = 30
#: Distances that are looked at in one go.
PAIRS = 300_000
KEPT, RAISED, LOWERED, CHANGED = "kept", "raised", "lowered", "changed"


@dataclass(frozen=True, eq=False)
class Realisation:
    """A crystal of a protostructure.

    Attributes:
        protostructure: what was asked for.
        crystal: in a primitive cell.
        energy: of the calculator, eV per atom; None without one, or where it failed in every try.
        closest: the least distance of two atoms over the sum of their covalent radii; 1 where none is nearer.
        found: the space group that spglib finds, by tolerance in angstrom.
        symmetry: what became of the group asked for at the finer tolerance: ``"kept"``, ``"raised"`` (more operations for each atom),
            ``"lowered"`` or ``"changed"`` (as many, another group).
        failed: tries whose relaxation failed.
    """

    protostructure: Protostructure
    crystal: Crystal
    energy: float | None
    closest: float
    found: dict[float, int]
    symmetry: str
    failed: int


def realise(
    protostructure: Protostructure,
    n_tries: int = 4,
    calculator: Any = None,
    *,
    volumes: Mapping[int, float] | None = None,
    apart: float = 0.7,
    steps: int = 50,
    generator: torch.Generator | None = None,
) -> Realisation:
    """The best of some tries: of the lowest energy, or with atoms farthest apart (extra ``crystals``).

    Each try draws free coordinates evenly and a lattice of the crystal system at random, keeps the draw of 30 whose atoms are farthest
    apart, and widens its cell where they are still too near. With a calculator it is relaxed, cell and coordinates, under its symmetry.

    Args:
        protostructure: what to realise.
        n_tries: crystals that are tried.
        calculator: ``"chgnet"`` (extra ``chgnet``), any of ASE, or None for no relaxation.
        volumes: of atoms by atomic number, cubic angstrom (:func:`atomic_volumes`); by default of spheres with the mean of the covalent
            and the van der Waals radius.
        apart: atoms are at least this far apart, in sums of their covalent radii.
        steps: of relaxation.
        generator: source of randomness.

    Raises:
        ArgumentError: no protostructure, elements beyond curium (nobody knows how close their atoms may be), or numbers out of range.

    >>> salt = Protostructure.from_label("AB_cF8_225_a_b:Cl-Na")
    >>> made = realise(salt, 1, generator=torch.Generator().manual_seed(0))
    >>> made.crystal, made.found[0.01], made.symmetry
    (Crystal('NaCl', 2 atoms), 225, 'kept')
    """
    if not isinstance(protostructure, Protostructure):
        raise ArgumentError("protostructure", "a Protostructure", repr(protostructure))
    check_radii(protostructure.counts, "protostructure")
    if not isinstance(n_tries, int) or n_tries < 1:
        raise ArgumentError("n_tries", "a positive whole number", repr(n_tries))
    if not 0 < apart <= 1:
        raise ArgumentError("apart", "a positive number, at most 1", repr(apart))
    volume = _volume(protostructure, volumes)
    asked = _calculator(calculator)
    made, failed = [], 0
    for _ in range(n_tries):
        crystal = _drawn(protostructure, volume, apart, generator)
        energy = None
        if asked is not None:
            try:
                crystal, energy = relax(crystal, asked, steps=steps)
            except (ValueError, RuntimeError):  # atoms that lost their neighbours, a step that FixSymmetry refuses
                failed += 1
        made.append((crystal, energy, closest(crystal)))
    # Relaxed ones first, by energy; others by how far apart their atoms are.
    crystal, energy, near = min(made, key=lambda one: (one[1] is None, -one[2] if one[1] is None else one[1]))
    found = {tolerance: _group_found(crystal, tolerance) for tolerance in TOLERANCES}
    return Realisation(
        protostructure,
        crystal,
        energy,
        near,
        {tolerance: 0 if proto is None else proto.space_group for tolerance, proto in found.items()},
        _became(protostructure, found[min(TOLERANCES)]),
        failed,
    )


def relax(structure: Any, calculator: Any, *, steps: int = 50, force: float = 0.05) -> tuple[Crystal, float]:
    """A crystal relaxed in cell and coordinates under its symmetry, and its energy in eV per atom (extra ``crystals``).

    ASE's ``FixSymmetry`` keeps the operations that spglib finds in the start, ``FrechetCellFilter`` moves the cell with the atoms.

    Args:
        structure: a crystal of ours, ASE's (periodic in all directions: CHGNet gives others wrong energies without a word, so they are
            refused) or pymatgen's.
        calculator: ``"chgnet"``, or any of ASE.
        steps: at most.
        force: largest force, eV per angstrom, at which it ends.

    Raises:
        ArgumentError: no crystal, or no calculator.
    """
    crystal = as_crystal(structure)
    constraints, filters = engine("crystals", "ase.constraints"), engine("crystals", "ase.filters")
    optimize = engine("crystals", "ase.optimize")
    atoms = crystal.to_ase()
    asked = _calculator(calculator)
    if asked is None:
        raise ArgumentError("calculator", "'chgnet' or a calculator of ASE", "None")
    atoms.calc = asked
    atoms.set_constraint(constraints.FixSymmetry(atoms, symprec=1e-3))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Converting a tensor with requires_grad", UserWarning)  # CHGNet's own
        optimize.FIRE(filters.FrechetCellFilter(atoms), logfile=None, maxstep=0.1).run(fmax=force, steps=steps)
        energy = float(atoms.get_potential_energy()) / len(atoms)
    atoms.set_constraint()
    return as_crystal(atoms), energy


def energy(structure: Any, calculator: Any) -> float:
    """The energy of a crystal as it is, eV per atom (extra ``crystals``).

    Args:
        structure: as for :func:`relax`.
        calculator: ``"chgnet"``, or any of ASE.

    Raises:
        ArgumentError: no crystal, or no calculator.
    """
    atoms, asked = as_crystal(structure).to_ase(), _calculator(calculator)
    if asked is None:
        raise ArgumentError("calculator", "'chgnet' or a calculator of ASE", "None")
    atoms.calc = asked
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Converting a tensor with requires_grad", UserWarning)  # CHGNet's own
        return float(atoms.get_potential_energy()) / len(atoms)


def atomic_volumes(data: CrystalDataset) -> dict[int, float]:
    """The volume of an atom of each element, cubic angstrom, that fits the cells of a data set best (non-negative least squares).

    >>> cells = torch.stack([20.0 ** (1 / 3) * torch.eye(3).double(), 30.0 ** (1 / 3) * torch.eye(3).double()])
    >>> data = CrystalDataset(cells, torch.rand(3, 3), torch.tensor([1, 1, 3]), torch.tensor([0, 1, 3]))
    >>> {number: round(volume, 6) for number, volume in atomic_volumes(data).items()}
    {1: 20.0, 3: 10.0}
    """
    from scipy.optimize import nnls

    there, at = torch.unique(data.numbers, return_inverse=True)
    amounts = torch.zeros(len(data), len(there), dtype=torch.float64)
    amounts.index_put_((data.segment, at), torch.ones((), dtype=torch.float64), accumulate=True)
    # Relative errors: a large cell is no more to be trusted than a small one.
    fit, _ = nnls((amounts / data.volumes.unsqueeze(1)).numpy(), np.ones(len(data)))
    return dict(zip(there.tolist(), fit.tolist()))


def closest(crystal: Crystal) -> float:
    """The least distance of two atoms (images too) over the sum of their covalent radii; 1 where none is nearer than that.

    Raises:
        ArgumentError: an element beyond curium, which has no covalent radius.
    """
    check_radii(crystal.numbers.tolist(), "crystal")
    radii = covalent_radii()[crystal.numbers]
    images = images_within(crystal.cell, 2 * float(radii.max()))
    i, j = torch.triu_indices(len(crystal), len(crystal))
    least = 1.0
    for first, second in zip(i.split(PAIRS // len(images) + 1), j.split(PAIRS // len(images) + 1)):
        d = crystal.fractional[second] - crystal.fractional[first]
        far = ((d - d.round()) @ crystal.cell).unsqueeze(1).add(images).norm(dim=2)
        far[first == second, len(images) // 2] = torch.inf  # the cell in the middle is an atom's own
        least = min(least, float((far.amin(1) / (radii[first] + radii[second])).min()))
    return least


def random_lattice(system: str, volume: float, generator: torch.Generator | None = None) -> Float[Tensor, "3 3"]:
    """A conventional cell of a crystal system, rows: free lengths within a factor of e of each other, free angles 60 to 120 degrees.

    Args:
        system: of :attr:`erlangen.groups.SpaceGroup.crystal_system`.
        volume: cubic angstrom.
        generator: source of randomness.

    Raises:
        ArgumentError: no such system.

    >>> float(torch.linalg.det(random_lattice("hexagonal", 80.0)).round(decimals=9))
    80.0
    """

    def uniform(low: float, high: float, count: int) -> list[float]:
        return (low + (high - low) * torch.rand(count, generator=generator, dtype=torch.float64)).tolist()

    a, b, c = (math.exp(v) for v in uniform(-0.5, 0.5, 3))
    angles = [90.0, 90.0, 90.0]
    if system == "triclinic":
        while True:
            angles = uniform(60.0, 120.0, 3)
            x, y, z = (math.cos(math.radians(one)) for one in angles)
            if 1 + 2 * x * y * z - x * x - y * y - z * z > 0.2:  # flat cells bring images together
                break
    elif system == "monoclinic":
        angles[1] = uniform(90.0, 120.0, 1)[0]
    elif system in ("trigonal", "hexagonal"):
        b, angles[2] = a, 120.0
    elif system == "tetragonal":
        b = a
    elif system == "cubic":
        b = c = a
    elif system != "orthorhombic":
        raise ArgumentError("system", "a crystal system", repr(system))
    cell = cell_of([a, b, c], angles)
    return cell * (volume / float(torch.linalg.det(cell).abs())) ** (1 / 3)


def _drawn(protostructure: Protostructure, volume: float, apart: float, generator: torch.Generator | None) -> Crystal:
    best, score = None, -1.0
    fixed = protostructure.dof == 0 and protostructure.group.crystal_system == "cubic"
    for _ in range(1 if fixed else DRAWS):
        cell = random_lattice(protostructure.group.crystal_system, volume, generator)
        free = torch.rand(protostructure.dof, generator=generator, dtype=torch.float64)
        crystal = protostructure.place(cell, free)
        near = closest(crystal)
        if near > score:
            best, score = crystal, near
        if score >= 1:
            break
    assert best is not None
    wider = max(1.0, apart / max(score, 1e-3))
    return best if wider == 1.0 else Crystal(best.cell * wider, best.fractional, best.numbers)


def _volume(protostructure: Protostructure, volumes: Mapping[int, float] | None) -> float:
    """Of the conventional cell."""
    if volumes is None:
        covalent, outer = covalent_radii().tolist(), engine("crystals", "ase.data").vdw_radii.tolist()
        radii = {e: (covalent[e] + (outer[e] if math.isfinite(outer[e]) else 1.5 * covalent[e])) / 2 for e in protostructure.counts}
        volumes = {e: 4 / 3 * math.pi * r**3 for e, r in radii.items()}
    if unknown := [SYMBOLS[e] for e in protostructure.counts if not volumes.get(e, 0) > 0]:
        raise ArgumentError("volumes", "a positive volume for every element", f"none for {', '.join(unknown)}")
    return sum(count * volumes[e] for e, count in protostructure.counts.items())


def _calculator(calculator: Any) -> Any:
    if calculator is None or hasattr(calculator, "get_property"):
        return calculator
    if calculator != "chgnet":
        raise ArgumentError("calculator", "'chgnet', a calculator of ASE, or None", repr(calculator))
    return _chgnet()


@lru_cache(maxsize=1)
def _chgnet() -> Any:
    dynamics = engine("chgnet", "chgnet.model.dynamics")
    # It prints its version and its device, among what a command prints for machines. By default it gives atoms without neighbours an
    # energy, and prints that it is likely wrong.
    with redirect_stdout(StringIO()):
        return dynamics.CHGNetCalculator(use_device="cpu", on_isolated_atoms="error")


def _group_found(crystal: Crystal, tolerance: float) -> Protostructure | None:
    try:
        return spglib_symmetry(crystal, tolerance).protostructure
    except ArgumentError:
        return None


def _became(asked: Protostructure, found: Protostructure | None) -> str:
    if found is None:
        return LOWERED
    if found.space_group == asked.space_group and found.n_atoms() == asked.n_atoms():
        return KEPT
    each = [one.group.point_group.order / one.n_atoms() for one in (asked, found)]
    return CHANGED if math.isclose(*each) else RAISED if each[1] > each[0] else LOWERED
