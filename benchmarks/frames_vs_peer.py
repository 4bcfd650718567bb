"""`Symmetrized` with principal frames against PyPI `frame-averaging-pytorch`, forward and backward on [64, 1024, 3].

The peer subtracts the centroid and does not add it back, so its "equivariant" output is not translation-equivariant; both errors are
printed. Target: at most 1.0 times the peer's time.
"""

from __future__ import annotations

import statistics
import time
import warnings

import torch
from _timing import show
from frame_averaging_pytorch import FrameAverage
from torch import nn

import erlangen as er


def point_network() -> nn.Module:
    """A small network on each point and their mean, [B, n, 3] -> [B, n, 3]."""

    class Net(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.last = nn.Linear(3, 16), nn.Linear(32, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            h = torch.relu(self.first(x))
            return self.last(torch.cat([h, h.mean(1, keepdim=True).expand_as(h)], -1))

    return Net()


def in_turns(ours: nn.Module, peer: nn.Module, x: torch.Tensor, repeats: int = 12, warmup: int = 2) -> tuple[float, float]:
    """Median CPU seconds of a forward and backward pass, step by step in turns, so that both see the same memory and neighbours."""
    times: dict[nn.Module, list[float]] = {ours: [], peer: []}
    for i in range(warmup + repeats):
        for model, kept in times.items():
            start = time.process_time()
            data = x.clone().requires_grad_()
            model(data).square().mean().backward()
            if i >= warmup:
                kept.append(time.process_time() - start)
    return statistics.median(times[ours]), statistics.median(times[peer])


def main() -> None:
    warnings.filterwarnings("ignore", message="Using a non-tuple sequence")  # the peer indexes so
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net, group = point_network(), er.E(3)
    x = torch.randn(64, 1024, 3)
    for label, ours, peer in (
        ("network", er.symmetrize(net, group.point, group.point), FrameAverage(net, dim=3)),
        ("identity", er.symmetrize(nn.Identity(), group.point, group.point), FrameAverage(nn.Identity(), dim=3)),
    ):
        a, b = in_turns(ours, peer, x)
        show(f"principal frames, {label}, forward + backward", a, b, "frame-averaging-pytorch", "<= 1.0")
    data = x[:4, :50].double()
    net = net.double()
    ours = er.symmetrize(net, group.point, group.point)
    theirs = FrameAverage(net, dim=3)
    for name, model in (("ours", ours), ("peer", theirs)):
        error = er.equivariance_error(model, data, group.point, group.point, scale=10.0)
        print(f"  E(3) equivariance error of {name}: worst {error['worst']:.2e}")
    centre = data.mean(1, keepdim=True)
    difference = (ours(data) - (theirs(data) + centre)).abs().max()
    print(f"  ours - (peer + centroid): {float(difference.detach()):.2e}")


if __name__ == "__main__":
    main()
