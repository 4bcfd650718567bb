"""Augmentation: exact for equivariant models, converging for others; and the learned-augmentation baseline."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from erlangen.discover.augerino import Augerino
from erlangen.discover.augment import Augmented
from erlangen.errors import ArgumentError
from erlangen.groups import SO


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


class Square(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.square().sum((1, 2)).unsqueeze(-1)


def test_equivariance_error_falls_as_the_root_of_copies() -> None:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = nn.Sequential(nn.Linear(2, 16), nn.Tanh(), nn.Linear(16, 2)).double()
    x = torch.randn(400, 1, 2, generator=generator(), dtype=torch.float64)
    g = SO(2).sample(400, generator=generator(1), dtype=torch.float64)

    def error(copies: int) -> float:
        model = Augmented(net, SO(2).algebra.basis, copies=copies, generator=generator(2)).eval()
        with torch.no_grad():
            return float((model(x @ g.mT) - model(x) @ g.mT).square().mean().sqrt())

    errors = [error(c) for c in (4, 16, 64, 256)]
    assert all(0.4 < b / a < 0.62 for a, b in pairwise(errors)), errors


def test_what_is_symmetric_already_is_left_as_it_is() -> None:
    x = torch.randn(20, 3, 2, generator=generator(), dtype=torch.float64)
    scaling = Augmented(nn.Identity(), SO(2).algebra.basis, generator=generator(1))
    assert torch.allclose(scaling(x), x, atol=1e-6)
    invariant = Augmented(Square(), SO(2).algebra.basis, vector=False, generator=generator(1))
    assert torch.allclose(invariant(x), Square()(x), atol=1e-6)
    assert torch.equal(Augmented(Square(), SO(2).algebra.basis, vector=False).eval()(x), Square()(x))


@pytest.mark.parametrize(("argument", "kwargs"), [("copies", {"copies": -1}), ("basis", {"basis": torch.zeros(0, 2, 2)})])
def test_refusals(argument: str, kwargs: dict) -> None:
    with pytest.raises(ArgumentError, match=f"'{argument}'"):
        Augmented(**{"model": nn.Identity(), "basis": SO(2).algebra.basis, **kwargs})


def test_baseline_is_limited_by_the_loss_to_the_symmetry() -> None:
    # The model is exactly equivariant under rotations and under nothing else, so only rotations cost nothing.
    class Target(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x * (-x.square().sum(-1, keepdim=True)).exp()

    x = torch.randn(2000, 1, 2, generator=generator())
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Augerino(Target(), 2, generator=generator(3))
        optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        for _ in range(500):
            optimizer.zero_grad()
            loss = (model(x[:256]) - Target()(x[:256])).square().mean() + 0.02 * model.penalty()
            loss.backward()
            optimizer.step()
    skew = SO(2).algebra.basis[0]
    (basis,) = model.algebra().basis
    assert abs(float((basis * skew).sum() / basis.norm() / skew.norm())) > 0.98
