"""Small networks of every class of the ladder, on one geometric graph at a time, nodes summed up in the end.

Each is bounded by the test of its class: what the test cannot tell apart, no weights of the network can. They are small and alike, for
probes of what a kind of message carries; none is tuned for a task. ``INVARIANT``, ``EQUIVARIANT`` and ``WHOLE`` name them.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from erlangen.groups import O
from erlangen.measure.gwl.graph import GeometricGraph
from erlangen.nn import EquivariantLinear, Gated, TensorProduct
from erlangen.nn.perceptron import perceptron
from erlangen.nn.vector_neurons import VectorLinear, VectorReLU
from erlangen.symmetrize import Principal, symmetrize

WIDTH = 32
#: Networks see lengths in this unit, near those of the graphs of :mod:`erlangen.measure.gwl.pairs`.
UNIT = 5.0

Make = Callable[[int], nn.Module]


_mlp = partial(perceptron, activation=nn.SiLU, activate_last=True)


def summed(messages: Tensor, graph: GeometricGraph) -> Tensor:
    """What arrives at each node, over the root of the mean number of neighbours."""
    zero = messages.new_zeros(len(graph), *messages.shape[1:])
    return zero.index_add(0, graph.edge_index[1], messages) / (graph.edge_index.shape[1] / len(graph)) ** 0.5


class Layered(nn.Module):
    """Layers on (scalars, vectors or tensors), a sum over nodes of what the last one leaves, and a perceptron.

    Args:
        layers: how many; information travels one edge in each.
        layer: makes one: a module of scalars ``[n, width]``, vectors or tensors ``[n, *second]``, differences along edges ``[E, 3]`` and
            the graph, which returns scalars and vectors.
        second: shape of what a node has beside scalars.
        outputs: numbers that come out for a graph.

    >>> from erlangen.measure.gwl import kchain
    >>> Layered(2, Distances, (3, 1))(kchain(4)[0]).shape
    torch.Size([1])
    """

    def __init__(self, layers: int, layer: Callable[[], nn.Module], second: tuple[int, ...], outputs: int = 1) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layer() for _ in range(layers))
        self.second = second
        self.last = perceptron(WIDTH, WIDTH, outputs, activation=nn.SiLU)
        # He's initialisation: torch's own makes layers three to six times weaker, and what is handed from node to node fades.
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")

    def forward(self, graph: GeometricGraph) -> Tensor:
        like = next(self.last.parameters())
        x = graph.edge_vec.to(like) / UNIT
        h, v = like.new_ones(len(graph), WIDTH), like.new_zeros(len(graph), *self.second)
        for layer in self.layers:
            h, v = layer(h, v, x, graph)
        return self.last(h.sum(0))


class Distances(nn.Module):
    """Messages from scalars and lengths, as SchNet's: IGWL(2).

    After: Schütt et al. 2017, arXiv:1706.08566.
    """

    def __init__(self) -> None:
        super().__init__()
        self.message, self.node = _mlp(2 * WIDTH + 1, WIDTH, WIDTH), _mlp(2 * WIDTH, WIDTH)

    def forward(self, h: Tensor, v: Tensor, x: Tensor, graph: GeometricGraph) -> tuple[Tensor, Tensor]:
        j, i = graph.edge_index
        m = summed(self.message(torch.cat([h[i], h[j], x.norm(dim=-1, keepdim=True)], -1)), graph)
        return h + self.node(torch.cat([h, m], -1)), v


class Angles(nn.Module):
    """Messages from pairs of neighbours: scalars, both lengths and the angle: IGWL(3).

    After: Gasteiger, Groß & Günnemann 2020, arXiv:2003.03123.
    """

    def __init__(self) -> None:
        super().__init__()
        self.message, self.node = _mlp(2 * WIDTH + 3, WIDTH, WIDTH), _mlp(2 * WIDTH, WIDTH)

    def forward(self, h: Tensor, v: Tensor, x: Tensor, graph: GeometricGraph) -> tuple[Tensor, Tensor]:
        j, i = graph.edge_index
        a, b = (i.unsqueeze(0) == i.unsqueeze(1)).nonzero().unbind(1)
        numbers = torch.stack([x[a].norm(dim=-1), x[b].norm(dim=-1), (x[a] * x[b]).sum(-1)], -1)
        m = h.new_zeros(len(h), WIDTH).index_add(0, i[a], self.message(torch.cat([h[j[a]], h[j[b]], numbers], -1)))
        return h + self.node(torch.cat([h, m], -1)), v


class Displacements(nn.Module):
    """One vector for each node, that messages move along differences and whose length and steps they see, as E-GNN's positions.

    After: Satorras, Hoogeboom & Welling 2021, arXiv:2102.09844.
    """

    def __init__(self) -> None:
        super().__init__()
        self.message, self.node = _mlp(2 * WIDTH + 1, WIDTH, WIDTH), _mlp(2 * WIDTH, WIDTH)
        self.shift = nn.Linear(WIDTH, 1)

    def forward(self, h: Tensor, v: Tensor, x: Tensor, graph: GeometricGraph) -> tuple[Tensor, Tensor]:
        j, i = graph.edge_index
        # Where the ends of the edge are by now.
        apart = x + (v[j] - v[i]).squeeze(-1)
        m = self.message(torch.cat([h[i], h[j], apart.square().sum(-1, keepdim=True)], -1))
        v = v + summed(apart * self.shift(m), graph).unsqueeze(-1)
        return h + self.node(torch.cat([h, summed(m, graph)], -1)), v


class VectorMessages(nn.Module):
    """Several vectors for each node, mixed by :class:`VectorLinear`, bent by :class:`VectorReLU`; their lengths go to scalars, as GVP's.

    After: Jing et al. 2021, arXiv:2009.01411.
    """

    channels = 8

    def __init__(self) -> None:
        super().__init__()
        c = self.channels
        self.weigh = _mlp(2 * WIDTH + 1 + c, WIDTH, 2 * c + WIDTH)
        self.bend, self.keep, self.node = VectorReLU(c), VectorLinear(c, c), _mlp(2 * WIDTH + c, WIDTH)

    def forward(self, h: Tensor, v: Tensor, x: Tensor, graph: GeometricGraph) -> tuple[Tensor, Tensor]:
        j, i = graph.edge_index
        length = x.norm(dim=-1, keepdim=True)
        along = (v[j] * x.unsqueeze(-1)).sum(-2)
        a, b, m = self.weigh(torch.cat([h[i], h[j], length, along], -1)).split([self.channels, self.channels, WIDTH], -1)
        v = v + self.bend(self.keep(v) + summed(x.unsqueeze(-1) * a.unsqueeze(-2) + v[j] * b.unsqueeze(-2), graph))
        lengths = v.square().sum(-2)
        return h + self.node(torch.cat([h, summed(m, graph), lengths], -1)), v


class TensorMessages(nn.Module):
    """Tensors up to an order, multiplied with those of the edge, summed; with ``correlation`` 2 the sum is multiplied with itself.

    Correlation 1 is a tensor field network (Thomas et al. 2018, arXiv:1802.08219): all scalars are linear in what came in. Correlation 2
    is MACE's three-body layer (Batatia et al. 2022, arXiv:2206.07697).
    """

    def __init__(self, order: int, correlation: int) -> None:
        super().__init__()
        V = O(3).vector
        self.rep = V.group.scalar + V + sum((V**k for k in range(3, order + 1)), start=V**2) if order > 1 else V.group.scalar + V
        self.order = order
        self.product = TensorProduct(self.rep, self.rep, order)
        self.square = TensorProduct(self.rep, self.rep, order) if correlation == 2 else None
        self.gate = Gated(self.rep)
        c = self.channels
        self.inner = EquivariantLinear(self.product.output_rep, self.rep, channels=(c, c))
        source = self.rep if self.square is None else self.rep + self.square.output_rep
        self.outer = EquivariantLinear(source, self.gate.input_rep, channels=(c, c))
        self.radial, self.node = _mlp(1, WIDTH, c), _mlp(WIDTH + c, WIDTH)
        self.scalars = nn.Linear(WIDTH, c)

    channels = 4

    def forward(self, h: Tensor, v: Tensor, x: Tensor, graph: GeometricGraph) -> tuple[Tensor, Tensor]:
        j, _ = graph.edge_index
        parts = [torch.ones_like(x[:, :1]), x]
        for _ in range(2, self.order + 1):
            parts.append((parts[-1].unsqueeze(-1) * x.unsqueeze(-2)).flatten(1))
        edge = torch.cat(parts, -1).unsqueeze(1)
        # Scalars of the sender are its entries of order 0.
        sent = torch.cat([v[j, :, :1] + self.scalars(h[j]).unsqueeze(-1), v[j, :, 1:]], -1)
        m = self.product(sent * self.radial(x.norm(dim=-1, keepdim=True)).unsqueeze(-1), edge)
        heard = self.inner(summed(m, graph))
        if self.square is not None:
            heard = torch.cat([heard, self.square(heard, heard)], -1)
        v = v + self.gate(self.outer(heard))
        return h + self.node(torch.cat([h, v[..., 0]], -1)), v


class WholeCloud(nn.Module):
    """A perceptron of each point, summed up, over the frames of the whole cloud: it looks at no edge.

    It computes in float64.
    """

    def __init__(self, outputs: int = 1) -> None:
        super().__init__()
        net = nn.Sequential(_mlp(3, 64, 64), _Sum(), *perceptron(64, 64, outputs, activation=nn.SiLU))
        group = O(3)
        self.net = symmetrize(net.double(), group.vector, group.scalar, frame=Principal(degenerate="weighted"), check=False)

    def forward(self, graph: GeometricGraph) -> Tensor:
        pos = graph.pos / UNIT
        return self.net((pos - pos.mean(0)).unsqueeze(0)).squeeze(0)


class _Sum(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x.sum(1)


#: Networks by the test that bounds them, IGWL; each takes a number of layers.
INVARIANT: dict[str, Make] = {
    "distances (SchNet-like)": lambda layers: Layered(layers, Distances, (3, 1)),
    "angles (DimeNet-like)": lambda layers: Layered(layers, Angles, (3, 1)),
}
#: The same for GWL.
EQUIVARIANT: dict[str, Make] = {
    "displacements (E-GNN-like)": lambda layers: Layered(layers, Displacements, (3, 1)),
    "vectors (GVP-like)": lambda layers: Layered(layers, VectorMessages, (3, VectorMessages.channels)),
    "tensors, order 1": lambda layers: Layered(layers, lambda: TensorMessages(1, 1), (TensorMessages.channels, 4)),
    "tensors, order 2": lambda layers: Layered(layers, lambda: TensorMessages(2, 1), (TensorMessages.channels, 13)),
    "tensors, order 2, squared": lambda layers: Layered(layers, lambda: TensorMessages(2, 2), (TensorMessages.channels, 13)),
}
#: No test bounds what sees the whole cloud at once.
WHOLE: dict[str, Make] = {"whole cloud in frames": lambda layers: WholeCloud()}
