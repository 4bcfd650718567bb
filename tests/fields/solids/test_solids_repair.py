"""Broken surfaces are named and mended; tetrahedra fill what is sound."""

import numpy as np
import pytest
import torch

pytest.importorskip("trimesh")
pytest.importorskip("manifold3d")
pytest.importorskip("tetgen")

import trimesh

from erlangen.errors import ArgumentError
from erlangen.fields.solids.remesh import isosurface, simplify, wrap
from erlangen.fields.solids.repair import examine, repair, winding
from erlangen.fields.solids.surface import TriMesh
from erlangen.fields.solids.tetrahedra import tetrahedralize


def of(*meshes):
    return TriMesh.from_trimesh(trimesh.util.concatenate(list(meshes)))


def cube(shift=(0, 0, 0), size=1.0):
    made = trimesh.creation.box((size, size, size))
    made.apply_translation(shift)
    return made


def test_holes_are_found_and_filled():
    ball = TriMesh.from_trimesh(trimesh.creation.icosphere(2))
    holed = TriMesh(ball.vertices, ball.triangles[3:])
    found = examine(holed)
    assert found.open_edges >= 5
    assert any("hole" in fault for fault in found.faults)
    mended = repair(holed)
    assert mended.after.sound
    assert mended.surface.volume == pytest.approx(ball.volume, rel=0.01)
    assert "filled" in mended.done[0]


def test_winding_is_made_consistent_and_outwards():
    ball = TriMesh.from_trimesh(trimesh.creation.icosphere(2))
    triangles = ball.triangles.clone()
    triangles[::3] = triangles[::3].flip(1)
    found = examine(TriMesh(ball.vertices, triangles))
    assert found.flipped > 0
    mended = repair(TriMesh(ball.vertices, triangles))
    assert mended.after.sound
    assert mended.surface.volume == pytest.approx(ball.volume, rel=1e-12)
    inside_out = TriMesh(ball.vertices, ball.triangles.flip(1))
    assert examine(inside_out).faults == ("inside out",)
    assert repair(inside_out).surface.volume == pytest.approx(ball.volume, rel=1e-12)


def test_parts_that_cross_are_united_and_cavities_stay():
    crossing = of(cube(), cube((0.5, 0.3, 0.2)))
    assert examine(crossing).crossings > 0
    mended = repair(crossing)
    assert mended.after.sound
    assert mended.surface.volume == pytest.approx(2 - 0.5 * 0.7 * 0.8, rel=1e-12)
    hole = cube(size=0.5)
    hole.invert()
    hollow = of(cube(), hole)
    assert examine(hollow).sound
    kept = repair(hollow)
    assert kept.done == ()
    assert kept.surface.volume == pytest.approx(1 - 0.125, rel=1e-12)
    mesh = tetrahedralize(hollow, size=0.4, cache=False)
    assert mesh.volume() == pytest.approx(1 - 0.125, rel=1e-9)
    swallowed = repair(of(cube(), cube(size=0.5)))
    assert swallowed.surface.volume == pytest.approx(1, rel=1e-12)


def test_repeated_and_degenerate_triangles_go():
    a = TriMesh.from_trimesh(cube())
    triangles = torch.cat([a.triangles, a.triangles[:1], torch.tensor([[0, 0, 1]])])
    found = examine(TriMesh(a.vertices, triangles))
    assert (found.degenerate, found.repeated) == (1, 1)
    assert repair(TriMesh(a.vertices, triangles)).after.sound


def test_what_cannot_be_mended_is_named_and_can_be_wrapped():
    """Three walls at one edge enclose no volume; a surface with a large gap gets a new one around it."""
    fin = TriMesh(
        torch.tensor([[0.0, 0, 0], [1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1]]), torch.tensor([[0, 1, 2], [0, 1, 3], [0, 1, 4]])
    )
    assert examine(fin).first_non_manifold == (0, 1)
    with pytest.raises(ArgumentError, match="'surface'.*non-manifold edge.*0 and 1"):
        tetrahedralize(fin)
    ball = TriMesh.from_trimesh(trimesh.creation.icosphere(3))
    bowl = TriMesh(ball.vertices, ball.triangles[(ball.vertices[ball.triangles][:, :, 2].amin(1) < 0.7)])
    around = wrap(bowl, 24)
    assert examine(around).sound
    assert 0.75 * ball.volume < around.volume < 1.05 * ball.volume


def test_an_isosurface_faces_outwards():
    """scikit-image's marching cubes winds inwards."""
    axis = np.linspace(-1, 1, 21)
    x, y, z = np.meshgrid(axis, axis, axis, indexing="ij")
    ball = isosurface(0.8 - np.sqrt(x**2 + y**2 + z**2), 0.1, np.array([-1.0, -1, -1]))
    assert ball.volume == pytest.approx(4 / 3 * np.pi * 0.8**3, rel=0.02)
    assert float(ball.vertices.mean(0).norm()) < 1e-3
    with pytest.raises(ArgumentError, match="border"):
        isosurface(np.ones((4, 4, 4)), 1.0, np.zeros(3))


def test_winding_numbers_tell_inside():
    ball = TriMesh.from_trimesh(trimesh.creation.icosphere(2))
    assert winding(ball, [[0, 0, 0], [0.5, 0.2, 0], [2, 0, 0]]) == pytest.approx([1, 1, 0], abs=1e-12)


def test_a_mirrored_mesh_is_exactly_invariant():
    bone = TriMesh.from_trimesh(trimesh.creation.capsule(height=0.05, radius=0.02, count=(12, 12))).moved((0, 0, -0.025))
    mesh = tetrahedralize(bone, size=0.012, mirror=(1, 0, 0), cache=False)
    points = {tuple(v) for v in mesh.vertices.tolist()}
    assert {(-x, y, z) for x, y, z in points} == points
    assert mesh.volume() == pytest.approx(bone.volume, rel=1e-9)
    assert float(mesh.volumes().min()) > 0


def test_meshes_are_cached_by_content(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    ball = TriMesh.from_trimesh(trimesh.creation.icosphere(2, 0.01))
    first = tetrahedralize(ball, size=0.005)
    (kept,) = (tmp_path / "erlangen" / "tetrahedra").iterdir()
    again = tetrahedralize(ball, size=0.005)
    assert torch.equal(first.vertices, again.vertices)
    kept.write_bytes(b"damaged")
    assert torch.equal(first.tets, tetrahedralize(ball, size=0.005).tets)


def test_simplified_surfaces_stay_closed():
    ball = TriMesh.from_trimesh(trimesh.creation.icosphere(4, 0.01))
    few = simplify(ball, 800)
    assert 100 < len(few.triangles) <= 800
    assert examine(few).sound
    assert few.volume == pytest.approx(ball.volume, rel=0.03)
