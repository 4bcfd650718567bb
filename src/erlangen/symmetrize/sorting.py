"""`Sorted`: sets by the lexicographic order of their rows: one evaluation, whatever the size of the set."""

from __future__ import annotations

import math
from typing import Any

import torch

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.ordering import block_sizes, lexicographic, node_axes, node_parts, relabelling_refusal


class Sorted(Frame):
    """The order that sorts the rows of a set (or of several features of its members together) by their first column, then the next.

    Rows that are equal, bit for bit, may be taken in any order: the model sees the same. Outputs that do not move under relabelling are
    therefore exact with one element. Outputs for each member are, too, unless members are equal: a model may tell their places apart, and
    equal members must get equal outputs. ``ties=True`` averages over turns of every run of equal rows, which gives each of them the mean
    over the run, exact for outputs with one node axis; it takes as many evaluations as the least common multiple of the runs' lengths.

    Like every frame of this group with few elements, it jumps where rows overtake each other.

    Args:
        ties: average over the places of equal members.
        max_frame: the most evaluations that ties may take.

    Source: Puny et al., ICLR 2022, arXiv:2110.03336 (sec. 3).

    >>> from erlangen.actions.graphs import nodes
    >>> from erlangen.groups import Symmetric
    >>> Sorted()(nodes(Symmetric(3)), torch.tensor([[[2.0, 0.0], [1.0, 5.0], [1.0, 3.0]]])).elements
    tensor([[[2, 1, 0]]])
    """

    def __init__(self, ties: bool = False, max_frame: int = 120) -> None:
        super().__init__()
        if max_frame < 1:
            raise ArgumentError("max_frame", "at least 1", max_frame)
        self.ties, self.max_frame = ties, max_frame

    def forward(self, inp: Action, x: Any) -> Weighted:
        rows = torch.cat([part.detach().double() for _, part in node_parts(inp, x).features], -1)
        order, same = lexicographic(rows)
        if not self.ties or not bool(same.any()):
            return Weighted(order.unsqueeze(1))
        sizes = [block_sizes(row) for row in same.cpu()]
        k = math.lcm(*(size for row in sizes for size in row))
        if k > self.max_frame:
            raise ArgumentError("x", f"ties that take at most max_frame = {self.max_frame} evaluations", f"ties that take {k}")
        turns = torch.stack([torch.stack([_turned(row, turn) for turn in range(k)]) for row in sizes]).to(order.device)
        return Weighted(order.unsqueeze(1).expand(turns.shape).gather(-1, turns))

    def refuse(self, inp: Action) -> str:
        leaves = inp.leaves if isinstance(inp, Record) else [inp]
        if not any(len(node_axes(leaf)) == 1 for leaf in leaves):
            return f"no part of {inp!r} has rows that are permuted"
        if any(len(node_axes(leaf)) == 2 for leaf in leaves):
            return "pairs of nodes need a frame of graphs, such as Spectral"
        return relabelling_refusal(inp)


def _turned(sizes: tuple[int, ...], turn: int) -> torch.Tensor:
    """The places, each run turned by so many."""
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return torch.cat([start + (torch.arange(size) + turn) % size for start, size in zip(starts, sizes)])
