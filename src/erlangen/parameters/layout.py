"""`Layout`: one weight tensor as typed tensors whose every axis has a label, and back.

Fixed axes, fixed factors and stacked blocks become channels; a ``Grouped`` axis becomes several axes; an axis of unlike blocks makes
several typed tensors of one weight tensor.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from erlangen.parameters.kinds import Segment


@dataclass(frozen=True)
class Part:
    """A typed tensor in a weight tensor.

    Attributes:
        labels: the label of each of its axes.
        sizes: their lengths.
        channels: how many channels one channel of the weight tensor becomes.
        segment: which segments it takes, one kind on each axis of the weight tensor.
        block: the shape of those segments, side by side.
        split: the same with every count of segments and every factor apart.
        order, back: puts the fixed ones of these first, and undoes it.
    """

    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    channels: int
    segment: tuple[Segment, ...]
    block: tuple[int, ...]
    split: tuple[int, ...]
    order: tuple[int, ...]
    back: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """How a weight tensor folds into its parts.

    Args:
        axes: for each axis, its segments (see :mod:`erlangen.parameters.kinds`).

    >>> gates = Layout((((("h", 4),),) * 3, (((None, 5),),)))       # (Blocks(3, "h"), fixed): a GRU's input matrix
    >>> x = torch.randn(2, 12, 5)                                  # two channels
    >>> (part,) = gates.fold(x)
    >>> part.shape, bool((gates.unfold([part]) == x).all())
    (torch.Size([30, 4]), True)
    """

    axes: tuple[tuple[Segment, ...], ...]
    #: The shape of the weight tensor.
    shape: tuple[int, ...] = field(init=False, compare=False)
    #: The typed tensors: one for every choice of a kind of segment on each axis.
    parts: tuple[Part, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        chosen = itertools.product(*(dict.fromkeys(cut) for cut in self.axes))
        object.__setattr__(self, "shape", tuple(sum(_length(s) for s in cut) for cut in self.axes))
        object.__setattr__(self, "parts", tuple(_part(self.axes, segment) for segment in chosen))

    def fold(self, x: Tensor) -> list[Tensor]:
        """``[*batch, C, *shape]`` to one ``[*batch, C * part.channels, *part.sizes]`` for each part."""
        lead = x.shape[: x.ndim - len(self.axes)]
        found = []
        for part in self.parts:
            piece = x
            for axis, segment in enumerate(part.segment):
                piece = self._pick(piece, axis, segment)
            piece = piece.reshape(*lead, *part.split).permute(*range(len(lead)), *[len(lead) + i for i in part.order])
            found.append(piece.reshape(*lead[:-1], lead[-1] * part.channels, *part.sizes))
        return found

    def unfold(self, pieces: Sequence[Tensor]) -> Tensor:
        """The inverse of :meth:`fold`."""
        blocks = {}
        for part, piece in zip(self.parts, pieces):
            outer = piece.shape[: piece.ndim - len(part.sizes)]
            lead = (*outer[:-1], outer[-1] // part.channels)
            full = piece.reshape(*lead, *[part.split[i] for i in part.order])
            full = full.permute(*range(len(lead)), *[len(lead) + i for i in part.back])
            blocks[part.segment] = full.reshape(*lead, *part.block)
        return self._assemble(blocks, ())

    def _pick(self, x: Tensor, axis: int, segment: Segment) -> Tensor:
        """The segments like ``segment`` of one axis, one after the other."""
        cut, dim = self.axes[axis], axis - len(self.axes)
        if len(set(cut)) == 1:
            return x
        runs, start = [], 0
        for s in cut:
            if s == segment:
                runs.append(x.narrow(dim, start, _length(s)))
            start += _length(s)
        return torch.cat(runs, dim) if len(runs) > 1 else runs[0]

    def _assemble(self, blocks: dict[tuple[Segment, ...], Tensor], chosen: tuple[Segment, ...]) -> Tensor:
        """Put the parts back into their places, axis by axis."""
        axis = len(chosen)
        if axis == len(self.axes):
            return blocks[chosen]
        cut, dim = self.axes[axis], axis - len(self.axes)
        whole = {segment: self._assemble(blocks, (*chosen, segment)) for segment in dict.fromkeys(cut)}
        if len(whole) == 1:
            return whole[cut[0]]
        used = dict.fromkeys(whole, 0)
        pieces = []
        for segment in cut:
            pieces.append(whole[segment].narrow(dim, used[segment], _length(segment)))
            used[segment] += _length(segment)
        return torch.cat(pieces, dim)


def _length(segment: Segment) -> int:
    return math.prod([n for _, n in segment])


def _part(axes: tuple[tuple[Segment, ...], ...], segment: tuple[Segment, ...]) -> Part:
    """The typed tensor of the segments that are like ``segment`` on each axis."""
    labels: list[str] = []
    split: list[int] = []
    fixed: list[int] = []
    moved: list[int] = []
    counts = [cut.count(own) for cut, own in zip(axes, segment)]
    for count, own in zip(counts, segment):
        fixed.append(len(split))
        split.append(count)
        for label, n in own:
            (fixed if label is None else moved).append(len(split))
            labels += [] if label is None else [label]
            split.append(n)
    order = fixed + moved
    return Part(
        tuple(labels),
        tuple(split[i] for i in moved),
        math.prod(split[i] for i in fixed),
        segment,
        tuple(count * _length(own) for count, own in zip(counts, segment)),
        tuple(split),
        tuple(order),
        tuple(order.index(i) for i in range(len(order))),
    )
