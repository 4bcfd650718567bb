"""The wrapped normal law: against long sums, autograd, quadrature and an independent special function."""

from __future__ import annotations

import math

import pytest
import torch

from erlangen.generate.circle import SWITCH, distance_from_uniform, log_density, score, score_size

SIGMAS = [0.005, 0.05, 0.2, 0.39999, SWITCH, 0.40001, 0.5, 1.0]


def long_sum(d: torch.Tensor, sigma: float, images: int = 60) -> torch.Tensor:
    k = torch.arange(-images, images + 1, dtype=torch.float64)
    return (-0.5 * ((d.unsqueeze(-1) + k) / sigma).square()).logsumexp(-1) - math.log(sigma * math.sqrt(2 * math.pi))


@pytest.mark.parametrize("sigma", SIGMAS)
def test_density_and_score_are_those_of_a_long_sum(sigma: float) -> None:
    d = torch.linspace(-0.5, 0.5, 201, dtype=torch.float64).requires_grad_()
    long = long_sum(d, sigma)
    (slope,) = torch.autograd.grad(long.sum(), d)
    d, at = d.detach(), torch.tensor(sigma, dtype=torch.float64)
    torch.testing.assert_close(log_density(d, at), long.detach(), rtol=1e-13, atol=1e-13)
    torch.testing.assert_close(score(d, at), slope, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("sigma", SIGMAS)
def test_score_is_odd_and_periodic(sigma: float) -> None:
    d = torch.linspace(-0.49, 0.49, 99, dtype=torch.float64)
    at = torch.tensor(sigma, dtype=torch.float64)
    unit = float(1 / at**2)
    assert float((score(-d, at) + score(d, at)).abs().max()) < 1e-14 * unit
    assert float((score(d + 3, at) - score(d, at)).abs().max()) < 1e-13 * unit / sigma
    assert float(score(torch.tensor([0.0, 0.5, -0.5, 1.0], dtype=torch.float64), at).abs().max()) < 1e-15 * unit


def test_single_precision_stays_finite_and_near() -> None:
    d = torch.linspace(-0.5, 0.5, 101)
    for sigma in (0.001, 0.005, 0.1, 0.5):
        single, at = score(d, torch.tensor(sigma)), torch.tensor(sigma, dtype=torch.float64)
        assert bool(single.isfinite().all())
        inside = d.abs() < 0.49  # at 1/2 two images meet, and rounding of d decides
        error = (single.double() - score(d.double(), at)).abs()[inside].max()
        assert float(error) < 1e-5 / sigma**2


@pytest.mark.parametrize(
    ("sigma", "square"),
    [(0.005, 40000.0), (0.05, 400.0), (0.1, 99.99553590), (0.2, 19.07754783), (0.3, 2.32403063), (0.5, 4.08411e-3)],
)
def test_mean_square_of_the_score(sigma: float, square: float) -> None:
    at = torch.tensor(sigma, dtype=torch.float64)
    assert float(score_size(at).square()) == pytest.approx(square, rel=2e-6)
    # Fisher information by another rule, on another grid.
    d = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000 - 0.5
    density = long_sum(d, sigma, 8).exp()
    direct = float((density * score(d, at).square()).mean())
    assert direct == pytest.approx(float(score_size(at).square()), rel=1e-9)
    assert float(density.mean()) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("sigma", [0.01, 0.0499, 0.0501, 0.2, 0.5])
def test_distance_from_uniform(sigma: float) -> None:
    d = (torch.arange(50_000, dtype=torch.float64) + 0.5) / 50_000 - 0.5
    logs = long_sum(d, sigma, 8)
    assert distance_from_uniform(sigma) == pytest.approx(float((logs.exp() * logs).mean()), rel=1e-9)
