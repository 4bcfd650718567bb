"""`CanonicalLabelling`: the smallest frames of graphs: a canonical order, and the graph's own symmetries where they matter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError
from erlangen.extras import engine
from erlangen.groups.permutation import PermutationGroup
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.ordering import Columns, moves, node_axes, node_parts, relabelling_refusal, sorted_rows


class CanonicalLabelling(Frame):
    """One order for each isomorphism class of graphs, found by a search (BLISS, by way of ``igraph``), not by a formula.

    Simple graphs with any features on their nodes, which become colours. One element suffices for outputs that relabelling does not move,
    whatever the graph: a complete graph costs one evaluation, too. Outputs for nodes or pairs need an element for each symmetry that a
    graph has of its own (the coset that is the whole frame), ``symmetries=True``: a choice among equivalent nodes would break that
    symmetry. For graphs without symmetry that is one element, too.

    The search has no formula behind it: it runs graph by graph on the CPU, and is exponential for rare graphs.

    Args:
        symmetries: take an element for each symmetry of the graph; without it, outputs that relabelling moves are refused.
        max_frame: the most symmetries of a graph.
        of: the part of a dict with the adjacency matrix; by default the first that moves on two axes.

    Source: T. Junttila & P. Kaski, "Engineering an efficient canonical labeling tool", ALENEX 2007; minimal frames: Lin et al. 2024,
    arXiv:2406.07598.

    >>> from erlangen.actions.graphs import adjacency
    >>> from erlangen.groups import Symmetric
    >>> complete = 1 - torch.eye(4).unsqueeze(0)
    >>> act = adjacency(Symmetric(4))
    >>> [CanonicalLabelling(s)(act, complete).elements.shape[1] for s in (False, True)]
    [1, 24]
    """

    takes_noise = True

    differentiable = True  # orders jump

    def __init__(self, symmetries: bool = False, max_frame: int = 120, of: str | None = None) -> None:
        super().__init__()
        if max_frame < 1:
            raise ArgumentError("max_frame", "at least 1", repr(max_frame))
        self.symmetries, self.max_frame, self.of = symmetries, max_frame, of

    def forward(self, inp: Action, x: Any, noise: Sequence[Tensor | None] | None = None) -> Weighted:
        parts = node_parts(inp, x, noise)
        chosen = self.of or next((pairs.name for pairs in parts.pairs), "")
        matrix = next((pairs for pairs in parts.pairs if pairs.name == chosen), None)
        if matrix is None or len(parts.pairs) > 1:
            raise ArgumentError("inp", "one adjacency matrix, and features of nodes", repr(inp), "Spectral takes features of pairs")
        a = matrix.values
        if a.shape[-1] != 1 or not bool(((a == 0) | (a == 1)).all()) or not torch.equal(a, a.transpose(1, 2)):
            raise ArgumentError(
                chosen, "symmetric adjacency matrices of zeros and ones", f"shape {tuple(a.shape)}, or other numbers"
            )
        a = a.squeeze(-1)
        loops = Columns(chosen, a.diagonal(dim1=1, dim2=2).unsqueeze(-1), torch.zeros_like(matrix.noise.squeeze(1)))
        colours = _colours([*parts.features, loops])
        found = [self._coset(graph, colour) for graph, colour in zip(a.cpu(), colours.cpu())]
        k = max(map(len, found), default=1)
        padded = [torch.cat([e, e[:1].expand(k - len(e), -1)]) for e in found]
        elements = torch.stack(padded).to(a.device) if padded else torch.zeros(0, 1, a.shape[1], dtype=torch.int64, device=a.device)
        counts = torch.tensor([len(e) for e in found], dtype=torch.int64, device=a.device).unsqueeze(1)
        return Weighted(elements, (torch.arange(k, device=a.device) < counts).double() / counts)

    def _coset(self, a: Tensor, colour: Tensor) -> Tensor:
        igraph = engine("graphs", "igraph")
        colours = colour.tolist()
        graph = igraph.Graph(n=len(a), edges=a.triu(1).nonzero().tolist())
        # New place -> old node, since igraph 1.0; the node of each place is what an order is.
        order = torch.tensor(graph.canonical_permutation(color=colours))
        if not self.symmetries:
            return order.unsqueeze(0)
        generators = graph.automorphism_group(color=colours)
        group = PermutationGroup([torch.arange(len(a)), *map(torch.tensor, generators)])
        if group.order > self.max_frame:
            raise ArgumentError("x", f"graphs with at most max_frame = {self.max_frame} symmetries", f"one with {group.order}")
        return group.multiply(group.elements(), order)

    def refuse(self, inp: Action) -> str:
        leaves = inp.leaves if isinstance(inp, Record) else [inp]
        if sum(len(node_axes(leaf)) == 2 for leaf in leaves) != 1:
            return f"{inp!r} does not have one adjacency matrix"
        return relabelling_refusal(inp)

    def refuse_output(self, out: Action) -> str:
        if self.symmetries or not any(map(moves, getattr(out, "leaves", [out]))):
            return ""
        return f"a graph's own symmetries count for {out!r}, which relabelling moves: CanonicalLabelling(symmetries=True)"


def _colours(columns: Sequence[Columns]) -> Tensor:
    """Equal rows, equal numbers ``[B, n]``, which grow with the rows."""
    order, same = sorted_rows(columns)
    return torch.empty_like(order).scatter_(1, order, (~same).cumsum(1) - 1)
