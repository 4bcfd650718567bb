"""Normal noise: it commutes with its action, its laws compose, and the step back is Bayes' rule."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import erlangen as er
from erlangen.errors import ArgumentError
from erlangen.generate import Gaussian, Rows, cosine, linear

T, F64 = 50, torch.float64


class Given(Gaussian):
    """Its random numbers are given."""

    drawn: Any = 0.0

    def draw(self, like, rows, generator):
        return self._within(torch.zeros_like(like) + self.drawn, rows)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def steps(*values: int) -> Tensor:
    return torch.tensor(values)


@pytest.mark.parametrize(
    "action", [er.O(3).vector, er.SO(2).vector + er.SO(2).scalar, er.E(3).vector, er.actions.OnAxes({-2: er.Symmetric(4).vector})]
)
@pytest.mark.parametrize("prediction", ["noise", "start", "velocity"])
def test_noise_of_moved_data_is_moved_noise(action: er.Action, prediction: Any) -> None:
    process = Given(action, T, prediction)
    x, e = (action.example(3, generator=generator(i), dtype=F64) for i in (1, 2))
    g, t = action.group.sample(3, generator=generator(), dtype=F64), steps(1, 20, 50)
    process.drawn = e
    plain = process.noise(x, t)
    process.drawn = action.act(g, e)
    for moved, still in zip(process.noise(action.act(g, x), t), plain):
        torch.testing.assert_close(moved, action.act(g, still), rtol=0, atol=1e-13)


def test_as_a_law_it_commutes() -> None:
    G = er.O(3)
    process = Gaussian(G.vector, T, centred=True)
    x0 = torch.randn(4, 5, 3, dtype=F64, generator=generator())
    x0 = x0 - x0.mean(1, keepdim=True)
    t, s = steps(9, 20, 30, 50), steps(0, 3, 10, 49)
    x_t, _ = process.noise(x0, t, generator=generator(1))

    def density(data: dict[str, Tensor]) -> Tensor:
        return process.log_law(data["x_t"], data["x_0"], t, s).unsqueeze(1)

    assert er.equivariance_error(density, {"x_t": x_t, "x_0": x0}, {"x_t": G.vector, "x_0": G.vector}, G.scalar)["worst"] < 1e-12


def test_laws_compose() -> None:
    """Going to s and from there to t is going to t: by quadrature over x_s."""
    process, t, s, zero = Gaussian(schedule=T), steps(40), steps(17), steps(0)
    x0, x_t = torch.tensor([[0.8]], dtype=F64), torch.tensor([[-0.3]], dtype=F64)
    grid = torch.linspace(-12, 12, 4001, dtype=F64)[:, None]
    n = len(grid)
    first = process.log_law(grid, x0.expand(n, 1), s.expand(n), zero.expand(n))
    second = process.log_law(x_t.expand(n, 1), grid, t.expand(n), s.expand(n))
    total = float(torch.trapezoid((first + second).exp(), grid[:, 0]))
    assert total == pytest.approx(float(process.log_law(x_t, x0, t, zero).exp()), rel=1e-12)


@pytest.mark.parametrize("prediction", ["noise", "start", "velocity"])
@pytest.mark.parametrize(("t", "s"), [(50, 49), (50, 1), (20, 7), (2, 1)])
def test_step_back_from_the_truth_is_bayes(prediction: Any, t: int, s: int) -> None:
    """Precisions add: those of x_s given x_0 and of x_t given x_s."""
    process = Given(None, linear(T, first=1e-4, last=0.01), prediction)
    x0, e = torch.randn(2, 6, 1, dtype=F64, generator=generator())
    process.drawn = e
    x_t, target = process.noise(x0, torch.full((6,), t))
    kept_t, kept_s = float(process.kept[t]), float(process.kept[s])
    ratio = kept_t / kept_s
    precision = 1 / (1 - kept_s) + ratio / (1 - ratio)
    mean = (math.sqrt(kept_s) * x0 / (1 - kept_s) + math.sqrt(ratio) * x_t / (1 - ratio)) / precision
    for z in (0.0, 1.0, -2.0):
        process.drawn = z
        back = process.reverse(x_t, target, torch.full((6,), t), torch.full((6,), s))
        torch.testing.assert_close(back, mean + z / math.sqrt(precision), rtol=1e-10, atol=1e-10)


def test_without_fresh_noise_it_moves_along_one_noise() -> None:
    process = Given(None, T)
    x0, e = torch.randn(2, 6, 3, dtype=F64, generator=generator())
    process.drawn = e
    x_t, target = process.noise(x0, torch.full((6,), 30))
    there, _ = process.noise(x0, torch.full((6,), 11))
    torch.testing.assert_close(
        process.reverse(x_t, target, torch.full((6,), 30), torch.full((6,), 11), eta=0.0), there, rtol=0, atol=1e-13
    )
    torch.testing.assert_close(
        process.reverse(x_t, target, torch.full((6,), 30), torch.zeros(6, dtype=torch.int64)), x0, rtol=0, atol=1e-13
    )


@pytest.mark.parametrize("prediction", ["noise", "start", "velocity"])
def test_steering_adds_to_the_score(prediction: Any) -> None:
    process = Given(None, T, prediction)
    x0, e, gradient = torch.randn(3, 4, 2, dtype=F64, generator=generator())
    process.drawn = e
    t = steps(3, 20, 40, 49)
    x_t, target = process.noise(x0, t)
    kept = process.kept[t][:, None]

    def score(said: Tensor) -> Tensor:
        return (kept.sqrt() * process.start(x_t, said, t) - x_t) / (1 - kept)

    torch.testing.assert_close(score(target), -e / (1 - kept).sqrt(), rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(score(process.steer(target, gradient, t)), score(target) + gradient, rtol=1e-9, atol=1e-9)
    process.drawn = 1.5  # the Langevin step, in its own words
    corrected = process.correct(x_t, target, t, 0.1)
    expected = x_t + 0.1 * (1 - kept) * score(target) + math.sqrt(0.2) * (1 - kept).sqrt() * 1.5
    torch.testing.assert_close(corrected, expected, rtol=1e-9, atol=1e-9)


def test_centred_in_every_layout() -> None:
    """Padded, ragged and alone, a cloud has the same noise, and its centre stays where it is."""
    process = Given(er.O(3).vector, T, centred=True)
    x, e = torch.randn(2, 7, 3, dtype=F64, generator=generator())
    t = steps(10, 40)
    ragged = Rows(2, segment=torch.tensor([0, 0, 0, 1, 1, 1, 1]))
    mask = torch.tensor([[True] * 3 + [False] * 2, [True] * 4 + [False]])
    padded, noise = torch.full((2, 5, 3), 9.0, dtype=F64), torch.full((2, 5, 3), -7.0, dtype=F64)
    padded[mask], noise[mask] = x, e
    process.drawn = e
    flat, _ = process.noise(x, t, rows=ragged)
    process.drawn = noise
    dense, target = process.noise(padded, t, rows=Rows(2, mask=mask))
    torch.testing.assert_close(dense[mask], flat, rtol=0, atol=1e-14)
    assert not bool(dense[~mask].any())
    process.drawn = e[None, :3]  # alone, with the same noise
    alone, _ = process.noise(x[None, :3], t[:1])
    torch.testing.assert_close(alone[0], flat[:3], rtol=0, atol=1e-14)
    assert float(dense.sum(1).abs().max()) < 1e-13
    said = torch.randn(2, 5, 3, dtype=F64, generator=generator(3))
    loss = process.loss(said, target, dense, t, rows=Rows(2, mask=mask))
    assert not bool(loss[~mask].any())
    process.drawn = noise
    back = process.reverse(dense, said, t, steps(3, 20), rows=Rows(2, mask=mask))
    assert float(back.sum(1).abs().max()) < 1e-12
    nats = process.step_nats(padded, dense, said, t, steps(0, 0), rows=Rows(2, mask=mask))
    lonely = process.step_nats(x[None, :3], alone, said[:1, :3], t[:1], steps(0))
    torch.testing.assert_close(nats[:1], lonely)


def test_density_of_centred_points_integrates_to_one() -> None:
    """Two points on a line, centred, are one number: their log-law is that of a normal of one dimension."""
    process = Gaussian(schedule=T, centred=True)
    half = torch.linspace(-8, 8, 2001, dtype=F64)
    x_t = torch.stack([half, -half], 1)[..., None]
    n = len(half)
    x0 = torch.tensor([[[0.3], [-0.3]]], dtype=F64).expand(n, 2, 1)
    logs = process.log_law(x_t, x0, torch.full((n,), 25), torch.zeros(n, dtype=torch.int64))
    assert float(torch.trapezoid(logs.exp(), half * math.sqrt(2))) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: Gaussian(er.E(3).point), "action"),  # translations: an affine action
        (lambda: Gaussian(er.SL(2).vector), "action"),  # lengths
        (lambda: Gaussian(er.actions.OnAxes({-2: er.O(2).vector}), centred=True), "action"),  # mixes points, and moves their mean
        (lambda: Gaussian(prediction="score"), "prediction"),  # type: ignore[arg-type]
        (lambda: Gaussian(er.O(3).vector, T).noise(torch.zeros(2, 4), steps(1, 1)), "x0"),
        (lambda: Gaussian(schedule=T).noise(torch.zeros(2, 4, dtype=torch.int64), steps(1, 1)), "x0"),
        (lambda: Gaussian(schedule=T).noise(torch.zeros(2, 4), steps(1, 51)), "t"),
        (lambda: Gaussian(schedule=T).noise(torch.zeros(2, 4), torch.ones(2)), "t"),
        (lambda: Gaussian(schedule=T, centred=True).noise(torch.zeros(2, 4), steps(1, 1)), "x"),
    ],
)
def test_refused(make, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert error.value.argument == argument


def test_single_precision_and_seeds() -> None:
    process = Gaussian(schedule=cosine(T))
    x = torch.randn(3, 2, generator=generator())
    one, two = (process.noise(x, steps(1, 25, 50), generator=generator(7))[0] for _ in range(2))
    assert one.dtype == torch.float32
    assert torch.equal(one, two)
