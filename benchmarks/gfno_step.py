"""A training step of G-FNO against the plain formulation and against `neuraloperator`'s FNO at equal parameters (32 bits, one thread).

Targets: at most 0.6 times the plain formulation's CPU time (turned weights assigned slice by slice, a spectrum of zeros, everything on
the grid), and for p4 at most 2.0 times that of the FNO. The plain formulation is written here from the definition; outputs are equal.

The peer needs `pip install neuraloperator==2.0.0`; without it only the first ratio is printed.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import torch
from _timing import show
from torch import Tensor, nn

from erlangen.nn import GFNO
from erlangen.nn.spectral_conv import GSpectralConv

BATCH, SIDE, MODES, FRAMES = 16, 32, 8, 6


class PlainSpectral(nn.Module):
    """Every turned copy of the filter is written where it belongs, then all of the spectrum is multiplied."""

    def __init__(self, like: GSpectralConv) -> None:
        super().__init__()
        self.like, self.weight = like, nn.Parameter(like.weight.detach().clone())
        whole = (
            like.matrices().detach().view(len(like.index), like.order, like.channels[0], 2, like.order, like.channels[1])[..., 0, :]
        )
        side = 2 * like.n_modes[0] - 1
        half = torch.complex(whole[:, :, :, 0], whole[:, :, :, 1]).permute(2, 3, 1, 0).unflatten(-1, (side, like.n_modes[0]))
        # The whole square of modes, [C, D, h, side, side], from the half: the rest is conjugate.
        left = half[..., 1:].flip(-1, -2).conj()
        self.square = nn.Parameter(torch.cat([left, half], -1).contiguous())

    def turned(self) -> Tensor:
        symmetry, n = self.like.symmetry, self.like.order
        c, d = self.like.channels
        reach = self.like.n_modes[0] - 1
        modes = torch.arange(-reach, reach + 1)
        y, x = torch.meshgrid(modes, modes, indexing="ij")
        made = self.square.new_zeros(c, n, d, n, len(modes), reach + 1)
        for s in range(n):
            (a, b), (e, f) = symmetry.matrices[s].T.tolist()  # k at s reads R_s^T k
            for t in range(n):
                source = self.square[:, :, symmetry.division[s, t]]
                moved = source[..., (a * y + b * x + reach), (e * y + f * x + reach)]
                made[:, t, :, s] = moved[..., reach:]
        return made

    def forward(self, x: Tensor) -> Tensor:
        spectrum = torch.fft.rfft2(x)
        m = self.like.n_modes[0]
        weight = self.turned()
        out = torch.zeros(len(x), *weight.shape[2:4], *spectrum.shape[-2:], dtype=spectrum.dtype)
        out[..., :m, :m] = torch.einsum("bctyx,ctdsyx->bdsyx", spectrum[..., :m, :m], weight[..., m - 1 :, :])
        out[..., 1 - m :, :m] = torch.einsum("bctyx,ctdsyx->bdsyx", spectrum[..., 1 - m :, :m], weight[..., : m - 1, :])
        return torch.fft.irfft2(out, s=x.shape[-2:])


class PlainPointwise(nn.Module):
    """The matrix on the group as the kernel of a convolution of size one."""

    def __init__(self, like: nn.Module) -> None:
        super().__init__()
        self.weight, self.bias = (nn.Parameter(p.detach().clone()) for p in (like.weight, like.bias))
        self.division, self.order = like.division, like.order

    def forward(self, x: Tensor) -> Tensor:
        d, c, n = self.weight.shape
        kernel = torch.zeros(d, n, c, n)
        for s in range(n):
            kernel[:, s] = self.weight[:, :, self.division[s]]
        y = nn.functional.conv2d(x.flatten(1, 2), kernel.view(d * n, c * n, 1, 1), self.bias.repeat_interleave(n))
        return y.unflatten(1, (d, n))


class Plain(nn.Module):
    """The same network, step by step on the grid."""

    def __init__(self, net: GFNO) -> None:
        super().__init__()
        self.lift, self.project, self.head = net.lift, net.project, PlainPointwise(net.head)
        self.blocks = nn.ModuleList(
            nn.ModuleList([PlainSpectral(b.conv), *(PlainPointwise(p) for p in (b.first, b.second, b.skip))]) for b in net.blocks
        )

    def forward(self, x: Tensor) -> Tensor:
        def norm(u: Tensor) -> Tensor:
            return nn.functional.instance_norm(u.flatten(2, 3)).view(u.shape)

        gelu = nn.functional.gelu
        x = self.lift(x)
        for i, (spectral, first, second, skip) in enumerate(self.blocks):
            x = second(gelu(first(norm(spectral(norm(x)))))) + skip(x)
            x = x if i + 1 == len(self.blocks) else gelu(x)
        return self.project(gelu(self.head(x)))


def trainer(net: nn.Module) -> Callable[[], None]:
    """A step of Adam on random data."""
    optimizer = torch.optim.Adam(net.parameters(), lr=1e-4)
    x, y = torch.randn(BATCH, FRAMES, SIDE, SIDE), torch.randn(BATCH, 1, SIDE, SIDE)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        (net(x) - y).square().mean().backward()
        optimizer.step()

    return step


def in_turns(runs: list[Callable[[], None]], repeats: int = 9, warmup: int = 2) -> list[float]:
    """Median CPU seconds of each, run in turns."""
    times: list[list[float]] = [[] for _ in runs]
    for i in range(warmup + repeats):
        for run, kept in zip(runs, times):
            started = time.process_time()
            run()
            if i >= warmup:
                kept.append(time.process_time() - started)
    return [statistics.median(kept) for kept in times]


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    fields = [("w", "scalar", FRAMES)], [("w", "scalar", 1)]
    peer = None
    try:
        from neuralop.models import FNO

        peer = FNO((2 * MODES, 2 * MODES), FRAMES, 1, 14, n_layers=4, norm="instance_norm", positional_embedding=None)
        print(f"neuraloperator's FNO: {sum(p.numel() * (1 + p.is_complex()) for p in peer.parameters()):,} real parameters")
    except ImportError as missing:
        print(f"the peer is not installed ({missing})")
    for group, width in (("p4", 7), ("p4", 8), ("p4m", 5)):
        ours = GFNO(MODES, width, *fields, group=group)
        plain = Plain(ours)
        x = torch.randn(2, FRAMES, SIDE, SIDE)
        difference = float((ours(x) - plain(x)).norm().detach() / ours(x).norm().detach())
        parameters = sum(p.numel() for p in ours.parameters())
        print(f"{group}, width {width}, {parameters:,} real parameters; relative difference of outputs {difference:.1e}")
        runs = [trainer(ours), trainer(plain), *([] if peer is None else [trainer(peer)])]
        seconds = in_turns(runs)
        show(f"{group}, a training step", seconds[0], seconds[1], "plain formulation", "<= 0.6")
        if peer is not None:
            show(f"{group}, a training step", seconds[0], seconds[2], "neuraloperator", "<= 2.0" if group == "p4" else "none")


if __name__ == "__main__":
    main()
