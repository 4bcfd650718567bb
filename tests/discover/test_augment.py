"""Augmentation: exact for equivariant models, converging for others; and the learned-augmentation baseline."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import nn

from erlangen.discover.augerino import Augerino
from erlangen.discover.augment import Augmented, moved
from erlangen.errors import ArgumentError
from erlangen.groups import SO
from erlangen.training import TrainingConfig, train_members


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


def test_planes_are_turned_as_by_whole_matrices() -> None:
    """Generators in 2 x 2 diagonal blocks have a closed form; it is the exponential of the whole matrix."""
    a = torch.kron(torch.eye(3), torch.ones(2, 2)).double() * torch.randn(5, 6, 6, generator=generator(), dtype=torch.float64)
    x, mix = (torch.randn(*shape, generator=generator(1), dtype=torch.float64) for shape in ((5, 4, 6), (6, 6)))
    for vector in (True, False):
        planes, whole = (moved(lambda v: (v @ mix).tanh(), x, a, vector, blocks) for blocks in (True, False))
        assert torch.allclose(planes, whole, atol=1e-9)


@pytest.mark.parametrize("make", [lambda net, L: Augmented(net, L), lambda net, L: Augerino(net, 4, mask=(L[0] != 0).float())])
def test_moves_in_planes_are_trained_for_several_seeds_at_once(make) -> None:
    L = torch.kron(torch.eye(2), torch.tensor([[0.0, -1.0], [1.0, 0.0]]))[None]
    x = torch.randn(64, 3, 4, generator=generator())
    nets, histories = train_members(
        lambda seed: make(nn.Linear(4, 4), L),
        [0, 1],
        (x, 2 * x),
        lambda m, a, b: (m(a) - b).square().mean(),
        TrainingConfig(steps=40),
        quiet=True,
    )
    assert len(nets) == 2
    assert all(h.losses[-1] < h.losses[0] for h in histories)


@pytest.mark.parametrize("kind", ["augmented", "augerino"])
def test_what_is_loaded_is_not_read_as_planes(kind):
    planes, crossed = torch.zeros(2, 4, 4)
    planes[0, 1], planes[1, 0] = -1.0, 1.0
    crossed[0, 2], crossed[2, 0] = -1.0, 1.0

    def make(a):
        g = torch.Generator().manual_seed(3)
        if kind == "augmented":
            return Augmented(torch.nn.Identity(), a[None], vector=False, generator=g)
        return Augerino(torch.nn.Identity(), 4, mask=a.abs(), vector=False, generator=g)

    other, own, x = make(planes), make(crossed), torch.randn(2, 3, 4)
    other.load_state_dict(own.state_dict())
    moved = []
    for model in (other, own):
        torch.manual_seed(0)
        moved.append(model(x))
    assert torch.equal(*moved)


def test_shapes_that_would_broadcast_are_refused():
    model = Augmented(torch.nn.Identity(), torch.ones(1, 3, 3))
    for shape in ((5, 3), (2, 2, 4, 3), (2, 2, 4)):
        with pytest.raises(ArgumentError, match="x"):
            model(torch.zeros(shape))
