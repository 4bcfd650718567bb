"""Niggli cells: shortest bases, the same crystal, and its hand."""

import pytest
import torch

from erlangen.fields.crystals import Crystal
from erlangen.fields.crystals.niggli import niggli

spglib = pytest.importorskip("spglib")


def quartz(sign=1):
    """Low quartz, P3_121 (152) or its mirror image."""
    cell = torch.tensor([[4.913, 0, 0], [-2.4565, 4.2548, 0], [0, 0, 5.405]], dtype=torch.float64)
    u, x, y, z = 0.4697, 0.4133, 0.2672, 0.1188
    places = [[u, 0, 1 / 3], [0, u, 2 / 3], [-u, -u, 0], [x, y, z + 1 / 3 - 1 / 3], [-y, x - y, z + 1 / 3], [y - x, -x, z + 2 / 3]]
    places += [[y, x, -z], [x - y, -y, -z + 2 / 3], [-x, y - x, -z + 1 / 3]]
    # positions of group 152 with the silicon at (u, 0, 1/3) need oxygens shifted by 1/3 along c
    fractional = torch.tensor(places, dtype=torch.float64)
    fractional[3:, 2] += torch.tensor([1 / 3] * 3 + [-1 / 3] * 3)
    return Crystal(cell, sign * fractional, [14] * 3 + [8] * 6)


def group(crystal):
    return spglib.get_spacegroup((crystal.cell.numpy(), crystal.fractional.numpy(), crystal.numbers.numpy()), symprec=1e-2)


def distances(crystal):
    steps = torch.cartesian_prod(*[torch.arange(-5.0, 6, dtype=torch.float64)] * 3)
    d = (crystal.fractional.unsqueeze(0) - crystal.fractional.unsqueeze(1)).unsqueeze(2) + steps
    return (d @ crystal.cell).norm(dim=-1).flatten().sort().values[:80]


def test_any_basis_of_a_lattice_is_reduced_to_one():
    rng = torch.Generator().manual_seed(0)
    one = Crystal.from_parameters((3.1, 4.2, 5.3), (81, 77, 68), torch.rand(4, 3, generator=rng), [8, 8, 22, 56])
    change = torch.tensor([[1.0, 0, 0], [1, 1, 0], [0, 1, 1]], dtype=torch.float64)
    for sign in (1, -1):
        moved = sign * change
        other = Crystal(moved @ one.cell, one.fractional @ torch.linalg.inv(moved), one.numbers)
        a, b = niggli([one])[0], niggli([other])[0]
        assert torch.allclose(a.cell, b.cell, atol=1e-8)
        assert torch.allclose(distances(other), distances(b), atol=1e-6)
        assert b.is_right_handed


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("left", [False, True])
def test_the_hand_is_kept(mirror, left):
    one = quartz(-1 if mirror else 1)
    first = group(one)
    assert first.startswith(("P3_121", "P3_221"))
    if left:
        swap = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]], dtype=torch.float64)
        one = Crystal(swap @ one.cell, one.fractional @ swap, one.numbers)
        assert not one.is_right_handed
    assert group(niggli([one])[0]) == first


def test_columns_stay():
    from erlangen.fields.crystals import CrystalDataset

    data = CrystalDataset.from_structures([quartz(), quartz(-1)], name=["right", "left"])
    assert niggli(data).columns["name"].tolist() == ["right", "left"]
