"""Graphs: nodes without an order, and numbers on the edges between them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from erlangen.actions import OnAxes, Record
from erlangen.actions.base import Action
from erlangen.actions.graphs import nodes
from erlangen.fitting.kinds.base import Candidate, DataKind, Scaled, spread
from erlangen.fitting.kinds.order import in_front, relabelling
from erlangen.groups import Symmetric
from erlangen.groups.base import Group
from erlangen.nn.perceptron import perceptron
from erlangen.symmetrize import symmetrize


@dataclass(frozen=True)
class Graphs(DataKind):
    """Inputs ``{"nodes": [B, size, channels], "edges": [B, size, size, edge_channels], "there": bool [B, size]}``.

    The plain network is a perceptron on all numbers in the order of the file; S(size) is served by messages along the edges and sums,
    a smaller group by all its elements.

    >>> kind = Graphs((1,), False, size=4, channels=2, edge_channels=1)
    >>> x = {"nodes": torch.randn(3, 4, 2), "edges": torch.ones(3, 4, 4, 1), "there": torch.ones(3, 4, dtype=torch.bool)}
    >>> kind.network(32, 1, 0.0, Symmetric(4))(x).shape
    torch.Size([3, 1])
    """

    name: ClassVar[str] = "graphs"

    size: int
    channels: int
    edge_channels: int

    def candidates(self) -> tuple[Candidate, ...]:
        return (Candidate(Symmetric(self.size), "by its kind: nodes of a graph have no order"),) if self.size > 1 else ()

    def input_action(self, group: Group) -> Action | None:
        rep = relabelling(group, self.size)
        if rep is None:
            return None
        return Record({"nodes": nodes(group), "edges": OnAxes({-3: rep, -2: rep}), "there": rep})

    def network(self, width: int, depth: int, dropout: float, group: Group | None = None) -> nn.Module:
        of = MessageNetwork if group == Symmetric(self.size) else MatrixNetwork
        return of(self.size, self.channels, self.edge_channels, self.shape, width, depth, dropout)

    def symmetrized(self, network: nn.Module, group: Group) -> nn.Module:
        return network if isinstance(network, MessageNetwork) else symmetrize(network, *self.moved_by(group))

    def standardise(self, network: Any, model: nn.Module, x: dict[str, Tensor], y: Tensor, out_scale: float) -> None:
        network.standardise(x)
        network.scale_outputs(y, self.vector)

    def __str__(self) -> str:
        return f"graphs of up to {self.size} nodes"


class _Graph(Scaled):
    """Nodes standardised by channel, edges by their root mean square; zero where there is none."""

    def __init__(
        self, size: int, channels: int, edges: int, shape: tuple[int, ...], width: int, depth: int, dropout: float
    ) -> None:
        super().__init__(shape, width=width, depth=depth, dropout=dropout)
        self.size = size
        self.shift: Tensor
        self.scale: Tensor
        self.edge_scale: Tensor
        self.register_buffer("shift", torch.zeros(channels))
        self.register_buffer("scale", torch.ones(channels))
        self.register_buffer("edge_scale", torch.ones(edges))

    def standardise(self, x: dict[str, Tensor]) -> None:
        """Take means and sizes from the nodes and edges that there are."""
        there = x["nodes"][x["there"]].detach().double()
        self.shift.copy_(there.mean(0))
        self.scale.copy_(spread(there))
        edges = x["edges"].detach().double().flatten(0, 2)
        present = (edges != 0).any(-1)
        size = edges[present].square().mean(0).sqrt().nan_to_num()
        self.edge_scale.copy_(torch.where(size > 0, size, 1.0))

    def parts(self, x: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
        """Nodes ``[B, n, c]``, edges ``[B, n, n, e]``, and 1 or 0 for the nodes that are there or not ``[B, n, 1]``."""
        dtype = self.scale.dtype
        there = x["there"].unsqueeze(-1).to(dtype)
        return ((x["nodes"] - self.shift) / self.scale).to(dtype) * there, (x["edges"] / self.edge_scale).to(dtype), there


class MatrixNetwork(_Graph):
    """A perceptron on the nodes and the matrix of edges, in the order of the file; gaps between nodes close up."""

    def __init__(
        self, size: int, channels: int, edges: int, shape: tuple[int, ...], width: int = 128, depth: int = 2, dropout: float = 0.2
    ) -> None:
        super().__init__(size, channels, edges, shape, width, depth, dropout)
        inputs = size * (channels + 1) + size * size * edges
        self.layers = perceptron(inputs, *[width] * depth, math.prod(shape), dropout=dropout)

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        own, edges, there = self.parts(x)
        order = in_front(x["there"]).unsqueeze(-1)
        own, there = own.take_along_dim(order, 1), there.take_along_dim(order, 1)
        edges = edges.take_along_dim(order.unsqueeze(-1), 1).take_along_dim(order.unsqueeze(1), 2)
        return self.scaled(self.layers(torch.cat([part.flatten(1) for part in (own, edges, there)], 1)))


class MessageNetwork(_Graph):
    """Messages along the edges, summed at each node, in several rounds; then sums and means over the nodes.

    A message from ``j`` to ``i`` is a linear function of node ``j`` for each channel of the edge, times that channel; with the degrees as
    what the nodes start from beside their own numbers.
    """

    def __init__(
        self, size: int, channels: int, edges: int, shape: tuple[int, ...], width: int = 128, depth: int = 2, dropout: float = 0.2
    ) -> None:
        super().__init__(size, channels, edges, shape, width, depth, dropout)
        wide = max(width // 2, 1)
        self.first = nn.Linear(channels + 2 * edges, wide)
        self.send = nn.ModuleList(nn.Linear(wide, wide * edges) for _ in range(depth + 1))
        self.update = nn.ModuleList(perceptron(3 * wide, wide, wide) for _ in range(depth + 1))
        self.all = perceptron(2 * wide + 1, width, math.prod(shape), dropout=dropout)

    def forward(self, x: dict[str, Tensor]) -> Tensor:
        own, edges, there = self.parts(x)
        h = self.first(torch.cat([own, edges.sum(2), edges.sum(1)], -1)) * there
        for send, update in zip(self.send, self.update):
            messages = send(h).unflatten(-1, (edges.shape[-1], -1))
            inward = torch.einsum("bije,bjeh->bih", edges, messages)
            outward = torch.einsum("bjie,bjeh->bih", edges, messages)
            h = h + update(torch.cat([h, inward, outward], -1)) * there
        count = there.sum(1)
        pooled = torch.cat([h.sum(1) / self.size, h.sum(1) / count.clamp_min(1), count / self.size], -1)
        return self.scaled(self.all(pooled))
