"""`FixedElements`: a frame of the same few group elements for every datum."""

from __future__ import annotations

from typing import Any

import optree
import torch

from erlangen.actions.base import Action
from erlangen.actions.batches import batch_size
from erlangen.groups.base import Element, Group
from erlangen.measure.explain.drawing import LARGEST_GROUP
from erlangen.symmetrize.frames import Frame, Weighted


class FixedElements(Frame):
    """The elements ``[k, *element_shape]`` for every datum: symmetric only if they are the whole group.

    >>> from erlangen.groups import Cyclic
    >>> frame = FixedElements.drawn(Cyclic(7), 3, seed=0)
    >>> frame(Cyclic(7).vector, torch.randn(2, 7)).elements.shape, int(Cyclic(7).exponent(frame.elements)[0])
    (torch.Size([2, 3, 7]), 0)
    """

    is_exact = False
    differentiable = True

    def __init__(self, elements: Element) -> None:
        super().__init__()
        self.elements = elements

    @classmethod
    def drawn(cls, group: Group, n: int, seed: int) -> FixedElements:
        """The identity and ``n - 1`` other elements of a finite group, without replacement."""
        rng = torch.Generator().manual_seed(seed)
        if group.order <= LARGEST_GROUP:
            # The identity comes first in every list of elements.
            others = 1 + torch.randperm(int(group.order) - 1, generator=rng)[: n - 1]
            return cls(group.take(group.elements(), torch.cat([torch.zeros(1, dtype=torch.int64), others])))
        # In so large a group, draws that coincide are as good as impossible.
        drawn = group.sample(n - 1, generator=rng)
        return cls(optree.tree_map(lambda a, b: torch.cat([a, b]), group.identity(1), drawn))

    def forward(self, inp: Action, x: Any) -> Weighted:
        size = batch_size(inp, x)
        return Weighted(inp.group.map(lambda e, shape: e.expand(size, *e.shape), self.elements))
