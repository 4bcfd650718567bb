"""`Point`: an affine group on the points of space. Not a representation, for a translation is not linear."""

from __future__ import annotations

from torch import Tensor

from erlangen.actions.base import Action
from erlangen.groups.affine import AffineGroup


class Point(Action):
    """Points ``x`` of ``R^n`` on the last axis: ``x -> A x + t``; batches and spectators as for every action.

    >>> import torch
    >>> from erlangen.groups import SE
    >>> x = torch.zeros(2, 5, 3)
    >>> g = SE(3).element(translation=torch.tensor([[1.0, 0.0, 0.0], [0.0, 2.0, 0.0]]))
    >>> SE(3).point.act(g, x)[:, 0]
    tensor([[1., 0., 0.],
            [0., 2., 0.]])
    """

    def __init__(self, group: AffineGroup) -> None:
        super().__init__(group)
        self.linear = group.vector
        self.dim = self.linear.dim
        self.data_shape = (self.dim,)
        self._check = group.check_last_row

    def act(self, g: Tensor, x: Tensor) -> Tensor:
        aligned, _ = self.align(g, x)
        self._check(g)
        turned = self.linear.act(g, x)
        return turned + aligned[..., :-1, -1].to(turned.dtype)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.group == other.group  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.group))
