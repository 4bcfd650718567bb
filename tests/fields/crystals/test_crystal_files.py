"""Files of crystals keep group, hand and atoms, through every reader that people use."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import (
    Conventional,
    Crystal,
    Protostructure,
    as_crystal,
    conventional,
    read_crystal,
    read_crystals,
    spglib_symmetry,
    write_crystals,
    wyckoff_table,
)
from erlangen.fields.crystals.crystal import cell_of
from erlangen.groups import SpaceGroup

#: The 22 space groups that have a mirror image of another number.
ENANTIOMORPHIC = {
    76: 78, 78: 76, 91: 95, 95: 91, 92: 96, 96: 92, 144: 145, 145: 144, 151: 153, 153: 151, 152: 154, 154: 152, 169: 170, 170: 169,
    171: 172, 172: 171, 178: 179, 179: 178, 180: 181, 181: 180, 212: 213, 213: 212,
}  # fmt: skip


def lattice(number: int) -> torch.Tensor:
    system = SpaceGroup(number).crystal_system
    sides = {"cubic": (7.0, 7.0, 7.0), "tetragonal": (7.0, 7.0, 8.1), "trigonal": (7.0, 7.0, 8.1), "hexagonal": (7.0, 7.0, 8.1)}
    angles = {
        "triclinic": (81.0, 97.0, 104.0), "monoclinic": (90.0, 103.0, 90.0), "trigonal": (90, 90, 120), "hexagonal": (90, 90, 120),
    }  # fmt: skip
    return cell_of(sides.get(system, (7.0, 8.1, 9.7)), angles.get(system, (90.0, 90.0, 90.0)))


def general(number: int, seed: int = 0) -> Crystal:
    """A crystal with this space group: a general orbit of oxygen, and the most special one."""
    table = wyckoff_table(number)
    proto = Protostructure(number, ((0, 11, 1), (len(table.letters) - 1, 8, 1)))
    free = torch.rand(proto.dof, dtype=torch.float64, generator=torch.Generator().manual_seed(seed + number))
    return proto.place(lattice(number), free)


def other_basis(crystal: Crystal) -> Crystal:
    """The same crystal in a basis of the other hand."""
    order = torch.tensor([1, 0, 2])
    return Crystal(crystal.cell[order], crystal.fractional[:, order], crystal.numbers)


@pytest.mark.parametrize("number", [*ENANTIOMORPHIC, 1, 4, 5, 19, 48, 70, 88, 146, 155, 167, 198, 201, 203, 227, 228])
def test_every_reader_finds_the_group_of_what_was_written(number: int, tmp_path: Path) -> None:
    from ase.io import read
    from pymatgen.core import Structure

    crystal = general(number)
    for one in (crystal, other_basis(crystal)):
        assert spglib_symmetry(one, 1e-4).number == number
        for name in ("a.cif", "a.vasp", "a.extxyz"):
            path = write_crystals(tmp_path / name, [one], symprec=1e-4)
            theirs = [read(path)]
            if name != "a.extxyz":
                theirs.append(Structure.from_file(path))
            for back in (read_crystal(path), *map(as_crystal, theirs)):
                found = spglib_symmetry(back, 1e-4)
                assert found.number == number, (name, number)
                assert back.formula == crystal.formula
                assert back.volume / len(back) == pytest.approx(crystal.volume / len(crystal), rel=1e-8)


def test_a_cif_says_the_group_to_those_who_ask(tmp_path: Path) -> None:
    from ase.io import read
    from pymatgen.io.cif import CifParser

    for number in range(1, 231, 3):
        path = write_crystals(tmp_path / "a.cif", general(number), symprec=1e-4)
        assert read(path).info["spacegroup"].no == number
        block = next(iter(CifParser(path).as_dict().values()))
        assert int(block["_space_group_IT_number"]) == number


@pytest.mark.parametrize("number", [2, 15, 62, 152, 154, 166, 194, 206, 213, 225, 227])
def test_the_conventional_cell_is_exactly_symmetric(number: int) -> None:
    crystal = general(number)
    noisy = Crystal(crystal.cell, crystal.fractional + 1e-4 * torch.rand(len(crystal), 3, dtype=torch.float64), crystal.numbers)
    for one in (noisy, other_basis(noisy)):
        made = conventional(one, 0.02)
        assert isinstance(made, Conventional)
        assert made.protostructure.space_group == number
        assert made.crystal.is_right_handed
        assert spglib_symmetry(made.crystal, 1e-7).number == number
        assert spglib_symmetry(made.primitive, 1e-7).number == number
        assert len(made.primitive) == len(crystal)
        every = made.group.elements()
        moved = torch.einsum("gij,nj->gni", every[..., :-1].double(), made.crystal.fractional)
        moved = moved + every[:, None, :, -1].double() / made.group.denominator
        apart = moved.unsqueeze(2) - made.crystal.fractional
        assert float((apart - apart.round()).norm(dim=-1).amin(2).max()) < 1e-12
        metric = made.cell @ made.cell.mT
        turns = every[..., :-1].double()
        assert float((turns.mT @ metric @ turns - metric).abs().max()) < 1e-10 * float(metric.max())


def test_several_crystals_in_one_file(tmp_path: Path) -> None:
    from ase.io import read

    each = [general(62), general(225), general(152)]
    path = write_crystals(tmp_path / "many.cif", each, symprec=1e-4)
    assert [one.formula for one in read_crystals(path)] == [one.formula for one in each]
    assert len(read(path, index=":")) == 3
    with pytest.raises(ArgumentError, match="a file of one crystal; got 3"):
        read_crystal(path)


def test_no_symmetry_is_said_where_none_is_wanted(tmp_path: Path) -> None:
    crystal = general(225)
    path = write_crystals(tmp_path / "a.cif", crystal, symprec=None)
    assert "_space_group_IT_number 1\n" in path.read_text()
    assert len(read_crystal(path)) == len(crystal)


def test_what_is_refused(tmp_path: Path) -> None:
    crystal = general(225)
    with pytest.raises(ArgumentError, match="ends with one of"):
        write_crystals(tmp_path / "a.pdf", crystal)
    with pytest.raises(ArgumentError, match="one crystal for a POSCAR"):
        write_crystals(tmp_path / "POSCAR", [crystal, crystal])
    with pytest.raises(ArgumentError, match="at least one crystal"):
        write_crystals(tmp_path / "a.cif", [])
    with pytest.raises(ArgumentError, match="a file of crystals"):
        read_crystals(tmp_path / "missing.cif")
    (tmp_path / "broken.cif").write_text("data_x\nloop_\n_atom_site_label\n")
    with pytest.raises(ArgumentError, match="path"):
        read_crystals(tmp_path / "broken.cif")
    shared = write_crystals(tmp_path / "shared.cif", crystal, symprec=None)
    head, _, atoms = shared.read_text().partition("_occupancy\n")
    shared.write_text(head + "_occupancy\n" + atoms.replace(" 1\n", " 0.5\n"))
    with pytest.raises(ArgumentError, match="all of them filled"):
        read_crystals(shared)
    import ase.io

    with pytest.raises(ArgumentError, match="all of them filled"):
        spglib_symmetry(ase.io.read(shared))  # ASE's atoms tell in a note alone that sites are half empty
    molecule = tmp_path / "molecule.xyz"
    molecule.write_text("1\n\nH 0 0 0\n")
    with pytest.raises(ArgumentError, match="pbc"):
        read_crystals(molecule)


def test_what_holds_a_crystal_is_one() -> None:
    made = conventional(general(152), 1e-3)
    assert as_crystal(made) is made.crystal
    assert spglib_symmetry(made, 1e-5).protostructure.canonical() == made.protostructure.canonical()


def test_orbits_of_a_supercell_are_not_split() -> None:
    perovskite = Protostructure.from_label("AB3C_cP5_221_a_c_b:Ba-O-Ti")
    one = perovskite.place(4 * torch.eye(3), torch.zeros(0))
    shift = torch.tensor([0.0, 0, 0.5])
    half = one.fractional * torch.tensor([1.0, 1.0, 0.5])
    double = Crystal(one.cell * torch.tensor([[1.0], [1.0], [2.0]]), torch.cat([half, half + shift]), one.numbers.repeat(2))
    found = spglib_symmetry(double)
    assert found.protostructure.canonical() == perovskite
    assert len(set(found.orbit)) == 3
    assert len(conventional(double).primitive) == 5
