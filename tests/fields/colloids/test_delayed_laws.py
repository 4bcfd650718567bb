"""Exact laws of one delayed particle, against each other and against simulations."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.fields import colloids as co

TIMES = [0.1, 0.5, 5.0]


@pytest.mark.parametrize(
    ("kappa", "tau", "values"),
    [
        (10, 0.1, (0.1, 0.295847, 2.545829)),
        (20, 0.1, (0.0666667, 0.155327, 1.155554)),
        (50, 0.1, (0.0333333, 0.068546, 0.317129)),
        (-3, 0.2, (0.35, 4.01085, 60.0249)),
        (5, 1, (0.18333, 0.58333, 0.68546)),
    ],
)
def test_three_representations_of_the_mean_square_displacement(kappa: float, tau: float, values: tuple[float, ...]) -> None:
    times = [*TIMES, 0.5 * tau, tau, 1.7 * tau, 4.2 * tau]
    found = {method: co.msd_delayed_harmonic(times, kappa, tau, method=method) for method in ("steps", "spectrum", "green")}
    np.testing.assert_allclose(found["steps"][:3], values, rtol=1e-4)
    np.testing.assert_allclose(found["spectrum"], found["steps"], rtol=1e-6)
    np.testing.assert_allclose(found["green"], found["steps"], rtol=1e-6)


def test_long_and_weak_limits() -> None:
    late = co.msd_delayed_harmonic([1e3, 1e3 + 1], 5, 1, D=2.0, dim=3)
    assert np.diff(late)[0] / 6 == pytest.approx(co.effective_diffusion(5, 1, 2.0), rel=1e-9)
    for kappa in (0.0, 1e-9, 1e-6, 1e-3):
        np.testing.assert_allclose(
            co.msd_delayed_harmonic([0.5, 7.0], kappa, 1), 2 * np.array([0.5, 7.0]) * (1 - 2 * kappa * 0.9), rtol=4 * kappa + 1e-9
        )
    for kappa in (0.99e-4, -0.99e-4):  # both branches meet
        other = math.copysign(1.01e-4, kappa)
        times = [0.5, 1.5, 3.0]
        step, slope = co.msd_delayed_harmonic(times, kappa, 1) - co.msd_delayed_harmonic(times, other, 1), [0.5, 4.0, 10.0]
        np.testing.assert_allclose(step / (other - kappa), np.array(slope), rtol=1e-3)


def test_green_function_is_the_sum_of_the_source() -> None:
    t, kappa, tau = 4.3, 5.0, 1.0
    terms = [(kappa * (t - k * tau)) ** k * math.exp(-kappa * (t - k * tau)) / math.factorial(k) for k in range(5)]
    assert co.green_function(t, kappa, tau) == pytest.approx(sum(terms), rel=1e-12)


def test_what_has_no_stationary_increments_is_refused() -> None:
    for kappa, tau in ((-1.0, 1.0), (math.nan, 1.0), (1.0, 0.0)):
        with pytest.raises(ArgumentError, match="kappa|tau"):
            co.msd_delayed_harmonic(1.0, kappa, tau)
    with pytest.raises(ArgumentError, match="'t'"):
        co.msd_delayed_harmonic(-1.0, 1.0, 1.0)


def single(dt: float, batch: int = 1, D: float = 1.0, dim: int = 2, seed: int = 0, start: object = None) -> co.BrownianDynamics:
    return co.BrownianDynamics(1, dim=dim, dt=dt, D=D, seed=seed, batch=batch, start=start)


@pytest.mark.parametrize(("kappa", "tau"), [(10, 0.1), (-3, 0.2)])
def test_simulated_displacements_follow_the_law(kappa: float, tau: float) -> None:
    sim = single(1e-3, batch=1500)
    sim.add(co.Harmonic(kappa), delay=tau, self_=True, cross=False, strict=True, expect_stationary=True)
    path = sim.run(4000, every=20).after(1.0)
    found = co.mean_square_displacement(path.positions, 0.02, most=75)
    exact = co.msd_delayed_harmonic(found.lags[1:].numpy(), kappa, tau, dim=2)
    np.testing.assert_allclose(found.msd[1:].numpy(), exact, rtol=0.03)
    slope, _ = found.diffusion(0.5, 1.5)
    assert slope == pytest.approx(co.effective_diffusion(kappa, tau), rel=0.05)


def test_hold_mode_diffuses_as_it_should() -> None:
    kappa, period = 10.0, 0.1
    sim = single(5e-4, batch=2000)
    sim.add(co.Harmonic(kappa), hold=period, self_=True, cross=False)
    path = sim.run(4000, every=200)
    steps = path.positions.diff(dim=0)
    assert float(steps.var()) == pytest.approx(co.hold_increment_variance(kappa, period), rel=0.03)
    assert float((path.positions[-1] - path.positions[0]).square().mean()) / (2 * 2.0) == pytest.approx(
        co.hold_effective_diffusion(kappa, period), rel=0.06
    )
    assert abs(float((steps[1:] * steps[:-1]).mean())) < 0.02 * float(steps.var())  # independent


def test_annular_particles_run_straight_at_the_known_speed() -> None:
    kappa, radius, tau = 20.0, 2.0, 0.2
    # Without noise the particle is pushed once, by hand, off the middle of its ring.
    sim = co.BrownianDynamics(1, dt=1e-3, D=1.0, start=[[0.0, 0.0]])
    sim.add(co.Annular(kappa, radius), delay=tau, self_=True, cross=False)
    noise = torch.zeros(20_000, 1, 1, 2, dtype=torch.float64)
    noise[0] = torch.tensor([0.3, 0.1])
    path = sim.run(20_000, every=10, noise=noise).positions[:, 0, 0]
    late = path[-200:]
    velocity = late.diff(dim=0) / 0.01
    assert float((velocity.norm(dim=1) - co.annular_speed(kappa, radius, tau)).abs().max()) < 1e-6
    assert float((velocity - velocity[0]).norm(dim=1).max()) < 1e-6


@pytest.mark.parametrize(("product", "grows"), [(-1.05, True), (-0.95, False)])
def test_noise_free_threshold_of_self_propulsion(product: float, grows: bool) -> None:
    sim = co.BrownianDynamics(1, dim=1, dt=1e-3, D=1.0, start=[[0.0]])
    sim.add(co.Harmonic(product / 0.1), delay=0.1, self_=True, cross=False)
    noise = torch.zeros(20_000, 1, 1, 1, dtype=torch.float64)
    noise[0] = 1.0
    steps = sim.run(20_000, every=1000, noise=noise).positions[:, 0, 0, 0].diff()
    assert (abs(steps[-1]) > 10 * abs(steps[1])) == grows
    if not grows:
        assert abs(steps[-1]) < 1e-2 * abs(steps[1])


def test_no_delay_is_no_force_and_an_endless_delay_is_a_trap() -> None:
    free, bound = single(1e-2, seed=3), single(1e-2, seed=3)
    bound.add(co.Harmonic(7.0), self_=True, cross=False)
    assert torch.equal(free.run(50, 1).positions, bound.run(50, 1).positions)
    trapped = single(1e-3, batch=4000, dim=1)
    trapped.add(co.Harmonic(2.0), delay=10.0, self_=True, cross=False)
    path = trapped.run(1000, 250)
    measured = path.positions.square().mean((1, 2, 3))[1:]
    np.testing.assert_allclose(measured.numpy(), co.trap_variance(path.times[1:].numpy(), 2.0), rtol=0.08)


def test_active_brownian_limits() -> None:
    assert co.msd_active_brownian(1e4, 3.0, 2.0) == pytest.approx(4 * (1 + 9 / 4) * 1e4, rel=1e-4)
    near = co.msd_active_brownian([0.999e-3 / 2, 1.001e-3 / 2], 3.0, 2.0, 0.0)
    assert near[1] / near[0] == pytest.approx((1.001 / 0.999) ** 2, rel=1e-6)
