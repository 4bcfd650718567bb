"""`OnAxes`: representations on named axes of a tensor: permuted rows and columns, multi-index tensors, channels first."""

from __future__ import annotations

from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.base import Element
from erlangen.reps.base import Rep


class OnAxes(Action):
    """Each named axis of a tensor moves by its representation.

    Args:
        reps: axis, counted from the end (``-1`` is the last), to the representation that moves it. Axes between that are not named
            stay as they are.

    >>> import torch
    >>> from erlangen.groups import Symmetric
    >>> S = Symmetric(5)
    >>> rows_and_columns = OnAxes({-2: S.vector, -1: S.vector})
    >>> rows_and_columns.act(S.sample(8), torch.randn(8, 5, 5)).shape
    torch.Size([8, 5, 5])
    """

    def __init__(self, reps: dict[int, Rep]) -> None:
        if not reps:
            raise ArgumentError("reps", "at least one axis", "none")
        for axis, rep in reps.items():
            if not isinstance(axis, int) or axis >= 0:
                raise ArgumentError("reps", "axes counted from the end (-1, -2, ...)", axis)
            if not isinstance(rep, Rep):
                raise ArgumentError("reps", f"a representation on axis {axis}", type(rep).__name__)
        groups = {rep.group for rep in reps.values()}
        if len(groups) != 1:
            raise ArgumentError("reps", "representations of one group", ", ".join(sorted(map(str, groups))))
        super().__init__(groups.pop())
        self.reps = dict(sorted(reps.items()))
        self.data_shape = tuple(reps[axis].dim if axis in reps else None for axis in range(min(reps), 0))

    def act(self, g: Element, x: Tensor) -> Tensor:
        self.check(x)
        lead = x.ndim - self.data_ndim
        batch = len(self.group.batch_shape(g))
        if lead < batch:
            x = x.reshape((1,) * (batch - lead) + tuple(x.shape))
        for axis, rep in self.reps.items():
            x = rep.act(g, x.movedim(axis, -1)).movedim(-1, axis)
        return x

    def __repr__(self) -> str:
        inside = ", ".join(f"{axis}: {rep.symbol}" for axis, rep in self.reps.items())
        return f"OnAxes({{{inside}}} of {self.group})"
