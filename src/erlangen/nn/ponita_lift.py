"""`lift_bonds`: a graph of points as a graph of oriented points, one for each directed edge, for exact networks without a grid."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from erlangen.actions.ragged import check_edges
from erlangen.errors import ArgumentError
from erlangen.nn.ponita_kernels import unit


@dataclass(frozen=True, eq=False)
class LiftedBonds:
    """Oriented points of a graph's directed edges.

    Attributes:
        pos: where each edge arrives, ``[E, n]``.
        ori: the direction to where it comes from, of length one, ``[E, n]``.
        edge_index: which oriented points see each other, int64 ``[2, F]``.
        owner: the node at which each is, int64 ``[E]``.
        batch: its graph, int64 ``[E]``.
        nodes: how many nodes the graph had.
    """

    pos: Float[Tensor, "E n"]
    ori: Float[Tensor, "E n"]
    edge_index: Int[Tensor, "2 F"]
    owner: Int[Tensor, " E"]
    batch: Int[Tensor, " E"]
    nodes: int

    def spread(self, x: Float[Tensor, "V ..."]) -> Float[Tensor, "E ..."]:
        """What nodes have, at each of their oriented points.

        Raises:
            ArgumentError: it is not of as many nodes as the graph had.
        """
        _check_rows("x", x, self.nodes, "nodes")
        return x[self.owner]

    def mean(self, y: Float[Tensor, "E ..."]) -> Float[Tensor, "V ..."]:
        """Back to nodes: means over the oriented points of each.

        Raises:
            ArgumentError: it is not of as many oriented points as there are.
        """
        _check_rows("y", y, len(self.owner), "oriented points")
        counts = torch.bincount(self.owner, minlength=self.nodes).to(y)
        total = y.new_zeros(self.nodes, *y.shape[1:]).index_add(0, self.owner, y)
        return total / counts.reshape(-1, *(1,) * (y.ndim - 1))


def _check_rows(name: str, x: Tensor, count: int, of: str) -> None:
    if len(x) != count:
        raise ArgumentError(name, f"a row for each of {count} {of}", f"shape {tuple(x.shape)}")


def lift_bonds(pos: Float[Tensor, "V n"], edge_index: Int[Tensor, "2 E"], batch: Int[Tensor, " V"] | None = None) -> LiftedBonds:
    """Every directed edge ``s -> t`` becomes a point at ``p_t`` with orientation ``(p_s - p_t) / |p_s - p_t|``.

    Two see each other where their nodes are the same or connected. Loops of the graph are left out.

    Args:
        pos: positions of the nodes.
        edge_index: senders and receivers.
        batch: the graph of each node; by default all are one.

    Raises:
        ArgumentError: edges that are no pairs of nodes of one graph, or of length zero; nodes at which no edge arrives, which would vanish.

    Source: Bekkers et al., ICLR 2024, arXiv:2310.02970.

    >>> from erlangen.nn import PONITA
    >>> pos = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]])
    >>> up = lift_bonds(pos, torch.tensor([[0, 1, 1, 2], [1, 0, 2, 1]]))
    >>> net = PONITA(in_scalars=1, hidden=16, out_scalars=1, layers=2, out_vectors=1, task="node")
    >>> scalars, vectors = net(up.pos, edge_index=up.edge_index, ori=up.ori)
    >>> up.mean(vectors).shape                                 # exactly equivariant, without a grid
    torch.Size([3, 1, 3])
    """
    if pos.ndim != 2 or not pos.is_floating_point():
        raise ArgumentError("pos", "real positions [V, n]", f"{pos.dtype} {list(pos.shape)}")
    if batch is not None and batch.shape != pos.shape[:1]:
        raise ArgumentError("batch", f"shape {list(pos.shape[:1])}", f"shape {list(batch.shape)}")
    check_edges(edge_index, len(pos), batch)
    edge_index = edge_index[:, edge_index[0] != edge_index[1]]
    s, t = edge_index
    way = pos[s] - pos[t]
    if bool((way == 0).all(1).any()):
        at = (way == 0).all(1).nonzero()[0].item()
        raise ArgumentError(
            "pos", "different positions at the two ends of each edge", f"an edge of length zero, {s[at]} to {t[at]}"
        )
    if len(alone := (torch.bincount(t, minlength=len(pos)) == 0).nonzero()):
        raise ArgumentError("edge_index", "an edge that arrives at each node", f"none at node {int(alone[0])}")
    nodes = torch.arange(len(pos), device=pos.device)
    # Oriented points by the node they are at; the graph's pairs, and each node with itself, then lead to pairs of them.
    order = t.argsort(stable=True)
    counts = torch.bincount(t, minlength=len(pos))
    first = counts.cumsum(0) - counts
    pairs = torch.unique(torch.cat([edge_index, nodes.expand(2, -1)], 1), dim=1)
    size = counts[pairs[0]] * counts[pairs[1]]
    pair = torch.arange(pairs.shape[1], device=pos.device).repeat_interleave(size)
    place = torch.arange(len(pair), device=pos.device) - (size.cumsum(0) - size)[pair]
    sender, receiver = pairs[:, pair]
    seen = torch.stack([order[first[sender] + place // counts[receiver]], order[first[receiver] + place % counts[receiver]]])
    of = torch.zeros(len(pos), dtype=torch.int64, device=pos.device) if batch is None else batch
    return LiftedBonds(pos[t], unit(way), seen[:, seen[0] != seen[1]], t, of[t], len(pos))
