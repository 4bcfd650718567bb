"""Copies that come as people have them: rounded far from the origin, in another cell, by the thousand; and drawings, which are refused."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch

from erlangen.actions import AtomBatch
from erlangen.errors import ArgumentError
from erlangen.groups import SO, O
from erlangen.measure.gwl import GWL, WL, AmbiguousToleranceWarning, GeometricGraph, as_graph, expressivity_report

F64 = torch.float64


def rng(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def molecule(n: int = 8) -> torch.Tensor:
    """A chain with steps of 1.5 and no symmetry."""
    steps = torch.nn.functional.normalize(torch.randn(n, 3, generator=rng(4), dtype=F64), dim=-1)
    return 1.5 * steps.cumsum(0)


CHAIN = [(i, i + 1) for i in range(7)]


# ---- rounding ----


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 1e2), (torch.float32, 1e3), (torch.float32, 1e4), (F64, 1e9)])
def test_rounded_copies_far_from_the_origin_are_the_same(dtype, far):
    pos = molecule()
    for seed in range(6):
        g = SO(3).sample(generator=rng(seed), dtype=F64)
        shift = far * torch.nn.functional.normalize(torch.randn(3, generator=rng(seed), dtype=F64), dim=0)
        near, away = pos.to(dtype), (pos @ g.T + shift).to(dtype)
        for test in (GWL("SO(3)"), GWL("SO(3)", invariant=True), GWL("SO(3)", body_order=2)):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                assert not test.compare(GeometricGraph.of(near, CHAIN), GeometricGraph.of(away, CHAIN))
                assert not test.compare(as_graph({"pos": near}, cutoff=2.5), as_graph({"pos": away}, cutoff=2.5))


@pytest.mark.parametrize(("dtype", "far"), [(torch.float32, 1e5), (torch.float32, 1e7), (F64, 1e14), (torch.float16, 100.0)])
def test_positions_too_coarse_to_answer_are_refused(dtype, far):
    pos = (molecule() + far).to(dtype)
    with pytest.raises(ArgumentError, match="'graphs'.*coordinates are large for their dtype"):
        GWL().compare(GeometricGraph.of(molecule(), CHAIN), GeometricGraph.of(pos, CHAIN))
    with pytest.raises(ArgumentError, match="'pos'.*rounding"):
        as_graph({"pos": pos}, cutoff=2.5)
    assert not WL().compare(GeometricGraph.of(molecule(), CHAIN), GeometricGraph.of(pos, CHAIN))


def test_a_tolerance_below_the_rounding_is_warned_of():
    a, b = (GeometricGraph.of((molecule() + shift).float(), CHAIN) for shift in (0.0, 1e3))
    with pytest.warns(UserWarning, match="tolerance 1.00e-06 is below the rounding"):
        assert GWL(tol=1e-6).compare(a, b)


def test_a_difference_is_still_seen_in_single_precision():
    pos = molecule().float()
    longer = pos.clone()
    longer[7] += 0.02 * torch.nn.functional.normalize(pos[7] - pos[6], dim=0)
    assert GWL().compare(GeometricGraph.of(pos, CHAIN), GeometricGraph.of(longer + 100.0, CHAIN)).iteration == 1
    # At 8000 the tolerance is 0.04: what the rounding may hide is not called the same without a word.
    with pytest.warns(AmbiguousToleranceWarning):
        assert not GWL().compare(GeometricGraph.of(pos, CHAIN), GeometricGraph.of(longer + 8000.0, CHAIN))


# ---- cells ----


@pytest.mark.parametrize("dtype", [torch.float32, F64])
@pytest.mark.parametrize("cutoff", [2.6, 5.431])  # the second is exactly a shell of silicon
def test_cells_of_one_crystal_are_the_same(dtype, cutoff):
    build = pytest.importorskip("ase.build")
    primitive, cubic = build.bulk("Si"), build.bulk("Si", cubic=True)
    double = primitive.repeat((1, 2, 1))
    for cell in (cubic, double):
        cell.rotate(37, (1, 2, 3), rotate_cell=True)
    graphs = [as_graph(AtomBatch.from_ase(cell, dtype=dtype), cutoff=cutoff) for cell in (primitive, cubic, double)]
    assert [len(g) for g in graphs] == [2, 8, 4]
    for test in (GWL("SO(3)"), GWL("SO(3)", invariant=True), GWL(body_order=3), WL()):
        assert not test.compare(graphs[0], graphs[1])
        assert test.classes(graphs).tolist() == [0, 0, 0]
    assert not expressivity_report(primitive, cubic, cutoff=cutoff, group="SO(3)", body_orders=(2, 3))


def test_cells_of_other_crystals_and_finite_pieces_are_not():
    build = pytest.importorskip("ase.build")
    salt, alloy = build.bulk("NaCl", "rocksalt", a=5.6, cubic=True), build.bulk("NaCl", "rocksalt", a=5.6).repeat((1, 1, 2))
    alloy.numbers[0] = 19
    assert GWL().compare(as_graph(salt, cutoff=3.0), as_graph(alloy, cutoff=3.0)).iteration == 0  # three kinds
    silicon = build.bulk("Si", cubic=True)
    piece = silicon.copy()
    piece.pbc = False
    assert GWL().compare(as_graph(silicon, cutoff=2.6), as_graph(piece, cutoff=2.6)).iteration == 1
    # As many atoms of a kind count in a molecule.
    two = GeometricGraph.of([[0.0, 0, 0], [1, 0, 0]], [(0, 1)])
    four = GeometricGraph.of([[0.0, 0, 0], [1, 0, 0], [0, 9, 0], [1, 9, 0]], [(0, 1), (2, 3)])
    assert GWL().compare(two, four).iteration == 0


def test_edges_of_periodic_mappings_know_their_images():
    build = pytest.importorskip("ase.build")
    batch = AtomBatch.from_ase(build.bulk("Si"), dtype=F64).with_edges(2.6)
    record = {name: value for name, value in batch.record().items() if name not in ("batch", "tags")}
    by_names, by_batch = as_graph(record), as_graph(batch)
    assert torch.equal(by_names.edge_vec, by_batch.edge_vec)
    assert by_names.periodic
    assert not GWL("SO(3)").compare(by_names, as_graph(build.bulk("Si", cubic=True), cutoff=2.6))
    del record["cell_offsets"]
    with pytest.raises(ArgumentError, match=r"periodic structure without 'edge_vec' or 'cell_offsets'"):
        as_graph(record)
    with pytest.raises(ArgumentError, match="periodic graph"):
        as_graph(by_batch, cutoff=3.0)


# ---- drawings ----


def test_drawings_of_molecules_are_refused():
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    for smiles in ("C[C@H](N)C(=O)O", "C[C@@H](N)C(=O)O", "c1ccccc1"):
        mol = chem.MolFromSmiles(smiles)
        AllChem.Compute2DCoords(mol)
        with pytest.raises(ArgumentError, match="'b'.*drawing in the plane"):
            GWL("SO(3)").compare(as_graph({"pos": molecule(), "edge_index": [[0], [1]]}), mol)
        again = chem.MolFromMolBlock(chem.MolToMolBlock(mol))
        with pytest.raises(ArgumentError, match="drawing in the plane"):
            as_graph(again, cutoff=2.0)
    # Coordinates without a third dimension that pass for a conformer in space.
    flat = chem.MolFromSmiles("C[C@H](N)C(=O)O")
    AllChem.Compute2DCoords(flat)
    flat.GetConformer().Set3D(True)
    with pytest.raises(ArgumentError, match="no handedness"):
        as_graph(flat)
    # Benzene is flat and may be.
    benzene = chem.AddHs(chem.MolFromSmiles("c1ccccc1"))
    AllChem.EmbedMolecule(benzene, randomSeed=1)
    assert len(as_graph(benzene)) == 12


# ---- many ----


@pytest.mark.parametrize("group", ["O(3)", "SO(3)"])
def test_copies_of_many_atoms(group):
    n = 800
    pos = 20.0 * torch.rand(n, 3, generator=rng(), dtype=F64)
    graph = as_graph({"pos": pos}, cutoff=2.5)
    turn = SO(3).sample(generator=rng(1), dtype=F64)
    order = torch.randperm(n, generator=rng(2))
    assert not GWL(group).compare(graph, graph.moved(turn, order=order))
    mirror = graph.moved(-turn, order=order)
    assert bool(GWL(group).compare(graph, mirror)) == (group == "SO(3)")


def test_what_a_far_atom_says_arrives_by_rank_and_depth():
    """Trees of depth t are those of a search that writes each tree out: an atom beyond a straight row turns out of its plane."""
    for row in (2, 3, 5):
        pos = [[-1.0, 1.0, 0.0], *[[1.5 * i, 0.0, 0.0] for i in range(row)]]
        ends = [[1.5 * row, 1.0, 0.0], [1.5 * row, float(np.cos(2.0)), float(np.sin(2.0))]]
        edges = [(i, i + 1) for i in range(row + 1)]
        cis, twisted = (GeometricGraph.of([*pos, end], edges) for end in ends)
        result = GWL("O(3)").compare(cis, twisted)
        # The middle of the row sees both ends first.
        assert result.iteration == row // 2 + 1
        assert not GWL("O(3)", invariant=True).compare(cis, twisted)
        mirror = twisted.moved(torch.diag(torch.tensor([1.0, 1.0, -1.0], dtype=F64)))
        assert not GWL("O(3)").compare(twisted, mirror.moved(O(3).sample(generator=rng(row), dtype=F64)))
        assert GWL("SO(3)").compare(twisted, mirror).iteration == row // 2 + 1
