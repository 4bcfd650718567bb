"""`Ordered`: sets in the order of scores that a network gives to their members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.symmetrize.frames import Frame, Weighted, for_network
from erlangen.symmetrize.ordering import ROUNDINGS, Columns, elements_of, node_axes, node_parts, over_ways, relabelling_refusal


class Ordered(Frame):
    """The order of members by the scores of a network, ties by their features: one element, so any model of sequences serves sets.

    An order passes no gradient to the scores: the network is used as it is (random, or trained for another purpose, such as sorting by
    importance). Where two scores are nearer than the root of precision, weight goes over to the order of the features, so that rounding
    decides nothing; where those agree or scores cross for other reasons the result jumps. ``info["margin"]`` is the smallest gap between
    neighbours. Members that are equal are averaged over, as in :class:`Sorted`.

    Args:
        network: features of all members ``[B, n, c]`` (those of all parts that relabelling moves, joined) to scores ``[B, n]`` or
            ``[B, n, 1]``, each member's the same wherever it stands: a network of single members, or an equivariant one.
        tolerance: scores closer than this are tied, and the features decide; by default what rounding of scores or features can make
            of equal ones.
        ties, max_frame: as for :class:`Sorted`.

    Source: Kaba et al., ICML 2023, arXiv:2211.06489, section 3.3.

    >>> from erlangen.actions import nodes
    >>> from erlangen.groups import Symmetric
    >>> _ = torch.manual_seed(0)  # no datum near a tie
    >>> Ordered(nn.Linear(2, 1))(nodes(Symmetric(5)), torch.randn(8, 5, 2)).elements.shape
    torch.Size([8, 1, 5])
    """

    takes_noise = True

    differentiable = True  # orders jump

    def __init__(self, network: nn.Module, *, tolerance: float | None = None, ties: bool = True, max_frame: int = 120) -> None:
        super().__init__()
        if tolerance is not None and tolerance < 0:
            raise ArgumentError("tolerance", "at least 0", repr(tolerance))
        if max_frame < 1:
            raise ArgumentError("max_frame", "at least 1", repr(max_frame))
        self.network, self.tolerance, self.ties, self.max_frame = network, tolerance, ties, max_frame

    def forward(self, inp: Action, x: Any, noise: Sequence[Tensor | None] | None = None) -> Weighted:
        parts = node_parts(inp, x, noise).features
        features = torch.cat([part.values for part in parts], -1)
        with torch.no_grad():
            scores = self.network(for_network(self.network, features))
        if not isinstance(scores, Tensor) or scores.shape not in (features.shape[:2], (*features.shape[:2], 1)):
            got = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
            raise ArgumentError("network", f"a score for each member, {tuple(features.shape[:2])}", got)
        scores = scores.reshape(features.shape[:2])
        score = Columns("scores", scores.unsqueeze(-1), self._doubt(scores, parts))
        if self.tolerance is None:
            score = over_ways(score, features.dtype)
        scores = scores.double()
        elements, weights = elements_of([score, *(parts if noise is None else map(over_ways, parts))], self.ties, self.max_frame)
        gaps = scores.sort(-1).values.diff(dim=-1)
        margin = gaps.amin(-1) if gaps.shape[-1] else torch.full_like(scores[:, 0], torch.inf)
        return Weighted(elements, weights, info={"margin": margin, "scores": scores})

    def _doubt(self, scores: Tensor, parts: Sequence[Columns]) -> Tensor:
        """How far the scores may be off, ``[B, 1, 1]``: relative to the largest, as much as the features are, and by their own rounding."""
        largest = scores.double().abs().amax(1).view(-1, 1, 1)
        if self.tolerance is not None:
            return torch.full_like(largest, self.tolerance / ROUNDINGS)
        relative = torch.full_like(largest, torch.finfo(scores.dtype).eps if scores.is_floating_point() else 0.0)
        for part in parts:
            size = part.values.detach().double().abs().amax((1, 2), keepdim=True)
            noise = part.noise.amax(-1, keepdim=True)
            relative = torch.maximum(relative, torch.where(size > 0, noise / size, 0.0))
        return relative * largest

    def refuse(self, inp: Action) -> str:
        leaves = getattr(inp, "leaves", [inp])
        if not any(len(node_axes(leaf)) == 1 for leaf in leaves):
            return f"no part of {inp!r} has rows that are permuted"
        return relabelling_refusal(inp)
