"""From files that anyone made to bodies: what is lost or left on the way is told, and materials say where their numbers are from."""

import sys
import warnings

import numpy as np
import pytest
import torch

pytest.importorskip("trimesh")
pytest.importorskip("manifold3d")
pytest.importorskip("tetgen")

from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.fields import solids


def test_materials_say_where_their_numbers_are_from():
    for name, of in solids.SUBSTANCES.items():
        assert of.material().E.mean() == of.E, name
        assert of.strength is None or of.strength > 0
        assert "round value" in of.source or any(mark in of.source for mark in (".", ":")), name
    # The source of the two defaults has no strength.
    assert solids.substance("soft").strength is None
    assert solids.substance("stiff").strength is None
    assert solids.substance("soft silicone").strength is None


def test_values_of_your_own_replace_the_typical_ones():
    own = solids.substance("PLA", young=2.2e9, density=900)
    assert (own.E, own.nu, own.rho, own.strength) == (2.2e9, solids.substance("pla").nu, 900, None)
    assert own.source.startswith("Young's modulus, density as given; the others: printed specimens")
    assert solids.substance("pla", density=900).strength == solids.substance("pla").strength
    assert solids.substance("pla", 1e6, 0.0, 1, 2).source == "Young's modulus, Poisson's ratio, density, strength as given"
    for bad in (
        {"young": 0.0},
        {"young": float("nan")},
        {"poisson": 0.5},
        {"poisson": -1.0},
        {"density": -3.0},
        {"strength": float("inf")},
    ):
        with pytest.raises(ArgumentError, match=f"'{next(iter(bad))}'"):
            solids.substance("pla", **bad)


def test_what_a_new_surface_leaves_out_is_told():
    """A ball with a speck beside it: the speck is lost, and that is said."""
    ball = solids.TriMesh.from_trimesh(engine("solids", "trimesh").creation.icosphere(2, 1.0))
    both = solids.TriMesh(
        torch.cat([ball.vertices, 0.15 * ball.vertices + torch.tensor([1.5, 0, 0])]),
        torch.cat([ball.triangles, ball.triangles + len(ball.vertices)]),
    )
    with pytest.warns(UserWarning, match="leaves out 1 piece with less than 1% of the largest"):
        around = solids.wrap(both, 40)
    assert around.volume == pytest.approx(ball.volume, rel=0.03)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        solids.wrap(ball, 24)
    done = solids.prepare(both, rewrap=True, flatten=0.2, cache=False).done
    assert "new surface around it, on a grid of 40 cells, so that what is thinner than" in done[0]
    assert "leaves out 1 piece" in done[1]


def test_a_broken_surface_that_is_inside_out_gets_a_new_one_too():
    ball = engine("solids", "trimesh").creation.icosphere(2, 0.01)
    bars = [
        solids.TriMesh.from_trimesh(engine("solids", "trimesh").creation.box(size))
        for size in ((0.03, 0.004, 0.004), (0.004, 0.03, 0.004))
    ]
    parts = [solids.TriMesh.from_trimesh(ball), *bars]
    shift, faces, points = 0, [], []
    for part in parts:
        faces.append(part.triangles + shift)
        points.append(part.vertices)
        shift += len(part.vertices)
    surface = solids.TriMesh(torch.cat(points), torch.cat(faces))
    wanted = solids.wrap(surface, 40)
    found = solids.wrap(solids.TriMesh(surface.vertices, surface.triangles.flip(1)), 40)
    assert solids.examine(found).sound
    assert found.volume == pytest.approx(wanted.volume, rel=1e-3)


def test_a_simplification_that_fails_is_told(monkeypatch):
    from erlangen.fields.solids import prepare as module

    ball = solids.TriMesh.from_trimesh(engine("solids", "trimesh").creation.icosphere(3, 0.01))
    crossed = solids.TriMesh(ball.vertices, ball.triangles[:-1])
    monkeypatch.setattr(sys.modules["erlangen.fields.solids.prepare"], "simplify", lambda surface, triangles: crossed)
    done = module(ball, flatten=0.001, triangles=1200, cache=False).done
    assert done[0].startswith("kept all 1280 triangles, since with fewer there are 1 hole")


def test_large_bodies_are_drawn_with_fewer_triangles():
    from erlangen.fields.solids.drawing import Shown, _clustered, draw
    from erlangen.reporting.meshes import MOST_TRIANGLES

    mesh = solids.box((1.0, 1.0, 1.0), (60, 60, 2))
    assert 6 * len(mesh.surface()) > MOST_TRIANGLES
    figure = draw({str(i): Shown(mesh, mesh.vertices[:, 0]) for i in range(6)}, title="many", colour_label="m").plotly_figure
    assert sum(len(trace.i) for trace in figure.data if trace.type == "mesh3d") <= MOST_TRIANGLES
    assert all(np.abs(np.asarray(t.intensity) - np.asarray(t.x) / 1000).max() < 10 for t in figure.data if t.type == "mesh3d")
    points, triangles = _clustered(mesh.vertices.numpy(), mesh.surface().numpy(), 1000)
    assert 100 < len(triangles) <= 1000
    assert triangles.max() < len(points)


def test_the_scale_of_colours_leaves_room():
    """A long title over it pushed the bodies out of a narrow page: the unit stands there, the meaning below."""
    from erlangen.fields.solids.drawing import Shown, draw

    mesh = solids.box((0.1, 0.1, 0.1), (1, 1, 1))
    figure = draw({"a": Shown(mesh, mesh.vertices[:, 0])}, title="one", colour_label="off the wanted shape, mm")
    assert figure.plotly_figure.layout.coloraxis.colorbar.title.text == "mm"
    assert figure.caption.startswith("Colours: off the wanted shape, mm. ")
    assert "Colours" not in draw({"a": Shown(mesh)}, title="one", colour_label="moved, mm").caption


def test_what_asks_for_too_many_tetrahedra_is_made_coarser_and_says_so():
    """A thin ring: its surface decides how many there are, not the length of edge inside."""
    ring = solids.TriMesh.from_trimesh(
        engine("solids", "trimesh").creation.torus(0.02, 0.001, major_sections=200, minor_sections=14)
    )
    made = solids.prepare(ring, cache=False)
    last, first = (int(word) for word in made.done[-1].replace(",", "").split() if word.isdigit())
    assert last == len(made.mesh) <= 12000 < first
    assert made.mesh.volume() == pytest.approx(ring.volume, rel=0.02)


def test_fewer_triangles_where_longer_edges_do_not_do_and_none_where_they_are_named():
    ball = solids.TriMesh.from_trimesh(engine("solids", "trimesh").creation.icosphere(4, 0.02))
    x, y = ball.vertices[:, :1], ball.vertices[:, 1:2]
    bumps = 1 + 0.1 * torch.sin(400 * x) * torch.cos(500 * y)
    flat = torch.tensor([1, 0.15, 0.5], dtype=torch.float64)
    wavy = solids.TriMesh(ball.vertices * bumps * flat, ball.triangles)
    made = solids.prepare(wavy, cache=False)
    assert any("simplified further" in done for done in made.done), made.done
    assert f"to {len(made.surface.triangles)} triangles" in next(done for done in made.done if "further" in done)
    assert made.mesh.volume() == pytest.approx(wavy.volume, rel=0.025)
    # Its bumps ask for more than is aimed at all the same, and that is told.
    assert ("more than aimed at" in made.done[-1]) == (len(made.mesh) > 12000)
    assert abs(float(made.mesh.vertices[:, 2].min())) < 1e-9
    kept = solids.prepare(wavy, triangles=3000, cache=False)
    assert not any("further" in done for done in kept.done)
    assert len(kept.mesh) > len(made.mesh)
