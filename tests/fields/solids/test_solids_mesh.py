"""Tetrahedral meshes: orientation, surface, parts, errors that name what is wrong."""

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.solids import TetMesh, beam, box, column, mirrored

CORNER = [[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]]


def signed_volume(mesh: TetMesh) -> float:
    a, b, c = mesh.vertices[mesh.surface()].unbind(1)
    return float((a * torch.linalg.cross(b, c)).sum()) / 6


@pytest.mark.parametrize("mesh", [box((0.3, 0.2, 0.1), (3, 2, 4)), column(0.2, 0.02, (2, 20)), beam(0.1, 0.02, (5, 2))])
def test_boxes_fill_space_and_their_surface_faces_outward(mesh):
    assert mesh.check() is mesh
    assert float(mesh.volumes().min()) > 0
    assert mesh.volume() == pytest.approx(float(mesh.size().prod()), rel=1e-12)
    assert signed_volume(mesh) == pytest.approx(mesh.volume(), rel=1e-12)
    torch.testing.assert_close(mesh.centroid(), (mesh.vertices.amax(0) + mesh.vertices.amin(0)) / 2)


def test_a_mirrored_body_is_bitwise_invariant_and_fits_together():
    mesh = mirrored(box((0.1, 0.2, 0.3), (2, 2, 3), (0.0, -0.1, 0.0)))
    image = mesh.vertices * torch.tensor([-1.0, 1, 1], dtype=torch.float64)
    assert {tuple(x) for x in mesh.vertices.tolist()} == {tuple(x) for x in (image + 0.0).tolist()}
    assert mesh.check().volume() == pytest.approx(2 * 0.1 * 0.2 * 0.3)
    slanted = mirrored(box((0.1, 0.2, 0.3), (1, 1, 1)), (1.0, 0.0, 0.0))
    assert len(slanted) == 12


def test_orders_of_vertices_are_made_positive_but_inverted_tetrahedra_are_refused():
    whole = box((1.0, 1.0, 1.0), (2, 2, 2))
    mixed = whole.tets.clone()
    mixed[::3] = mixed[::3][:, [0, 2, 1, 3]]
    assert float(TetMesh(whole.vertices, mixed).volumes().min()) > 0
    moved = whole.vertices.clone()
    middle = int(((moved - 0.5).abs().sum(1) == 0).nonzero())
    moved[middle] = torch.tensor([1.5, 0.5, 0.5], dtype=torch.float64)
    with pytest.raises(ArgumentError, match=r"'tets'.*inverted one at tetrahedron \d+"):
        TetMesh(moved, whole.tets)
    with pytest.raises(ArgumentError, match=r"'vertices'.*inverts tetrahedron \d+"):
        whole.moved(moved)


def test_refinement_by_scikit_fem_mixes_signs_and_is_oriented_here():
    skfem = pytest.importorskip("skfem")
    fine = skfem.MeshTet().refined(2)
    edges = torch.tensor(fine.p.T)[torch.tensor(fine.t.T.astype("int64"))]
    signs = (edges[:, 1:] - edges[:, :1]).det().sign()
    assert {-1.0, 1.0} == set(signs.tolist())  # the engine mixes them, skfem 12
    mesh = TetMesh(fine.p.T, fine.t.T).check()
    assert mesh.volume() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("vertices", "tets", "message"),
    [
        ([*CORNER[:3], [0, float("nan"), 1]], [[0, 1, 2, 3]], "'vertices'.*at vertex 3"),
        (CORNER, [[0, 1, 2, 4]], r"'tets'.*indices from 0 to 3.*\[0, 1, 2, 4\] at tetrahedron 0"),
        (CORNER, [[0, 1, 2, -1]], "'tets'.*at tetrahedron 0"),
        ([*CORNER, [1, 1, 0]], [[0, 1, 2, 3], [0, 1, 2, 4]], "'tets'.*volume.*at tetrahedron 1"),
        (CORNER, [[0, 1, 2, 2]], "'tets'.*volume"),
        ([*CORNER, [5, 5, 5]], [[0, 1, 2, 3]], "'vertices'.*at vertex 4.*of_used"),
        (CORNER, [[0.0, 1, 2, 3]], "'tets'.*integer"),
        (CORNER, [[0, 1, 2]], "'tets'.*shape"),
        ([[0, 0], [1, 1]], [[0, 1, 2, 3]], "'vertices'.*shape"),
    ],
)
def test_errors_name_the_argument_and_the_place(vertices, tets, message):
    with pytest.raises(ArgumentError, match=message):
        TetMesh(vertices, tets)


def test_a_face_of_three_tetrahedra_is_refused():
    vertices = [*CORNER, [0, 0, -1.0], [0.3, 0.3, 2.0]]
    with pytest.raises(ArgumentError, match="faces of one tetrahedron or two"):
        TetMesh(vertices, [[0, 1, 2, 3], [0, 1, 2, 4], [0, 1, 2, 5]]).check()


def test_parts_are_numbered_by_their_first_vertices():
    one = box((1.0, 1, 1), (1, 1, 1))
    two = TetMesh(torch.cat([one.vertices + 3, one.vertices]), torch.cat([one.tets, one.tets + 8]))
    assert two.components().tolist() == [0] * 8 + [1] * 8
    assert len(two.surface()) == 24


@pytest.mark.parametrize(
    ("half", "message"),
    [(box((1.0, 1, 1), (2, 1, 1), (-0.5, 0, 0)), "one side"), (box((1.0, 1, 1), (1, 1, 1), (0.5, 0, 0)), "touches the plane")],
)
def test_halves_that_cannot_be_mirrored(half, message):
    with pytest.raises(ArgumentError, match=message):
        mirrored(half)
