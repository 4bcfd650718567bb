"""`CanonicalLabelling`: the smallest frames of graphs: a canonical order, and the graph's own symmetries where they matter."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.actions.records import Record
from erlangen.errors import ArgumentError, MissingExtra
from erlangen.groups.permutation import PermutationGroup
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.ordering import levels, lexicographic, node_axes, node_parts, relabelling_refusal


class CanonicalLabelling(Frame):
    """One order for each isomorphism class of graphs, found by a search (BLISS, by way of ``igraph``), not by a formula.

    Simple graphs with any features on their nodes, which become colours. One element suffices for outputs that relabelling does not move,
    whatever the graph: a complete graph costs one evaluation, too. Outputs for nodes or pairs are exact where the graph has no symmetry of
    its own. Where it has, ``symmetries=True`` averages over all of them (the coset that is the whole frame); without it the choice among
    equivalent nodes breaks that symmetry, arbitrarily though reproducibly.

    The search has no formula behind it: it runs graph by graph on the CPU, and is exponential for rare graphs.

    Args:
        symmetries: take an element for each symmetry of the graph.
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

    def __init__(self, symmetries: bool = False, max_frame: int = 120, of: str | None = None) -> None:
        super().__init__()
        if max_frame < 1:
            raise ArgumentError("max_frame", "at least 1", max_frame)
        self.symmetries, self.max_frame, self.of = symmetries, max_frame, of

    def forward(self, inp: Action, x: Any) -> Weighted:
        parts = node_parts(inp, x)
        pairs = dict(parts.pairs)
        chosen = self.of or next(iter(pairs), "")
        if chosen not in pairs or len(pairs) > 1:
            raise ArgumentError("inp", "one adjacency matrix, and features of nodes", repr(inp), "Spectral takes features of pairs")
        a = pairs[chosen]
        if a.shape[-1] != 1 or not bool(((a == 0) | (a == 1)).all()) or not torch.equal(a, a.transpose(1, 2)):
            raise ArgumentError(
                chosen, "symmetric adjacency matrices of zeros and ones", f"shape {tuple(a.shape)}, or other numbers"
            )
        a = a.squeeze(-1)
        features = [part.detach().double() for _, part in parts.features] + [a.diagonal(dim1=1, dim2=2).unsqueeze(-1).double()]
        colours = _colours(torch.cat(features, -1))
        found = [self._coset(graph, colour) for graph, colour in zip(a.cpu(), colours.cpu())]
        k = max(map(len, found))
        elements = torch.stack([torch.cat([e, e[:1].expand(k - len(e), -1)]) for e in found]).to(a.device)
        counts = torch.tensor([len(e) for e in found], device=a.device).unsqueeze(1)
        return Weighted(elements, (torch.arange(k, device=a.device) < counts).double() / counts)

    def _coset(self, a: Tensor, colour: Tensor) -> Tensor:
        try:
            import igraph
        except ImportError as error:
            raise MissingExtra("graphs", "igraph") from error
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


def _colours(features: Tensor) -> Tensor:
    """Equal rows, equal numbers ``[B, n]``, which grow with the rows."""
    order, same = lexicographic(levels(features, 0.0))
    return torch.empty_like(order).scatter_(1, order, (~same).cumsum(1) - 1)
