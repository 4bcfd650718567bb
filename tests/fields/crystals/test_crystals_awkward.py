"""Crystals as they come: other settings and bases, noise, supercells, rare elements, odd files."""

import pytest
import torch

from erlangen.actions.periodic import into_cell
from erlangen.errors import ArgumentError
from erlangen.fields.crystals import (
    Crystal,
    CrystalDataset,
    Protostructure,
    composition,
    conventional,
    draw,
    generating,
    moyo_symmetry,
    read_crystal,
    spglib_symmetry,
    symmetry,
    symmetry_outcome,
)
from erlangen.fields.crystals.wyckoffdiff.realise import random_lattice
from erlangen.groups import SpaceGroup

DOUBLE = torch.float64


def in_another_basis(crystal: Crystal) -> Crystal:
    """The same crystal about another origin, in a sheared basis."""
    change = torch.tensor([[1, 1, 0], [0, 1, 0], [0, 2, 1]], dtype=DOUBLE)
    shifted = crystal.fractional + torch.tensor([0.1, 0.2, 0.3], dtype=DOUBLE)
    return Crystal(change @ crystal.cell, shifted @ torch.linalg.inv(change), crystal.numbers)


@pytest.mark.parametrize("engine", [spglib_symmetry, moyo_symmetry])
@pytest.mark.parametrize("label", ["AB_mP4_3_e_ab:H-O", "AB2_oC6_21_a_k:O-S", "A3B_hR24_148_f_c:H-O", "A4B_cF40_227_e_b:H-O"])
def test_conventional_cells_by_what_either_engine_found(engine, label) -> None:
    generator = torch.Generator().manual_seed(3)
    proto = Protostructure.from_label(label)
    cell = random_lattice(proto.group.crystal_system, 20.0 * proto.n_atoms(primitive=False), generator)
    crystal = proto.place(cell, 0.05 + 0.15 * torch.rand(proto.dof, generator=generator, dtype=DOUBLE))
    found = engine(in_another_basis(crystal), 1e-4)
    assert found.protostructure.canonical() == proto.canonical()
    made = conventional(in_another_basis(crystal), found=found)
    assert len(made.primitive) == len(crystal)
    assert made.primitive.volume == pytest.approx(crystal.volume, rel=1e-10)
    again = spglib_symmetry(made.primitive, 1e-6).protostructure
    assert again.canonical() == proto.canonical()
    assert [made.group.wyckoff_positions[int(made.group.position_index(x, 1e-8))].letter for x in made.asymmetric] == list(
        made.letters
    )


def test_all_atoms_of_an_orbit_are_averaged() -> None:
    proto = Protostructure.from_wyckoffs(225, [("e", "Cl"), ("a", "Pt"), ("c", "K")])
    crystal = proto.place(10.0 * torch.eye(3), torch.tensor([0.24], dtype=DOUBLE), primitive=False)
    # Each chlorine goes along its axis by an amount of its own: the mean is what a symmetric crystal has.
    centre = crystal.fractional[crystal.numbers == 78]
    amounts = torch.linspace(-4e-4, 8e-4, 24, dtype=DOUBLE)
    moved = crystal.fractional.clone()
    chlorine = (crystal.numbers == 17).nonzero().flatten()
    for amount, i in zip(amounts, chlorine):
        apart = moved[i] - centre
        apart = apart - apart.round()
        nearest = apart[apart.norm(dim=1).argmin()]
        moved[i] += amount * nearest / nearest.norm()
    made = conventional(Crystal(crystal.cell, moved, crystal.numbers), 0.03)
    assert made.group.number == 225
    place = float(made.crystal.fractional[made.crystal.numbers == 17].amax())
    assert min(abs(place - x) for x in (0.2402, 0.7598, 0.2598, 0.7402)) < 1e-9


HEAD = "data_x\n" + "".join(f"_cell_length_{a} 5.640(5)\n" for a in "abc")
RIGHT = "".join(f"_cell_angle_{a} 90\n" for a in ("alpha", "beta", "gamma"))
INVERSION = "loop_\n_symmetry_equiv_pos_as_xyz\n'x,y,z'\n'-X,-Y,-Z'\n"


def cif(tmp_path, symmetry: str, *rows: str, columns: str = "label type_symbol fract_x fract_y fract_z", angles: str = RIGHT):
    path = tmp_path / "a@1.cif"
    path.write_text(
        HEAD + angles + symmetry + "loop_\n" + "".join(f"_atom_site_{one}\n" for one in columns.split()) + "\n".join(rows) + "\n"
    )
    return path


def test_elements_of_cif_files(tmp_path) -> None:
    read = read_crystal(cif(tmp_path, INVERSION, "D1 D 0.1 0.2 0.3", "NA1 NA 0.4 0.2(1) 0.3", "Cl1 CL1- 0.5 0.5 0.5"))
    assert read.composition == {"H": 2, "Na": 2, "Cl": 1}
    labels = "label fract_x fract_y fract_z"
    assert read_crystal(cif(tmp_path, INVERSION, "OW1 0.1 0.2 0.3", "Ca1 0 0 0", columns=labels)).composition == {"O": 2, "Ca": 1}
    for row, what in (("NA1 0.1 0.2 0.3", "Na or N"), ("Wat 0.1 0.2 0.3", "elements"), ("Na1 ? ? ?", "coordinates of every atom")):
        with pytest.raises(ArgumentError, match=what):
            read_crystal(cif(tmp_path, INVERSION, row, columns=labels))
    with pytest.raises(ArgumentError, match="sites of one element each"):
        read_crystal(cif(tmp_path, INVERSION, "Na1 Na 0.1 0.2 0.3", "K1 K 0.9 0.8 0.7"))


def test_groups_of_cif_files_without_operations(tmp_path) -> None:
    def with_symbol(symbol: str, angles: str = RIGHT) -> Crystal:
        return read_crystal(
            cif(tmp_path, f"_symmetry_space_group_name_H-M '{symbol}'\n", "Na1 Na 0.125 0.125 0.125", angles=angles)
        )

    with pytest.raises(ArgumentError, match="choice of origin"):
        with_symbol("F d -3 m")
    assert [len(with_symbol(name)) for name in ("F d -3 m :1", "F d -3 m :2", "F d -3 m Z", "Fm3m")] == [16, 8, 8, 32]
    oblique = "_cell_angle_alpha 90\n_cell_angle_beta 100\n_cell_angle_gamma 90\n"
    group = SpaceGroup(14, "b2")
    expected = into_cell(group.elements()[..., :-1].double().sum(-1) / 8 + group.elements()[..., -1].double() / group.denominator)
    read = with_symbol("P 21/n", oblique).fractional
    assert float((read.unsqueeze(1) - expected).abs().amax(-1).amin(1).max()) < 1e-12
    with pytest.raises(ArgumentError, match="one setting that the cell fits"):
        with_symbol("F m -3 m", oblique)


SALT = ("Na1 Na 0 0 0", "Cl1 Cl 0.5 0.5 0.5")


@pytest.mark.parametrize(
    "said",
    [
        "_space_group.name_H-M_alt 'F m -3 m'\n",
        "_space_group.IT_number 225\n",
        "_symmetry.space_group_name_H-M 'F m -3 m'\n",
        "_space_group_name_H-M 'F m -3 m'\n",
        "_space_group_name_H-M_full 'F 4/m -3 2/m'\n",
    ],
)
def test_symmetry_by_every_name_it_has(tmp_path, said: str) -> None:
    assert len(read_crystal(cif(tmp_path, said, *SALT))) == 8


def test_symmetry_that_is_not_read_is_not_left_out(tmp_path) -> None:
    magnetic = "_space_group_magn.name_BNS 'F m -3 m'\nloop_\n_space_group_symop_magn_operation.xyz\nx,y,z,+1\n-x,-y,-z,-1\n"
    for said in (magnetic, "_space_group_ssg_name 'F m -3 m(00g)'\n"):
        with pytest.raises(ArgumentError, match="expected operations.*only _space_group"):
            read_crystal(cif(tmp_path, said, *SALT))
    for said in ("", "_symmetry_cell_setting cubic\n", "_space_group_name_H-M_alt ?\n_space_group_id 1\n"):
        assert len(read_crystal(cif(tmp_path, said, *SALT))) == 2  # the file's atoms are all
    with pytest.raises(ArgumentError, match="fractional coordinates; got Cartesian"):
        read_crystal(cif(tmp_path, "", *SALT, columns="label type_symbol Cartn_x Cartn_y Cartn_z"))


def test_comments_and_dots_of_cif_files(tmp_path) -> None:
    path = cif(tmp_path, "_symmetry_space_group_name_H-M 'F m -3 m' # 225\n_publ_text\n;\n# it's no comment\n;\n", *SALT)
    text = path.read_text()
    for before, after in (
        ("_atom_site_label", "_atom_site_label #<-- of the site"),
        ("_cell_length_a 5.640(5)", "_cell_length_a 5.640(5) # angstrom"),
        ("loop_", "loop_ # 'atoms'"),
        ("Na1 Na", "# sites\nNa1# Na"),
        ("data_x", "\ufeffdata_x#1"),
        ("_atom_site_", "_atom_site."),
        ("_cell_", "_cell."),
    ):
        assert before in text
        path.write_text(text.replace(before, after), encoding="utf-8")
        assert len(read_crystal(path)) == 8


@pytest.mark.parametrize("third", ["0.333 0.666", "0.333 0.667", "0.3333 0.6667", "0.33333 0.66667"])
def test_thirds_with_few_digits_are_one_atom(tmp_path, third: str) -> None:
    group = SpaceGroup(194)
    operations = "loop_\n_symmetry_equiv_pos_as_xyz\n" + "".join(f"'{group.operation(g)}'\n" for g in group.elements())
    read = read_crystal(cif(tmp_path, operations, f"Mg1 Mg {third} 0.25", angles=RIGHT.replace("gamma 90", "gamma 120")))
    assert len(read) == 2
    assert sorted(read.fractional.flatten().tolist()) == pytest.approx([1 / 4, 1 / 3, 1 / 3, 2 / 3, 2 / 3, 3 / 4], abs=1e-12)


def test_numbers_are_taken_exactly_and_are_the_crystals_own() -> None:
    cell = torch.diag(torch.tensor([3.99, 3.99, 3.99], dtype=DOUBLE))
    listed = Crystal([[3.99, 0, 0], [0, 3.99, 0], [0, 0, 3.99]], [[0.1, 0.2, 0.3]], ["Na"])  # type: ignore[arg-type]
    assert torch.equal(listed.cell, cell)
    assert listed.fractional.tolist() == [[0.1, 0.2, 0.3]]
    crystal = Crystal(cell, torch.zeros(1, 3), ["D"])  # type: ignore[arg-type]
    cell[0, 0] = 100.0
    assert crystal.volume == pytest.approx(3.99**3)
    assert crystal.formula == "H"
    assert composition("D2O") == {1: 2, 8: 1}
    with pytest.raises(ArgumentError, match="whole numbers"):
        composition({"O": 2.00004, "Ti": 1})


def test_crystals_are_chosen_by_every_kind_of_index() -> None:
    each = [Crystal(torch.eye(3) * 4, torch.zeros(1, 3), torch.tensor([number])) for number in (8, 118, 26)]
    data = CrystalDataset.from_structures(each, place=[0, 1, 2])
    for which, expected in (([], []), ([-1, 0], [2, 0]), ([True, False, True], [0, 2]), (slice(None, None, -1), [2, 1, 0])):
        assert data[which].columns["place"].tolist() == expected
    assert data[torch.tensor(1)].symbols == ["Og"]
    for wrong in ([True, False], [3], 1.5, "place", [[0, 1]]):
        with pytest.raises(IndexError):
            data[wrong]
    assert CrystalDataset.from_structures(data, energy=[1.0, 2.0, 3.0]).columns["energy"].tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(ArgumentError, match="ascending"):
        CrystalDataset(data.cells, data.fractional, data.numbers, torch.tensor([0, 2, 1, 3]))
    assert draw(each[1]).title == "Og, 1 atom in the cell"


def test_labels_name_each_element_once() -> None:
    with pytest.raises(ArgumentError, match="each element once"):
        Protostructure.from_label("AB_cF8_225_a_b:Na-Na")


def test_samples_of_elements_without_a_volume_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    polonium, iron = (Protostructure.from_wyckoffs(221, [("a", element)]) for element in ("Po", "Fe"))

    class Model:
        def sample(self, n: int, **_: object) -> list[Protostructure]:
            return [polonium, iron]

    monkeypatch.setattr(generating, "_real", lambda quiet: (frozenset(), {26: 12.0}))
    made = generating.generate(1, 221, model=Model(), n_tries=1, quiet=True)  # type: ignore[arg-type]
    assert [one.crystal.formula for one in made.crystals] == ["Fe"]
    assert made.rejected == {"an element whose atoms have no known volume": 1}


def test_cells_with_thousands_of_atoms_have_a_report() -> None:
    edge = torch.arange(13, dtype=DOUBLE) / 13
    many = Crystal(13 * 3.35 * torch.eye(3), torch.cartesian_prod(edge, edge, edge), ["Po"] * 13**3)
    outcome = symmetry_outcome(symmetry(many, (0.01,)))
    (drawings,) = (section for section in outcome.sections if section.heading == "Drawings")
    assert len(drawings.figures) == 1  # of the conventional cell, with its one atom
    assert drawings.paragraphs == ["Cells of more than 1500 atoms are not drawn."]
    with pytest.raises(ArgumentError, match="at most 1500 atoms"):
        draw(many)
