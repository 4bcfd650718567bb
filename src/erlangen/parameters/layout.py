"""`Layout`: one weight tensor as typed tensors whose every axis has a label, and back.

Fixed axes, fixed factors and stacked blocks become channels; a ``Grouped`` axis becomes several axes; an axis of unlike blocks makes
several typed tensors of one weight tensor.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

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
    """

    labels: tuple[str, ...]
    sizes: tuple[int, ...]
    channels: int
    segment: tuple[Segment, ...]
    counts: tuple[int, ...]


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

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the weight tensor."""
        return tuple(sum(_length(s) for s in cut) for cut in self.axes)

    @property
    def parts(self) -> tuple[Part, ...]:
        """The typed tensors: one for every choice of a kind of segment on each axis."""
        found = []
        for chosen in itertools.product(*(dict.fromkeys(cut) for cut in self.axes)):
            counts = tuple(cut.count(segment) for cut, segment in zip(self.axes, chosen))
            moved = [(label, n) for segment in chosen for label, n in segment if label is not None]
            fixed = math.prod(n for segment in chosen for label, n in segment if label is None)
            labels, sizes = tuple(label for label, _ in moved), tuple(n for _, n in moved)
            found.append(Part(labels, sizes, fixed * math.prod(counts), chosen, counts))
        return tuple(found)

    def fold(self, x: Tensor) -> list[Tensor]:
        """``[*batch, C, *shape]`` to one ``[*batch, C * part.channels, *part.sizes]`` for each part."""
        lead = x.shape[: x.ndim - len(self.axes)]
        found = []
        for part in self.parts:
            piece = x
            for axis, segment in enumerate(part.segment):
                piece = self._pick(piece, axis, segment)
            shape, order, _ = _split(part)
            piece = piece.reshape(*lead, *shape).permute(*range(len(lead)), *(len(lead) + i for i in order))
            found.append(piece.reshape(*lead[:-1], lead[-1] * part.channels, *part.sizes))
        return found

    def unfold(self, pieces: Sequence[Tensor]) -> Tensor:
        """The inverse of :meth:`fold`."""
        blocks = {}
        for part, piece in zip(self.parts, pieces):
            shape, order, back = _split(part)
            outer = piece.shape[: piece.ndim - len(part.sizes)]
            lead = (*outer[:-1], outer[-1] // part.channels)
            full = piece.reshape(*lead, *(shape[i] for i in order)).permute(*range(len(lead)), *(len(lead) + i for i in back))
            blocks[part.segment] = full.reshape(*lead, *(c * _length(s) for c, s in zip(part.counts, part.segment)))
        return self._assemble(blocks, ())

    def _pick(self, x: Tensor, axis: int, segment: Segment) -> Tensor:
        """The segments like ``segment`` of one axis, one after the other."""
        cut, dim = self.axes[axis], axis - len(self.axes)
        if all(s == segment for s in cut):
            return x
        starts = itertools.accumulate((_length(s) for s in cut), initial=0)
        runs = [x.narrow(dim, start, _length(s)) for start, s in zip(starts, cut) if s == segment]
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
    return math.prod(n for _, n in segment)


def _split(part: Part) -> tuple[list[int], list[int], list[int]]:
    """The shape with every block count and factor apart, the order that puts fixed pieces first, and the order back."""
    shape: list[int] = []
    fixed: list[int] = []
    moved: list[int] = []
    for count, segment in zip(part.counts, part.segment):
        fixed.append(len(shape))
        shape.append(count)
        for label, n in segment:
            (fixed if label is None else moved).append(len(shape))
            shape.append(n)
    order = fixed + moved
    back = [order.index(i) for i in range(len(order))]
    return shape, order, back
