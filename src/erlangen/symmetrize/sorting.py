"""`Sorted`: sets by the lexicographic order of their rows: one evaluation, whatever the size of the set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.ordering import elements_of, node_axes, node_parts, over_ways, relabelling_refusal


class Sorted(Frame):
    """The order that sorts the rows of a set (or of several features of its members together) by their first column, then the next.

    Numbers of a column that differ by no more than rounding could make (64 times the precision of their dtype, at the size of the column's
    largest) are equal, and the next column decides: in canonical coordinates of a flat cloud, the first column is nothing but rounding.

    Members that are equal may be taken in any order: the model sees the same. So outputs that do not move under relabelling are exact
    with one element. A model may tell the places of equal members apart, though, and equal members must get equal outputs: the frame then
    holds turns of every run of equal rows, which give each member the mean over its run, exact for outputs with one node axis. It
    takes as many evaluations as the least common multiple of the runs' lengths, of data with equal members only. Compiled models do
    not look for ties.

    Like every frame of this group with few elements, it jumps where rows overtake each other: relabelling moves numbers exactly, so that
    is no harm. After another stage (:class:`InSequence`) numbers are off by rounding; there the two orders of numbers that are nearer than
    the root of precision are averaged, with weights that go over from one to the other.

    Args:
        ties: average over the places of equal members; ``False`` takes one order, enough for outputs that relabelling does not move.
        max_frame: the most evaluations that ties may take.

    Source: Puny et al., ICLR 2022, arXiv:2110.03336 (sec. 3).

    >>> import torch
    >>> from erlangen.actions.graphs import nodes
    >>> from erlangen.groups import Symmetric
    >>> Sorted()(nodes(Symmetric(3)), torch.tensor([[[2.0, 0.0], [1.0, 5.0], [1.0, 3.0]]])).elements
    tensor([[[2, 1, 0]]])
    """

    takes_noise = True

    differentiable = True  # orders jump

    def __init__(self, ties: bool = True, max_frame: int = 120) -> None:
        super().__init__()
        if max_frame < 1:
            raise ArgumentError("max_frame", "at least 1", repr(max_frame))
        self.ties, self.max_frame = ties, max_frame

    def forward(self, inp: Action, x: Any, noise: Sequence[Tensor | None] | None = None) -> Weighted:
        columns = node_parts(inp, x, noise).features
        if noise is not None:
            columns = [over_ways(column) for column in columns]
        return Weighted(*elements_of(columns, self.ties, self.max_frame))

    def refuse(self, inp: Action) -> str:
        leaves = inp.leaves if isinstance(inp, Record) else [inp]
        if not any(len(node_axes(leaf)) == 1 for leaf in leaves):
            return f"no part of {inp!r} has rows that are permuted"
        if any(len(node_axes(leaf)) == 2 for leaf in leaves):
            return "pairs of nodes need a frame of graphs, such as Spectral"
        return relabelling_refusal(inp)
