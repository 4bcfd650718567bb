"""Bodies that are made to stand: margins exact, energy least, and MuJoCo agrees."""

import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields.solids import NeoHookean, TetMesh, boundary, box, report, substance
from erlangen.fields.solids.assembly import Pattern
from erlangen.fields.solids.prepare import Prepared
from erlangen.fields.solids.standing import _curvature, _moments, make_stand, stance


def leaning(outside=0.1, cells=(3, 3, 3), size=0.02, tall=1.0):
    """A sheared box whose centre of mass is so many widths outside of its base."""
    mesh = box((size, size, tall * size), cells, (-size / 2, -size / 2, 0.0))
    shear = (0.5 + outside) / (0.5 * tall)
    vertices = mesh.vertices.clone()
    vertices[:, 0] += shear * vertices[:, 2]
    return TetMesh(vertices, mesh.tets)


def test_a_stance_is_read_off_a_box():
    found = stance(box((0.02, 0.03, 0.04), (2, 2, 2)))
    assert found.margin == pytest.approx(0.01, abs=1e-15)
    assert found.tipping == pytest.approx(math.degrees(math.atan(0.5)), abs=1e-9)
    assert found.widest == pytest.approx(0.01, abs=1e-12)
    fallen = stance(leaning(0.1))
    assert not fallen.stands
    assert fallen.margin == pytest.approx(-0.1 * 0.02, abs=1e-15)


def test_moments_and_their_derivatives():
    mesh = leaning()
    moments, slopes = _moments(mesh.vertices, mesh.tets)
    assert moments[:3] / moments[3] == pytest.approx(mesh.centroid().numpy(), abs=1e-15)
    x = mesh.vertices.clone().requires_grad_()
    a, b, c, d = x[mesh.tets].unbind(1)
    volume = ((b - a) * torch.linalg.cross(c - a, d - a)).sum(1) / 6
    for k, value in enumerate([*(volume[:, None] * x[mesh.tets].mean(1)).sum(0), volume.sum()]):
        (wanted,) = torch.autograd.grad(value, x, retain_graph=True)
        assert np.abs(slopes[k] - wanted.reshape(-1).numpy()).max() < 1e-12 * float(wanted.abs().max())
    weights, p, h = (
        np.array([0.3, -0.2, 0.5, 0.01]),
        torch.randn(mesh.vertices.shape, generator=torch.Generator().manual_seed(0)).double(),
        1e-6,
    )
    ahead, behind = (weights @ _moments(mesh.vertices + s * h * p, mesh.tets)[1] for s in (1, -1))
    everything = Pattern(mesh.tets, torch.ones(mesh.n_vertices, dtype=torch.bool))
    found = everything.matrix(_curvature(mesh.vertices, mesh.tets, weights)) @ p.reshape(-1).numpy()
    assert found == pytest.approx((ahead - behind) / (2 * h), rel=1e-6, abs=1e-9 * np.abs(found).max())


def test_a_leaning_cube_gets_the_margin_that_was_asked_for():
    mesh = leaning(0.1)
    made = make_stand(mesh, NeoHookean(E=3e9, nu=0.35, rho=1240), margin=0.003)
    assert made.after.margin == pytest.approx(0.003, abs=1e-6 * 0.02)
    assert made.after.margin >= 0.003 - 1e-12
    held = made.before.contacts
    assert torch.equal(made.mesh.vertices[held], mesh.vertices[held])
    assert float(made.mesh.volumes().min()) > 0
    assert made.volume_change == pytest.approx(made.mesh.volume() / mesh.volume() - 1)
    assert made.residual < 1e-8
    assert made.rest.status == "stable"
    # Forces in so stiff a body round at this part of the weight.
    assert made.rest.residual < 1e-7 * 9.8 * 1240 * mesh.volume()


def test_the_change_is_the_least_there_is():
    """Shearing back, which does the same to the centre, costs more energy."""
    from erlangen.fields.solids import Loads
    from erlangen.fields.solids.system import System

    mesh, material = leaning(0.1, (4, 4, 4)), NeoHookean(E=1e6, nu=0.3, rho=1000)
    made = make_stand(mesh, material, margin=0.003, invert=False)
    system = System(mesh, material, Loads(gravity=(0, 0, 0)), made.before.contacts)
    back = mesh.vertices.clone()
    back[:, 0] -= (made.before.centre[0] - made.after.centre[0]) / made.before.centre[2] * back[:, 2]
    energy = [float(system.elements(mesh.vertices, x).energy()) for x in (made.mesh.vertices, back)]
    assert stance(TetMesh(back, mesh.tets)).margin == pytest.approx(0.003, abs=1e-12)
    assert energy[0] < energy[1]
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        # Feasible changes nearby: the centre is put back by the shear.
        other = made.mesh.vertices + 1e-5 * torch.randn(mesh.vertices.shape, generator=generator, dtype=torch.float64)
        other[made.before.contacts] = mesh.vertices[made.before.contacts]
        off = stance(TetMesh(other, mesh.tets), made.before.contacts).margin - 0.003
        other[:, 0] += off / made.after.centre[2] * other[:, 2]
        assert float(system.elements(mesh.vertices, other).energy()) > energy[0]


def test_least_mean_square_displacements_vanish_on_finer_meshes_and_elastic_energy_does_not():
    """Why energy is minimised: the least integral of u squared that moves the centre halves with the edges, to first order."""
    from scipy.sparse.linalg import spsolve

    from erlangen.fields.solids import Loads, lumped_masses
    from erlangen.fields.solids.system import System

    squares, energies, layers = [], [], []
    for n in (4, 8, 16):
        mesh = box((1.0, 1.0, 1.0), (n, n, n))
        fixed = mesh.vertices[:, 2] == 0
        free = (~fixed).numpy().repeat(3)
        slope = np.array([1.0, 0, 0, -0.5]) @ _moments(mesh.vertices, mesh.tets)[1][:, free]
        mass = lumped_masses(mesh.vertices, mesh.tets, 1.0).numpy().repeat(3)[free]
        squares.append(1 / (slope @ (slope / mass)))
        K = System(mesh, NeoHookean(E=1.0, nu=0.3, rho=1.0), Loads(gravity=(0, 0, 0)), fixed)
        stiffness = K.stiffness(K.elements(mesh.vertices, mesh.vertices), False)
        energies.append(1 / (slope @ spsolve(stiffness.tocsc(), slope)))
        moved = np.zeros(len(free))
        moved[free] = slope / mass
        inner = ((mesh.vertices > 1e-9) & (mesh.vertices < 1 - 1e-9)).all(1).numpy().repeat(3)
        layers.append(np.abs(moved[inner]).max() / np.abs(moved).max())
    assert squares[1] / squares[0] == pytest.approx(0.5, abs=0.06)
    assert squares[2] / squares[1] == pytest.approx(0.5, abs=0.03)
    # Vertices inside do not move at all.
    assert max(layers) < 1e-12
    assert energies[2] / energies[1] == pytest.approx(1.0, abs=0.06)


def test_an_angle_counts_the_height():
    made = make_stand(leaning(0.1), angle=12.0, invert=False)
    assert made.after.tipping == pytest.approx(12.0, abs=1e-6)


def test_a_corner_of_the_base_has_two_sides():
    mesh = leaning(0.1)
    vertices = mesh.vertices.clone()
    vertices[:, 1] += 1.2 * vertices[:, 2]
    made = make_stand(TetMesh(vertices, mesh.tets), margin=0.004, invert=False)
    inside = made.after.offsets - made.after.normals @ made.after.centre[:2]
    assert np.sort(inside)[:2] == pytest.approx([0.004, 0.004], abs=1e-9)


def test_what_stands_is_left_alone():
    mesh = box((0.02, 0.02, 0.02), (2, 2, 2))
    made = make_stand(mesh, margin=0.005, invert=False)
    assert made.steps == 0
    assert torch.equal(made.mesh.vertices, mesh.vertices)


def test_where_the_steps_are_used_up_the_status_says_so():
    mesh = leaning(0.4)
    whole = make_stand(mesh, margin=0.004, invert=False)
    assert whole.status == "stands"
    assert whole.reached == 1
    made = make_stand(mesh, margin=0.004, steps=2)
    assert made.status == "stopped"
    assert made.steps == 2
    assert made.rest is None
    assert made.reached == 0
    assert torch.equal(made.mesh.vertices, mesh.vertices)
    assert "print.3mf" not in report.stand_files(made)
    assert "print.3mf" in report.stand_files(whole)
    prepared = Prepared(mesh, boundary(mesh), None, ())
    outcome = report.stand_outcome(prepared, made, substance("pla"), {}, 0.0, None)
    assert "2 steps were used up" in outcome.answer
    assert outcome.metrics["status"] == "stopped"
    with pytest.raises(ArgumentError, match="'steps'.*1 or more"):
        make_stand(mesh, steps=0)


def test_bases_that_are_too_narrow_are_refused():
    with pytest.raises(ArgumentError, match=r"'margin'.*0.01 m.*flatten"):
        make_stand(leaning(0.1), margin=0.02)
    tip = TetMesh([[0, 0, 0], [1, 0, 1], [0, 1, 1], [-1, -1, 1.0]], [[0, 1, 2, 3]])
    with pytest.raises(ArgumentError, match="'mesh'.*in a point"):
        make_stand(tip)
    edge = TetMesh([[0, 0, 0], [1, 0, 0], [0.5, 1, 1], [0.5, -1, 1.0]], [[0, 1, 2, 3]])
    with pytest.raises(ArgumentError, match="'mesh'.*in a line"):
        make_stand(edge)
    for bad in ({"margin": -1.0}, {"margin": float("nan")}, {"angle": 90.0}):
        with pytest.raises(ArgumentError, match=f"'{next(iter(bad))}'"):
            make_stand(leaning(), **bad)


def test_the_drop_test_agrees_before_and_after():
    pytest.importorskip("mujoco")
    from erlangen.fields.solids.drop import drop_test

    made = make_stand(leaning(0.1), NeoHookean(E=3e9, nu=0.35, rho=1240), margin=0.003)
    before, after = drop_test(made.target), drop_test(made.printed)
    assert not before.upright
    assert before.tilt[-1] > 30
    assert after.upright
    assert after.tilt[-1] < 1
    points = made.printed.vertices.numpy() @ after.rotations[-1].T + after.shifts[-1]
    # MuJoCo's contacts are soft.
    assert points[:, 2].min() == pytest.approx(0, abs=1e-3 * 0.02)


def test_inertia_is_that_of_a_box():
    pytest.importorskip("mujoco")
    from erlangen.fields.solids.drop import _inertia

    mesh = box((0.2, 0.3, 0.5), (1, 2, 1), (-0.1, -0.15, -0.25))
    mass, inertia = _inertia(mesh.vertices, mesh)
    assert mass == pytest.approx(30, rel=1e-12)
    wanted = 30 / 12 * np.diag([0.3**2 + 0.5**2, 0.2**2 + 0.5**2, 0.2**2 + 0.3**2])
    assert inertia == pytest.approx(wanted, abs=1e-12)


def test_a_body_tips_where_its_angle_says():
    """A block of 2 x 2 x 4 stands on its edge at 26.6 degrees."""
    pytest.importorskip("mujoco")
    from erlangen.fields.solids.drop import drop_test

    mesh = box((0.02, 0.02, 0.04), (1, 1, 1), (-0.01, -0.01, 0.0))
    assert drop_test(mesh, tilt=22).upright
    assert not drop_test(mesh, tilt=31).upright
