"""Batches of structures: where they come from, what they refuse, and that selecting keeps edges right."""

import warnings
from types import SimpleNamespace

import pytest
import torch

from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError

F64 = torch.float64


def two():
    rng = torch.Generator().manual_seed(0)
    return AtomBatch.of(
        torch.rand(7, 3, generator=rng, dtype=F64) * 3,
        [1, 6, 8, 1, 1, 29, 78],
        batch=torch.tensor([0, 0, 0, 1, 1, 1, 1]),
        cell=torch.stack([torch.zeros(3, 3), 3.0 * torch.eye(3)]),
        tags=[0, 1, 2, 0, 0, 1, 2],
    )


def lengths(batch):
    return sorted(round(float(v), 9) for v in batch.vectors().norm(dim=-1))


def test_cells_repeat_where_they_are():
    assert two().pbc.tolist() == [[False] * 3, [True] * 3]


def test_edges_know_their_images():
    batch = two().with_edges(4.0)
    d = batch.vectors().norm(dim=-1)
    assert bool((d < 4.0).all())
    assert bool((batch.cell_offsets[batch.batch[batch.edge_index[0]] == 0] == 0).all())
    assert bool((batch.cell_offsets != 0).any())


def test_concat_and_select_undo_each_other():
    batch = two().with_edges(4.0)
    parts = [batch.select([i]) for i in range(2)]
    again = AtomBatch.concat(parts)
    for name, value in batch.record().items():
        assert torch.equal(value, again.record()[name]), name
    swapped = batch.select([1, 0])
    assert lengths(swapped.select([0])) == lengths(parts[1])
    assert swapped.numbers.tolist() == [1, 1, 29, 78, 1, 6, 8]


def test_slabs_without_their_bulk():
    batch = two().with_edges(4.0).without(0)
    assert batch.numbers.tolist() == [6, 8, 29, 78]
    assert lengths(batch) == lengths(two().without(0).with_edges(4.0))
    with pytest.raises(ArgumentError, match="'batch'"):
        two().replace(tags=torch.tensor([0, 0, 0, 1, 1, 1, 1])).without(0)


def test_from_ase():
    build = pytest.importorskip("ase.build")
    slab = build.fcc111("Cu", (2, 2, 3), vacuum=8.0)
    batch = AtomBatch.from_ase([slab, build.molecule("H2O")], dtype=F64)
    assert batch.pos.dtype == F64
    assert batch.pbc.tolist() == [[True, True, False], [False] * 3]
    assert batch.tags[:12].tolist() == [3] * 4 + [2] * 4 + [1] * 4
    assert torch.allclose(batch.cell[0], torch.as_tensor(slab.cell.array))
    assert AtomBatch.from_ase(slab).pos.dtype == torch.float32


def test_edges_of_ase_atoms_are_made_before_positions_are_rounded():
    ase = pytest.importorskip("ase")
    gap = 1e-5  # below what float32 keeps there
    atoms = ase.Atoms("H2", positions=[[900.0, 0, 0], [901.0 - gap, 0, 0]])
    edges = AtomBatch.from_ase(atoms, cutoff=1.0)
    assert edges.pos.dtype == torch.float32
    assert edges.edge_index.shape == (2, 2)
    assert AtomBatch.from_ase(atoms).with_edges(1.0).edge_index.shape == (2, 0)  # 1.0 to rounding: at the cutoff
    exact = AtomBatch.from_ase(atoms, dtype=F64)
    assert torch.equal(exact.pos, torch.as_tensor(atoms.positions))
    assert lengths(exact.with_edges(1.0)) == [round(1.0 - gap, 9)] * 2


def test_rounding_that_moves_atoms_is_warned_of():
    ase = pytest.importorskip("ase")
    atoms = ase.Atoms("H2", positions=[[1e5 / 3, 0, 0], [1e5 / 3 + 0.74, 0, 0]])
    with pytest.warns(UserWarning, match="rounding to float32 moves atoms by up to 0.00"):
        AtomBatch.from_ase(atoms)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        AtomBatch.from_ase(atoms, dtype=F64)


def test_from_pyg_names():
    batch = two().with_edges(4.0)
    data = SimpleNamespace(
        pos=batch.pos, z=batch.numbers, natoms=torch.tensor([3, 4]), cell=batch.cell, edge_index=batch.edge_index,
        cell_offsets=batch.cell_offsets, tags=batch.tags,
    )  # fmt: skip
    for again in (AtomBatch.from_pyg(data), AtomBatch.from_pyg(batch.record())):
        for name, value in batch.record().items():
            assert torch.equal(value, again.record()[name]), name


def test_from_pymatgen_names():
    lattice = SimpleNamespace(matrix=[[3.0, 0, 0], [0, 3.0, 0], [0, 0, 3.0]], pbc=(True, True, False))

    class Structure:
        cart_coords, atomic_numbers = [[0.0, 0, 0], [1.5, 1.5, 1.5]], (11, 17)

        def __init__(self, lattice=None):
            if lattice is not None:
                self.lattice = lattice

        def __len__(self):
            return 2

    batch = AtomBatch.from_pymatgen([Structure(lattice), Structure()])
    assert batch.numbers.tolist() == [11, 17, 11, 17]
    assert batch.pbc.tolist() == [[True, True, False], [False] * 3]


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"numbers": torch.tensor([0, 6, 8, 1, 1, 29, 78])}, "numbers"),
        ({"pos": torch.full((7, 3), torch.inf)}, "pos"),
        ({"batch": torch.tensor([0, 0, 0, 2, 2, 2, 2])}, "batch"),
        ({"batch": torch.tensor([0] * 7)}, "batch"),
        ({"batch": torch.tensor([-1] * 7)}, "batch"),
        ({"cell": torch.zeros(2, 3, 3)}, "cell"),
        ({"edge_index": torch.tensor([[0], [7]]), "cell_offsets": torch.zeros(1, 3)}, "edge_index"),
        ({"edge_index": torch.tensor([[0], [1]])}, "cell_offsets"),
        ({"tags": torch.zeros(3)}, "tags"),
    ],
)
def test_refusals_name_the_argument(change, argument):
    with pytest.raises(ArgumentError, match=f"'{argument}'"):
        two().replace(**change)


def test_what_is_empty_or_missing():
    with pytest.raises(ArgumentError, match="'pos'"):
        AtomBatch.of(torch.zeros(0, 3), [])
    with pytest.raises(ArgumentError, match="'batch'"):
        two().vectors()
    with pytest.raises(ArgumentError, match="'numbers'"):
        AtomBatch.from_pyg(SimpleNamespace(pos=torch.zeros(1, 3)))
    with pytest.raises(ArgumentError, match="'atoms'"):
        AtomBatch.from_ase([])
