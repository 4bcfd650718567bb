"""Beam optics: every matrix symplectic, every element against an integration of Newton's equations, emittances against a second method."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from erlangen.errors import ArgumentError
from erlangen.fields.beams import (
    compose,
    coupled_lattices,
    covariance,
    drift,
    eigen_emittances,
    quadrupole,
    random_beams,
    solenoid,
    symplectic_error,
    transport,
)
from erlangen.groups import Sp

F64 = torch.float64
strengths = st.floats(-1.5, 1.5)
lengths = st.floats(0.0, 1.0)
angles = st.floats(-3.0, 3.0)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def integrate(force, length):
    """The matrix of ``(x, y)'' = force(x, y, x', y')`` over a length, column by column, by an adaptive Runge-Kutta method of order 8."""
    columns = []
    for start in np.eye(4):
        path = solve_ivp(lambda _, w: [w[2], w[3], *force(*w)], (0.0, length), start, method="DOP853", rtol=1e-12, atol=1e-13)
        columns.append(path.y[:, -1])
    return torch.tensor(np.array(columns).T)


@settings(max_examples=25, deadline=None)
@given(strengths, lengths, angles)
def test_elements_are_symplectic(strength, length, angle):
    for matrix in (drift(length), quadrupole(strength, length, angle), solenoid(strength, length)):
        assert symplectic_error(matrix) < 1e-10
        assert bool(Sp(4).contains(matrix))


@pytest.mark.parametrize(("strength", "angle"), [(0.7, 0.0), (-0.7, 0.0), (0.0, 0.3), (0.9, 0.4), (-0.4, math.pi / 4)])
def test_a_quadrupole_is_what_its_equations_of_motion_give(strength, angle):
    c, s = math.cos(angle), math.sin(angle)

    def force(x, y, *_):
        u, v = c * x + s * y, c * y - s * x  # in the magnet's own planes
        fu, fv = -strength * u, strength * v
        return c * fu - s * fv, s * fu + c * fv

    torch.testing.assert_close(quadrupole(strength, 0.6, angle), integrate(force, 0.6), atol=1e-10, rtol=0)


def test_at_forty_five_degrees_it_is_skew():
    torch.testing.assert_close(
        quadrupole(0.5, 0.3, math.pi / 4), integrate(lambda x, y, *_: (-0.5 * y, -0.5 * x), 0.3), atol=1e-10, rtol=0
    )


@pytest.mark.parametrize("field", [1.3, -0.8, 0.0])
def test_a_solenoid_is_what_the_magnetic_force_and_its_edges_give(field):
    body = integrate(lambda x, y, vx, vy: (field * vy, -field * vx), 0.7)
    enter = torch.eye(4, dtype=F64)  # the edge's radial field: canonical momenta stay, slopes jump
    enter[2, 1], enter[3, 0] = field / 2, -field / 2
    torch.testing.assert_close(solenoid(field, 0.7), torch.linalg.inv(enter) @ body @ enter, atol=1e-10, rtol=0)


def test_a_solenoid_whose_field_rises_smoothly_comes_to_the_hard_edged_one():
    """Newton's equations with the edges' radial field, slopes throughout: no canonical momenta anywhere."""

    def error(width):
        def field(z):
            return 0.5 * (math.tanh((z - 1) / width) - math.tanh((z - 2) / width))

        def slope(z):
            return 0.5 / width * (math.cosh((z - 1) / width) ** -2 - math.cosh((z - 2) / width) ** -2)

        def motion(z, w):
            x, y, vx, vy = w
            return [vx, vy, field(z) * vy + slope(z) * y / 2, -field(z) * vx - slope(z) * x / 2]

        columns = [solve_ivp(motion, (0, 3), e, method="DOP853", rtol=1e-10, atol=1e-12, max_step=0.05).y[:, -1] for e in np.eye(4)]
        return float((compose(drift(1.0), solenoid(1.0, 1.0), drift(1.0)) - torch.tensor(np.array(columns).T)).abs().max())

    wide, narrow = error(0.04), error(0.02)
    assert narrow < 0.01
    assert narrow < 0.6 * wide


def test_known_numbers():
    assert torch.equal(drift(2.0), torch.tensor([[1, 0, 2, 0], [0, 1, 0, 2], [0, 0, 1, 0], [0, 0, 0, 1]], dtype=F64))
    quarter = quadrupole(1.0, math.pi / 2)  # a quarter of an oscillation: x and p_x trade places
    torch.testing.assert_close(quarter[[0, 0, 2, 2], [0, 2, 0, 2]], torch.tensor([0.0, 1.0, -1.0, 0.0], dtype=F64))
    torch.testing.assert_close(
        quarter[[1, 1, 3, 3], [1, 3, 1, 3]],
        torch.tensor([math.cosh(math.pi / 2), math.sinh(math.pi / 2), math.sinh(math.pi / 2), math.cosh(math.pi / 2)], dtype=F64),
    )
    torch.testing.assert_close(quadrupole(1e-13, 0.5), drift(0.5), atol=1e-12, rtol=0)


def test_elements_compose_and_batch():
    k = torch.tensor([0.3, -0.2, 0.0], dtype=F64)
    batched = quadrupole(k, 0.5, 0.2)
    assert batched.shape == (3, 4, 4)
    torch.testing.assert_close(batched[1], quadrupole(-0.2, 0.5, 0.2))
    torch.testing.assert_close(compose(quadrupole(k, 0.2), quadrupole(k, 0.3)), quadrupole(k, 0.5))
    torch.testing.assert_close(compose(solenoid(0.9, 0.2), solenoid(0.9, 0.3)), solenoid(0.9, 0.5))


def test_lattices_are_symplectic_coupled_and_reproducible():
    lattices = coupled_lattices(300, generator=seeded())
    assert symplectic_error(lattices).max() < 1e-10
    assert torch.equal(lattices, coupled_lattices(300, generator=seeded()))
    coupling = lattices[:, [0, 0, 2, 2], [1, 3, 1, 3]].abs().amax(-1)
    assert (coupling > 1e-3).double().mean() > 0.95  # but for the one in 81 with normal quadrupoles alone
    assert torch.linalg.cond(lattices).median() < 100


def test_lattices_keep_the_eigen_emittances_and_mix_the_planes():
    sigma, lattices = random_beams(200, generator=seeded(1)), coupled_lattices(200, generator=seeded(2))
    moved = transport(lattices, sigma)
    torch.testing.assert_close(eigen_emittances(moved), eigen_emittances(sigma), rtol=1e-10, atol=0)
    planes = torch.stack([(moved[:, i][:, :, i]).det().sqrt() for i in ([0, 2], [1, 3])], -1)  # the projected emittances grow
    own = eigen_emittances(moved)
    assert (planes.sum(-1) >= own.sum(-1) - 1e-10).all()
    assert (planes.sum(-1) > 1.1 * own.sum(-1)).double().mean() > 0.5


def test_eigen_emittances_are_the_moduli_of_eigenvalues():
    a = torch.randn(50, 4, 4, dtype=F64, generator=seeded(3))
    sigma = a @ a.mT + 0.1 * torch.eye(4, dtype=F64)
    form = Sp(4).form
    expected = torch.linalg.eigvals(form @ sigma).abs().sort(descending=True).values[:, ::2]
    torch.testing.assert_close(eigen_emittances(sigma), expected)


def test_twiss_parameters_give_their_emittances():
    twiss = torch.tensor([[0.8, 2.0], [0.5, -0.3], [3.0, 0.7]], dtype=F64)
    sigma = covariance(*twiss)
    torch.testing.assert_close(eigen_emittances(sigma), torch.tensor([3.0, 0.7], dtype=F64))
    torch.testing.assert_close(sigma[0, 2], torch.tensor(-1.5, dtype=F64))
    torch.testing.assert_close(sigma[3, 3], torch.tensor(0.7 * (1 + 0.09) / 2, dtype=F64))
    beams = random_beams(400, generator=seeded(4))
    assert (beams[:, [0, 0, 2, 2], [1, 3, 1, 3]] == 0).all()
    assert eigen_emittances(beams).log().abs().max() <= 1


def test_bad_input_names_the_argument():
    one = torch.ones(2, dtype=F64)
    with pytest.raises(ArgumentError, match="'emittance'"):
        covariance(one, one, -one)
    with pytest.raises(ArgumentError, match="'beta'"):
        covariance(torch.ones(3, dtype=F64), one, one)
    with pytest.raises(ArgumentError, match="'sigma'"):
        eigen_emittances(-torch.eye(4, dtype=F64))
    with pytest.raises(ArgumentError, match="'cells'"):
        coupled_lattices(3, cells=0)
    with pytest.raises(ArgumentError, match="'batch'"):
        random_beams(0)
