"""The flows: closed forms, orders, conservation, and which symmetries they really have."""

import math

import pytest
import torch

import erlangen as er
from erlangen.actions import PeriodicField
from erlangen.errors import ArgumentError
from erlangen.fields import flows
from erlangen.groups import PlaneGroup
from erlangen.nn.spectral_symmetry import GridSymmetry

F64 = torch.float64


def coordinates(size):
    line = torch.arange(size, dtype=F64) / size
    return torch.meshgrid(line, line, indexing="ij")


def start(size=64, count=1, seed=0):
    return flows.GaussianRandomField(size).sample(count, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("m", [1, 2])
def test_the_taylor_green_vortex_decays_at_its_rate(m):
    x, y = coordinates(32)
    k, viscosity = 2 * math.pi * m, 1e-3
    w0 = 2 * k * torch.cos(k * x) * torch.cos(k * y)
    w = flows.ns2d(w0, frames=2, forcing="decaying", viscosity=viscosity, dt=0.02)
    for frame, t in zip(w, (1, 2)):
        wanted = w0 * math.exp(-2 * viscosity * k**2 * t)
        assert (frame - wanted).abs().max() < 1e-8 * wanted.abs().max()


def test_energy_and_enstrophy_are_kept_without_viscosity():
    w0 = flows.Plane(64).to_points(flows.Plane(64).to_waves(start()))
    w = flows.ns2d(w0, frames=1, forcing="decaying", viscosity=0.0, dt=0.02)[:, 0]
    for quantity in (lambda u: u.square().mean(), lambda u: flows.velocity(u).square().mean()):
        assert float(quantity(w) / quantity(w0)) == pytest.approx(1.0, abs=1e-6)


def test_velocities_have_the_vorticity_and_no_divergence():
    plane, w = flows.Plane(32), flows.Plane(32).to_points(flows.Plane(32).to_waves(start(32)))
    u, v = torch.fft.rfft2(flows.velocity(w)[0])
    kx, ky = 1j * plane.k
    assert torch.allclose(plane.to_points(kx * v - ky * u), w[0], atol=1e-12)
    assert plane.to_points(kx * u + ky * v).abs().max() < 1e-12


def test_time_steps_are_of_order_four():
    w0 = start(32)
    exact = flows.ns2d(w0, 1, dt=1 / 512)
    errors = [float((flows.ns2d(w0, 1, every=1.0, dt=dt) - exact).norm()) for dt in (1 / 4, 1 / 8)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(4, abs=0.3)


def test_a_steady_force_meets_viscosity():
    x, _ = coordinates(16)
    force, viscosity = torch.cos(4 * math.pi * x), 0.05
    w = flows.ns2d(torch.zeros(16, 16, dtype=F64), 1, force, viscosity, every=2.0, dt=0.02)[0]
    assert (w - force / (viscosity * 16 * math.pi**2)).abs().max() < 1e-5 * w.abs().max()


def test_steps_of_a_tenth_are_converged():
    """Errors of a step are small, and grow as those of the flow do, which is chaotic."""
    a, b = (flows.ns2d(start(), 20, dt=dt)[0] for dt in (0.1, 0.05))
    assert (a[9] - b[9]).norm() < 1e-5 * b[9].norm()
    assert (a[19] - b[19]).norm() < 1e-4 * b[19].norm()


def test_random_fields_have_their_variance_and_no_mean():
    field = flows.GaussianRandomField(32)
    w = field.sample(400, generator=torch.Generator().manual_seed(0))
    k = torch.cartesian_prod(torch.arange(-200.0, 201, dtype=F64), torch.arange(-200.0, 201, dtype=F64))
    whole = 343 * ((4 * math.pi**2 * k.square().sum(1) + 49) ** -2.5).sum() - 343 * 49**-2.5
    assert field.variance() == pytest.approx(float(whole), rel=1e-3)
    assert float(w.var()) == pytest.approx(field.variance(), rel=0.05)
    assert w.mean((1, 2)).abs().max() < 1e-14


def errors(forcing, kind, pixels=False, frames=10):
    """Of a flow against the turns and mirrors of the square: the largest of turns, and the smallest and the largest of mirrors."""
    symmetry = GridSymmetry("p4m", 2)
    act = symmetry.acting((64, 64), symmetry.value(kind), pixels)
    verdict = er.equivariance_error(lambda w: flows.ns2d(w[:, 0], frames, forcing)[:, -1:], start()[:, None], act, act)
    moved = verdict.witness.relative[:, 0]
    mirrors = torch.linalg.det(verdict.witness.elements[..., :2].double()) < 0
    return float(moved[~mirrors].max()), float(moved[mirrors].min()), float(moved[mirrors].max())


def test_the_symmetric_forcing_is_that_of_quarter_turns_about_grid_points_and_of_no_mirror():
    turns, least, _ = errors("NS-Sym", "pseudoscalar")
    assert turns < 1e-7
    assert least > 0.1
    assert errors("NS-Sym", "scalar")[1] > 0.1
    assert errors("NS-Sym", "scalar", pixels=True)[0] > 1e-2


def test_a_decaying_flow_and_the_odd_forcing_have_mirrors_that_change_the_sign():
    for forcing in ("decaying", "NS-A2"):
        turns, _, most = errors(forcing, "pseudoscalar")
        assert max(turns, most) < 1e-7
        assert errors(forcing, "scalar")[1] > 0.1


def water(size=32, count=2):
    h = 1 + 0.2 * start(size, count)
    return torch.stack([h, *(0.3 * start(size, count, seed) for seed in (1, 2))], 1)


def test_water_is_neither_made_nor_lost_and_long_waves_travel_at_their_speed():
    state = water()
    end = flows.shallow_water(state, frames=2)
    assert torch.allclose(end[:, -1, 0].mean((1, 2)), state[:, 0].mean((1, 2)), atol=1e-14)
    x, _ = coordinates(16)
    small, k, speed = 1e-6, 2 * math.pi, math.sqrt(2.0)
    wave = small * torch.cos(k * x)
    state = torch.stack([1 + wave, speed * wave, torch.zeros_like(wave)])  # travels along x with the root of gravity times depth
    end = flows.shallow_water(state, 1, gravity=2.0, viscosity=0.0, every=0.3)[0]
    assert (end[0] - 1 - small * torch.cos(k * (x - speed * 0.3))).abs().max() < 1e-4 * small


def test_water_keeps_its_energy_without_viscosity():
    state = 0.1 * (water(32, 1) - torch.tensor([1.0, 0, 0], dtype=F64)[:, None, None])
    state[:, 0] += 1
    state = flows.Plane(32).to_points(flows.Plane(32).to_waves(state))

    def energy(s):
        h, u, v = s.unbind(-3)
        return float((h * (u * u + v * v) / 2 + h * h / 2).mean())

    end = flows.shallow_water(state, 1, viscosity=0.0, every=0.2)[:, 0]
    assert energy(end) == pytest.approx(energy(state), rel=1e-7)


def test_height_is_a_scalar_and_velocity_a_vector():
    group = PlaneGroup("p4mm")
    act = PeriodicField(group, (32, 32), group.scalar + group.vector)
    assert er.assert_equivariant(lambda s: flows.shallow_water(s, 2)[:, -1], water(), act, act)["worst"] < 1e-10


def test_steps_are_refused_where_long_waves_of_the_shortest_kind_begin_to_grow():
    """Runge and Kutta's of order 4 is stable for oscillations up to the root of 8."""
    n, depth = 16, 4.0
    state = torch.zeros(3, n, n, dtype=F64)
    state[0] = depth + 1e-3 * start(n, 1)[0]
    largest = 2 * math.pi * 5 * math.sqrt(2)  # wave numbers below a third of 16
    limit = math.sqrt(8) / (math.sqrt(depth) * largest)
    for share, stable in ((0.98, True), (1.02, False)):
        dt = share * limit
        if stable:
            assert (flows.shallow_water(state, 1, viscosity=0.0, every=200 * dt, dt=dt)[0, 0] - depth).abs().max() < 1e-2
        else:
            with pytest.raises(ArgumentError, match="'dt'.*grow"):
                flows.shallow_water(state, 1, viscosity=0.0, every=200 * dt, dt=dt)


def test_batches_and_precisions():
    w0 = start(16, 3)
    whole = flows.ns2d(w0, 2)
    assert torch.allclose(torch.stack([flows.ns2d(one, 2) for one in w0]), whole, atol=1e-13)
    assert flows.ns2d(w0[:0], 2).shape == (0, 2, 16, 16)
    assert flows.shallow_water(torch.ones(0, 3, 16, 16), 2).shape == (0, 2, 3, 16, 16)
    assert flows.velocity(w0[:0]).shape == (0, 2, 16, 16)
    single = flows.ns2d(w0.float(), 2)
    assert single.dtype == torch.float32
    assert (single.double() - whole).norm() < 1e-4 * whole.norm()


def test_bad_arguments_are_named():
    w = torch.zeros(8, 8, dtype=F64)
    cases = [
        ("w0", lambda: flows.ns2d(torch.zeros(8, 9))),
        ("w0", lambda: flows.ns2d(torch.zeros(8, 8, dtype=torch.complex64))),
        ("forcing", lambda: flows.ns2d(w, forcing="wind")),
        ("forcing", lambda: flows.ns2d(w, forcing=torch.zeros(4, 4))),
        ("viscosity", lambda: flows.ns2d(w, viscosity=-1)),
        ("dt", lambda: flows.ns2d(w, dt=0)),
        ("dt", lambda: flows.ns2d(1e4 * torch.randn(16, 16, dtype=F64), forcing="decaying", viscosity=0.0, frames=5)),
        (
            "dt",
            lambda: flows.ns2d(10 * start(32, 1), forcing="decaying", frames=1, dt=1.0),
        ),  # finite, and a hundred times too large
        ("w0", lambda: flows.ns2d(w * math.nan)),
        ("w0", lambda: flows.ns2d(w.half())),
        ("forcing", lambda: flows.ns2d(w, forcing=None)),
        ("forcing", lambda: flows.ns2d(w, forcing=w + 1j)),
        ("forcing", lambda: flows.ns2d(w, forcing=w * math.nan)),
        ("dt", lambda: flows.shallow_water(water(32), frames=2, dt=0.1)),
        ("state", lambda: flows.shallow_water(water(32) * math.nan)),
        ("frames", lambda: flows.ns2d(w, frames=0)),
        ("alpha", lambda: flows.GaussianRandomField(8, alpha=1.0)),
        ("size", lambda: flows.GaussianRandomField(2)),
        ("state", lambda: flows.shallow_water(torch.zeros(3, 8, 8))),
        ("state", lambda: flows.shallow_water(torch.ones(2, 8, 8))),
        ("gravity", lambda: flows.shallow_water(torch.ones(3, 8, 8), gravity=-1.0)),
    ]
    for name, make in cases:
        with pytest.raises(ArgumentError) as caught:
            make()
        assert caught.value.argument == name, (name, str(caught.value))
