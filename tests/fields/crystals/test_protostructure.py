"""Protostructures: the table's facts, labels, descriptions of one crystal, and crystals placed from them."""

from __future__ import annotations

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import crystals
from erlangen.fields.crystals import Protostructure, icsd, stored_protostructures, wyckoff_table
from erlangen.fields.crystals.protostructure import check_lattice
from erlangen.groups import SpaceGroup


def test_facts_of_the_table() -> None:
    every = [wyckoff_table(number) for number in range(1, 231)]
    assert sum(len(one.letters) for one in every) == 1731
    by_dof = [sum(int((one.dofs == d).sum()) for one in every) for d in range(4)]
    assert by_dof == [616, 718, 167, 230]
    assert sum(not (one.dofs == 0).any() for one in every) == 85
    assert max(len(one.letters) for one in every) == len(wyckoff_table(47).letters) == 27
    assert wyckoff_table(47).letters[-1] == "A"
    assert max(int(one.multiplicities.max()) for one in every) == 192


@pytest.mark.parametrize(
    ("label", "formula", "atoms"),
    [
        ("AB_cF8_225_a_b:Cl-Na", "NaCl", 2),
        ("AB_cP2_221_a_b:Cl-Cs", "CsCl", 2),
        ("AB3C_cP5_221_a_c_b:Ba-O-Ti", "BaTiO3", 5),
        ("A2BC4_cF56_227_d_a_e:Al-Mg-O", "MgAl2O4", 14),
        ("AB_hP4_186_b_b:S-Zn", "ZnS", 4),
        ("A2B3_cI80_206_ad_e:In-O", "In2O3", 40),
        ("A2B3_hR30_167_c_e:Al-O", "Al2O3", 10),
    ],
)
def test_labels(label: str, formula: str, atoms: int) -> None:
    proto = Protostructure.from_label(label)
    assert (proto.formula, proto.n_atoms(), proto.label()) == (formula, atoms, label)
    assert Protostructure.from_label(proto.label("aflow")) == proto
    assert sum(proto.composition.values()) == atoms


def test_labels_of_real_crystals_go_both_ways_and_agree_with_pymatgen() -> None:
    from pymatgen.analysis import prototypes

    data = icsd(quiet=True)[::200]
    shears = {2, 3, *range(10, 15)}  # pymatgen leaves out the renamings by shears of oblique cells
    for proto in stored_protostructures(data):
        assert Protostructure.from_label(proto.label()) == proto
        canonical = proto.canonical()
        assert canonical.canonical() == canonical
        if proto.space_group not in shears | {47}:  # it sorts the letter A of group 47 before a
            theirs = prototypes.canonicalize_element_wyckoffs(_counted(proto.label()), proto.space_group)
            assert canonical.label().partition(":")[0].split("_", 3)[3] == theirs
            assert proto.prototype() == prototypes.get_prototype_from_protostructure(proto.label())


def _counted(label: str) -> str:
    """The letters of a label, each with its number, as pymatgen wants them."""
    made, number = "", ""
    for sign in label.partition(":")[0].split("_", 3)[3]:
        if sign.isdecimal():
            number += sign
        else:
            made += sign if sign == "_" else (number or "1") + sign
            number = ""
    return made


def test_all_descriptions_have_one_canonical_form() -> None:
    proto = Protostructure.from_wyckoffs(62, [("a", "Mg"), ("c", "Si"), ("c", "O"), ("c", "O"), ("d", "O")])
    assert len(proto.equivalents()) == 2
    assert {one.canonical() for one in proto.equivalents()} == {proto.canonical()}
    assert {one.prototype() for one in proto.equivalents()} == {proto.prototype()}
    assert proto.equivalents()[0] == proto


@pytest.mark.parametrize("number", [1, 2, 12, 62, 99, 141, 148, 166, 187, 194, 205, 225, 227, 230])
def test_engines_find_the_group_of_what_is_placed(number: int) -> None:
    torch.manual_seed(number)
    table = wyckoff_table(number)
    general = len(table.letters) - 1
    proto = Protostructure(number, ((0, 11, 1), (general, 8, 1)))
    lattice = _lattice(number)
    crystal = proto.place(lattice, torch.rand(proto.dof, dtype=torch.float64))
    assert len(crystal) == proto.n_atoms()
    for found in (crystals.spglib_symmetry(crystal, 1e-4), crystals.moyo_symmetry(crystal, 1e-4)):
        assert found.number == number
        assert found.protostructure.canonical() == proto.canonical()


def _lattice(number: int) -> torch.Tensor:
    from erlangen.fields.crystals.crystal import cell_of

    system = SpaceGroup(number).crystal_system
    sides = {"cubic": (7.0, 7.0, 7.0), "tetragonal": (7.0, 7.0, 8.1), "trigonal": (7.0, 7.0, 8.1), "hexagonal": (7.0, 7.0, 8.1)}
    angles = {
        "triclinic": (81.0, 97.0, 104.0), "monoclinic": (90.0, 103.0, 90.0), "trigonal": (90, 90, 120), "hexagonal": (90, 90, 120),
    }  # fmt: skip
    return cell_of(sides.get(system, (7.0, 8.1, 9.7)), angles.get(system, (90.0, 90.0, 90.0)))


def test_what_is_refused() -> None:
    with pytest.raises(ArgumentError, match="1 to 230"):
        Protostructure(231, ((0, 1, 1),))
    with pytest.raises(ArgumentError, match=r"positions of space group 221: 1a 1b"):
        Protostructure.from_wyckoffs(221, [("z", "O")])
    with pytest.raises(ArgumentError, match=r"no free coordinate; got 1 x Na, 1 x Cl"):
        Protostructure.from_wyckoffs(225, [("a", "Na"), ("a", "Cl")])
    with pytest.raises(ArgumentError, match="orbits, 1 or more"):
        Protostructure.from_wyckoffs(225, [("e", "Na", -1)])
    with pytest.raises(ArgumentError, match="symbol of an element"):
        Protostructure.from_wyckoffs(225, [("a", "Xx")])
    with pytest.raises(ArgumentError, match="AB3C_cP5"):
        Protostructure.from_label("AB2C_cP5_221_a_c_b:Ba-O-Ti")
    with pytest.raises(ArgumentError, match="a label"):
        Protostructure.from_label("BaTiO3")
    with pytest.raises(ArgumentError, match="cubic lattice"):
        check_lattice(SpaceGroup(225), torch.diag(torch.tensor([4.0, 4.0, 5.0], dtype=torch.float64)))
