"""`Unordered`: several members of one kind whose order does not matter: places, equal particles, the eigenvectors of a set."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element


class Unordered(Action):
    """Tuples of members that all move alike, and that are the same tuple in any order.

    A tuple is kept in an order of its own: its members by their projection on one fixed direction, which no two different members share
    unless they were chosen to. What is moved is put in order again, so that two equal tuples are equal tensors.

    Args:
        action: of one member, on tensors; another ``Unordered`` makes tuples of tuples.

    >>> from erlangen.groups import SO
    >>> pair = Unordered(SO(2).vector)
    >>> x = torch.tensor([[1.0, 0.0], [0.0, 2.0]])
    >>> torch.equal(pair.ordered(x), pair.ordered(x.flip(0)))
    True
    """

    def __init__(self, action: Action) -> None:
        super().__init__(action.group)
        if not action.data_ndim:
            raise ArgumentError("action", "an action on members with axes of their own", repr(action))
        self.action, self.data_shape = action, (None, *action.data_shape)

    def ordered(self, x: Tensor) -> Tensor:
        """The same tuples ``[*batch, k, *member]`` in their order."""
        if isinstance(self.action, Unordered):
            x = self.action.ordered(x)
        flat = x.flatten(x.ndim - self.action.data_ndim)
        direction = torch.arange(1, flat.shape[-1] + 1, dtype=torch.float64).mul(2).sqrt().sin().to(flat)
        order = (flat * direction).sum(-1).argsort(dim=-1, stable=True)
        shape = order.reshape(*order.shape, *(1,) * self.action.data_ndim).expand(x.shape)
        return x.gather(x.ndim - self.data_ndim, shape)

    def act(self, g: Element, x: Tensor) -> Tensor:
        g, x = self.align(g, x)
        return self.ordered(self.action.act(g, x))

    def compared(self, x: Tensor) -> Tensor:
        return self.ordered(x)

    def example(self, *batch: int, generator: torch.Generator | None = None, dtype: torch.dtype | None = None) -> Tensor:
        return self.ordered(super().example(*batch, generator=generator, dtype=dtype))

    def __repr__(self) -> str:
        return f"Unordered({self.action!r})"
