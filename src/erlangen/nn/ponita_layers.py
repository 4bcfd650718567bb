"""Convolutions of features on positions and orientations: who meets whom, the sums, and the block of a layer."""

from __future__ import annotations

from typing import Any, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Neighbourhood(Protocol):
    """How a convolution sums. A kernel is a linear map of the basis functions, which all layers share."""

    def near(self, kernel: nn.Linear, h: Float[Tensor, "*v N C"]) -> Tensor:
        """Neighbours' features, weighted by a kernel of the way to them (a joint kernel: of both orientations, too)."""
        ...

    def turn(self, kernel: nn.Linear, y: Tensor) -> Float[Tensor, "*v N C"]:
        """And by a kernel of the two orientations."""
        ...


class Fibre:
    """The second step on a grid: ``z[p] = mean_n k[n, p] y[n]``, where ``k`` depends on the two orientations.

    Args:
        basis: ``[N, N, b]``; ``None`` for networks without this step.
    """

    def __init__(self, basis: Float[Tensor, "N N b"] | None) -> None:
        self.basis = basis

    def turn(self, kernel: nn.Linear, y: Float[Tensor, "*v N C"]) -> Float[Tensor, "*v N C"]:
        assert self.basis is not None
        # Products of channels, one by one, on data packed for them, forward and backward: on strides they are several times slower.
        k = (kernel(self.basis) / len(self.basis)).permute(2, 0, 1).contiguous()
        flat = _Packed.apply(y.flatten(0, -3)).permute(2, 0, 1).contiguous()
        z = _Packed.apply(flat @ k.to(y))
        return z.permute(1, 2, 0).contiguous().unflatten(0, y.shape[:-2])


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
        near: ``[B, n, n, H, b]`` of receiver and sender, with zeros where two do not see each other; ``H`` is ``N``, or half of it.
        turn: ``[N, N, b]``, where there are orientations.
        antipodal: whether ``H`` is half of the grid.
    """

    def __init__(self, near: Float[Tensor, "B n n H b"], turn: Float[Tensor, "N N b"] | None, antipodal: bool) -> None:
        super().__init__(turn)
        self.pairs, self.antipodal = near, antipodal

    def near(self, kernel: nn.Linear, h: Float[Tensor, "B n N C"]) -> Float[Tensor, "B n N C"]:
        k = kernel(self.pairs)
        if not self.antipodal:
            return (k * h.unsqueeze(1)).sum(2)
        one, other = h.chunk(2, 2)
        return torch.cat([(k * one.unsqueeze(1)).sum(2), (k * other.unsqueeze(2)).sum(1)], 2)


class Edges(Fibre):
    """Directed edges between ``V`` nodes, on a grid.

    Args:
        edges: senders and receivers, ``[2, E]``, each node's own loop among them.
        near: ``[E, N, b]``; of joint kernels ``[E, N, N, b]``, receiver's orientation first.
        turn: ``[N, N, b]``, where kernels are not joint.
    """

    def __init__(self, edges: Int[Tensor, "2 E"], near: Float[Tensor, "E *grid b"], turn: Float[Tensor, "N N b"] | None) -> None:
        super().__init__(turn)
        self.edges, self.ways = edges, near

    def near(self, kernel: nn.Linear, h: Float[Tensor, "V N C"]) -> Float[Tensor, "V N C"]:
        k, seen = kernel(self.ways), h[self.edges[0]]
        told = k * seen if k.ndim == 3 else (k * seen.unsqueeze(1)).mean(2)
        return torch.zeros_like(h, dtype=told.dtype).index_add(0, self.edges[1], told)


class Points:
    """Directed edges between ``V`` nodes that have one orientation each; the kernel of an edge is one, or a product of two.

    Args:
        edges: as for :class:`Edges`.
        near: ``[E, 1, b]``.
        turn: ``[E, 1, b]``, where there is a second one.
        nodes: ``V``.
    """

    def __init__(
        self, edges: Int[Tensor, "2 E"], near: Float[Tensor, "E 1 b"], turn: Float[Tensor, "E 1 b"] | None, nodes: int
    ) -> None:
        self.edges, self.ways, self.turns, self.nodes = edges, near, turn, nodes

    def near(self, kernel: nn.Linear, h: Float[Tensor, "V 1 C"]) -> Tensor:
        told = kernel(self.ways) * h[self.edges[0]]
        return told if self.turns is not None else self._arrived(told)

    def turn(self, kernel: nn.Linear, y: Float[Tensor, "E 1 C"]) -> Float[Tensor, "V 1 C"]:
        return self._arrived(kernel(self.turns) * y)

    def _arrived(self, told: Tensor) -> Tensor:
        return told.new_zeros(self.nodes, *told.shape[1:]).index_add(0, self.edges[1], told)


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

    def forward(self, h: Float[Tensor, "*v N C"], around: Neighbourhood) -> Float[Tensor, "*v N C"]:
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
    """Scale a kernel such that its results spread as what it was applied to; the results."""
    factor = before.std() / after.std()
    if not bool(factor.isfinite() & (factor > 0)):
        return after
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

    def forward(self, h: Float[Tensor, "*v N C"], around: Neighbourhood) -> Float[Tensor, "*v N C"]:
        y = self.narrow(nn.functional.gelu(self.widen(self.norm(self.conv(h, around)))))
        return h + (y if self.scale is None else self.scale * y)
