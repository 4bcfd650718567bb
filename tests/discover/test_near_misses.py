"""Evidence on distributions that nearly have a symmetry, and that have it: neither may be taken for the other."""

from __future__ import annotations

import pytest
import torch

from erlangen.discover import discover, evidence
from erlangen.discover.samples import Samples, samples_of
from erlangen.groups import SO
from erlangen.groups.algebra_forms import algebra_of_form


def rng(seed: int = 11) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def ball(n: int) -> torch.Tensor:
    return torch.randn(n, 1, 3, generator=rng(), dtype=torch.float64)


def cube(n: int) -> torch.Tensor:
    return 2 * torch.rand(n, 1, 3, generator=rng(), dtype=torch.float64) - 1


def test_a_ball_stands_and_a_cube_does_not() -> None:
    rotations = SO(3).algebra.basis
    assert evidence(rotations, samples_of(ball(2500)))
    verdict = evidence(rotations, samples_of(cube(2500)))
    assert not verdict
    assert verdict.interval is not None
    assert verdict.interval[0] > 0.5


def along_an_axis() -> Samples:
    x = ball(2500)
    return samples_of(x, x[:, 0, 0])


def test_an_output_along_an_axis_leaves_the_turns_about_it() -> None:
    data = along_an_axis()
    assert evidence(SO(2, axis="x").algebra.basis, data)
    assert not evidence(SO(3).algebra.basis, data)


@pytest.mark.parametrize("stretched", [pytest.param(-1.0, marks=pytest.mark.slow), -0.1])
def test_nor_does_it_leave_boosts_along_the_axis(stretched: float) -> None:
    boosts = algebra_of_form(torch.diag(torch.tensor([stretched, 1.0, 1.0], dtype=torch.float64)))
    assert not evidence(boosts, along_an_axis())


@pytest.mark.parametrize("n", [100, 200])
def test_few_samples_of_a_cube_prove_nothing(n: int) -> None:
    verdict = evidence(SO(3).algebra.basis, samples_of(cube(n)))
    assert not verdict


@pytest.mark.slow
def test_discover_finds_the_axis() -> None:
    x = torch.randn(3000, 1, 3, generator=rng(5), dtype=torch.float64)
    found = discover(x, x[:, 0, 0], quiet=True)
    assert found.algebra is not None
    assert found.algebra.dim == 1
    assert float(found.algebra.principal_cosines(SO(2, axis="x").algebra).min()) > 0.98


@pytest.mark.slow
def test_discover_takes_no_cube_for_a_ball() -> None:
    # Its square cross-section still passes for a circle: see the guide.
    found = discover(cube(3000), quiet=True)
    assert found.algebra is None or found.algebra.dim == 1
