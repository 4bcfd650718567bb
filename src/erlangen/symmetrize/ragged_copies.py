"""`RaggedCopies`: the copies of a ragged batch, and where each node and edge of them lies."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import Edges, PerDatum, PerEdge, PerNode, Segment
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.symmetrize.symmetrized import SHARED, Batch, Copies, leads, shape_of


class RaggedCopies(Copies):
    """The same for ragged batches: ``[k * rows, ...]``, whole copies of the batch one after another."""

    def __init__(self, batch: Batch, elements: Element, mixed: bool = False) -> None:
        super().__init__(batch, elements, mixed)
        assert batch.index is not None
        self.index = index = batch.index
        #: As many nodes as data, but not each its own: what a part leads with, its length does not tell.
        self.unclear = len(index) == self.size and bool((index != torch.arange(self.size, device=index.device)).any())

    def _mixture(self, seen: Any, weights: Float[Tensor, "B k"]) -> Any:
        raise ArgumentError("x", "a batch that is not ragged, to mix moved data", "a Segment", "train with trick=None")

    def rows(self, action: Action | None, count: int, argument: str = "x") -> Tensor | None:
        nodes = len(self.index)
        if count not in (nodes, self.size):
            raise ArgumentError(
                argument, f"parts that lead with the {nodes} nodes or the {self.size} data", f"leading axis {count}"
            )
        if self.unclear and not isinstance(action, PerDatum):
            raise ArgumentError(
                argument,
                f"PerNode({action!r}) or PerDatum({action!r}) as its action, for there are as many nodes as data",
                repr(action),
            )
        if isinstance(action, PerDatum) and count != (nodes if isinstance(action, PerNode) else self.size):
            raise ArgumentError(argument, f"{nodes if isinstance(action, PerNode) else self.size} rows for {action!r}", count)
        by_node = isinstance(action, PerNode) or (count == nodes and not isinstance(action, PerDatum))
        return self.index if by_node else None

    def join(self, part: Tensor) -> Tensor:
        return part.transpose(0, 1).flatten(0, 1)

    def split(self, part: Any) -> Tensor:
        for rows in (len(self.index), self.size):
            if leads(part, rows * self.k):
                return part.unflatten(0, (self.k, rows)).transpose(0, 1)
        expected = (
            f"an output with leading axis {len(self.index)} x {self.k} (nodes x frame) or {self.size} x {self.k} (data x frame)"
        )
        raise ArgumentError("model", expected, shape_of(part))

    def still(self, action: Action | None, part: Any, argument: str) -> Any:
        if action is None:
            if self.k > 1 and isinstance(part, Tensor) and part.ndim == 2 and len(part) == 2 and part.dtype == torch.int64:
                warnings.warn(
                    f"'{argument}' of shape {shape_of(part)} is None, shared by all copies of a ragged batch: if it holds edges, only the "
                    "first copy gets them; erlangen.frames.Edges gives each its own",
                    stacklevel=2,
                )
            return part
        if isinstance(action, Segment):
            return torch.cat([part + j * self.size for j in range(self.k)])
        if isinstance(action, Edges):
            action.check(part, argument)
            return torch.cat([part + j * len(self.index) for j in range(self.k)], -1)
        if not isinstance(action, PerEdge):
            rows = len(self.index) if isinstance(action, PerNode) else self.size
            if not leads(part, rows):
                what = "nodes" if isinstance(action, PerNode) else "data"
                raise ArgumentError(argument, f"a tensor that leads with the {rows} {what}", shape_of(part), SHARED)
        return part.repeat(self.k, *[1] * (part.ndim - 1))

    def puzzling(self, action: Action | None, part: Any) -> bool:
        edges = isinstance(part, Tensor) and part.ndim == 2 and len(part) == 2 and part.dtype == torch.int64
        return action is None and (leads(part, len(self.index)) or leads(part, self.size) or edges)
