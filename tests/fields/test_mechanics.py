"""Orbits and charged bodies: conservation laws, an independent integrator, and the counts of the sources."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from erlangen.errors import ArgumentError
from erlangen.fields.mechanics import (
    angular_momentum,
    circular_speed,
    energy,
    kepler,
    n_body,
    three_body,
    three_body_orbits,
    trajectories,
    two_body,
    two_body_orbits,
)

F64 = torch.float64


def bodies(states):
    """States ``(q1, p1, q2, p2, ...)`` as positions, velocities and unit masses."""
    split = states.unflatten(-1, (-1, 4))
    return split[..., :2], split[..., 2:], torch.ones(split.shape[-2], dtype=F64)


def drift(law, states):
    """The greatest relative change of a conserved number along the orbits ``[N, T, d]``."""
    values = law(*bodies(states))
    return ((values - values[:, :1]) / values[:, :1]).abs().max().item()


class TestKepler:
    @settings(max_examples=60, deadline=None)
    @given(st.floats(0.02, 1.39), st.floats(0, 2 * math.pi), st.floats(0.1, 10), st.floats(0.1, 5))
    def test_conserves_energy_angular_momentum_and_laplace_vector(self, speed, angle, mu, radius):
        if abs(math.sin(angle)) < 0.05:
            angle += 0.1
        q0 = torch.tensor([[radius, 0.0]], dtype=F64)
        v = speed * math.sqrt(mu / radius)
        p0 = torch.tensor([[v * math.cos(angle), v * math.sin(angle)]], dtype=F64)
        q, p = kepler(q0, p0, math.sqrt(radius**3 / mu) * torch.linspace(-5, 5, 41, dtype=F64), mu)

        def laws(q, p):
            turning = q[..., 0] * p[..., 1] - q[..., 1] * p[..., 0]
            distance = q.norm(dim=-1)
            across = torch.stack([p[..., 1], -p[..., 0]], -1)
            laplace = across * turning[..., None] / mu - q / distance[..., None]
            return p.square().sum(-1) / 2 - mu / distance, turning, laplace

        for now, start, scale in zip(laws(q, p), laws(q0, p0), (mu / radius, math.sqrt(mu * radius), 1.0)):
            assert (now - start[:, None]).abs().max() < 1e-9 * scale

    def test_a_full_period_returns_and_a_half_reaches_the_far_point(self):
        eccentricity = 0.6
        q0 = torch.tensor([[1 - eccentricity, 0.0]], dtype=F64)
        p0 = torch.tensor([[0.0, math.sqrt((1 + eccentricity) / (1 - eccentricity))]], dtype=F64)
        q, p = kepler(q0, p0, torch.tensor([math.pi, 2 * math.pi], dtype=F64), 1.0)
        assert torch.allclose(q[0, 0], torch.tensor([-1 - eccentricity, 0.0], dtype=F64), atol=1e-13)
        assert torch.allclose(q[0, 1], q0[0], atol=1e-13)
        assert torch.allclose(p[0, 1], p0[0], atol=1e-13)

    def test_three_dimensions_and_the_numerical_integrator(self):
        q0 = torch.tensor([[1.0, 0.3, -0.2]], dtype=F64)
        p0 = torch.tensor([[-0.2, 0.8, 0.4]], dtype=F64)
        times = torch.linspace(0, 12, 30, dtype=F64)
        q, p = kepler(q0, p0, times, 1.3)

        def motion(_, state):
            return np.concatenate([state[3:], -1.3 * state[:3] / np.linalg.norm(state[:3]) ** 3])

        start = torch.cat([q0, p0], -1)[0].numpy()
        path = solve_ivp(motion, (0, 12), start, "Radau", times.numpy(), rtol=1e-10, atol=1e-12).y.T
        assert np.abs(torch.cat([q, p], -1)[0].numpy() - path).max() < 1e-6

    @pytest.mark.parametrize(
        ("argument", "velocity", "mu"),
        [
            ("mu", [0.0, 1.0], 0.0),
            ("mu", [0.0, 1.0], math.nan),
            ("velocity", [0.0, 1.5], 1.0),
            ("velocity", [0.5, 0.0], 1.0),
        ],
    )
    def test_refuses(self, argument, velocity, mu):
        with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
            kepler(torch.tensor([[1.0, 0.0]], dtype=F64), torch.tensor([velocity], dtype=F64), torch.ones(1, dtype=F64), mu)


class TestTwoBody:
    def test_counts_of_the_source(self):
        assert two_body_orbits("train").shape == (814, 20, 8)
        assert two_body_orbits("test").shape == (790, 20, 8)
        train, test = two_body("train"), two_body("test")
        assert (len(train), len(test), len(two_body("all"))) == (14652, 14220, 28872)
        assert (train.tokens, train.dim, train.target) == (1, 8, "vector")
        assert train.names == ("q1x", "q1y", "p1x", "p1y", "q2x", "q2y", "p2x", "p2y")

    def test_pairs_follow_each_other_on_one_orbit(self):
        orbits, data = two_body_orbits("test"), two_body("test")
        assert torch.equal(data.x[:18, 0], orbits[0, :18])
        assert torch.equal(data.y[18:36, 0], orbits[1, 1:19])
        assert torch.equal(data.x[1:18], data.y[:17])

    def test_conservation(self):
        orbits = two_body_orbits("all")
        assert drift(energy, orbits) < 1e-13
        assert drift(angular_momentum, orbits) < 1e-13
        assert (orbits[..., :4] + orbits[..., 4:]).abs().max() == 0

    def test_half_planes_radii_and_speeds(self):
        for split, sign in (("train", -1), ("test", 1)):
            start = two_body_orbits(split)[:, 0]
            assert (sign * start[:, 1] > 0).all()
            radius = start[:, :2].norm(dim=-1)
            assert 1.5 <= radius.min() < 1.51
            assert 2.99 < radius.max() <= 3
            ratio = start[:, 2:4].norm(dim=-1) / circular_speed(radius)
            assert abs(ratio.mean() - 1) < 2e-4
            assert 0.9e-3 < ratio.std() < 1.1e-3
            assert (start[:, 0] * start[:, 3] - start[:, 1] * start[:, 2] > 0).all()

    def test_the_general_integrator_agrees(self):
        orbits = two_body_orbits("test")[:40]
        q, p, masses = bodies(orbits[:, 0])
        times = 20 / 49 * torch.arange(20, dtype=F64)
        path = torch.cat(trajectories(q, p, masses, times), -1).flatten(-2)
        assert (path - orbits).abs().max() < 1e-10

    def test_repeatable_and_unknown_split(self):
        assert torch.equal(two_body_orbits("test"), two_body_orbits("test"))
        for call in (two_body, two_body_orbits, three_body):
            with pytest.raises(ArgumentError, match="argument 'split'"):
                call("validation")


class TestThreeBody:
    def test_shapes_conservation_and_symmetric_start(self):
        orbits = three_body_orbits("test")
        assert orbits.shape == (100, 20, 12)
        assert drift(energy, orbits) < 1e-9
        assert drift(angular_momentum, orbits) < 1e-9
        q, p, _ = bodies(orbits)
        assert q[:, 0].sum(1).abs().max() < 1e-14
        momentum = p.sum(2)
        assert (momentum - momentum[:, :1]).abs().max() < 1e-10
        assert momentum.abs().max() > 0.05  # the speeds differ, so the centre of mass moves

    def test_pairs(self):
        data, orbits = three_body("test"), three_body_orbits("test")
        assert data.x.shape == (1900, 1, 12)
        assert torch.equal(data.y[19 + 3, 0], orbits[1, 4])

    def test_an_exact_triangle_turns_rigidly(self):
        angle = 2 * math.pi / 3 * torch.arange(3, dtype=F64)
        q = torch.stack([angle.cos(), angle.sin()], -1)[None]
        speed = 3**-0.25
        p = speed * torch.stack([-angle.sin(), angle.cos()], -1)[None]
        path, _ = trajectories(q, p, torch.ones(3, dtype=F64), torch.tensor([0.0, 1.0, 2.0], dtype=F64))
        turned = angle + 2 * speed
        assert torch.allclose(path[0, 2], torch.stack([turned.cos(), turned.sin()], -1), atol=1e-10)

    def test_unequal_masses_conserve(self):
        generator = torch.Generator().manual_seed(0)
        q = torch.tensor([[[0.0, 0], [3, 0], [0, 4], [-5, 1]]], dtype=F64)
        p = 0.3 * torch.randn(1, 4, 2, generator=generator, dtype=F64)
        masses = torch.tensor([1.0, 2, 0.5, 3], dtype=F64)
        path = trajectories(q, p, masses, torch.linspace(0, 2, 5, dtype=F64))
        for law in (energy, angular_momentum):
            values = law(*path, masses)
            assert torch.allclose(values, values[:, :1].expand_as(values), rtol=0, atol=1e-10)

    def test_refuses_shapes(self):
        with pytest.raises(ArgumentError, match="position and velocity"):
            trajectories(torch.ones(1, 3, 2), torch.ones(1, 3, 2), torch.ones(2), torch.ones(1))


class TestChargedBodies:
    def test_scales_of_the_source(self):
        data = n_body(1000, seed=0)
        assert len(data) == 1000
        assert data.position.shape == data.velocity.shape == data.target.shape == (1000, 5, 3)
        assert set(data.charge.unique().tolist()) == {-1.0, 1.0}
        assert abs(data.charge.mean()) < 0.05
        moved = data.target - data.position

        def mse(prediction):
            return (prediction - data.target).square().mean().item()

        time = ((moved * data.velocity).sum() / data.velocity.square().sum()).item()
        assert mse(data.position) == pytest.approx(0.27, abs=0.02)
        assert mse(data.position + data.velocity) == pytest.approx(0.12, abs=0.015)
        assert time == pytest.approx(0.715, abs=0.03)
        assert mse(data.position + time * data.velocity) == pytest.approx(0.09, abs=0.01)

    def test_against_a_plain_loop(self):
        data = n_body(2, seed=3, input_frame=0, target_frame=1)
        random = np.random.default_rng(3)
        charge = random.choice([-1.0, 1.0], (2, 5))
        x = random.normal(size=(2, 5, 3))
        v = random.normal(size=(2, 5, 3))
        v *= 0.5 / np.linalg.norm(v, axis=-1, keepdims=True)

        def force():
            total = np.zeros_like(x)
            for s in range(2):
                for i in range(5):
                    for j in range(5):
                        if i != j:
                            apart = x[s, i] - x[s, j]
                            total[s, i] += charge[s, i] * charge[s, j] * apart / np.linalg.norm(apart) ** 3
            return np.clip(total, -100, 100)

        v += 1e-3 * force()
        frames = {}
        for step in range(1, 201):
            x += 1e-3 * v
            if step % 100 == 0:
                frames[step] = (x.copy(), v.copy())
            v += 1e-3 * force()
        assert np.allclose(data.position, frames[100][0], atol=1e-11)
        assert np.allclose(data.velocity, frames[100][1], atol=1e-11)
        assert np.allclose(data.target, frames[200][0], atol=1e-11)

    def test_momentum_is_conserved(self):
        # Without a clipped encounter the pair forces cancel; one unit of time apart, both frames have one momentum.
        early, late = (
            n_body(40, seed=1, input_frame=0, target_frame=1),
            n_body(40, seed=1, input_frame=9, target_frame=10),
        )
        change = (early.velocity.sum(1) - late.velocity.sum(1)).abs().amax(-1)
        assert change.median() < 1e-13

    def test_density_is_kept_for_more_bodies(self):
        spread = n_body(300, bodies=20, input_frame=0, target_frame=1).position.std()
        assert spread == pytest.approx(4 ** (1 / 3), rel=0.05)

    def test_chunks_do_not_change_results(self, monkeypatch):
        whole = n_body(100, seed=5, input_frame=0, target_frame=1)
        monkeypatch.setattr("erlangen.fields.mechanics.charged.CHUNK", 30)
        parts = n_body(100, seed=5, input_frame=0, target_frame=1)
        assert torch.allclose(whole.target, parts.target, rtol=0, atol=1e-12)

    @pytest.mark.parametrize(
        ("argument", "options"),
        [("simulations", {"simulations": 0}), ("bodies", {"simulations": 1, "bodies": 1}),
         ("target_frame", {"simulations": 1, "input_frame": 5, "target_frame": 5})],
    )  # fmt: skip
    def test_refuses(self, argument, options):
        with pytest.raises(ArgumentError, match=f"argument '{argument}'"):
            n_body(**options)
