"""A separable Lie-group convolution beside the full one that its source has, and affine images beside torch's own functions.

`python benchmarks/lie_conv_layer.py`. The source (Mironenco & Forré, arXiv:2310.11366) evaluates a network of sines at all pairs of samples
and all places of the filter, for all pairs of channels, and convolves with the result: the peer here is this formulation. CPU time, one
thread, in turns.
"""

from __future__ import annotations

import itertools
import statistics
import time
from collections.abc import Callable

import torch
from _timing import show
from torch import Tensor, nn

from erlangen.actions import Images
from erlangen.groups import SL, Affine
from erlangen.nn import LieConv
from erlangen.nn.lie_conv import Samples
from erlangen.nn.lie_conv.kernels import group_coordinates

CHANNELS, COUNT, SIDE, BATCH = 16, 10, 20, 16


class Full(nn.Module):
    """The layer of the source: SIREN on ``(u, v)``, 3 layers of 60, all pairs."""

    def __init__(self, samples: Samples) -> None:
        super().__init__()
        line = torch.linspace(-1, 1, 5)
        places = torch.stack(torch.meshgrid(-line, line, indexing="ij")[::-1], -1).view(-1, 2)
        h = samples.elements.float()
        u = torch.einsum("nij,pj->npi", torch.linalg.inv(h), places)
        v = torch.cat(group_coordinates(samples.relative()), -1).float()
        pairs = torch.cat([u[:, None].expand(-1, COUNT, -1, -1), v[:, :, None].expand(-1, -1, 25, -1)], -1)
        self.register_buffer("pairs", pairs)
        self.register_buffer("measure", (samples.weights() / torch.linalg.det(samples.elements)).float() / COUNT)
        sizes = [pairs.shape[-1], 60, 60, 60]
        self.hidden = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))
        self.last = nn.Linear(60, CHANNELS**2)

    def forward(self, x: Tensor) -> Tensor:
        c = self.pairs
        for layer in self.hidden:
            c = torch.sin(10 * layer(c))
        weight = self.last(c).unflatten(-1, (CHANNELS, CHANNELS)) * self.measure[:, None, None, None]
        weight = weight.permute(3, 0, 4, 1, 2).reshape(CHANNELS * COUNT, CHANNELS * COUNT, 5, 5)
        return nn.functional.conv2d(x.flatten(1, 2), weight, padding=2).view_as(x)


def in_turns(runs: list[Callable[[], object]], repeats: int = 9, warmup: int = 2) -> list[float]:
    """Median CPU seconds of each, run in turns."""
    times: list[list[float]] = [[] for _ in runs]
    for i in range(warmup + repeats):
        for run, kept in zip(runs, times):
            started = time.process_time()
            run()
            if i >= warmup:
                kept.append(time.process_time() - started)
    return [statistics.median(kept) for kept in times]


def step(layer: nn.Module) -> Callable[[], object]:
    """Forward and backward."""
    x = torch.randn(BATCH, CHANNELS, COUNT, SIDE, SIDE)

    def run() -> None:
        layer.zero_grad(set_to_none=True)
        layer(x.requires_grad_()).square().mean().backward()

    return run


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    samples = Samples(SL(2), angles=COUNT, stretches=1, stretch=0.5)
    layer = LieConv(CHANNELS, CHANNELS, samples, reach=1.4)
    assert layer._offsets().shape[1] == 5
    ours, theirs = in_turns([step(layer), step(Full(samples))])
    show(f"separable layer, {CHANNELS} channels, {COUNT} samples, 5x5", ours, theirs, "full layer", "<= 0.2")
    building, whole = in_turns([lambda: (layer.mixing(), layer.plane(layer._offsets())), step(layer)], repeats=15)
    show("building the kernels of it", building, whole, "the layer", "<= 0.1")

    group = Affine(2)
    act, x = Images(group.point), torch.randn(64, 3, 40, 40)
    linear, shift = torch.eye(2) + 0.2 * torch.randn(64, 2, 2), torch.randn(64, 2)
    g = group.element(linear, shift)

    def by_torch() -> Tensor:
        back = torch.linalg.inv(linear)
        theta = torch.cat([back, -(back @ shift.unsqueeze(-1)) / 20], -1)
        return nn.functional.grid_sample(
            x, nn.functional.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False
        )

    ours, theirs = in_turns([lambda: act.act(g, x), by_torch], repeats=25)
    show("64 images moved by affine maps", ours, theirs, "affine_grid and grid_sample", "<= 1.2")


if __name__ == "__main__":
    main()
