"""`Protostructure`: what symmetry fixes of a crystal: its space group, and which elements occupy which Wyckoff positions how often."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from operator import itemgetter
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.fields.crystals.composition import SYMBOLS, atomic_number, formula_of, reduced
from erlangen.fields.crystals.crystal import Crystal
from erlangen.groups.normalizer import letter_maps
from erlangen.groups.space_groups import SpaceGroup

Form = Literal["conventional", "aflow"]


class WyckoffTable(NamedTuple):
    """The Wyckoff positions of a space group in its standard setting, in the order of their letters.

    Attributes:
        letters: "a" first; after "z" comes "A".
        multiplicities: points of an orbit in the conventional cell, int64 ``[n]``.
        dofs: free coordinates, 0 to 3, int64 ``[n]``.
        centring: lattice points of the conventional cell.
    """

    letters: str
    multiplicities: np.ndarray
    dofs: np.ndarray
    centring: int


@lru_cache(maxsize=256)
def wyckoff_table(space_group: int) -> WyckoffTable:
    """Letters, multiplicities and degrees of freedom, from :attr:`erlangen.groups.SpaceGroup.wyckoff_positions`.

    Raises:
        ArgumentError: a number outside 1 to 230.

    >>> wyckoff_table(221).letters, wyckoff_table(221).dofs.tolist()[:6]
    ('abcdefghijklmn', [0, 0, 0, 0, 1, 1])
    """
    group = _group(space_group)
    positions = group.wyckoff_positions
    return WyckoffTable(
        "".join(one.letter for one in positions),
        np.array([one.multiplicity for one in positions]),
        np.array([one.dof for one in positions]),
        len(group.centring),
    )


@dataclass(frozen=True)
class Protostructure:
    """A space group with its occupied Wyckoff positions; no coordinates. Hashable; two are equal when they are written alike.

    One crystal has several descriptions, which maps of the normalizer take to each other (origins, names of axes): :meth:`equivalents`
    lists them, and :meth:`canonical` chooses one, so that crystals are counted once. Two orbits of a position with free coordinates
    differ only by these, which a protostructure does not know.

    Attributes:
        space_group: 1 to 230, in the standard setting (origin choice 2, hexagonal axes, unique axis b).
        sites: ``(position, atomic number, count)``, sorted: the position's place in the order of letters, and how many orbits.

    Raises:
        ArgumentError: no such group or position, no sites, counts below 1, or a point without free coordinates that is occupied twice.

    >>> proto = Protostructure.from_label("AB3C_cP5_221_a_c_b:Ba-O-Ti")
    >>> proto.formula, proto.n_atoms(), proto.dof, proto.prototype()
    ('BaTiO3', 5, 0, 'ABC3_cP5_221_a_b_c')
    >>> Protostructure.from_wyckoffs(221, [("b", "Ba"), ("a", "Ti"), ("d", "O")]).canonical() == proto
    True
    """

    space_group: int
    sites: tuple[tuple[int, int, int], ...]

    def __post_init__(self) -> None:
        table = wyckoff_table(self.space_group)
        if not self.sites:
            raise ArgumentError("sites", "at least one occupied position", "none")
        counts: dict[tuple[int, int], int] = {}
        for position, element, count in self.sites:
            if not 0 <= position < len(table.letters):
                expected = f"positions 0 to {len(table.letters) - 1} of space group {self.space_group}"
                raise ArgumentError("sites", expected, repr(position))
            if not isinstance(count, int | np.integer) or isinstance(count, bool) or count < 1:
                raise ArgumentError("sites", "whole numbers of orbits, 1 or more", repr(count))
            key = (int(position), atomic_number(element, "sites"))
            counts[key] = counts.get(key, 0) + int(count)
        occupied: dict[int, int] = {}
        for (position, _), count in counts.items():
            occupied[position] = occupied.get(position, 0) + count
        for position, count in occupied.items():
            if count > 1 and not table.dofs[position]:
                who = ", ".join(f"{n} x {SYMBOLS[e]}" for (p, e), n in counts.items() if p == position)
                where = f"position {table.letters[position]} of space group {self.space_group}, which has no free coordinate"
                raise ArgumentError("sites", f"one element, once, on {where}", who)
        object.__setattr__(self, "space_group", int(self.space_group))
        object.__setattr__(self, "sites", tuple(sorted((p, e, n) for (p, e), n in counts.items())))

    # ---- ways in ----

    @classmethod
    def from_wyckoffs(cls, space_group: int, sites: Iterable[Sequence[Any]]) -> Protostructure:
        """From ``(letter, element)`` or ``(letter, element, count)``; what occurs several times is several orbits.

        Args:
            space_group: its number.
            sites: letters, with the multiplicity before them if wanted (``"4a"``), and symbols or atomic numbers.

        Raises:
            ArgumentError: as for the class; a letter that the group does not have (the message lists those that there are).
        """
        table = wyckoff_table(space_group)
        made = []
        for letter, element, *count in sites:
            name = str(letter)
            place = table.letters.find(name[-1]) if name else -1
            if place < 0 or (name[:-1] and name[:-1] != str(table.multiplicities[place])):
                known = " ".join(f"{m}{one}" for m, one in zip(table.multiplicities, table.letters))
                raise ArgumentError("sites", f"positions of space group {space_group}: {known}", repr(letter))
            made.append((place, atomic_number(element, "sites"), *(count or (1,))))
        return cls(space_group, tuple(made))  # type: ignore[arg-type]

    @classmethod
    def from_label(cls, label: str) -> Protostructure:
        """From a label as AFLOW and Wren write them: ``formula_pearson_group_wyckoffs:elements``; see :meth:`label`.

        Raises:
            ArgumentError: it is none, or its parts contradict each other.

        >>> Protostructure.from_label("A2B3_cI80_206_ad_e:In-O").formula
        'In2O3'
        """
        head, _, chemsys = str(label).partition(":")
        parts, elements = head.split("_"), chemsys.split("-")
        shape = "a label 'formula_pearson_group_wyckoffs:elements', such as 'AB_cF8_225_a_b:Cl-Na'"
        if not chemsys or len(parts) < 4 or not parts[2].isdecimal() or len(parts) != 3 + len(elements):
            raise ArgumentError("label", shape, repr(label))
        sites = []
        for letters, element in zip(parts[3:], elements):
            number = ""
            for sign in letters:
                if sign.isdecimal():
                    number += sign
                elif number == "0":
                    raise ArgumentError("label", shape, repr(label))
                else:
                    sites.append((sign, element, int(number or 1)))
                    number = ""
            if number or not letters:
                raise ArgumentError("label", shape, repr(label))
        if len(set(elements)) != len(elements):
            raise ArgumentError("label", "each element once", repr(label))
        made = cls.from_wyckoffs(int(parts[2]), sites)
        amount = made._amounts()
        amounts = [amount[atomic_number(element, "label")] for element in elements]
        expected = (anonymous(amounts), {made.pearson("conventional"), made.pearson("aflow")})
        if parts[0] != expected[0] or parts[1] not in expected[1]:
            whole = f"'{expected[0]}_{made.pearson()}_...' for the positions {'_'.join(parts[3:])} of space group {parts[2]}"
            raise ArgumentError("label", whole, repr(label))
        return made

    @classmethod
    def from_structure(cls, structure: Any, symprec: float = 0.01) -> Protostructure:
        """From a crystal (ours, ASE's, pymatgen's), by the symmetry that spglib finds in it (extra ``crystals``).

        Args:
            structure: any cell of it.
            symprec: how far atoms may be off, angstrom. What is found depends on it: :func:`crystals.symmetry` shows how.

        Raises:
            ArgumentError: spglib finds no symmetry; atoms lie on each other.
        """
        from erlangen.fields.crystals.found import spglib_symmetry

        return spglib_symmetry(structure, symprec).protostructure

    # ---- what it says ----

    @cached_property
    def group(self) -> SpaceGroup:
        """The space group."""
        return _group(self.space_group)

    @property
    def counts(self) -> dict[int, int]:
        """Atomic number -> atoms in the conventional cell."""
        table = wyckoff_table(self.space_group)
        found: dict[int, int] = {}
        for position, element, count in self.sites:
            found[element] = found.get(element, 0) + count * int(table.multiplicities[position])
        return dict(sorted(found.items(), key=lambda one: SYMBOLS[one[0]]))

    @property
    def composition(self) -> dict[str, int]:
        """Symbol -> atoms in the primitive cell, alphabetically."""
        centring = wyckoff_table(self.space_group).centring
        return {SYMBOLS[element]: count // centring for element, count in self.counts.items()}

    @property
    def formula(self) -> str:
        """The reduced formula, the more electropositive elements first."""
        return formula_of(reduced(self.counts))

    def n_atoms(self, primitive: bool = True) -> int:
        """Atoms in the primitive cell, or in the conventional one."""
        total = sum(self.counts.values())
        return total // wyckoff_table(self.space_group).centring if primitive else total

    @property
    def dof(self) -> int:
        """Free coordinates of all sites; the lattice's parameters are not among them."""
        dofs = wyckoff_table(self.space_group).dofs
        return int(sum(dofs[position] * count for position, _, count in self.sites))

    @property
    def orbits(self) -> Iterator[tuple[int, int]]:
        """``(position, atomic number)`` of each orbit, in the order of :attr:`sites`: that of the free coordinates in :meth:`place`."""
        return ((position, element) for position, element, count in self.sites for _ in range(count))

    # ---- labels ----

    def pearson(self, form: Form = "conventional") -> str:
        """The Pearson symbol: crystal family, centring, atoms.

        ``"conventional"`` counts the atoms of the conventional cell, the hexagonal one of rhombohedral groups (as pymatgen and Wren
        do: corundum is hR30); ``"aflow"`` those of the rhombohedral cell there (hR10).
        """
        if form not in ("conventional", "aflow"):
            raise ArgumentError("form", "'conventional' or 'aflow'", repr(form))
        families = {"triclinic": "a", "monoclinic": "m", "orthorhombic": "o", "tetragonal": "t", "cubic": "c"}
        centring = self.group.name[0]
        atoms = self.n_atoms(primitive=form == "aflow" and centring == "R")
        return families.get(self.group.crystal_system, "h") + ("C" if centring in "ABC" else centring) + str(atoms)

    def label(self, form: Form = "conventional") -> str:
        """``formula_pearson_group_wyckoffs:elements``, elements alphabetically; see :meth:`pearson` for the two forms.

        It says what stands here: of the canonical description for those who compare, ``proto.canonical().label()``.

        Source: M. J. Mehl et al., Comp. Mat. Sci. 136 (2017) S1; R. E. A. Goodall et al., Sci. Adv. 8 (2022) eabn4117.

        >>> corundum = Protostructure.from_wyckoffs(167, [("c", "Al"), ("e", "O")])
        >>> corundum.label(), corundum.label("aflow")
        ('A2B3_hR30_167_c_e:Al-O', 'A2B3_hR10_167_c_e:Al-O')
        """
        counts = self.counts
        elements = list(counts)
        head = f"{anonymous(list(reduced(counts).values()))}_{self.pearson(form)}_{self.space_group}"
        return f"{head}_{self._wyckoffs(elements)}:{'-'.join(SYMBOLS[element] for element in elements)}"

    def prototype(self, form: Form = "conventional") -> str:
        """The label without elements, the same for all that differ by these: amounts ascending, then the first of all descriptions."""
        amount = self._amounts()
        elements = sorted(amount, key=amount.__getitem__)
        ties = [list(same) for _, same in itertools.groupby(elements, key=amount.__getitem__)]
        best = min(
            one._key([element for part in order for element in part])
            for one in self.equivalents()
            for order in itertools.product(*(itertools.permutations(same) for same in ties))
        )
        return f"{anonymous([amount[element] for element in elements])}_{self.pearson(form)}_{self.space_group}_{best[1]}"

    # ---- descriptions of one crystal ----

    def equivalents(self) -> tuple[Protostructure, ...]:
        """All descriptions of the same crystals: by the renamings of the affine normalizer, each once, this one first."""
        return tuple(dict.fromkeys(self._renamed(one) for one in self._occupied()))

    def canonical(self) -> Protostructure:
        """The description with the earliest letters: the least sum of their places, then the first as text."""
        renamed = self._occupied()
        least, elements = min(map(sum, renamed)), list(self.counts)
        first = [one for one in renamed if sum(one) == least]
        if len(first) == 1:
            return self._renamed(first[0])
        return min((self._renamed(one) for one in first), key=lambda one: one._wyckoffs(elements))

    def _occupied(self) -> list[tuple[int, ...]]:
        """What the renamings make of the positions of :attr:`sites`: each once, as they stand first."""
        occupied = [position for position, _, _ in self.sites]
        if len(occupied) == 1:
            return list(dict.fromkeys((one[occupied[0]],) for one in _renamings(self.space_group)))
        return list(dict.fromkeys(map(itemgetter(*occupied), _renamings(self.space_group))))

    def _renamed(self, positions: Sequence[int]) -> Protostructure:
        """With other positions of the sites, in their order; such sites need no second look."""
        made = object.__new__(Protostructure)
        sites = tuple(sorted((new, element, count) for new, (_, element, count) in zip(positions, self.sites)))
        object.__setattr__(made, "space_group", self.space_group)
        object.__setattr__(made, "sites", sites)
        return made

    def _key(self, elements: Sequence[int]) -> tuple[int, str]:
        return sum(position + 1 for position, _, _ in self.sites), self._wyckoffs(elements)

    def _wyckoffs(self, elements: Sequence[int]) -> str:
        letters = wyckoff_table(self.space_group).letters
        of: dict[int, str] = dict.fromkeys(elements, "")
        for position, element, count in self.sites:
            of[element] += (str(count) if count > 1 else "") + letters[position]
        return "_".join(of.values())

    def _amounts(self) -> dict[int, int]:
        """Atomic number -> atoms in the reduced formula."""
        counts = self.counts
        common = math.gcd(*counts.values())
        return {element: count // common for element, count in counts.items()}

    # ---- a crystal of it ----

    def place(self, cell: Float[Tensor, "3 3"], free: Float[Tensor, " dof"], *, primitive: bool = True) -> Crystal:
        """The crystal with these free coordinates in a lattice; symmetric to rounding, by construction.

        Args:
            cell: the conventional cell, rows, angstrom; must fit the group (see :func:`check_lattice`).
            free: of all orbits one after another, :attr:`dof` numbers.
            primitive: in the primitive cell.

        Raises:
            ArgumentError: a wrong number of coordinates, or a cell that the group's rotations do not keep.

        >>> salt = Protostructure.from_label("AB_cF8_225_a_b:Cl-Na")
        >>> salt.place(5.64 * torch.eye(3), torch.zeros(0))
        Crystal('NaCl', 2 atoms)
        """
        cell = torch.as_tensor(cell, dtype=torch.float64)
        free = torch.as_tensor(free, dtype=torch.float64)
        if free.shape != (self.dof,):
            raise ArgumentError("free", f"{self.dof} coordinates for {self.label()}", f"shape {tuple(free.shape)}")
        check_lattice(self.group, cell)
        points, numbers, start = [], [], 0
        for position, element in self.orbits:
            one = self.group.wyckoff_positions[position]
            points.append(one.coordinates(free[start : start + one.dof]))
            numbers += [element] * len(points[-1])
            start += one.dof
        crystal = Crystal(cell, torch.cat(points), torch.tensor(numbers))
        return to_primitive(crystal, self.group) if primitive else crystal

    def __repr__(self) -> str:
        return f"Protostructure({self.label()!r})"


def check_lattice(group: SpaceGroup, cell: Float[Tensor, "3 3"], tolerance: float = 1e-6) -> None:
    """Raise ArgumentError unless the rotations of a group are isometries of a lattice (rows), relative to its lengths."""
    metric = cell @ cell.mT
    rotations = group.generators[..., :-1].to(cell.dtype)
    # Fractions are columns: x -> W x keeps lengths just when W^T (A A^T) W is A A^T, rows of A the lattice vectors.
    off = (rotations.mT @ metric @ rotations - metric).abs().max()
    if float(off) > tolerance * float(metric.diagonal().max()):
        lengths, angles = Crystal(cell, torch.zeros(1, 3), torch.tensor([1])).lengths_angles()
        got = "a, b, c = " + ", ".join(f"{one:.5g}" for one in lengths) + "; angles " + ", ".join(f"{one:.5g}" for one in angles)
        raise ArgumentError("cell", f"a {group.crystal_system} lattice, for {group}", got)


def to_primitive(crystal: Crystal, group: SpaceGroup) -> Crystal:
    """A crystal in its conventional cell, in a primitive one: one atom of each set that the centring translations join.

    The first atom of each set is kept; the lattice's basis is the usual one of the International Tables.
    """
    basis = PRIMITIVE[group.name[0]].to(torch.float64)
    if len(group.centring) == 1:
        return crystal
    inside = crystal.fractional @ torch.linalg.inv(basis)
    near = inside.unsqueeze(1) - inside
    same = ((near - near.round()) @ (basis @ crystal.cell)).norm(dim=-1) < 1e-5
    same &= crystal.numbers.unsqueeze(1) == crystal.numbers
    first = same.to(torch.int8).argmax(1) == torch.arange(len(crystal))
    if int(first.sum()) * len(group.centring) != len(crystal):
        got = f"{int(first.sum())} of {len(crystal)} atoms"
        raise ArgumentError("crystal", f"atoms in sets of {len(group.centring)}, which the centring of {group} joins", got)
    return Crystal(basis @ crystal.cell, inside[first], crystal.numbers[first])


#: Bases of the lattices in terms of the conventional ones, as rows. R is in hexagonal axes, obverse.
PRIMITIVE = {
    "P": torch.eye(3),
    "A": torch.tensor([[1, 0, 0], [0, 0.5, -0.5], [0, 0.5, 0.5]]),
    "B": torch.tensor([[0.5, 0, -0.5], [0, 1, 0], [0.5, 0, 0.5]]),
    "C": torch.tensor([[0.5, 0.5, 0], [-0.5, 0.5, 0], [0, 0, 1]]),
    "I": torch.tensor([[-0.5, 0.5, 0.5], [0.5, -0.5, 0.5], [0.5, 0.5, -0.5]]),
    "F": torch.tensor([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]),
    "R": torch.tensor([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]], dtype=torch.float64) / 3,
}


def anonymous(amounts: Sequence[int]) -> str:
    """A formula without elements: capital letters in order, with their amounts.

    >>> anonymous([1, 3, 1])
    'AB3C'
    """
    # After Z, which no real crystal reaches, come two letters.
    names = itertools.chain((chr(65 + i) for i in range(26)), (chr(65 + i) + chr(97 + j) for i in range(26) for j in range(26)))
    return "".join(name + (str(amount) if amount != 1 else "") for name, amount in zip(names, amounts))


@lru_cache(maxsize=256)
def _renamings(number: int) -> tuple[tuple[int, ...], ...]:
    """By the number: to look a group up among others takes longer than to go through its renamings."""
    return letter_maps(_space_group(number))


@lru_cache(maxsize=256)
def _space_group(number: int) -> SpaceGroup:
    return SpaceGroup(number)


def _group(number: Any) -> SpaceGroup:
    if not isinstance(number, int | np.integer) or isinstance(number, bool) or not 1 <= number <= 230:
        raise ArgumentError("space_group", "a number from 1 to 230", repr(number))
    return _space_group(int(number))
