"""How the model sees the copies of a batch that a frame makes: of padded or single data, and of ragged batches."""

from __future__ import annotations

import warnings
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.ragged import Edges, PerDatum, PerEdge, PerNode, Segment
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element, Group


class Copies:
    """How the copies of a batch, one for each frame element, lie in one tensor: ``[B * k, ...]``, a datum's copies together."""

    def __init__(self, size: int, k: int) -> None:
        self.size, self.k = size, k

    def rows(self, action: Action | None, count: int, argument: str = "x") -> Tensor | None:
        """Which datum each of the ``count`` rows of a part belongs to; ``None``: each to its own."""
        return None

    def take(self, group: Group, elements: Element, rows: Tensor | None) -> Element:
        """Elements ``[B, k]`` as they belong to the rows of a part."""
        return elements if rows is None else group.take(elements, rows)

    def join(self, part: Tensor) -> Tensor:
        """``[rows, k, ...]`` to ``[rows * k, ...]``."""
        return part.flatten(0, 1)

    def split(self, part: Any) -> Tensor:
        """The way back, for what the model returns.

        Raises:
            ArgumentError: the leading axis is not that of the copies.
        """
        if not _leads(part, self.size * self.k):
            raise ArgumentError("model", f"an output with leading axis {self.size} x {self.k} (batch x frame)", _outline(part))
        return part.unflatten(0, (self.size, self.k))

    def still(self, action: Action | None, part: Any, argument: str) -> Any:
        """The copies of a part that nothing moves; what is shared, as it is.

        Raises:
            ArgumentError: a part does not lead with what it was said to lead with.
        """
        if action is None:
            return part
        if not _leads(part, self.size):
            raise ArgumentError(argument, f"a tensor that leads with the {self.size} data", _outline(part), SHARED)
        return part.repeat_interleave(self.k, 0)

    def puzzling(self, action: Action | None, part: Any) -> bool:
        """Whether a shared part has a leading axis as if it were none: for the hint beside a model's error, never for the result."""
        return action is None and _leads(part, self.size)


class RaggedCopies(Copies):
    """The same for ragged batches: ``[k * rows, ...]``, whole copies of the batch one after another."""

    def __init__(self, index: Int[Tensor, " N"], size: int, k: int) -> None:
        super().__init__(size, k)
        self.index = index
        #: As many nodes as data, but not each its own: what a part leads with, its length does not tell.
        self.unclear = len(index) == size and bool((index != torch.arange(size, device=index.device)).any())

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
            if _leads(part, rows * self.k):
                return part.unflatten(0, (self.k, rows)).transpose(0, 1)
        expected = (
            f"an output with leading axis {len(self.index)} x {self.k} (nodes x frame) or {self.size} x {self.k} (data x frame)"
        )
        raise ArgumentError("model", expected, _outline(part))

    def still(self, action: Action | None, part: Any, argument: str) -> Any:
        if action is None:
            if self.k > 1 and isinstance(part, Tensor) and part.ndim == 2 and len(part) == 2 and part.dtype == torch.int64:
                warnings.warn(
                    f"'{argument}' of shape {_outline(part)} is None, shared by all copies of a ragged batch: if it holds edges, only the "
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
            if not _leads(part, rows):
                what = "nodes" if isinstance(action, PerNode) else "data"
                raise ArgumentError(argument, f"a tensor that leads with the {rows} {what}", _outline(part), SHARED)
        return part.repeat(self.k, *[1] * (part.ndim - 1))

    def puzzling(self, action: Action | None, part: Any) -> bool:
        edges = isinstance(part, Tensor) and part.ndim == 2 and len(part) == 2 and part.dtype == torch.int64
        return action is None and (_leads(part, len(self.index)) or _leads(part, self.size) or edges)


#: Beside the error of a part whose length does not fit.
SHARED = "None in the record shares a part with the whole batch; PerNode, PerEdge and Edges are for ragged batches"


def _leads(part: Any, rows: int) -> bool:
    return isinstance(part, Tensor) and part.ndim > 0 and part.shape[0] == rows


def _outline(part: Any) -> Any:
    return tuple(part.shape) if isinstance(part, Tensor) else type(part).__name__
