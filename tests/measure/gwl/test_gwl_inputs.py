"""Graphs from PyG, ASE, RDKit and mappings; files through the command's function."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from erlangen.actions.clouds import AtomBatch
from erlangen.errors import ArgumentError, MissingExtra
from erlangen.fields.molecules import compare_structures, read_structure
from erlangen.measure.gwl import GWL, as_graph, expressivity_report, kchain

WATER = torch.tensor([[0.0, 0.0, 0.12], [0.0, 0.76, -0.48], [0.0, -0.76, -0.48]], dtype=torch.float64)


def test_mappings_and_objects_by_name() -> None:
    edges = torch.tensor([[0, 1, 0, 2], [1, 0, 2, 0]])
    wanted = as_graph({"pos": WATER, "numbers": [8, 1, 1], "edge_index": edges})
    for data in (
        SimpleNamespace(pos=WATER, z=torch.tensor([8, 1, 1]), edge_index=edges),
        {"pos": WATER, "x": torch.tensor([[8], [1], [1]]), "edge_index": edges},
        {"pos": WATER.tolist(), "labels": [8, 1, 1], "edge_index": edges.tolist(), "batch": torch.zeros(3, dtype=torch.int64)},
    ):
        graph = as_graph(data)
        assert torch.equal(graph.labels, wanted.labels)
        assert torch.equal(graph.edge_vec, wanted.edge_vec)
    withvec = as_graph({"pos": WATER, "edge_index": edges, "vec": torch.randn(3, 3)})
    assert withvec.vectors.shape == (3, 1, 3)
    assert torch.equal(as_graph({"pos": WATER, "z": [8, 1, 1]}, cutoff=1.2).labels, wanted.labels)


def test_a_cutoff_counts_in_the_plane_too() -> None:
    square = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    graph = as_graph({"pos": square}, cutoff=1.1)
    assert graph.dim == 2
    assert graph.edge_index.shape == (2, 8)


def test_edge_vectors_of_a_periodic_mapping() -> None:
    cell = 2.0 * torch.eye(3)
    graph = as_graph({"pos": torch.zeros(1, 3), "z": [1], "cell": cell, "pbc": [True] * 3}, cutoff=2.1)
    assert graph.edge_index.shape == (2, 6)
    assert graph.edge_vec.norm(dim=-1).tolist() == pytest.approx([2.0] * 6)


def test_atom_batches() -> None:
    batch = AtomBatch.of(WATER, [8, 1, 1])
    by_cutoff = as_graph(batch, cutoff=1.2)
    with_edges = as_graph(batch.with_edges(1.2))
    assert not GWL("SO(3)").compare(by_cutoff, with_edges)
    with pytest.raises(ArgumentError, match="cutoff"):
        as_graph(batch)
    with pytest.raises(ArgumentError, match="2 structures"):
        as_graph(AtomBatch.concat([batch, batch]), cutoff=1.2)


def test_pyg_data() -> None:
    geometric = pytest.importorskip("torch_geometric.data")
    edges = torch.tensor([[0, 1, 0, 2], [1, 0, 2, 0]])
    data = geometric.Data(pos=WATER, z=torch.tensor([8, 1, 1]), edge_index=edges)
    assert not GWL("SO(3)").compare(data, as_graph({"pos": WATER, "z": [8, 1, 1], "edge_index": edges}))
    both = geometric.Batch.from_data_list([data, data])
    with pytest.raises(ArgumentError, match="one graph"):
        as_graph(both)
    assert len(as_graph(both.to_data_list()[1])) == 3


def test_crystals_from_ase() -> None:
    """The same crystal by another cell, turned; a strained one; and a stacking that only the second shell shows."""
    build = pytest.importorskip("ase.build")
    primitive, cubic = build.bulk("Cu"), build.bulk("Cu", cubic=True)
    cubic.rotate(37, (1, 2, 3), rotate_cell=True)
    # All atoms are alike: the cells differ in the number of nodes only, so that one colour is all there is.
    first, second = GWL("SO(3)").colors([as_graph(primitive, cutoff=3.0), as_graph(cubic, cutoff=3.0)])
    assert set(first.tolist()) == set(second.tolist())
    strained = cubic.copy()
    strained.set_cell(cubic.cell.array * 1.01, scale_atoms=True)
    assert GWL().compare(as_graph(cubic, cutoff=3.0), as_graph(strained, cutoff=3.0)).iteration == 1
    hcp = build.bulk("Cu", "hcp", a=2.5527, c=2.5527 * (8 / 3) ** 0.5)
    fcc = build.bulk("Cu", "fcc", a=2.5527 * 2**0.5) * (1, 1, 2)
    pair = as_graph(fcc, cutoff=3.0), as_graph(hcp, cutoff=3.0)
    assert not GWL(body_order=2).compare(*pair)
    assert GWL(invariant=True).compare(*pair).iteration == 1


def test_quartz_is_chiral() -> None:
    spacegroup = pytest.importorskip("ase.spacegroup")
    options = {"basis": [(0.4697, 0, 1 / 3), (0.4135, 0.2669, 0.1191)], "cellpar": [4.916, 4.916, 5.405, 90, 90, 120]}
    right = spacegroup.crystal(["Si", "O"], spacegroup=152, **options)
    left = right.copy()
    left.set_scaled_positions(right.get_scaled_positions() * [-1, -1, -1])
    left.set_cell(right.cell)
    pair = as_graph(right, cutoff=3.5), as_graph(left, cutoff=3.5)
    assert len(pair[0]) == 9
    assert not GWL("O(3)").compare(*pair)
    assert GWL("SO(3)").compare(*pair)


def test_molecules_from_rdkit() -> None:
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    mol = chem.AddHs(chem.MolFromSmiles("C[C@H](N)C(=O)O"))
    with pytest.raises(ArgumentError, match="conformer"):
        as_graph(mol)
    AllChem.EmbedMolecule(mol, randomSeed=1)
    graph = as_graph(mol)
    assert graph.edge_index.shape[1] == 2 * mol.GetNumBonds()
    mirror = graph.moved(torch.diag(torch.tensor([1.0, 1.0, -1.0])))
    assert not GWL("O(3)").compare(graph, mirror)
    assert GWL("SO(3)").compare(mol, mirror)
    assert as_graph(mol, cutoff=3.0).edge_index.shape[1] > graph.edge_index.shape[1]


def test_files(tmp_path: Path) -> None:
    io = pytest.importorskip("ase.io")
    from ase.build import molecule

    water = molecule("CH3CH2OH")
    io.write(tmp_path / "a.xyz", water)
    water.rotate(50, (1, 1, 0))
    io.write(tmp_path / "b.xyz", water[::-1])
    report = compare_structures(tmp_path / "a.xyz", tmp_path / "b.xyz", cutoff=2.0, group="SO(3)", tol=1e-4)
    assert not report
    assert "no test tells them apart" in report.answer.lower()
    with pytest.raises(ArgumentError, match="cutoff"):
        compare_structures(tmp_path / "a.xyz", tmp_path / "b.xyz")
    with pytest.raises(ArgumentError, match="no file"):
        compare_structures(tmp_path / "a.xyz", tmp_path / "none.xyz", cutoff=2.0)
    (tmp_path / "bad.cif").write_text("nothing")
    with pytest.raises(ArgumentError, match=r"bad\.cif"):
        compare_structures(tmp_path / "bad.cif", tmp_path / "b.xyz", cutoff=2.0)


def test_sdf_files_bring_their_bonds(tmp_path: Path) -> None:
    chem = pytest.importorskip("rdkit.Chem")
    from rdkit.Chem import AllChem

    for name, smiles in (("l", "C[C@H](N)C(=O)O"), ("d", "C[C@@H](N)C(=O)O")):
        mol = chem.AddHs(chem.MolFromSmiles(smiles))
        AllChem.EmbedMolecule(mol, randomSeed=1)
        chem.MolToMolFile(mol, str(tmp_path / f"{name}.mol"))
    report = compare_structures(tmp_path / "l.mol", tmp_path / "d.mol", group="SO(3)")
    assert report.result("WL").final
    assert not report.result("WL")
    assert report.result("GWL")
    (tmp_path / "bad.sdf").write_text("nothing\n")
    with pytest.raises(ArgumentError, match=r"bad\.sdf"):
        compare_structures(tmp_path / "bad.sdf", tmp_path / "l.mol")


def test_missing_readers_say_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "ase", None)
    (file := tmp_path / "atom.xyz").write_text("1\n\nH 0 0 0\n")
    with pytest.raises(MissingExtra, match="molecules"):
        read_structure(file)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        ({"z": [1]}, "positions"),
        ({"pos": WATER}, "edge_index"),
        ({"pos": WATER, "edge_index": [[0], [1]], "x": torch.zeros(3, 5)}, "one integer"),
        (3.0, "GeometricGraph"),
    ],
)
def test_bad_inputs(data: object, match: str) -> None:
    with pytest.raises(ArgumentError, match=match):
        as_graph(data)


def test_bad_cutoffs() -> None:
    for cutoff in (0.0, -1.0, float("nan")):
        with pytest.raises(ArgumentError, match="cutoff"):
            as_graph({"pos": WATER}, cutoff=cutoff)
    with pytest.raises(ArgumentError, match="finite"):
        as_graph({"pos": WATER * float("nan")}, cutoff=1.0)


def test_reports() -> None:
    report = expressivity_report(*kchain(3))
    assert report
    assert report.groups == ("O(3)", "SO(3)")
    assert report.result("GWL", "SO(3)").iteration == 2
    assert "| GWL | 2 | 2 |" in report.to_markdown()
    assert [row["distinguished"] for row in report.to_dict()["results"]] == [False] * 10 + [True] * 2
    assert "GWL" in report.verdict().reason
    with pytest.raises(ArgumentError, match="level"):
        report.result("IGWL(9)")
    # A body order of many subsets is left out, and said so.
    cloud = {"pos": torch.randn(25, 3, generator=torch.Generator().manual_seed(0))}
    crowded = expressivity_report(cloud, cloud, cutoff=100.0, group="O(3)", body_orders=(2, 5))
    assert "IGWL(5)" in crowded.left_out[0]
    assert "Left out" in crowded.to_markdown()
    assert "left out" in str(crowded)
    assert not crowded


def test_reports_name_mirror_images() -> None:
    graph = kchain(4)[0]
    twisted = as_graph({"pos": graph.pos + torch.tensor([[0, 0, 1.0], *[[0, 0, 0]] * 5]), "edge_index": graph.edge_index})
    mirror = twisted.moved(torch.diag(torch.tensor([1.0, 1.0, -1.0])))
    assert "mirror images" in expressivity_report(twisted, mirror).answer
