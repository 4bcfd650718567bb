"""The parts of FAENet: embeddings of atoms and edges, interaction blocks, heads. None of them knows any symmetry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import silu

from erlangen.nn.elements import LAST, elements

MessageType = Literal["base", "updownscale_base", "updownscale", "updown_local_env", "simple"]
ForceHeadType = Literal["simple", "mlp", "res", "res_updown"]
Norm = Literal["batch", "layer"]


def linear(inputs: int, outputs: int, bias: bool = True) -> nn.Linear:
    """A linear layer with Xavier-uniform weights and zero bias."""
    layer = nn.Linear(inputs, outputs, bias=bias)
    nn.init.xavier_uniform_(layer.weight)
    if bias:
        nn.init.zeros_(layer.bias)
    return layer


def pool(values: Float[Tensor, "N c"], index: Int[Tensor, " N"], size: int) -> Float[Tensor, "B c"]:
    """Sums over the rows of each index."""
    return values.new_zeros(size, values.shape[-1]).index_add(0, index, values)


class Gaussians(nn.Module):
    """``exp(-(d - mu)^2 / (2 spacing^2))`` with centres evenly from 0 to the cutoff."""

    centres: Tensor

    def __init__(self, cutoff: float, count: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.linspace(0, cutoff, count), persistent=False)
        self.rate = -0.5 / (cutoff / (count - 1)) ** 2

    def forward(self, distance: Float[Tensor, " E"]) -> Float[Tensor, "E count"]:
        return (self.rate * (distance.unsqueeze(-1) - self.centres).square()).exp()


def fade(share: Float[Tensor, " E"]) -> Float[Tensor, " E"]:
    """1 at length 0 and 0 from the cutoff on, with two continuous derivatives: ``1 - 10 u^3 + 15 u^4 - 6 u^5``.

    >>> fade(torch.tensor([0.0, 0.5, 1.0, 2.0])).tolist()
    [1.0, 0.5, 0.0, 0.0]
    """
    u = share.clamp(max=1.0)
    return 1 - u**3 * (10 - 15 * u + 6 * u * u)


class GraphNorm(nn.Module):
    """Normalisation over the atoms of each structure, with a learnt share of the mean that is subtracted.

    Source: Cai et al., "GraphNorm", ICML 2021, arXiv:2009.03294.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight, self.mean_scale = nn.Parameter(torch.ones(channels)), nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Float[Tensor, "N c"], batch: Int[Tensor, " N"], counts: Float[Tensor, "B 1"]) -> Float[Tensor, "N c"]:
        mean = pool(x, batch, len(counts)) / counts
        x = x - (self.mean_scale * mean).index_select(0, batch)
        variance = pool(x.square(), batch, len(counts)) / counts
        return x * (self.weight * (variance + 1e-5).rsqrt()).index_select(0, batch) + self.bias


class AtomEmbedding(nn.Module):
    """What an atom is: a learnt vector of its element, beside vectors of its period, group and tag, and fixed physical properties."""

    period: Tensor
    group: Tensor
    properties: Tensor

    def __init__(self, hidden: int, tag: int, pg: int, phys: int, phys_embeds: bool, second_layer: bool) -> None:
        super().__init__()
        table = elements()
        width = atom_width(hidden, tag, pg, phys, phys_embeds)
        self.element = nn.Embedding(LAST + 1, width)
        self.tag = nn.Embedding(3, tag) if tag else None
        self.period_embedding = nn.Embedding(6, pg) if pg else None
        self.group_embedding = nn.Embedding(19, pg) if pg else None
        self.register_buffer("period", table.period, persistent=False)
        self.register_buffer("group", table.group, persistent=False)
        self.register_buffer("properties", table.properties if phys_embeds else None, persistent=False)
        self.phys = linear(len(table.names), phys) if phys and phys_embeds else None
        self.lin, self.lin_2 = linear(hidden, hidden), linear(hidden, hidden) if second_layer else None

    def forward(self, numbers: Int[Tensor, " N"], tags: Int[Tensor, " N"]) -> Float[Tensor, "N H"]:
        parts = [self.element(numbers)]
        if self.tag is not None:
            parts.append(self.tag(tags))
        if self.properties is not None:
            known = self.properties[numbers]
            parts.append(known if self.phys is None else self.phys(known))
        if self.period_embedding is not None and self.group_embedding is not None:
            parts += [self.period_embedding(self.period[numbers]), self.group_embedding(self.group[numbers])]
        h = silu(self.lin(torch.cat(parts, -1)))
        return h if self.lin_2 is None else silu(self.lin_2(h))


def atom_width(hidden: int, tag: int, pg: int, phys: int, phys_embeds: bool) -> int:
    """What is left of ``hidden`` for the element's own vector."""
    return hidden - tag - 2 * pg - ((phys or len(elements().names)) if phys_embeds else 0)


class EdgeEmbedding(nn.Module):
    """Of an edge's raw vector and its length, half of the channels each."""

    def __init__(self, gaussians: int, filters: int, second_layer: bool) -> None:
        super().__init__()
        self.vector, self.length = linear(3, filters // 2), linear(gaussians, filters - filters // 2)
        self.lin_2 = linear(filters, filters) if second_layer else None

    def forward(self, vectors: Float[Tensor, "E 3"], radial: Float[Tensor, "E g"]) -> Float[Tensor, "E F"]:
        e = silu(torch.cat([self.vector(vectors), self.length(radial)], -1))
        return e if self.lin_2 is None else silu(self.lin_2(e))


class Interaction(nn.Module):
    """One round of messages: each source's features times a filter of the edge, summed at the target."""

    def __init__(self, hidden: int, filters: int, mp_type: MessageType, complex_mp: bool, graph_norm: bool) -> None:
        super().__init__()
        self.mp_type, self.filters = mp_type, filters
        scaled = mp_type.startswith("updown")
        inner = filters if scaled else hidden
        self.down = linear(hidden, filters) if scaled else None
        with_ends = mp_type in ("base", "updownscale_base")
        self.filter = None if mp_type == "simple" else linear(filters + 2 * hidden * with_ends, inner)
        self.norm = GraphNorm(inner) if graph_norm else None
        self.up = linear(inner * (2 if mp_type == "updown_local_env" else 1), hidden)
        self.other = linear(hidden, hidden) if complex_mp else None

    def forward(
        self, h: Tensor, e: Tensor, source: Tensor, target: Tensor, batch: Tensor, counts: Tensor, fading: Tensor | None = None
    ) -> Float[Tensor, "N H"]:
        weights = self._filter(h, e, source, target)
        if fading is not None:
            weights, e = weights * fading, e * fading
        local = self.mp_type == "updown_local_env"
        x = h if self.down is None else silu(self.down(h))
        m = pool(x.index_select(0, source) * weights, target, len(h))
        if self.norm is not None:
            m = silu(self.norm(m, batch, counts))
        m = self.up(torch.cat([m, pool(e, target, len(h))], -1)) if local else silu(self.up(m))
        return m if self.other is None else silu(self.other(m))

    def _filter(self, h: Tensor, e: Tensor, source: Tensor, target: Tensor) -> Tensor:
        if self.filter is None:
            return e
        if self.mp_type == "updown_local_env":
            return self.filter(e)
        if self.mp_type == "updownscale":
            return silu(self.filter(e))
        # W [e, h_j, h_i] = W_1 e + (W_2 h)_j + (W_3 h)_i: the atoms' part once per atom, not once per edge.
        of_edge, of_ends = self.filter.weight.split([self.filters, 2 * h.shape[-1]], 1)
        at_source, at_target = (h @ part.T for part in of_ends.chunk(2, 1))
        own = nn.functional.linear(e, of_edge, self.filter.bias)
        return silu(own + at_source.index_select(0, source) + at_target.index_select(0, target))


class EnergyHead(nn.Module):
    """Weighted sums over atoms of a small network: ``sum_i alpha_i MLP(h_i)``."""

    def __init__(self, hidden: int, out: int, weighted_by_final: bool) -> None:
        super().__init__()
        self.lin1, self.lin2 = linear(hidden, hidden // 2), linear(hidden // 2, out)
        self.weight = linear(hidden, 1) if weighted_by_final else None

    def forward(self, h: Tensor, batch: Tensor, size: int, alpha: Tensor | None) -> Float[Tensor, "B out"]:
        alpha = alpha if self.weight is None else self.weight(h)
        each = self.lin2(silu(self.lin1(h)))
        return pool(each if alpha is None else each * alpha, batch, size)


class ForceHead(nn.Module):
    """A vector for each atom from its features."""

    def __init__(self, kind: ForceHeadType, hidden: int, width: int, norm: Norm | None) -> None:
        super().__init__()
        normed: Callable[[int], nn.Module] = {"batch": nn.BatchNorm1d, "layer": nn.LayerNorm, None: nn.Identity}[norm]

        def block(inputs: int, outputs: int) -> list[nn.Module]:
            return [linear(inputs, outputs), normed(outputs), nn.SiLU()]

        self.residual: nn.Module | None = None
        if kind == "res":
            self.residual = nn.Sequential(*block(hidden, hidden), *block(hidden, hidden))
        elif kind == "res_updown":
            self.residual = nn.Sequential(*block(hidden, width), *block(width, width), *block(width, hidden))
        first = [linear(hidden, width), nn.SiLU()] if kind == "simple" else block(hidden, width)
        self.last = nn.Sequential(*first, linear(width, 3))

    def forward(self, h: Float[Tensor, "N H"]) -> Float[Tensor, "N 3"]:
        return self.last(h if self.residual is None else h + self.residual(h))
