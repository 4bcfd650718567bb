"""The symmetry that engines find in a crystal: spglib's and moyopy's, in one form and one setting, at several tolerances."""

from __future__ import annotations

import importlib.metadata
import logging
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError, ErlangenError
from erlangen.extras import engine
from erlangen.fields.crystals.crystal import Crystal, as_crystal
from erlangen.fields.crystals.protostructure import Protostructure
from erlangen.groups.space_groups import SpaceGroup

TOLERANCES = (1e-4, 1e-3, 1e-2, 3e-2, 0.1)


@dataclass(frozen=True, eq=False)
class FoundSymmetry:
    """What one engine finds at one tolerance, in the standard setting (origin choice 2).

    Attributes:
        engine: its name and version.
        tolerance: in angstrom.
        protostructure: the space group and its occupied positions.
        letters: of the position of each atom of the cell that was given.
        orbit: which orbit each atom belongs to, by the first atom of it.
        linear, shift: the map from the given cell's fractions to the standard ones, ``x_standard = linear x + shift``.
    """

    engine: str
    tolerance: float
    protostructure: Protostructure
    letters: tuple[str, ...]
    orbit: tuple[int, ...]
    linear: Float[Tensor, "3 3"]
    shift: Float[Tensor, 3]

    @property
    def space_group(self) -> SpaceGroup:
        """The group that was found."""
        return self.protostructure.group

    @property
    def number(self) -> int:
        """Of the space group."""
        return self.protostructure.space_group

    def __repr__(self) -> str:
        return f"FoundSymmetry({self.space_group}, {self.protostructure.label()!r}, {self.engine}, {self.tolerance:g} angstrom)"


def spglib_symmetry(structure: Any, symprec: float = 0.01) -> FoundSymmetry:
    """What spglib finds (extra ``crystals``).

    Letters are those of origin choice 2, which spglib is asked for: by default it takes choice 1 (24 groups differ). Orbits are those of
    the crystal: ``equivalent_atoms`` would split them in a supercell.

    Args:
        structure: a crystal of ours, ASE's or pymatgen's.
        symprec: how far atoms may be off, angstrom.

    Raises:
        ArgumentError: spglib finds nothing (atoms on each other, or a tolerance too coarse for them).
    """
    crystal = as_crystal(structure)
    check_tolerance(symprec)
    spglib = engine("crystals", "spglib")
    cell = (crystal.cell.numpy(), crystal.fractional.numpy(), crystal.numbers.numpy())
    data = _asked(spglib, cell, symprec, 0)
    ours = SpaceGroup(int(data.number)).setting.hall
    if data.hall_number != ours:
        data = _asked(spglib, cell, symprec, ours)
    return _found(f"spglib {spglib.__version__}", symprec, crystal, data.number, data.wyckoffs, data.crystallographic_orbits,
                  data.transformation_matrix, data.origin_shift)  # fmt: skip


def moyo_symmetry(structure: Any, symprec: float = 0.01) -> FoundSymmetry:
    """What moyopy finds (extra ``crystals``); see :func:`spglib_symmetry`.

    Raises:
        ArgumentError: moyopy finds nothing.
    """
    crystal = as_crystal(structure)
    check_tolerance(symprec)
    moyopy = engine("crystals", "moyopy")
    cell = moyopy.Cell(basis=crystal.cell.tolist(), positions=crystal.fractional.tolist(), numbers=crystal.numbers.tolist())
    try:
        with _unwarned():
            data = moyopy.MoyoDataset(cell, symprec=symprec, setting=moyopy.Setting.standard())
    except Exception as problem:  # moyopy raises what its core reports
        raise ArgumentError("structure", _finding(symprec), f"none ({problem})", _HINT) from None
    version = importlib.metadata.version("moyopy")
    # moyopy tells the map of the bases, (a, b, c)_standard = (a, b, c) P about an origin in the given cell: coordinates go by its inverse.
    linear = np.linalg.inv(np.array(data.std_linear, dtype=np.float64))
    shift = -linear @ np.array(data.std_origin_shift, dtype=np.float64)
    return _found(f"moyopy {version}", symprec, crystal, data.number, data.wyckoffs, data.orbits, linear, shift)


@contextmanager
def _unwarned() -> Iterator[None]:
    """Without moyopy's warning that a supercell lacks operations of the crystal: what is asked for is the crystal's."""

    def other(record: logging.LogRecord) -> bool:
        return not record.getMessage().startswith("Omitted")

    logger = logging.getLogger("moyo")
    logger.addFilter(other)
    try:
        yield
    finally:
        logger.removeFilter(other)


@dataclass(frozen=True, eq=False)
class SymmetryStudy:
    """What both engines find at several tolerances.

    Attributes:
        crystal: what was looked at.
        found: one row for each tolerance: what spglib and moyopy find, or the error in words.
    """

    crystal: Crystal
    found: tuple[tuple[float, FoundSymmetry | str, FoundSymmetry | str], ...]

    @property
    def agreed(self) -> bool:
        """Whether the engines agree on group and positions at all tolerances, up to the choice of description."""
        return all(_same(one, other) for _, one, other in self.found)

    @property
    def steady(self) -> bool:
        """Whether no tolerance changes what is found."""
        return len({None if isinstance(one, str) else one.protostructure.canonical() for _, one, _ in self.found}) == 1

    def at(self, tolerance: float) -> FoundSymmetry:
        """What spglib finds at one of the tolerances, or moyopy where spglib finds nothing.

        Raises:
            ArgumentError: another tolerance, or nothing was found there.
        """
        for one, first, second in self.found:
            if one == tolerance:
                for said in (first, second):
                    if not isinstance(said, str):
                        return said
                raise ArgumentError("tolerance", "one at which symmetry is found", f"{tolerance:g}: {first}")
        raise ArgumentError("tolerance", f"one of {[one for one, _, _ in self.found]}", repr(tolerance))

    def sentences(self) -> list[str]:
        """The answer in words."""
        said: list[str] = []
        last = None
        for tolerance, first, second in self.found:
            now = first if isinstance(first, str) else first.protostructure.canonical()
            if now != last:
                what = first if isinstance(first, str) else f"{first.space_group} (No. {first.number}), {now.label()}"  # type: ignore[union-attr]
                said.append(f"From {tolerance:g} angstrom: {what}.")
            last = now
            if not _same(first, second):
                other = second if isinstance(second, str) else f"{second.space_group}, {second.protostructure.canonical().label()}"
                who = second.engine if isinstance(second, FoundSymmetry) else "moyopy"
                said.append(f"At {tolerance:g} angstrom {who} says otherwise: {other}.")
        return said

    def __repr__(self) -> str:
        return "\n".join(self.sentences())


def symmetry(structure: Any, tolerances: Sequence[float] = TOLERANCES) -> SymmetryStudy:
    """Space group and Wyckoff positions of a crystal by two engines, at several tolerances (extra ``crystals``).

    Args:
        structure: a crystal of ours, ASE's or pymatgen's.
        tolerances: ascending, in angstrom.

    Raises:
        ArgumentError: no tolerances, or they do not ascend.

    >>> salt = Crystal(5.64 * torch.eye(3) / 2 @ (1 - torch.eye(3)), torch.tensor([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Na", "Cl"])
    >>> symmetry(salt)
    From 0.0001 angstrom: Fm-3m (No. 225), AB_cF8_225_a_b:Cl-Na.
    """
    crystal = as_crystal(structure)
    if not len(tolerances) or list(tolerances) != sorted(set(tolerances)):
        raise ArgumentError("tolerances", "at least one tolerance, ascending", repr(tuple(tolerances)))
    for tolerance in tolerances:
        check_tolerance(tolerance, "tolerances")
    rows = []
    for tolerance in tolerances:
        rows.append((tolerance, _said(spglib_symmetry, crystal, tolerance), _said(moyo_symmetry, crystal, tolerance)))
    return SymmetryStudy(crystal, tuple(rows))


_HINT = "Atoms that lie on each other, or a tolerance as large as distances between atoms, leave none"


def _finding(symprec: float) -> str:
    return f"a crystal whose symmetry can be found at {symprec:g} angstrom"


def _asked(spglib: Any, cell: Any, symprec: float, hall: int) -> Any:
    try:
        data = spglib.get_symmetry_dataset(cell, symprec=symprec, hall_number=hall)
    except Exception as problem:  # newer versions raise where older ones return nothing
        raise ArgumentError("structure", _finding(symprec), f"none ({problem})", _HINT) from None
    if data is None:  # and say nothing of why
        raise ArgumentError("structure", _finding(symprec), "none", _HINT)
    return data


def _found(
    name: str, symprec: float, crystal: Crystal, number: int, letters: Any, orbits: Any, linear: Any, shift: Any
) -> FoundSymmetry:
    members = dict.fromkeys(int(one) for one in orbits)
    numbers = crystal.numbers.tolist()
    sites = Counter((str(letters[first]), numbers[first]) for first in members)
    proto = Protostructure.from_wyckoffs(int(number), [(*site, count) for site, count in sites.items()])
    matrix = torch.as_tensor(np.array(linear, dtype=np.float64))
    # The conventional cell holds as many atoms as the given one, times the ratio of volumes.
    if abs(sum(proto.counts.values()) - len(crystal) / abs(float(torch.linalg.det(matrix)))) > 0.01:
        got = f"{name} counts orbits of {proto.counts} atoms in {len(crystal)} of the cell"
        raise ArgumentError("structure", _finding(symprec), got, _HINT)
    origin = torch.as_tensor(np.array(shift, dtype=np.float64))
    return FoundSymmetry(name, symprec, proto, tuple(map(str, letters)), tuple(int(one) for one in orbits), matrix, origin)


def _said(finder: Any, crystal: Crystal, tolerance: float) -> FoundSymmetry | str:
    try:
        return finder(crystal, tolerance)
    except ErlangenError as problem:
        return f"no symmetry found ({getattr(problem, 'got', problem)})"


def _same(one: FoundSymmetry | str, other: FoundSymmetry | str) -> bool:
    if isinstance(one, str) or isinstance(other, str):
        return isinstance(one, str) and isinstance(other, str)
    return one.protostructure.canonical() == other.protostructure.canonical()


def check_tolerance(symprec: float, argument: str = "symprec") -> None:
    """A tolerance in angstrom.

    Raises:
        ArgumentError: it is not positive, or too large for any crystal.
    """
    if not isinstance(symprec, int | float) or not 0 < symprec < 2:
        raise ArgumentError(argument, "a positive tolerance in angstrom, below 2", repr(symprec))
