"""Crystals as they come: other settings and bases, noise, supercells, rare elements, odd files."""

import pytest
import torch

from erlangen.fields.crystals import Crystal, Protostructure, conventional, moyo_symmetry, spglib_symmetry
from erlangen.fields.crystals.wyckoffdiff.realise import random_lattice

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
