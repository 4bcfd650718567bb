"""A training step of PONITA on charged bodies: ours against the plain formulation, networks of e3nn, and EGNN (float32, one thread).

Fifty systems of five bodies, an icosahedral grid, three layers of 32 channels; positions, velocities and charges in, a vector out. The
plain formulation is that of the paper's code: edges and loops, kernels for each, gathers and scatters, one `einsum` over orientations; it
gets our weights and gives the same numbers. The e3nn networks have gates, harmonics and radial perceptrons as in its tutorial.

Targets: at most 0.5 times the plain formulation, 0.33 times e3nn. EGNN, which sees no directions, is expected to be 2 to 4 times faster.
What both formulations do alike, the perceptrons of the blocks, is timed alone. ``--compile`` adds ours under ``torch.compile``, ``--learn``
trains instead and prints errors.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable

import torch
from e3nn import nn as e3nn_nn
from e3nn import o3
from e3nn.math import soft_one_hot_linspace
from torch import Tensor, nn

from erlangen.nn import EGNN, PONITA
from erlangen.nn.ponita_kernels import across, polynomials

SYSTEMS, BODIES, WIDTH, LAYERS, RADIAL = 50, 5, 32, 3, 10


class Plain(nn.Module):
    """The same network along edges, as it is written down; ``anew``: with the basis of kernels made in every layer."""

    def __init__(self, net: PONITA, anew: bool) -> None:
        super().__init__()
        self.net, self.anew = net, anew

    def forward(self, pos: Tensor, x: Tensor, vec: Tensor, edges: Tensor) -> tuple[Tensor, Tensor]:
        net, grid, count = self.net, self.net.grid, len(self.net.grid)
        j, i = edges
        near, turn = self.bases(pos, i, j)
        lifted = torch.cat([x.unsqueeze(1).expand(-1, count, -1), torch.einsum("bcd,nd->bnc", vec, grid)], -1)
        h = net.embed(lifted)
        reads = []
        for block, read in zip(net.blocks, net.reads):
            conv = block.conv
            near, turn = self.bases(pos, i, j) if self.anew else (near, turn)
            messages = conv.near(near) * h[j]
            x1 = torch.zeros_like(h).scatter_add(0, i[:, None, None].expand_as(messages), messages)
            x2 = torch.einsum("boc,opc->bpc", x1, conv.turn(turn)) / count + conv.bias
            h = h + block.narrow(nn.functional.gelu(block.widen(block.norm(x2))))
            reads.append(read(h))
        y = sum(reads) / len(reads)
        return y[..., :0].mean(1), torch.einsum("bnc,nd->bcd", y, grid) / count

    def bases(self, pos: Tensor, i: Tensor, j: Tensor) -> tuple[Tensor, Tensor]:
        net, grid = self.net, self.net.grid
        d = (pos[j] - pos[i]).unsqueeze(1)  # [E, 1, 3]
        along = (d * grid).sum(-1)
        attributes = torch.stack([along, across(along, d.square().sum(-1))], -1)  # [E, N, 2]
        return self.basis(net.near, attributes), self.basis(net.turn, (grid.unsqueeze(1) * grid).sum(-1, keepdim=True))

    @staticmethod
    def basis(net: nn.Module, x: Tensor) -> Tensor:
        y = nn.functional.gelu(net.first(polynomials(x, 3)))
        return nn.functional.gelu(net.second(y))


class Perceptrons(nn.Module):
    """What the blocks do without their convolutions, which no formulation of these changes."""

    def __init__(self, net: PONITA) -> None:
        super().__init__()
        self.blocks = net.blocks

    def forward(self, h: Tensor) -> Tensor:
        for block in self.blocks:
            h = h + block.narrow(nn.functional.gelu(block.widen(block.norm(h))))
        return h


class Tensors(nn.Module):
    """Message passing by products of irreducible tensors, after e3nn's tutorial."""

    def __init__(self, degree: int) -> None:
        super().__init__()
        hidden = o3.Irreps("+".join(f"{WIDTH // (1 if l == 0 else 2)}x{l}{'eo'[l % 2]}" for l in range(degree + 1)))
        self.harmonics = o3.Irreps.spherical_harmonics(degree)
        first = o3.Irreps("1x0e+1x1o")
        self.layers = nn.ModuleList(_TensorLayer(a, hidden, self.harmonics) for a in [first, *[hidden] * (LAYERS - 1)])
        self.last = o3.Linear(hidden, "1x1o")

    def forward(self, pos: Tensor, x: Tensor, vec: Tensor, edges: Tensor) -> Tensor:
        j, i = edges
        d = pos[j] - pos[i]
        y = o3.spherical_harmonics(self.harmonics, d, normalize=True, normalization="component")
        h = torch.cat([x, vec[:, 0]], -1)
        near = soft_one_hot_linspace(d.norm(dim=-1), 0.0, 6.0, RADIAL, "gaussian", cutoff=False)
        numbers = torch.cat([near * RADIAL**0.5, x[j] * x[i]], -1)
        for layer in self.layers:
            h = layer(h, i, j, y, numbers)
        return self.last(h)


class _TensorLayer(nn.Module):
    def __init__(self, a: o3.Irreps, b: o3.Irreps, harmonics: o3.Irreps) -> None:
        super().__init__()
        scalars, rest = o3.Irreps([b[0]]), b[1:]
        gates = o3.Irreps(f"{sum(m for m, _ in rest)}x0e")
        self.gate = e3nn_nn.Gate(scalars, [nn.functional.silu], gates, [torch.sigmoid], rest)
        self.product = o3.FullyConnectedTensorProduct(a, harmonics, self.gate.irreps_in, shared_weights=False)
        self.radial = e3nn_nn.FullyConnectedNet([RADIAL + 1, WIDTH, self.product.weight_numel], nn.functional.silu)
        self.own = o3.Linear(a, self.gate.irreps_in)

    def forward(self, h: Tensor, i: Tensor, j: Tensor, y: Tensor, numbers: Tensor) -> Tensor:
        m = self.product(h[j], y, self.radial(numbers))
        return self.gate(self.own(h) + torch.zeros(len(h), m.shape[1]).index_add(0, i, m) / (BODIES - 1))


def in_turns(*steps: Callable[[], object], repeats: int = 15, warmup: int = 3) -> list[float]:
    """Median CPU seconds of each, run in turns."""
    times: list[list[float]] = [[] for _ in steps]
    for k in range(warmup + repeats):
        for step, kept in zip(steps, times):
            started = time.process_time()
            step()
            if k >= warmup:
                kept.append(time.process_time() - started)
    return [statistics.median(kept) for kept in times]


def training_step(model: nn.Module, predict: Callable[[], Tensor], target: Tensor) -> Callable[[], object]:
    optimizer = torch.optim.Adam(model.parameters(), fused=True)

    def step() -> None:
        optimizer.zero_grad()
        (predict() - target).square().mean().backward()
        optimizer.step()

    return step


def learned(predict: dict[str, tuple[nn.Module, Callable[[Tensor, Tensor, Tensor], Tensor]]], steps: int) -> None:
    """Mean and median squared errors of positions of 400 systems, after as many steps on 1000, and the CPU seconds that took."""
    from erlangen.fields.mechanics import bodies, nbody

    train, test = (nbody(split, count) for split, count in (("train", 1000), ("test", 400)))
    (x, y), (x_test, y_test) = ((bodies(d.x.float()), bodies(d.y.float())["pos"]) for d in (train, test))
    for name, (model, moved) in predict.items():
        rng, started = torch.Generator().manual_seed(0), time.process_time()
        optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.0, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, steps)
        for _ in range(steps):
            rows = torch.randint(1000, (SYSTEMS,), generator=rng)
            turn = torch.linalg.qr(torch.randn(SYSTEMS, 3, 3, generator=rng))[0]
            optimizer.zero_grad()
            way = moved(x["pos"][rows] @ turn, x["vel"][rows] @ turn, x["charge"][rows])
            (way - (y - x["pos"])[rows] @ turn).square().mean().backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            schedule.step()
        seconds = time.process_time() - started
        with torch.no_grad():
            errors = (x_test["pos"] + moved(x_test["pos"], x_test["vel"], x_test["charge"]) - y_test).square().mean((1, 2))
        print(f"after {steps} steps, {name}: error {errors.mean():.4f}, median {errors.median():.4f}, {seconds:.0f} CPU s")


def along_edges(model: nn.Module) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """A network on edges, called with dense batches."""

    def moved(pos: Tensor, vel: Tensor, charge: Tensor) -> Tensor:
        of = torch.arange(len(pos)).repeat_interleave(BODIES)
        edges = (of.unsqueeze(0) == of.unsqueeze(1)).fill_diagonal_(False).nonzero().T
        return model(pos.flatten(0, 1), charge.flatten(0, 1), vel.flatten(0, 1).unsqueeze(1), edges).view_as(pos)

    return moved


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    pos, vel = torch.randn(2, SYSTEMS, BODIES, 3)
    charge = torch.randn(SYSTEMS, BODIES, 1).sign()
    net = PONITA(1, WIDTH, 0, LAYERS, in_vectors=1, out_vectors=1, task="node")
    flat = pos.flatten(0, 1), charge.flatten(0, 1), vel.flatten(0, 1).unsqueeze(1)
    of = torch.arange(SYSTEMS).repeat_interleave(BODIES)
    edges = (of.unsqueeze(0) == of.unsqueeze(1)).nonzero().T  # with loops
    others = edges[:, edges[0] != edges[1]]
    plain, anew, egnn = Plain(net, False), Plain(net, True), EGNN(pairs=1)
    tensors = [Tensors(1), Tensors(2)]
    with torch.no_grad():
        ours, theirs = net(pos, charge, vel.unsqueeze(2))[1].flatten(0, 1), plain(*flat, edges)[1]
        print(f"largest difference of the two formulations: {float((ours - theirs).abs().max() / theirs.abs().max()):.1e}")
    target = torch.randn(SYSTEMS * BODIES, 1, 3)
    names = [
        "plain formulation",
        "plain, basis anew in each layer",
        "e3nn, l <= 1",
        "e3nn, l <= 2",
        "EGNN 4 x 64",
        "ours along edges",
        "its perceptrons alone",
    ]
    features = torch.randn(SYSTEMS * BODIES * len(net.grid), WIDTH)
    mlp = Perceptrons(net)
    steps = [
        training_step(net, lambda: net(pos, charge, vel.unsqueeze(2))[1].flatten(0, 1), target),
        training_step(plain, lambda: plain(*flat, edges)[1], target),
        training_step(anew, lambda: anew(*flat, edges)[1], target),
        *(training_step(model, lambda model=model: model(*flat, others).unsqueeze(1), target) for model in tensors),
        training_step(egnn, lambda: egnn(pos, vel, pairs=(charge * charge.mT).unsqueeze(-1))[0].flatten(0, 1).unsqueeze(1), target),
        training_step(net, lambda: net(*flat, edge_index=others)[1], target),
        training_step(mlp, lambda: mlp(features), torch.zeros_like(features)),
    ]
    if "--compile" in sys.argv:
        compiled = torch.compile(net, fullgraph=True)
        names.append("ours compiled")
        steps.append(training_step(net, lambda: compiled(pos, charge, vel.unsqueeze(2))[1].flatten(0, 1), target))
    if "--learn" in sys.argv:
        net.calibrate(pos, charge, vel.unsqueeze(2))
        learned({"PONITA": (net, lambda p, v, c: net(p, c, v.unsqueeze(2))[1].squeeze(2)),
                 "e3nn, l <= 1": (tensors[0], along_edges(tensors[0]))}, 600)  # fmt: skip
        return
    own, *rest = in_turns(*steps)
    if "--compile" in sys.argv:
        print(f"ours compiled against the plain formulation: ratio {rest[-1] / rest[0]:.2f} (target <= 0.5)")
    wanted = ("<= 0.5", "<= 0.5", "<= 0.33", "<= 0.33", "2 to 4", "below 1", "none", "above 1")
    for name, seconds, target_ratio in zip(names, rest, wanted):
        print(
            f"step of 50 systems: ours {1e3 * own:.1f} ms, {name} {1e3 * seconds:.1f} ms, ratio {own / seconds:.2f} (target {target_ratio})"
        )


if __name__ == "__main__":
    main()
