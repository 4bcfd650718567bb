"""Convolutions of features on positions and orientations: who meets whom, the sums, and the block of a layer.

Features are ``[N, *v, C]``, orientations first: then what mixes orientations is one product of matrices for all nodes and channels.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError


class Neighbourhood(Protocol):
    """How a convolution sums. A kernel is a linear map of the basis functions, which all layers share."""

    def near(self, kernel: nn.Linear, h: Float[Tensor, "N *v C"]) -> Tensor:
        """Neighbours' features, weighted by a kernel of the way to them (a joint kernel: of both orientations, too)."""
        ...

    def turn(self, kernel: nn.Linear, y: Tensor) -> Float[Tensor, "N *v C"]:
        """And by a kernel of the two orientations."""
        ...


class AllTurns:
    """The second step on any grid: ``z[p] = mean_n k[p, n] y[n]``, where ``k`` depends on the two orientations.

    Args:
        basis: ``[N, N, b]``, of receiver and sender.
    """

    def __init__(self, basis: Float[Tensor, "N N b"]) -> None:
        self.basis = basis

    def __call__(self, kernel: nn.Linear, y: Float[Tensor, "N *v C"]) -> Float[Tensor, "N *v C"]:
        # Products of channels, one by one, on data packed for them, forward and backward: on strides they are several times slower.
        k = (kernel(self.basis) / len(self.basis)).permute(2, 0, 1).contiguous()
        flat = _Packed.apply(y.flatten(1, -2)).permute(2, 0, 1).contiguous()
        z = _Packed.apply(k.to(y) @ flat)
        return z.permute(1, 2, 0).contiguous().view(y.shape)


class ZonalTurns:
    """The same where functions of the angle alone are diagonal in one basis of the grid: two products that all channels share.

    Args:
        basis: ``[m, b]``, of the angles that there are.
        modes, values: of the grid's :class:`~erlangen.actions.orientations.Zonal`, whose angles these are.
    """

    def __init__(self, basis: Float[Tensor, "m b"], modes: Float[Tensor, "N N"], values: Float[Tensor, "N m"]) -> None:
        self.basis, self.modes, self.values = basis, modes, values

    def __call__(self, kernel: nn.Linear, y: Float[Tensor, "N *v C"]) -> Float[Tensor, "N *v C"]:
        modes, count = self.modes.to(y.dtype), len(self.modes)
        factors = self.values.to(y.dtype) @ (kernel(self.basis).to(y.dtype) / count)
        seen = (modes @ y.flatten(1)).view(count, -1, y.shape[-1]) * factors.unsqueeze(1)
        return (modes.T @ seen.flatten(1)).view(y.shape)


class Fibre:
    """What neighbourhoods on a grid share: the second step; ``None`` for networks without it."""

    def __init__(self, turns: AllTurns | ZonalTurns | None) -> None:
        self.turns = turns

    def turn(self, kernel: nn.Linear, y: Float[Tensor, "N *v C"]) -> Float[Tensor, "N *v C"]:
        assert self.turns is not None
        return self.turns(kernel, y)


class _Packed(torch.autograd.Function):
    """The identity, whose gradients are packed as the data are, whatever order they come in."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.view_as(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None: ...

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient.contiguous()


class Dense(Fibre):
    """All pairs of each of ``B`` graphs of ``n`` nodes.

    Where a grid is antipodal, the kernel of ``-o`` is that of ``o`` with the edge the other way round, so that half of it does.

    Args:
        near: ``[H, B, n, n, b]`` of receiver and sender, with zeros where two do not see each other; ``H`` is ``N``, or half of it.
        turns: the second step, where there are orientations.
        antipodal: whether ``H`` is half of the grid.
    """

    def __init__(self, near: Float[Tensor, "H B n n b"], turns: AllTurns | ZonalTurns | None, antipodal: bool) -> None:
        super().__init__(turns)
        self.pairs, self.antipodal = near, antipodal

    def near(self, kernel: nn.Linear, h: Float[Tensor, "N B n C"]) -> Float[Tensor, "N B n C"]:
        k = kernel(self.pairs)
        if not self.antipodal:
            return (k * h.unsqueeze(2)).sum(3)
        one, other = h.chunk(2)
        return torch.cat([(k * one.unsqueeze(2)).sum(3), (k * other.unsqueeze(3)).sum(2)])


class Edges(Fibre):
    """Directed edges between ``V`` nodes, on a grid.

    Args:
        edges: senders and receivers, ``[2, E]``, each node's own loop among them.
        near: ``[N, E, b]``; of joint kernels ``[N, N, E, b]``, receiver's orientation first.
        turns: the second step, where kernels are not joint.
    """

    def __init__(self, edges: Int[Tensor, "2 E"], near: Float[Tensor, "*grid E b"], turns: AllTurns | ZonalTurns | None) -> None:
        super().__init__(turns)
        self.edges, self.ways = edges, near

    def near(self, kernel: nn.Linear, h: Float[Tensor, "N V C"]) -> Float[Tensor, "N V C"]:
        k, seen = kernel(self.ways), h.index_select(1, self.edges[0])
        told = k * seen if k.ndim == 3 else (k * seen).mean(1)
        return torch.zeros_like(h, dtype=told.dtype).index_add(1, self.edges[1], told)


class Points:
    """Directed edges between ``V`` nodes that have one orientation each; the kernel of an edge is one, or a product of two.

    Args:
        edges: as for :class:`Edges`.
        near: ``[1, E, b]``.
        turn: ``[1, E, b]``, where there is a second one.
        nodes: ``V``.
    """

    def __init__(
        self, edges: Int[Tensor, "2 E"], near: Float[Tensor, "1 E b"], turn: Float[Tensor, "1 E b"] | None, nodes: int
    ) -> None:
        self.edges, self.ways, self.turns, self.nodes = edges, near, turn, nodes

    def near(self, kernel: nn.Linear, h: Float[Tensor, "1 V C"]) -> Tensor:
        told = kernel(self.ways) * h.index_select(1, self.edges[0])
        return told if self.turns is not None else self._arrived(told)

    def turn(self, kernel: nn.Linear, y: Float[Tensor, "1 E C"]) -> Float[Tensor, "1 V C"]:
        return self._arrived(kernel(self.turns) * y)

    def _arrived(self, told: Tensor) -> Tensor:
        return told.new_zeros(1, self.nodes, told.shape[-1]).index_add(1, self.edges[1], told)


class Convolution(nn.Module):
    """``x1[i, n] = sum_j k(d_ij, o_n) x[j, n]``, ``x2[i, p] = mean_n k'(o_n, o_p) x1[i, n]``, depthwise, and a bias.

    Args:
        channels: ``C``.
        basis: functions that kernels are combinations of.
        fibre: whether there is the second step.

    Attributes:
        calibrated: whether the kernels were scaled to data.
    """

    calibrated: Tensor

    def __init__(self, channels: int, basis: int, fibre: bool) -> None:
        super().__init__()
        self.near = nn.Linear(basis, channels, bias=False)
        self.turn = nn.Linear(basis, channels, bias=False) if fibre else None
        for kernel in (self.near, self.turn):
            if kernel is not None:
                nn.init.normal_(kernel.weight, std=basis**-0.5)
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("calibrated", torch.zeros((), dtype=torch.bool))
        self.calibrating = False

    def forward(self, h: Float[Tensor, "N *v C"], around: Neighbourhood) -> Float[Tensor, "N *v C"]:
        y = around.near(self.near, h)
        if self.calibrating:
            y = _rescale(self.near, y, h)
        if self.turn is not None:
            z = around.turn(self.turn, y)
            y = _rescale(self.turn, z, y) if self.calibrating else z
        if self.calibrating:
            self.calibrated.fill_(True)
        return y + self.bias


def _rescale(kernel: nn.Linear, after: Tensor, before: Tensor) -> Tensor:
    """Scale a kernel such that its results spread as what it was applied to; the results.

    Raises:
        ArgumentError: one of them does not vary, or is not finite.
    """
    factor = before.std() / after.std()
    if not bool(factor.isfinite() & (factor > 0)):
        got = f"features that spread by {float(before.std()):.3g}, and by {float(after.std()):.3g} behind a convolution"
        raise ArgumentError("inputs", "a batch of several nodes with neighbours, whose features are finite and vary", got)
    kernel.weight.mul_(factor)
    return after * factor


class Block(nn.Module):
    """``h + gamma * MLP(LayerNorm(conv(h)))``: convolutions keep channels apart, the perceptron mixes them.

    Args:
        channels, basis, fibre: of the convolution.
        widening: the perceptron's hidden layer is so many times as wide.
        layer_scale: ``gamma`` at the start, a number for each channel; ``None``: without.

    Source: Liu et al., "A ConvNet for the 2020s", CVPR 2022, arXiv:2201.03545.
    """

    def __init__(self, channels: int, basis: int, fibre: bool, widening: int, layer_scale: float | None) -> None:
        super().__init__()
        self.conv = Convolution(channels, basis, fibre)
        self.norm = nn.LayerNorm(channels)
        self.widen, self.narrow = nn.Linear(channels, widening * channels), nn.Linear(widening * channels, channels)
        self.scale = None if layer_scale is None else nn.Parameter(torch.full((channels,), layer_scale))

    def forward(self, h: Float[Tensor, "N *v C"], around: Neighbourhood) -> Float[Tensor, "N *v C"]:
        y = self.narrow(nn.functional.gelu(self.widen(self.norm(self.conv(h, around)))))
        return h + (y if self.scale is None else self.scale * y)
