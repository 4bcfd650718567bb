"""The students: networks that have the symmetry of the target and the room for it, and the weights with which they are the target."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.measure.hardness.alternating import directions, signs
from erlangen.measure.hardness.base import Target
from erlangen.measure.hardness.cos_relu import CosReLU, filter_bank
from erlangen.measure.hardness.degree_parity import DegreeParity
from erlangen.measure.hardness.graph_features import GraphCosReLU
from erlangen.nn.perceptron import perceptron


class SumGNN(nn.Module):
    """Two rounds of sums over neighbours, a sum over nodes, one hidden layer: invariant under permutations of the nodes.

    Args:
        n: nodes; only centres the degrees at the start.
        width: of the nodes' features.
        readout: units of the hidden layer.

    >>> SumGNN(6)(torch.ones(4, 6, 6)).shape
    torch.Size([4])
    """

    def __init__(self, n: int, width: int = 64, readout: int = 256) -> None:
        super().__init__()
        self.n = n
        self.count = nn.Linear(1, width)
        self.own, self.neighbours = nn.Linear(width, width), nn.Linear(width, width, bias=False)
        self.hidden, self.out = nn.Linear(width, readout), nn.Linear(readout, 1)

    def forward(self, adjacency: Float[Tensor, "B n n"]) -> Float[Tensor, " B"]:
        degree = adjacency.sum(-1, keepdim=True) - self.n / 2
        h = self.count(degree).relu()
        h = (self.own(h) + self.neighbours(adjacency @ h)).relu()
        return self.out(self.hidden(h.sum(1)).relu()).squeeze(1)

    @torch.no_grad()
    def become(self, target: Target) -> SumGNN:
        """Take weights with which the network is a parity of degrees, exactly.

        Hinges of the degree make the indicator of the set (second differences of ``relu(d - j)``), the sum over nodes counts it, and
        hinges of the count make the zigzag ``(-1)^count``.

        Raises:
            ArgumentError: no parity of ``n`` nodes, or too few units.
        """
        family, n = target.family, self.n
        if not isinstance(family, DegreeParity) or family.n != n:
            raise ArgumentError("target", f"a parity of degrees of {n} nodes", repr(family))
        if self.count.out_features < n + 3 or self.hidden.out_features < n:
            raise ArgumentError("target", "at most as many nodes as the network has units", f"{n} nodes")
        for p in self.parameters():
            p.zero_()
        hinges = torch.arange(-1, n + 2)
        self.count.weight[: n + 3] = 1.0
        self.count.bias[: n + 3] = n / 2 - hinges.float()
        for j in target.label.nonzero().flatten().tolist():
            self.own.weight[0, j : j + 3] += torch.tensor([1.0, -2.0, 1.0])
        self.hidden.weight[:n, 0] = 1.0
        self.hidden.bias[:n] = -torch.arange(n).float()
        slopes = -4.0 * (1 - 2 * (torch.arange(n) % 2)).float()
        slopes[0] = -2.0
        self.out.weight[0, :n] = target.scale * slopes
        self.out.bias[0] = target.scale
        return self


class OrbitCNN(nn.Module):
    """``channels`` filters moved by a group of permutations, ReLU, and a linear map of their sums: for Z_n a circular convolution.

    All moved filters are one matrix, so a layer is one product; up to about forty points that beats the fast Fourier transform.

    Args:
        elements: the group's permutations ``[G, n]``.
        channels: filters.

    >>> from erlangen.groups import Cyclic
    >>> OrbitCNN(Cyclic(6).elements())(torch.zeros(4, 6)).shape
    torch.Size([4])
    """

    def __init__(self, elements: Int[Tensor, "G n"], channels: int = 64) -> None:
        super().__init__()
        n = elements.shape[1]
        self.elements = elements
        self.filters = nn.Parameter(torch.randn(channels, n) / math.sqrt(n))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.out = nn.Linear(channels, 1)

    def forward(self, x: Float[Tensor, "B n"]) -> Float[Tensor, " B"]:
        order = len(self.elements)
        t = (x @ filter_bank(self.filters, self.elements)).unflatten(1, (order, -1))
        return self.out((t + self.bias).relu().sum(1) / math.sqrt(order)).squeeze(1)

    @torch.no_grad()
    def become(self, target: Target) -> OrbitCNN:
        """Take weights with which the network is a member of :class:`CosReLU`, exactly: ``2 k`` of its filters are enough.

        Raises:
            ArgumentError: no member for this group, or too few filters.
        """
        family = target.family
        if not isinstance(family, CosReLU) or not torch.equal(family.elements, self.elements):
            raise ArgumentError("target", "a hard function averaged over the same group", repr(family))
        self.filters[: 2 * family.k], weights = _half_planes(target.label, family.k, len(self.filters), 1 / family.norm())
        _set_output(self, weights)
        return self


class GraphReLU(nn.Module):
    """One graph convolution on a fixed graph, ReLU, and a linear map of the sums over nodes.

    Args:
        smooth: the normalised adjacency matrix ``[n, n]``.
        features: numbers at each node.
        channels: hidden units at each node.

    >>> GraphReLU(torch.eye(5), 3)(torch.zeros(4, 5, 3)).shape
    torch.Size([4])
    """

    smooth: Tensor

    def __init__(self, smooth: Float[Tensor, "n n"], features: int, channels: int = 64) -> None:
        super().__init__()
        self.register_buffer("smooth", smooth.float())
        self.filters = nn.Parameter(torch.randn(channels, features) / math.sqrt(features))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.out = nn.Linear(channels, 1)

    def forward(self, x: Float[Tensor, "B n features"]) -> Float[Tensor, " B"]:
        pooled = ((self.smooth @ x) @ self.filters.mT + self.bias).relu().sum(1)
        return self.out(pooled / math.sqrt(x.shape[1])).squeeze(1)

    @torch.no_grad()
    def become(self, target: Target) -> GraphReLU:
        """Take weights with which the network is a member of :class:`GraphCosReLU`, exactly.

        Raises:
            ArgumentError: no member for this graph, or too few channels.
        """
        family = target.family
        if not isinstance(family, GraphCosReLU) or not torch.equal(family.smooth.float(), self.smooth):
            raise ArgumentError("target", "a hard function on the same graph", repr(family))
        scale = math.sqrt(family.n) / family.norm()
        self.filters[: 2 * family.k], weights = _half_planes(target.label, family.k, len(self.filters), scale)
        _set_output(self, weights)
        return self


class SignInvariantMLP(nn.Module):
    """A perceptron of the blocks' lengths: invariant under sign flips, or rotations, of each block.

    >>> SignInvariantMLP(20)(torch.zeros(4, 20, 1)).shape
    torch.Size([4])
    """

    def __init__(self, n: int, width: int = 128) -> None:
        super().__init__()
        self.net = perceptron(n, width, width, 1)

    def forward(self, x: Float[Tensor, "B n m"]) -> Float[Tensor, " B"]:
        return self.net(x.norm(dim=-1)).squeeze(1)


def _half_planes(label: Tensor, k: int, room: int, scale: float) -> tuple[Tensor, Tensor]:
    """The filters of a hard function, and their weights in the output."""
    if room < 2 * k:
        raise ArgumentError("target", f"at most the {room} filters that the network has", f"{2 * k}")
    return (directions(k) @ label).float(), scale * signs(2 * k).float()


def _set_output(net: OrbitCNN | GraphReLU, weights: Tensor) -> None:
    net.bias.zero_()
    net.out.bias.zero_()
    net.out.weight.zero_()
    net.out.weight[0, : len(weights)] = weights
