"""Wrapped normal noise on the torus: it commutes with shifts and with rotations that permute the axes, and its laws compose."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import erlangen as er
from erlangen.actions import Fractional, Shifts
from erlangen.errors import ArgumentError
from erlangen.generate import Rows, WrappedNormal
from erlangen.generate.circle import log_density, score, wrapped
from erlangen.groups import PlaneGroup, SpaceGroup, Torus

T, F64 = 50, torch.float64


class Given(WrappedNormal):
    """Its random numbers are given."""

    drawn: Any = 0.0

    def draw(self, like, rows, generator):
        return rows.blank(torch.zeros_like(like) + self.drawn)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def steps(*values: int) -> Tensor:
    return torch.tensor(values)


def turned(action: er.Action, g: Tensor, v: Tensor) -> Tensor:
    """How an element moves differences: without its translation."""
    if isinstance(action, Shifts):
        return v
    return (action.group.rotation(g).to(v) @ v.unsqueeze(-1)).squeeze(-1)


@pytest.mark.parametrize(
    "action", [Shifts(Torus(3)), Fractional(SpaceGroup(225)), Fractional(SpaceGroup(14)), Fractional(PlaneGroup("p4gm"))]
)
def test_noise_of_moved_points_is_moved_noise(action: er.Action) -> None:
    process = Given(action, T)
    x, g, t = (
        action.example(4, generator=generator(), dtype=F64),
        action.group.sample(4, generator=generator(), dtype=F64),
        steps(1, 20, 40, 50),
    )
    e = torch.randn(x.shape, generator=generator(2), dtype=F64)
    process.drawn = e
    x_t, target = process.noise(x, t)
    process.drawn = turned(action, g, e)
    moved, moved_target = process.noise(action.act(g, x), t)
    assert float(wrapped(moved - action.act(g, x_t)).abs().max()) < 1e-14
    torch.testing.assert_close(moved_target, turned(action, g, target), rtol=0, atol=1e-11)


def test_as_a_law_it_commutes() -> None:
    action = Fractional(SpaceGroup(227))
    process = WrappedNormal(action, T)
    x0 = torch.rand(4, 2, 3, dtype=F64, generator=generator())
    t, s = steps(9, 20, 30, 50), steps(0, 3, 10, 49)
    x_t, _ = process.noise(x0, t, generator=generator(1))

    def density(data: dict[str, Tensor]) -> Tensor:
        return process.log_law(data["x_t"], data["x_0"], t, s).unsqueeze(1)

    moved = {"x_t": action, "x_0": action}
    assert er.equivariance_error(density, {"x_t": x_t, "x_0": x0}, moved, action.group.scalar, elements=12)["worst"] < 1e-10


@pytest.mark.parametrize("group", [SpaceGroup(194), PlaneGroup("p6mm"), SpaceGroup(166)])
def test_rotations_that_the_noise_does_not_keep_are_refused(group) -> None:
    with pytest.raises(ArgumentError, match="permute and reverse"):
        WrappedNormal(Fractional(group))
    with pytest.raises(ArgumentError, match="modulo 1"):
        WrappedNormal(er.O(2).vector)


def test_laws_compose() -> None:
    process, t, s, zero = WrappedNormal(schedule=T), steps(45), steps(30), steps(0)
    x0, x_t = torch.tensor([[0.1]], dtype=F64), torch.tensor([[0.7]], dtype=F64)
    n = 2000
    grid = (torch.arange(n, dtype=F64) / n)[:, None]
    first = process.log_law(grid, x0.expand(n, 1), s.expand(n), zero.expand(n))
    second = process.log_law(x_t.expand(n, 1), grid, t.expand(n), s.expand(n))
    assert float((first + second).exp().mean()) == pytest.approx(float(process.log_law(x_t, x0, t, zero).exp()), rel=1e-12)


def test_target_is_the_score_of_the_law() -> None:
    process = WrappedNormal(schedule=T)
    x0 = torch.rand(3, 4, dtype=F64, generator=generator())
    t = steps(1, 25, 50)
    x_t, target = process.noise(x0, t, generator=generator(1))
    at = x_t.clone().requires_grad_()
    (slope,) = torch.autograd.grad(process.log_law(at, x0, t, torch.zeros(3, dtype=torch.int64)).sum(), at)
    torch.testing.assert_close(process.score(target, t), slope, rtol=1e-9, atol=1e-8)


def test_targets_have_unit_size() -> None:
    process = WrappedNormal(schedule=T)
    t = steps(1, 25, 45, 50)
    _, target = process.noise(torch.zeros(4, 20000, dtype=F64), t, generator=generator())
    assert float((target.square().mean(1) - 1).abs().max()) < 5 * math.sqrt(2 / 20000)


def test_step_back_is_the_stated_one() -> None:
    """Ancestral as Jiao et al. have it; without fresh noise the exact flow of a narrow law keeps its one noise."""
    process = Given(None, T)
    x, said, z = torch.rand(3, 2, 5, 3, dtype=F64, generator=generator())
    process.drawn = z
    t, s = steps(30, 50), steps(12, 49)
    v_t, v_s = (process.sigma[step].square()[:, None, None] for step in (t, s))
    slope = said * process.size[t][:, None, None]
    expected = x + (v_t - v_s) * slope + (v_s * (v_t - v_s) / v_t).sqrt() * z
    assert float(wrapped(process.reverse(x, said, t, s) - expected).abs().max()) < 1e-14
    corrected = x + 0.3 * v_t * slope + (0.6 * v_t).sqrt() * z
    assert float(wrapped(process.correct(x, said, t, 0.3) - corrected).abs().max()) < 1e-14
    x0 = torch.full((2, 5, 3), 0.5, dtype=F64)
    t, s = steps(5, 8), steps(2, 0)
    x_t, target = process.noise(x0, t)
    there, _ = process.noise(x0, s)
    # The images other than the nearest weigh exp(-1 / (2 sigma^2)) and less: nothing at these steps.
    assert float(wrapped(process.reverse(x_t, target, t, s, eta=0.0) - there).abs().max()) < 1e-14


@pytest.mark.parametrize(("t", "s"), [(50, 49), (50, 30), (20, 10)])
def test_estimate_of_a_step_is_unbiased(t: int, s: int) -> None:
    """Against the divergence by quadrature of the laws themselves."""
    process = WrappedNormal(schedule=T)
    n, grid = 40_000, (torch.arange(4096, dtype=F64) / 4096)[:, None]
    x0, x_t, said = (torch.tensor([[v]], dtype=F64) for v in (0.2, 0.55 if t == 50 else 0.23, 0.4))

    def many(x: Tensor, count: int = n) -> Tensor:
        return x.expand(count, 1)

    ts, ss, zeros = (torch.full((n,), v) for v in (t, s, 0))
    found = process.step_nats(many(x0), many(x_t), many(said), ts, ss, generator=generator())
    k = len(grid)
    v_t, v_s = (float(process.sigma[step]) ** 2 for step in (t, s))
    true = process.log_law(grid, many(x0, k), ss[:k], zeros[:k]) + process.log_law(many(x_t, k), grid, ts[:k], ss[:k])
    true = true - process.log_law(many(x_t, k), many(x0, k), ts[:k], zeros[:k])
    mean = float(x_t) + (v_t - v_s) * float(process.score(said, steps(t)))
    mine = log_density(grid - mean, torch.tensor(math.sqrt(v_s * (v_t - v_s) / v_t), dtype=F64))[:, 0]
    assert float(true.exp().mean()) == pytest.approx(1.0, abs=1e-9)
    exact = float((true.exp() * (true - mine)).mean())
    assert abs(float(found.mean()) - exact) < 4 * float(found.std()) / math.sqrt(n)


def test_ragged_and_masked_are_alike() -> None:
    process = Given(None, T)
    x, said, e = torch.rand(3, 5, 3, dtype=F64, generator=generator())
    segment, t, s = torch.tensor([0, 0, 1, 1, 1]), steps(10, 40), steps(0, 20)
    mask = torch.tensor([[True, True, False], [True, True, True]])

    def padded(v: Tensor) -> Tensor:
        out = torch.full((2, 3, 3), 0.123, dtype=F64)
        out[mask] = v
        return out

    process.drawn = e
    flat = process.reverse(x, said, t, s, rows=Rows(2, segment))
    flat_nats = process.step_nats(x, x, said, t, torch.zeros_like(s), rows=Rows(2, segment))
    process.drawn = padded(e)
    dense = process.reverse(padded(x), padded(said), t, s, rows=Rows(2, mask=mask))
    torch.testing.assert_close(dense[mask], flat, rtol=0, atol=1e-15)
    assert not bool(dense[~mask].any())
    nats = process.step_nats(padded(x), padded(x), padded(said), t, torch.zeros_like(s), rows=Rows(2, mask=mask))
    torch.testing.assert_close(nats, flat_nats)
    assert process.prior_nats(padded(x), rows=Rows(2, mask=mask)).tolist() == pytest.approx(
        process.prior_nats(x, rows=Rows(2, segment)).tolist()
    )


def test_steering_adds_to_the_score() -> None:
    process = WrappedNormal(schedule=T)
    said, gradient = torch.randn(2, 2, 3, dtype=F64, generator=generator())
    t = steps(7, 50)
    torch.testing.assert_close(process.score(process.steer(said, gradient, t), t), process.score(said, t) + gradient)


def test_shifts_are_an_action() -> None:
    er.testing.check_action(Shifts(Torus(2)))
    with pytest.raises(ArgumentError):
        Shifts(er.SO(2))  # type: ignore[arg-type]


def test_score_of_half_a_cell_is_not_that_of_the_nearest_image() -> None:
    at = torch.tensor(0.49, dtype=F64)
    assert float(score(at, torch.tensor(0.5, dtype=F64))) == pytest.approx(-0.0058, abs=5e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_coordinates_far_outside_the_cell_are_those_in_it(dtype: torch.dtype) -> None:
    """In float32 numbers near 1e5 are a hundredth apart; the noise on them is not."""
    process = WrappedNormal(schedule=20)
    inside = torch.tensor([[0.25, 0.75, 0.0, 0.5]], dtype=dtype)
    outside = inside + torch.tensor([1e5, -1e5, 7.0, -3.0], dtype=dtype)
    t, s = torch.tensor([2]), torch.tensor([1])
    first, second = (process.noise(x, t, generator=torch.Generator().manual_seed(0)) for x in (inside, outside))
    assert all(torch.equal(a, b) for a, b in zip(first, second))
    x_t, said = first
    for end in (s, 0 * s):
        nats = [process.step_nats(x, x_t, said, t, end, generator=torch.Generator().manual_seed(0)) for x in (inside, outside)]
        assert torch.equal(*nats)
    assert torch.equal(process.log_law(x_t, inside, t, 0 * s), process.log_law(x_t, outside, t, 0 * s))


def test_the_widest_noise_has_a_score_in_each_precision() -> None:
    """There the score over its root mean square is a sine of mean square 1."""
    process = WrappedNormal(schedule=torch.tensor([0.0, 1.0, 2.0]))
    for dtype, off in ((torch.float64, 1e-7), (torch.float32, 1e-4), (torch.float16, 0.02)):
        x, t = torch.zeros(2, 1000, dtype=dtype), torch.tensor([1, 2])
        x_t, said = process.noise(x, t, generator=torch.Generator().manual_seed(0))
        wanted = -math.sqrt(2) * (2 * math.pi * x_t.double()).sin()
        assert float((said.double() - wanted).abs().max()) < off
    with pytest.raises(ArgumentError, match="up to 2"):
        WrappedNormal(schedule=torch.tensor([0.0, 1.0, 2.1]))
