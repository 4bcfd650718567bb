"""What counts as a possible crystal."""

import pytest
import torch

from erlangen.fields.crystals import Crystal
from erlangen.fields.crystals.validity import smact14_valid, structure_valid


@pytest.mark.parametrize(
    ("formula", "valid"),
    [
        ("NaCl", True),
        ("Na4Cl4", True),
        ("NaCl2", False),
        ("BaTiO3", True),
        ("Fe", True),
        ("CuAu", True),
        ("KO3", False),
        ({11: 1, 17: 1}, True),
    ],
)
def test_charges(formula, valid):
    pytest.importorskip("smact")
    assert smact14_valid(formula) == valid


def pair(d, cell=None):
    cell = 3 * torch.eye(3, dtype=torch.float64) if cell is None else cell
    return Crystal(cell, torch.tensor([[0.0, 0, 0], d], dtype=torch.float64), ["Na", "Cl"])


def test_overlaps_are_seen_across_the_boundary():
    assert structure_valid(pair([0.5, 0.5, 0.5]))
    assert not structure_valid(pair([0.1, 0.0, 0.0]))
    assert not structure_valid(pair([0.9, 0.9, 0.95]))
    assert not structure_valid(pair([1.0, 1.0, 0.0]))


def test_overlaps_are_seen_in_skewed_cells():
    # The atom is 0.3 angstrom from an image three cells away along a.
    cell = torch.tensor([[1.0, 0, 0], [2.9, 1.0, 0], [0, 0, 5]], dtype=torch.float64)
    assert structure_valid(pair([0.5, 0.5, 0.5], cell))
    target = torch.tensor([3.1, 1.0, 0.0], dtype=torch.float64) @ torch.linalg.inv(cell)
    assert not structure_valid(pair(target.tolist(), cell))


def test_flat_cells():
    assert not structure_valid(pair([0.5, 0.5, 0.5], torch.diag(torch.tensor([3.0, 3.0, 0.01], dtype=torch.float64))))


def test_a_crystal_of_one_atom_is_valid():
    assert structure_valid(Crystal(2 * torch.eye(3), torch.zeros(1, 3), ["Po"]))
