"""What `Symmetrized` costs over the bare model: a PointNet at [32, 1024, 3], forward without gradients, in CPU seconds.

Targets: everything but the backbone at most 5 % of the backbone's time (one element); the full frame at most 1.1 k times the backbone's
time, the sign-fixed frame at most 1.2 times. Frames alone against a loop over data, as published code makes them. And of a small network on
small clouds, [64, 5, 3], where calls and not arithmetic take the time: the bare network on the same copies is the peer.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

import erlangen as er
from erlangen.symmetrize import Principal, SignFixed, Weighted


class PointNet(nn.Module):
    """64, 64, 64, 128, 1024 on each point, the largest over the cloud, 512, 256, 40."""

    def __init__(self) -> None:
        super().__init__()
        sizes = [3, 64, 64, 64, 128, 1024]
        self.each = nn.Sequential(*[layer for a, b in pairwise(sizes) for layer in (nn.Linear(a, b), nn.ReLU())])
        self.last = nn.Sequential(nn.Linear(1024, 512), nn.ReLU(), nn.Linear(512, 256), nn.ReLU(), nn.Linear(256, 40))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.each(x).amax(1))


class Given(er.Frame):
    """One element for each datum, which costs nothing to find: what is left is the wrapper."""

    is_exact = False

    def forward(self, inp: er.Action, x: torch.Tensor) -> Weighted:
        return Weighted(inp.group.identity(len(x), 1, dtype=x.dtype))


def seconds(runs: list[Callable[[], object]], repeats: int = 7) -> list[float]:
    """Median CPU seconds of each, in turns."""
    times: list[list[float]] = [[] for _ in runs]
    with torch.no_grad():
        for i in range(repeats + 1):
            for run, kept in zip(runs, times):
                start = time.process_time()
                run()
                if i:
                    kept.append(time.process_time() - start)
    return [statistics.median(kept) for kept in times]


def loop_over_data(x: torch.Tensor) -> list[torch.Tensor]:
    """Frames of SE(3), datum by datum: an eigendecomposition and all signs for each."""
    found = []
    for cloud in x:
        centred = cloud - cloud.mean(0)
        _, axes = torch.linalg.eigh(centred.T @ centred)
        for signs in torch.cartesian_prod(*[torch.tensor([1.0, -1.0])] * 3):
            if torch.linalg.det(frame := axes * signs) > 0:
                found.append(centred @ frame)
    return found


def main() -> None:
    torch.manual_seed(0)
    torch.set_num_threads(1)
    net, G = PointNet().eval(), er.E(3)
    out = 40 * G.scalar
    x = torch.randn(32, 1024, 3)

    def over(frame: er.Frame) -> nn.Module:
        return er.symmetrize(net, G.point, out, frame=frame, check=False)

    models = {"given, 1": over(Given()), "sign-fixed, 1": over(SignFixed()), "principal, 8": over(Principal())}
    bare, *times = seconds([lambda: net(x), *(lambda m=m: m(x) for m in models.values())])
    print(f"bare PointNet [32, 1024, 3]: {1e3 * bare:.1f} ms")
    for (name, _), spent, (k, target) in zip(models.items(), times, ((1, 1.05), (1, 1.2), (8, 1.1))):
        print(
            f"  frame {name}: {1e3 * spent:.1f} ms, {spent / bare / k:.3f} times the backbone for each element (target <= {target})"
        )
    small, few = nn.Sequential(nn.Linear(3, 16), nn.Tanh(), nn.Linear(16, 3)).eval(), torch.randn(64, 5, 3)
    for G in (er.SE(3), er.E(3)):
        model = er.symmetrize(small, G.point, G.point)
        copies = model.canonical_inputs(few)
        whole, peer = seconds([lambda m=model: m(few), lambda c=copies: small(c)], repeats=200)
        above = f"{1e6 * (whole - peer):.0f} us above it"
        print(
            f"{G} [64, 5, 3]: {1e6 * whole:.0f} us, bare network on the same copies {1e6 * peer:.0f} us, {above}, ratio {whole / peer:.1f}"
        )
    clouds = torch.randn(256, 50, 3)
    group = er.SE(3)
    model = er.symmetrize(nn.Identity(), group.point, group.point, check=False)
    ours, loop = seconds([lambda: model.canonical_inputs(clouds), lambda: loop_over_data(clouds)], repeats=5)
    print(
        f"SE(3) frames and canonical clouds [256, 50, 3]: {1e3 * ours:.2f} ms, datum by datum {1e3 * loop:.1f} ms, {loop / ours:.0f} times"
    )


if __name__ == "__main__":
    main()
