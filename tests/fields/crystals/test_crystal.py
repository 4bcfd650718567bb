"""Crystals, their compositions and data sets of them: shapes, hands, objects of other libraries, refusals."""

from __future__ import annotations

import ase
import numpy as np
import pytest
import torch
from pymatgen.core import Composition, Lattice, Structure

from erlangen.errors import ArgumentError
from erlangen.fields.crystals import Crystal, CrystalDataset, as_crystal, composition, spglib_symmetry, split_by
from erlangen.fields.crystals.composition import NUMBERS, SYMBOLS, formula_of, group_of

QUARTZ = (torch.tensor([[0.4697, 0, 0], [0, 0.4697, 1 / 3], [0.5303, 0.5303, 2 / 3]], dtype=torch.float64), 4.916, 5.4054)


def quartz(left_basis: bool) -> Crystal:
    """Right-handed quartz (P3_121), its cell a left-handed basis if asked: axes a and b change places, with their coordinates."""
    from erlangen.fields.crystals import Protostructure
    from erlangen.fields.crystals.crystal import cell_of

    proto = Protostructure.from_wyckoffs(152, [("a", "Si"), ("c", "O")])
    _, a, c = QUARTZ
    one = proto.place(cell_of((a, a, c), (90, 90, 120)), torch.tensor([0.4697, 0.4133, 0.2672, 0.7855 - 2 / 3]))
    if not left_basis:
        return one
    order = torch.tensor([1, 0, 2])
    return Crystal(one.cell[order], one.fractional[:, order], one.numbers)


def test_a_basis_of_the_other_hand_is_the_same_crystal() -> None:
    right, left = quartz(False), quartz(True)
    assert right.is_right_handed
    assert not left.is_right_handed
    assert spglib_symmetry(right).number == spglib_symmetry(left).number == 152
    back = left.right_handed()
    assert back.is_right_handed
    assert spglib_symmetry(back).number == 152
    assert spglib_symmetry(left.mirrored()).number == spglib_symmetry(right.mirrored()).number == 154
    assert torch.allclose(torch.linalg.det(back.cell), torch.tensor(left.volume, dtype=torch.float64))


@pytest.mark.parametrize("left_basis", [False, True])
def test_objects_of_other_libraries_keep_the_hand(left_basis: bool) -> None:
    one = quartz(left_basis)
    for there in (one.to_ase(), one.to_pymatgen()):
        back = as_crystal(there)
        assert torch.allclose(back.cell, one.cell, atol=1e-12)
        apart = back.fractional - one.fractional
        assert float((apart - apart.round()).abs().max()) < 1e-12
        assert torch.equal(back.numbers, one.numbers)
        assert spglib_symmetry(back).number == 152


def test_cells_from_lengths_and_angles() -> None:
    lengths, angles = (3.1, 4.2, 5.3), (81.0, 97.0, 104.0)
    one = Crystal.from_parameters(lengths, angles, [[0, 0, 0]], ["Fe"])
    again = one.lengths_angles()
    np.testing.assert_allclose(again, (lengths, angles), atol=1e-12)
    theirs = Lattice.from_parameters(*lengths, *angles)
    assert one.volume == pytest.approx(theirs.volume, rel=1e-12)


def test_every_reader_of_formulas_agrees_with_pymatgen() -> None:
    for text in ("BaTiO3", "Ca3(PO4)2", "Mg(Al(OH)4)2", "H2O", "Co", "CO", "Fe [CN] 6", "C60", "La2O3"):
        theirs = Composition(text.replace("[", "(").replace("]", ")").replace(" ", ""))
        assert {SYMBOLS[k]: v for k, v in composition(text).items()} == {e.symbol: int(n) for e, n in theirs.items()}
        assert composition(theirs) == composition(text)
    assert formula_of(composition("O3TiBa")) == "BaTiO3"
    assert formula_of(composition({"O": 2, "Li": 1, "Co": 1})) == "LiCoO2"


def test_groups_of_elements_are_those_of_the_periodic_table() -> None:
    from pymatgen.core import Element

    assert len(SYMBOLS) == 119
    for symbol, number in NUMBERS.items():
        assert number == Element(symbol).Z
        assert group_of(number) == Element(symbol).group


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ("", "at least one atom"),
        ("BaTiO3)", "open before they close"),
        ("(BaTiO3", "closed"),
        ("2H2O", "behind elements"),
        ("Xx2", "symbol of an element"),
        ("Ba0.5TiO3", "x 2 makes it whole"),
        ({"Ba": -1}, "positive numbers"),
        ({"Ba": float("nan")}, "finite numbers"),
        (12, "a formula"),
        ([0, 8], "1 to 118"),
    ],
)
def test_formulas_that_are_refused(bad: object, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        composition(bad)


def test_data_sets_are_ragged_and_indexed_like_arrays() -> None:
    one, two = quartz(False), Crystal(3 * torch.eye(3), torch.zeros(1, 3), ["Po"])  # type: ignore[arg-type]
    data = CrystalDataset.from_structures([one, two.to_ase(), one.to_pymatgen()], energy=[1.0, 2.0, 3.0])
    assert data.sizes.tolist() == [9, 1, 9]
    assert data.formulas() == ["SiO2", "Po", "SiO2"]
    chosen = data[torch.tensor([2, 0])]
    assert chosen.columns["energy"].tolist() == [3.0, 1.0]
    assert data[data.sizes == 1][0].formula == "Po"
    assert data[-1].formula == "SiO2"
    assert len(data[:0]) == 0
    padded = data.padded()
    assert padded["mask"].sum(1).tolist() == [9, 1, 9]
    assert torch.equal(padded["numbers"][0, :9], one.numbers)
    with pytest.raises(IndexError):
        data[3]


def test_what_is_no_crystal() -> None:
    with pytest.raises(ArgumentError, match="pbc"):
        as_crystal(ase.Atoms("H2", positions=[[0, 0, 0], [0, 0, 1]], cell=[3, 3, 3]))
    with pytest.raises(ArgumentError, match="disordered"):
        as_crystal(Structure(Lattice.cubic(3), [{"Fe": 0.5, "Co": 0.5}], [[0, 0, 0]]))
    with pytest.raises(ArgumentError, match="span a volume"):
        Crystal(torch.ones(3, 3), torch.zeros(1, 3), [1])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match="an element for each of 2"):
        Crystal(torch.eye(3), torch.zeros(2, 3), [1])  # type: ignore[arg-type]
    with pytest.raises(ArgumentError, match=r"structures\[1\]"):
        CrystalDataset.from_structures([quartz(False), "NaCl"])
    with pytest.raises(ArgumentError, match="at least one crystal"):
        CrystalDataset.from_structures([])


def test_splits_share_no_group() -> None:
    groups = [str(i % 37) for i in range(200)]
    parts = split_by(groups, seed=3)
    assert sorted(torch.cat(parts).tolist()) == list(range(200))
    sets = [{groups[i] for i in part.tolist()} for part in parts]
    assert not sets[0] & sets[1]
    assert not sets[0] & sets[2]
    assert [len(one) for one in sets] == [30, 3, 4]
    with pytest.raises(ArgumentError, match="add to 1"):
        split_by(groups, (0.5, 0.4))


def test_the_database() -> None:
    from erlangen.fields.crystals import icsd, icsd_clean

    data = icsd(quiet=True)
    assert (len(data), len(data.numbers)) == (32_163, 567_192)
    assert data[0].formula == "LaF3"
    assert data[0].volume == pytest.approx(314.7809397611141, rel=1e-12)
    assert data.columns["space_group"][0] == 165
    assert len(set(data.columns["prototype"])) == 7693
    assert len(set(data.columns["space_group"].tolist())) == 214
    clean = icsd_clean(quiet=True)
    assert (len(clean), len(set(clean.formulas()))) == (27_060, 24_514)
    assert (int((clean.sizes <= 20).sum()), int((clean.sizes <= 52).sum()), int((clean.sizes == 5).sum())) == (
        17_598,
        26_811,
        1_214,
    )
