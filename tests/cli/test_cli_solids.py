"""``erlangen stand`` and ``erlangen rest-shape`` as a user meets them."""

import json

import pytest
import torch

pytest.importorskip("trimesh")
pytest.importorskip("tetgen")

from prompt import call

from erlangen.fields import solids


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A block of 20 mm that leans so far that it falls: as a surface, with a hole, and as tetrahedra."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    mesh = solids.box((0.02, 0.02, 0.02), (3, 3, 3))
    vertices = mesh.vertices.clone()
    vertices[:, 0] += 1.2 * vertices[:, 2]
    mesh = solids.TetMesh(vertices, mesh.tets)
    surface = solids.boundary(mesh)
    solids.write_surface(surface, tmp_path / "block.stl", "mm")
    solids.write_surface(surface, tmp_path / "block.3mf")
    top = surface.vertices[surface.triangles][:, :, 2].amin(1) > 0.019
    holed = solids.TriMesh(surface.vertices, surface.triangles[~top | (torch.arange(len(top)) % 2 == 0)])
    solids.write_surface(holed, tmp_path / "holed.ply", "mm")
    solids.write_tets(mesh, tmp_path / "block.msh", "m")
    return tmp_path


@pytest.mark.parametrize("name", ["block.stl --units mm", "block.3mf", "holed.ply --units mm", "block.msh --units m"])
def test_a_leaning_block_stands_and_is_written(files, capsys, name):
    model, *units = name.split()
    code, out, err = call(capsys, "stand", files / model, *units, "--angle", 8, "--size", 6, "--out", files / "runs", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert not told["before"]["stands"]
    assert told["after"]["tipping angle"] == pytest.approx(8, abs=1e-6)
    assert told["rest shape"]["status"] == "stable"
    if "drop test" in told:
        assert [told["drop test"][when]["upright"] for when in ("before", "after")] == [False, True]
    assert bool(told["model"]["faults"]) == model.startswith("holed")
    folder = next((files / "runs" / "stand").iterdir())
    printed = solids.read_surface(folder / "print.3mf")
    assert solids.examine(printed).sound
    # Turned up about its base, it is as tall as its edge is long at most.
    assert 0.02 < float(printed.extents[2]) < 0.0313
    assert solids.read_tets(folder / "standing.vtu", "m").n_vertices > 60
    assert (folder / "print.stl").stat().st_size > 1000
    assert "mesh3d" in (folder / "report.html").read_text()


def test_a_soft_block_has_a_rest_shape_that_sags_to_it(files, capsys):
    code, out, err = call(
        capsys, "rest-shape", files / "block.msh", "--units", "m", "--material", "soft silicone", "--out", files / "runs", "--quiet"
    )
    assert code == 0, err
    assert "it sags to the wanted shape, and stays there" in out
    assert "rho g L / E" in out
    folder = next((files / "runs" / "rest-shape").iterdir())
    rest, wanted = solids.read_tets(folder / "rest.vtu", "m"), solids.read_tets(files / "block.msh", "m")
    of = solids.substance("soft silicone").material()
    sagged = solids.solve_static(rest, of, fixed=solids.supports(wanted))
    middle = (wanted.vertices.amin(0) + wanted.vertices.amax(0)) / 2
    there = wanted.vertices - torch.tensor([float(middle[0]), float(middle[1]), 0.0])
    assert float((sagged.mesh.vertices - there).norm(dim=1).max()) < 1e-8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("stand", "none.stl"), "MODEL: expected an existing file"),
        (("stand", "block.stl"), "--units: expected the unit of the file's lengths"),
        (("stand", "block.stl", "--units", "mm", "--material", "cheese"), "--material: expected one of pla"),
        (("stand", "block.stl", "--units", "mm", "--angle", "79"), "--angle: expected one that a base"),
        (("stand", "block.3mf", "--flatten", "30"), "--flatten: expected"),
        (("rest-shape", "block.3mf", "--size", "-1"), "--size: expected a positive length"),
        (("stand", "block.3mf", "--poisson", "0.5"), "--poisson: expected a number between -1 and 0.5"),
        (("stand", "block.3mf", "--young", "-1"), "--young: expected a positive number"),
        (("stand", "block.3mf", "--cells", "4"), "--cells: expected 8 to 160"),
        (("stand", "block.3mf", "--triangles", "4"), "--triangles: expected 100 or more"),
        (("rest-shape", "tip.stl", "--units", "mm"), "MODEL: expected a body that touches the ground in an area"),
        (("rest-shape", "two.stl", "--units", "mm"), "MODEL: expected one body; got 2 parts that do not touch"),
    ],
)
def test_bad_input_is_one_line(files, capsys, monkeypatch, words, said):
    a = solids.boundary(solids.box((0.01, 0.01, 0.01), (1, 1, 1)))
    two = solids.TriMesh(torch.cat([a.vertices, a.vertices + 0.05]), torch.cat([a.triangles, a.triangles + len(a.vertices)]))
    solids.write_surface(two, files / "two.stl", "mm")
    corner = torch.tensor([[0, 0, 0], [0.01, 0, 0.01], [0, 0.01, 0.01], [-0.01, -0.01, 0.01]], dtype=torch.float64)
    solids.write_surface(solids.TetMesh(corner, torch.tensor([[0, 1, 2, 3]])), files / "tip.stl", "mm")
    monkeypatch.chdir(files)
    code, _, err = call(capsys, *words, "--out", files / "runs")
    assert code == 2
    assert said in err
    # Before it the size of what is solved, where it came so far.
    assert len([line for line in err.strip().splitlines() if " unknowns; " not in line]) == 1


def test_a_picture_has_a_rest_shape(files, capsys):
    import numpy as np
    from PIL import Image

    rows, columns = np.indices((90, 90)) - 44.5
    egg = (rows / 36) ** 2 + (columns / (26 + rows / 8)) ** 2 < 1
    Image.fromarray(np.where(egg, 30, 230).astype(np.uint8)).save(files / "egg.png")
    words = (
        "rest-shape",
        files / "egg.png",
        "--height",
        60,
        "--flatten",
        4,
        "--how",
        "revolve",
        "--material",
        "soft silicone",
        "--size",
        12,
    )
    code, out, err = call(capsys, *words, "--out", files / "runs", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert "body of revolution is assumed" in told["model"]["done"][0]
    assert told["rest shape"]["status"] == "stable"
    assert told["naive"]["largest"] > 1e-4
    code, _, err = call(capsys, "rest-shape", files / "egg.png", "--out", files / "runs")
    assert code == 2
    assert "--height: expected" in err


def test_a_body_that_is_too_soft_ends_with_the_load_it_bears(files, capsys):
    words = ("rest-shape", files / "block.msh", "--units", "m", "--young", 60, "--size", 8, "--out", files / "runs")
    code, out, err = call(capsys, *words)
    assert code == 0, err
    assert "too soft for its weight" in out
    # The leaning block is held as if glued.
    assert "let go, it falls over" in out
    assert "to print" not in out
    assert "tetrahedra" in err
    assert "unknowns" in err
    folder = next((files / "runs" / "rest-shape").iterdir())
    assert not list(folder.glob("print.*"))
    assert "with values of your own" in (folder / "report.html").read_text()
