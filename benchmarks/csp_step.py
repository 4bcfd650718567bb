"""A call of DiffCSP's network: ours, exact and with tables, against the published formulation (float32, one thread).

64 crystals of 20 atoms, 256 features, 4 layers, 128 waves. The published formulation writes down one vector of 2 H + 9 + 6 K numbers for
each ordered pair of atoms, makes its waves in every layer anew, and averages by scattering; it gets our weights, the numbers are the same.

Targets: at most 0.33 times the published formulation for a call without gradients. Then what is spent around it: reading 32 163 crystals
(target 3 s) and 1000 pairs matched (target 60 s on two cores).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import torch
from _timing import compare, show
from torch import Tensor, nn

from erlangen.fields.crystals.diffcsp import CSPNet
from erlangen.fields.crystals.diffcsp.trunk import Trunk

CRYSTALS, ATOMS, WIDTH, LAYERS, WAVES = 64, 20, 256, 4, 128


class Published(nn.Module):
    """The trunk over a list of edges, one long linear map for each."""

    def __init__(self, trunk: Trunk) -> None:
        super().__init__()
        self.trunk = trunk
        waves = trunk.frequencies
        self.first = nn.ModuleList()
        for layer in trunk.layers:
            # The constant wave has weight 0: its part is in the bias.
            odd, even = (
                nn.functional.pad(part.weight.unflatten(1, (3, -1)), (1, 0)).flatten(1) for part in (layer.odd, layer.even)
            )
            joined = torch.cat([layer.receiver.weight, layer.sender.weight, layer.cell.weight, odd, even], 1)
            first = nn.Linear(joined.shape[1], trunk.width)
            first.weight.data, first.bias.data = joined.detach().clone(), layer.sender.bias.detach().clone()
            self.first.append(first)
        self.register_buffer("k", 2 * math.pi * torch.arange(waves))

    def forward(self, h: Tensor, cell: Tensor, frac: Tensor, edges: Tensor, of: Tensor) -> Tensor:
        i, j = edges
        d = (frac[j] - frac[i]) % 1.0
        for layer, first in zip(self.trunk.layers, self.first):
            angle = (d.unsqueeze(-1) * self.k).flatten(1)
            normed = layer.norm(h)
            long = torch.cat([normed[i], normed[j], cell[of[i]], angle.sin(), angle.cos()], 1)
            m = nn.functional.silu(layer.message(nn.functional.silu(first(long))))
            total = torch.zeros_like(h).index_add(0, i, m)
            count = torch.zeros(len(h)).index_add(0, i, torch.ones(len(i)))
            h = h + layer.update(torch.cat([normed, total / count.unsqueeze(1)], 1))
        return self.trunk.norm(h)


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    net = CSPNet(WIDTH, LAYERS, WAVES)
    tables, published = net.tabulated().trunk, Published(net.trunk)
    h, cell = torch.randn(CRYSTALS, ATOMS, WIDTH), torch.randn(CRYSTALS, 9)
    frac = torch.rand(CRYSTALS, ATOMS, 3)
    of = torch.arange(CRYSTALS).repeat_interleave(ATOMS)
    edges = (of.unsqueeze(0) == of.unsqueeze(1)).nonzero().T
    flat = h.flatten(0, 1), cell, frac.flatten(0, 1), edges, of
    with torch.no_grad():
        plain = published(*flat).view_as(h)
        for name, trunk in (("exact", net.trunk), ("tables", tables)):
            print(
                f"{name}: largest difference from the published formulation {float((trunk(h, cell, frac) - plain).abs().max()):.1e}"
            )
        for name, trunk in (("exact", net.trunk), ("tables", tables)):
            ours, peer = compare(lambda trunk=trunk: trunk(h, cell, frac), lambda: published(*flat), repeats=6, warmup=1)
            show(f"a call, {name}", ours, peer, "published formulation", "<= 0.33")
    target = torch.randn_like(h)

    def step(run: Callable[[], Tensor]) -> Callable[[], None]:
        def training() -> None:
            net.zero_grad()
            (run() - target).square().mean().backward()

        return training

    ours, peer = compare(step(lambda: net.trunk(h, cell, frac)), step(lambda: published(*flat).view_as(h)), repeats=4, warmup=1)  # type: ignore[arg-type]
    show("a call with gradients, exact", ours, peer, "published formulation", "below 1")
    around()


def around() -> None:
    """Reading the data, and matching."""
    from erlangen.fields.crystals import icsd
    from erlangen.fields.crystals.metrics import Matcher

    icsd(quiet=True)
    started = time.perf_counter()
    data = icsd(quiet=True)
    print(f"{len(data)} crystals read in {time.perf_counter() - started:.2f} s (target 3)")
    few = list(data[data.sizes <= ATOMS][:200])
    matcher, rng = Matcher(), torch.Generator().manual_seed(0)
    moved = [
        type(one)(one.cell, one.fractional + 0.02 * torch.randn(one.fractional.shape, generator=rng), one.numbers) for one in few
    ]
    started = time.perf_counter()
    found = sum(matcher.same(a, b) for a, b in zip(few, moved))
    seconds = 5 * (time.perf_counter() - started)
    print(
        f"1000 pairs matched in {seconds:.1f} s on one core, from 200 (target 120), {found} of 200 alike, {matcher.stopped} stopped"
    )


if __name__ == "__main__":
    main()
