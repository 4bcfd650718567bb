"""Files of solids: what is written comes back, units are said, and broken files end in one message."""

import numpy as np
import pytest
import torch

pytest.importorskip("trimesh")
pytest.importorskip("meshio")

import trimesh

from erlangen.errors import ArgumentError
from erlangen.fields.solids import TetMesh, box
from erlangen.fields.solids.files import boundary, read_surface, read_tets, write_surface, write_tets
from erlangen.fields.solids.surface import TriMesh


@pytest.fixture
def ball():
    return TriMesh.from_trimesh(trimesh.creation.icosphere(2, 0.0123456789123)).moved((0.1, 0.2, 1 / 3))


@pytest.mark.parametrize(("suffix", "error"), [("stl", 1e-7), ("obj", 1e-15), ("ply", 1e-7), ("3mf", 1e-15), ("off", 1e-15)])
def test_surfaces_come_back(tmp_path, ball, suffix, error):
    path = write_surface(ball, tmp_path / f"ball.{suffix}", "mm")
    back = read_surface(path, None if suffix == "3mf" else "mm")
    assert len(back.vertices) == len(ball.vertices)
    assert back.volume == pytest.approx(ball.volume, rel=1e-4 if error > 1e-10 else 1e-12)
    assert (
        float(torch.cdist(back.vertices, ball.vertices, compute_mode="donot_use_mm_for_euclid_dist").min(1).values.max()) <= error
    )
    assert list(tmp_path.iterdir()) == [path]


def test_a_3mf_file_says_its_unit(tmp_path, ball):
    path = write_surface(ball, tmp_path / "ball.3mf")
    assert float(read_surface(path).extents[0]) == pytest.approx(2 * 0.0123456789123, rel=1e-12)
    with pytest.raises(ArgumentError, match="'units'.*millimeter"):
        read_surface(path, "m")


@pytest.mark.parametrize("suffix", ["msh", "vtu", "vtk", "veg"])
def test_tetrahedra_come_back_with_all_digits(tmp_path, suffix):
    mesh = box((0.1, 0.2, 1 / 3), (2, 2, 3))
    path = write_tets(mesh, tmp_path / f"box.{suffix}", "m", point_data={"u": mesh.vertices}, cell_data={"s": mesh.volumes()})
    back = read_tets(path, "m")
    assert torch.equal(back.vertices, mesh.vertices)
    assert torch.equal(back.tets, mesh.tets)
    assert float(read_tets(path, "mm").volume()) == pytest.approx(mesh.volume() * 1e-9, rel=1e-12)


def test_msh_files_are_gmshs(tmp_path):
    """meshio 5.3.5 writes .msh as ANSYS Fluent if it is not told, and reads it back without a word."""
    path = write_tets(box((1.0, 1.0, 1.0), (1, 1, 1)), tmp_path / "box.msh")
    assert path.read_bytes().startswith(b"$MeshFormat")


def test_tetrahedra_of_other_meshers_are_turned(tmp_path):
    mesh = box((1.0, 1.0, 1.0), (1, 1, 2))
    import meshio

    negative = mesh.tets[:, [1, 0, 2, 3]].numpy()
    points = np.concatenate([mesh.vertices.numpy(), [[9.0, 9, 9]]])
    meshio.Mesh(points, [("tetra", negative), ("triangle", negative[:, :3])]).write(tmp_path / "a.vtu")
    back = read_tets(tmp_path / "a.vtu", "m")
    assert float(back.volumes().min()) > 0
    assert back.n_vertices == mesh.n_vertices


def test_a_boundary_faces_outwards():
    mesh = box((0.1, 0.2, 0.3), (2, 2, 2))
    assert boundary(mesh).volume == pytest.approx(0.006, rel=1e-12)
    assert isinstance(mesh, TetMesh)


@pytest.mark.parametrize(
    ("name", "content", "units", "said"),
    [
        ("none.stl", None, "mm", "an existing file"),
        ("a.dwg", b"", "mm", r"ends with one of \.stl"),
        ("a.stl", b"", "mm", "'path'"),
        ("a.stl", b"rubbish" * 50, "mm", "'path'"),
        ("a.3mf", b"rubbish", None, r"readable \.3mf"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 nan 0\nf 1 2 3\n", "mm", "finite coordinates"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 2 0\nf 1 2 3\n", None, "'units'.*1 x 2 x 0"),
        ("a.obj", b"v 0 0 0\nv 1 0 0\nv 0 2 0\nf 1 2 3\n", "ft", "one of mm, cm, m, in"),
    ],
)
def test_bad_surfaces_are_named(tmp_path, name, content, units, said):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ArgumentError, match=said):
        read_surface(tmp_path / name, units)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.msh", b"rubbish", r"readable \.msh"),
        ("a.vtu", b"<VTKFile>", r"readable \.vtu"),
        ("a.veg", b"*VERTICES\n2 3 0 0\n1 0 0 0\n", r"readable \.veg"),
        ("a.veg", b"*VERTICES\n1 3 0 0\n1 0 0 0\n*ELEMENTS\nCUBIC\n0 8 0\n", "CUBIC"),
    ],
)
def test_bad_tetrahedra_are_named(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ArgumentError, match=said):
        read_tets(tmp_path / name, "mm")
