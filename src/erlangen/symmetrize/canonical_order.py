"""`Ordered`: sets in the order of scores that a network gives to their members."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.symmetrize.frames import Frame, Weighted
from erlangen.symmetrize.moved import for_network
from erlangen.symmetrize.ordering import levels, lexicographic, node_axes, node_parts, relabelling_refusal


class Ordered(Frame):
    """The order of members by the scores of a network, ties by their features: one element, so any model of sequences serves sets.

    An order passes no gradient to the scores: the network is used as it is (random, or trained for another purpose, such as sorting by
    importance). Where two scores cross, the result jumps; ``info["margin"]`` is the smallest gap between neighbours.

    Args:
        network: features of all members ``[B, n, c]`` (those of all parts that relabelling moves, joined) to scores ``[B, n]`` or
            ``[B, n, 1]``, each member's the same wherever it stands: a network of single members, or an equivariant one.
        tolerance: scores closer than this are tied, and the features decide.

    Source: Kaba et al., ICML 2023, arXiv:2211.06489, section 3.3.

    >>> from erlangen.actions import nodes
    >>> from erlangen.groups import Symmetric
    >>> Ordered(nn.Linear(2, 1))(nodes(Symmetric(5)), torch.randn(8, 5, 2)).elements.shape
    torch.Size([8, 1, 5])
    """

    def __init__(self, network: nn.Module, *, tolerance: float = 1e-9) -> None:
        super().__init__()
        if tolerance < 0:
            raise ArgumentError("tolerance", "at least 0", tolerance)
        self.network, self.tolerance = network, tolerance

    def forward(self, inp: Action, x: Any) -> Weighted:
        features = torch.cat([part for _, part in node_parts(inp, x).features], -1)
        with torch.no_grad():
            scores = self.network(for_network(self.network, features))
        if not isinstance(scores, Tensor) or scores.shape not in (features.shape[:2], (*features.shape[:2], 1)):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise ArgumentError("network", f"a score for each member, {tuple(features.shape[:2])}", got)
        scores = scores.reshape(features.shape[:2]).double()
        keys = torch.cat([levels(scores.unsqueeze(-1), self.tolerance).double(), features.detach().double()], -1)
        order, _ = lexicographic(keys)
        gaps = scores.sort(-1).values.diff(dim=-1)
        margin = gaps.amin(-1) if gaps.shape[-1] else torch.full_like(scores[:, 0], torch.inf)
        return Weighted(order.unsqueeze(1), info={"margin": margin, "scores": scores})

    def refuse(self, inp: Action) -> str:
        leaves = getattr(inp, "leaves", [inp])
        if not any(len(node_axes(leaf)) == 1 for leaf in leaves):
            return f"no part of {inp!r} has rows that are permuted"
        return relabelling_refusal(inp)
