"""Schedules against their closed forms, and what they refuse."""

from __future__ import annotations

import math

import pytest
import torch

from erlangen.errors import ArgumentError
from erlangen.generate import Gaussian, WrappedNormal, cosine, geometric, linear


def test_cosine_follows_its_curve_where_no_bound_holds() -> None:
    kept = cosine(200, largest=1.0)
    t = torch.arange(201, dtype=torch.float64) / 200
    curve = torch.cos((t + 0.008) / 1.008 * math.pi / 2) ** 2
    torch.testing.assert_close(kept[:-1], (curve / curve[0])[:-1], rtol=1e-12, atol=0)
    assert float(kept[-1]) == 0.0  # exactly: nothing is left


def test_bounds_of_the_steps() -> None:
    kept = cosine(1000, smallest=1e-4)
    beta = 1 - kept[1:] / kept[:-1]
    assert float(beta.min()) == pytest.approx(1e-4, rel=1e-9)
    assert float(beta.max()) == pytest.approx(0.9999, rel=1e-9)
    assert float(kept[500]) == pytest.approx(0.493653806, abs=5e-10)
    half = cosine(1000, power=1.0, largest=0.999)  # not squared
    assert float(1 - half[1]) == pytest.approx(
        1 - math.cos(0.009 / 1.008 * math.pi / 2) / math.cos(0.008 / 1.008 * math.pi / 2), rel=1e-9
    )


def test_linear_and_geometric() -> None:
    assert float(linear(1000)[1]) == pytest.approx(1 - 1e-4, rel=1e-12)
    assert float(linear(500).log()[-1]) == pytest.approx(float(linear(1000).log()[-1]), rel=0.02)
    sigma = geometric(1000)
    assert sigma.shape == (1001,)
    assert sigma[[0, 1, -1]].tolist() == [0.0, 0.005, 0.5]
    torch.testing.assert_close(
        sigma[2:] / sigma[1:-1], torch.full((999,), 100 ** (1 / 999), dtype=torch.float64), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize(
    ("make", "argument"),
    [
        (lambda: cosine(0), "steps"),
        (lambda: cosine(10, smallest=0.5, largest=0.2), "smallest"),
        (lambda: linear(10), "steps"),
        (lambda: geometric(1), "steps"),
        (lambda: geometric(10, first=0.5, last=0.1), "first"),
        (lambda: Gaussian(schedule=cosine(10, largest=1.0)), "schedule"),
        (lambda: Gaussian(schedule=torch.tensor([1.0, 0.5, 0.6])), "schedule"),
        (lambda: Gaussian(schedule=torch.tensor([0.9, 0.5])), "schedule"),
        (lambda: Gaussian(schedule=torch.tensor([1.0, float("nan")])), "schedule"),
        (lambda: WrappedNormal(schedule=torch.tensor([0.1, 0.5])), "schedule"),
    ],
)
def test_refused(make, argument: str) -> None:
    with pytest.raises(ArgumentError) as error:
        make()
    assert error.value.argument == argument
