"""Ragged batches: the nodes of all data in one tensor ``[N, ...]``, and a tensor that says which datum each belongs to."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group


class Segment(Action):
    """The number of the datum that each node belongs to, int64 ``[N]``, from 0 up; nothing moves it.

    As a part of the input it makes the batch ragged: parts then lead with the ``N`` nodes or with the ``B`` data, and outputs may do
    either. Frames see each datum's nodes, whatever their order. The model sees the frame's copies one after another, with the
    segments ``segment + copy * B``.

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


def to_dense(part: Tensor, index: Int[Tensor, " N"]) -> tuple[Tensor, Tensor]:
    """Nodes ``[N, ...]`` as a padded batch ``[B, n, ...]`` and which of its places are taken, ``[B, n]``; order kept."""
    order = index.argsort(stable=True)
    counts = torch.bincount(index)
    place = torch.arange(len(index), device=index.device) - (counts.cumsum(0) - counts)[index[order]]
    dense = part.new_zeros(len(counts), int(counts.max()), *part.shape[1:])
    taken = torch.arange(dense.shape[1], device=index.device) < counts.unsqueeze(1)
    return dense.index_put((index[order], place), part[order]), taken


class Copies:
    """How the copies of a batch, one for each frame element, lie in one tensor: ``[B * k, ...]``, a datum's copies together."""

    def __init__(self, size: int, k: int) -> None:
        self.size, self.k = size, k

    def rows(self, count: int) -> Tensor | None:
        """Which datum each of the ``count`` rows of a part belongs to; ``None``: each to its own."""
        return None

    def take(self, group: Group, elements: Element, count: int) -> Element:
        """Elements ``[B, k]`` as they belong to the rows of a part."""
        rows = self.rows(count)
        return elements if rows is None else group.take(elements, rows)

    def take_weights(self, weights: Tensor, count: int) -> Tensor:
        """The same for weights ``[B, k]``."""
        rows = self.rows(count)
        return weights if rows is None else weights[rows]

    def join(self, part: Tensor) -> Tensor:
        """``[rows, k, ...]`` to ``[rows * k, ...]``."""
        return part.flatten(0, 1)

    def split(self, part: Any) -> Tensor:
        """The way back, for what the model returns.

        Raises:
            ArgumentError: the leading axis is not that of the copies.
        """
        if not isinstance(part, Tensor) or part.ndim == 0 or part.shape[0] != self.size * self.k:
            raise ArgumentError("model", f"an output with leading axis {self.size} x {self.k} (batch x frame)", _outline(part))
        return part.unflatten(0, (self.size, self.k))

    def repeat(self, part: Any) -> Any:
        """A part that nothing moves, for each copy; what does not lead with the batch is shared by all."""
        return part.repeat_interleave(self.k, 0) if _leads(part, self.size) else part

    def special(self, action: Action | None, part: Tensor) -> Tensor | None:
        """The copies of numbers that must not be moved but renumbered; ``None`` for any other part."""
        return None


class RaggedCopies(Copies):
    """The same for ragged batches: ``[k * rows, ...]``, whole copies of the batch one after another."""

    def __init__(self, index: Int[Tensor, " N"], size: int, k: int) -> None:
        super().__init__(size, k)
        self.index = index

    def rows(self, count: int) -> Tensor | None:
        if count == len(self.index):
            return self.index
        if count == self.size:
            return None
        raise ArgumentError(
            "x", f"parts that lead with the {len(self.index)} nodes or the {self.size} data", f"leading axis {count}"
        )

    def join(self, part: Tensor) -> Tensor:
        return part.transpose(0, 1).flatten(0, 1)

    def split(self, part: Any) -> Tensor:
        for rows in (len(self.index), self.size):
            if _leads(part, rows * self.k):
                return part.unflatten(0, (self.k, rows)).transpose(0, 1)
        expected = (
            f"an output with leading axis {len(self.index)} x {self.k} (nodes x frame) or {self.size} x {self.k} (data x frame)"
        )
        raise ArgumentError("model", expected, _outline(part))

    def repeat(self, part: Any) -> Any:
        if _leads(part, len(self.index)) or _leads(part, self.size):
            return part.repeat(self.k, *[1] * (part.ndim - 1))
        return part

    def special(self, action: Action | None, part: Tensor) -> Tensor | None:
        if isinstance(action, Segment):
            return torch.cat([part + j * self.size for j in range(self.k)])
        if isinstance(action, Edges):
            action.check(part, "edges")
            return torch.cat([part + j * len(self.index) for j in range(self.k)], -1)
        if isinstance(action, PerEdge):
            return part.repeat(self.k, *[1] * (part.ndim - 1))
        return None


def _leads(part: Any, rows: int) -> bool:
    return isinstance(part, Tensor) and part.ndim > 0 and part.shape[0] == rows


def _outline(part: Any) -> Any:
    return tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__
