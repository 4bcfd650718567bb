"""A network on circles: rotations do not change it, relative turns of circles do, and it refuses what it cannot read."""

from __future__ import annotations

import pytest
import torch

import erlangen as er
from erlangen.actions import Images
from erlangen.errors import ArgumentError
from erlangen.nn import CircleNet
from erlangen.studies.rivals import polar_moduli


def smooth(count: int, side: int = 33) -> torch.Tensor:
    """Images without an edge that interpolation would blur."""
    line = torch.linspace(-1, 1, side, dtype=torch.float64)
    at = torch.rand(count, 4, 2, 1, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64) - 0.5
    away = (line[:, None] - at[:, :, 0]) ** 2 + (line - at[:, :, 1]) ** 2
    return torch.exp(-away / 0.05).sum(1, keepdim=True)


def test_quarter_turns_are_exact_and_others_nearly() -> None:
    torch.manual_seed(0)
    net = CircleNet(channels=(6, 8, 8), classes=4).double().eval()
    x = smooth(6)
    y = net(x)
    for k in range(4):
        assert (net(x.rot90(k, (2, 3))) - y).abs().max() < 1e-10
    G = er.SO(2)
    g = G.exp(G.algebra.combine(torch.rand(6, 1, dtype=torch.float64)))
    turned = Images(G.vector).act(g, x)
    assert (net(turned) - y).norm() < 0.1 * (net(x.roll(1, 0)) - y).norm()
    er.assert_equivariant(CircleNet(channels=(4,)).eval())


def test_moduli_are_those_of_the_rival_and_convolutions_see_what_they_forget() -> None:
    torch.manual_seed(0)
    x = smooth(4).float()
    alone = CircleNet(channels=()).eval()
    assert torch.allclose(alone.features(x).double(), torch.from_numpy(polar_moduli(x)), atol=1e-2)
    # The outer circles turned against the inner ones: all moduli stay, the image is another.
    net = CircleNet(channels=(6, 8)).eval()
    circles = net.circles(x)
    twisted = torch.cat([circles[..., :7, :], circles[..., 7:, :].roll(16, -1)], -2)
    net.circles = lambda images: images  # type: ignore[method-assign]
    one, other = net.features(circles), net.features(twisted)
    count = 14 * 11
    assert torch.allclose(one[:, :count], other[:, :count], atol=1e-5)
    assert (one - other)[:, count:].abs().max() > 1e-2


def test_gradients_at_empty_images_and_batches() -> None:
    net = CircleNet(channels=(4,), in_channels=2, classes=3).eval()
    x = torch.zeros(2, 3, 2, 16, 16, requires_grad=True)
    y = net(x)
    assert y.shape == (2, 3, 3)
    y.sum().backward()
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_what_it_refuses() -> None:
    for argument, options in (
        ("angles", {"angles": 24}),
        ("channels", {"channels": (4, 0)}),
        ("frequencies", {"frequencies": 40}),
        ("dropout", {"dropout": 1.0}),
    ):
        with pytest.raises(ArgumentError, match=argument):
            CircleNet(**options)
    with pytest.raises(ArgumentError, match="images"):
        CircleNet()(torch.rand(2, 1, 20, 21))
