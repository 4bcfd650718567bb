"""What a part of a batch is, is said, never guessed from a length: for each datum, for each node, for each edge, or shared by all.

Ragged batches hold the nodes of all data in one tensor ``[N, ...]``, and a tensor that says which datum each belongs to.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group
from erlangen.groups.membership import may_look


class PerDatum(Action):
    """Something that every datum has for itself, ``[B, ...]`` of any shape and dtype, and that nothing moves: a mask, a label, a charge.

    The model sees a datum's own rows beside each of its copies. (A part of a record with ``None`` is shared by the whole batch instead:
    the model gets it as it is, once.) As a part of the output it is invariant.

    Args:
        moves: the group; or an action, of what moves and leads with the data: ``PerDatum(G.vector)``. That needs saying only in ragged
            batches with as many nodes as data, where it could as well lead with the nodes.

    >>> import erlangen as er
    >>> G = er.SE(3)
    >>> class Masked(torch.nn.Module):
    ...     def forward(self, pos, mask, scale):
    ...         return scale * (pos.sin().sum(-1) * mask).sum(1, keepdim=True)
    >>> inp = {"pos": G.point, "mask": er.frames.PerDatum(G), "scale": None}
    >>> model = er.symmetrize(Masked(), inp, G.scalar, frame=er.frames.Principal(weights="mask"))
    >>> model(pos=torch.randn(2, 5, 3), mask=torch.arange(5) < torch.tensor([[5], [4]]), scale=torch.ones(1)).shape
    torch.Size([2, 1])
    """

    data_shape: tuple[int | None, ...] = ()

    def __init__(self, moves: Group | Action) -> None:
        self.moves = moves if isinstance(moves, Action) else None
        super().__init__(moves.group if isinstance(moves, Action) else moves)
        if self.moves is not None:
            self.data_shape = self.moves.data_shape

    def act(self, g: Element, x: Tensor) -> Tensor:
        return _unmoved(self.group, g, x) if self.moves is None else self.moves.act(g, x)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Any:
        if self.moves is None:
            return super().example(*batch, generator=generator, dtype=dtype)
        return self.moves.example(*batch, generator=generator, dtype=dtype)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and (self.group, self.moves) == (other.group, other.moves)  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self), self.group, self.moves))

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.group if self.moves is None else repr(self.moves)})"


class PerNode(PerDatum):
    """The same for what every node of a ragged batch has, ``[N, ...]``: atomic numbers, charges, or, of an action, what moves."""


class Segment(Action):
    """The number of the datum that each node belongs to, int64 ``[N]``, from 0 up; nothing moves it.

    As a part of the input it makes the batch ragged: parts that move then lead with the ``N`` nodes or with the ``B`` data, and outputs
    may do either (where ``N = B``, :class:`PerNode` and :class:`PerDatum` say which). What nothing moves is :class:`PerNode`,
    :class:`PerDatum`, :class:`PerEdge` or :class:`Edges`. Frames see each datum's nodes, whatever their order. The model sees the frame's
    copies one after another, with the segments ``segment + copy * B``.

    >>> import erlangen as er
    >>> G = er.SE(3)
    >>> class Sum(torch.nn.Module):
    ...     def forward(self, pos, batch):
    ...         return pos.new_zeros(int(batch.max()) + 1, 3).index_add(0, batch, pos**3).sum(1, keepdim=True)
    >>> model = er.symmetrize(Sum(), {"pos": G.point, "batch": er.frames.Segment(G)}, G.scalar)
    >>> model(pos=torch.randn(9, 3), batch=torch.tensor([0, 0, 0, 0, 0, 1, 1, 1, 1])).shape
    torch.Size([2, 1])
    """

    data_shape = ()

    def act(self, g: Element, x: Tensor) -> Tensor:
        return x


class Edges(Action):
    """Pairs of node numbers, int64 ``[2, E]``, of a ragged batch; nothing moves them, each copy of the nodes gets its own."""

    data_shape = (2, None)

    def act(self, g: Element, x: Tensor) -> Tensor:
        return x


class PerEdge(Action):
    """Numbers of the edges of a ragged batch, ``[E, ...]`` (lengths, images of the cell); nothing moves them, each copy of the edges has
    them, too."""

    data_shape = ()

    def act(self, g: Element, x: Tensor) -> Tensor:
        return x


def bare(action: Action | None) -> Action | None:
    """The action that moves a part, without what :class:`PerDatum` or :class:`PerNode` say about its leading axis."""
    return action.moves if isinstance(action, PerDatum) else action


def is_still(action: Action | None) -> bool:
    """Whether a part of an input is there for the model alone: nothing moves it."""
    return (
        action is None or isinstance(action, (Segment, Edges, PerEdge)) or (isinstance(action, PerDatum) and action.moves is None)
    )


def is_by_node(action: Action | None, part: Tensor, index: Tensor | None) -> bool:
    """Whether a part leads with the nodes of a ragged batch, whose segments are ``index``, and not with the data."""
    if index is None or isinstance(action, PerDatum):
        return index is not None and isinstance(action, PerNode)
    return len(part) == len(index)


def ragged_refusal(inp: Action) -> str:
    """Why an input makes no batch: parts of ragged batches without a :class:`Segment`; empty when it does."""
    leaves = inp.leaves if isinstance(inp, Record) else [inp]
    of_ragged = {type(leaf).__name__ for leaf in leaves if isinstance(leaf, (Edges, PerEdge, PerNode))}
    if not of_ragged or any(isinstance(leaf, Segment) for leaf in leaves):
        return ""
    return f"{' and '.join(sorted(of_ragged))} without one; edges that all data share are None"


def segment_of(inp: Action, x: Any) -> Int[Tensor, " N"] | None:
    """The data's :class:`Segment` part; ``None`` when the batch is not ragged.

    Raises:
        ArgumentError: it is not a non-empty vector of non-negative integers.
    """
    if not isinstance(inp, Record):
        return None
    index = next((part for action, part in zip(inp.leaves, inp.flatten(x)) if isinstance(action, Segment)), None)
    if index is None:
        return None
    if not isinstance(index, Tensor) or index.ndim != 1 or index.dtype != torch.int64 or not len(index):
        got = f"{index.dtype} {tuple(index.shape)}" if isinstance(index, Tensor) else type(index).__name__
        raise ArgumentError("segment", "the datum of each node, a non-empty int64 tensor [N]", got)
    if int(index.min()) < 0:
        raise ArgumentError("segment", "numbers of data from 0 up", int(index.min()))
    return index


def some_of(inp: Action, x: Any, rows: Any) -> Any:
    """Some data of a batch, by a slice or index of the leading axis: rows of every part that has an action; shared parts as they are.

    Raises:
        ArgumentError: the batch is ragged.

    >>> import erlangen as er
    >>> C = er.Cyclic(3)
    >>> inp = er.Record({"x": C.vector, "table": None})
    >>> few = some_of(inp, {"x": torch.randn(8, 3), "table": torch.randn(8)}, slice(2))
    >>> few["x"].shape, few["table"].shape
    (torch.Size([2, 3]), torch.Size([8]))
    """
    if segment_of(inp, x) is not None:
        raise ArgumentError("x", "a batch that is not ragged", "a Segment")
    return inp.map(lambda action, part: part[rows], x) if isinstance(inp, Record) else x[rows]


def first_of_ragged(inp: Record, x: Any, index: Int[Tensor, " N"]) -> Any:
    """The first datum of a ragged batch alone, its nodes and edges numbered anew; ``None`` where it cannot be taken out.

    It cannot where it has no nodes, or where numbers of edges come without edges that say whose they are.

    >>> import erlangen as er
    >>> G = er.SO(3)
    >>> inp = er.Record({"batch": Segment(G), "edges": Edges(G), "length": PerEdge(G)})
    >>> x = {"batch": torch.tensor([1, 0, 0]), "edges": torch.tensor([[0, 2], [0, 1]]), "length": torch.tensor([5.0, 7.0])}
    >>> {name: part.tolist() for name, part in first_of_ragged(inp, x, x["batch"]).items()}
    {'batch': [0, 0], 'edges': [[1], [0]], 'length': [7.0]}
    """
    mine = index == 0
    parts = list(zip(inp.leaves, inp.flatten(x)))
    edges = [part for action, part in parts if isinstance(action, Edges)]
    if not bool(mine.any()) or (not edges and any(isinstance(action, PerEdge) for action, _ in parts)):
        return None
    new = mine.cumsum(0) - 1

    def take(action: Action, part: Tensor) -> Any:
        if isinstance(action, Edges):
            return new[part[:, mine[part[0]]]]
        if isinstance(action, PerEdge):
            own = next((e for e in edges if e.shape[1] == len(part)), edges[0])
            return part[mine[own[0]]]
        return part[mine] if isinstance(action, Segment) or is_by_node(action, part, index) else part[:1]

    return inp.map(take, x)


def to_dense(part: Tensor, index: Int[Tensor, " N"]) -> tuple[Tensor, Tensor]:
    """Nodes ``[N, ...]`` as a padded batch ``[B, n, ...]`` and which of its places are taken, ``[B, n]``; order kept."""
    order = index.argsort(stable=True)
    counts = torch.bincount(index)
    place = torch.arange(len(index), device=index.device) - (counts.cumsum(0) - counts)[index[order]]
    dense = part.new_zeros(len(counts), int(counts.max()), *part.shape[1:])
    taken = torch.arange(dense.shape[1], device=index.device) < counts.unsqueeze(1)
    return dense.index_put((index[order], place), part[order]), taken


def check_edges(edge_index: Tensor, nodes: int, batch: Tensor | None = None) -> None:
    """Edges of a ragged batch are pairs of its nodes, of one graph each.

    Args:
        edge_index: senders and receivers.
        nodes: how many there are.
        batch: the graph of each.

    Raises:
        ArgumentError: another shape or dtype, numbers of no node, an edge from one graph to another.

    >>> check_edges(torch.tensor([[0, 2], [1, 1]]), 3, torch.tensor([0, 0, 1]))
    Traceback (most recent call last):
    erlangen.errors.ArgumentError: argument 'edge_index': expected edges within one graph; got 2 to 1, of graphs 1 and 0...
    """
    if not isinstance(edge_index, Tensor) or edge_index.ndim != 2 or edge_index.shape[0] != 2 or edge_index.dtype != torch.int64:
        got = f"{edge_index.dtype} {list(edge_index.shape)}" if isinstance(edge_index, Tensor) else type(edge_index).__name__
        raise ArgumentError("edge_index", "int64 [2, E]", got)
    if not may_look(edge_index) or not edge_index.numel():
        return
    if not 0 <= int(edge_index.min()) <= int(edge_index.max()) < nodes:
        raise ArgumentError("edge_index", f"numbers of nodes from 0 to {nodes - 1}", [int(edge_index.min()), int(edge_index.max())])
    if batch is not None and len(apart := (batch[edge_index[0]] != batch[edge_index[1]]).nonzero()):
        sender, receiver = edge_index[:, int(apart[0])].tolist()
        got = f"{sender} to {receiver}, of graphs {int(batch[sender])} and {int(batch[receiver])}"
        raise ArgumentError("edge_index", "edges within one graph", got, "number the nodes of all graphs one after another")


def _unmoved(group: Group, g: Element, x: Tensor) -> Tensor:
    """``x``, with one copy for each element where it has one for all."""
    batch = group.batch_shape(g)
    if x.ndim < len(batch):
        x = x.reshape((1,) * (len(batch) - x.ndim) + tuple(x.shape))
    return x.expand((*(b if n == 1 else n for b, n in zip(batch, x.shape)), *x.shape[len(batch) :]))
