"""`Point`: an affine group on the points of space. Not a representation, for a translation is not linear."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from erlangen.actions.base import Action
from erlangen.errors import ArgumentError
from erlangen.groups.affine import AffineMaps
from erlangen.reps.base import multiply


class Motion(NamedTuple):
    """Elements of an affine group, taken apart: linear parts ``[*batch, n, n]`` and translations ``[*batch, n, 1]``."""

    turn: Tensor
    shift: Tensor


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

    def __init__(self, group: AffineMaps) -> None:
        super().__init__(group)
        self.linear = group.vector
        self.dim = self.linear.dim
        self.data_shape = (self.dim,)
        self._check = group.check_last_row

    def check(self, x: Tensor, argument: str = "x") -> None:
        if not (isinstance(x, Tensor) and x.shape[-1:] == self.data_shape):
            super().check(x, argument)  # says what is wrong

    def apart(self, g: Tensor) -> Motion:  # type: ignore[override]
        """The linear part and the translation.

        Raises:
            ArgumentError: matrices of another shape, or whose last row is not ``(0, ..., 0, 1)``.
        """
        n = self.dim
        if g.shape[-2:] != (n + 1, n + 1):
            self.group.batch_shape(g)  # says what is wrong
        self._check(g)
        return Motion(*g.narrow(-2, 0, n).split_with_sizes((n, 1), -1))

    def act(self, g: Tensor | Motion, x: Tensor) -> Tensor:
        turn, shift, rows, shape = self._matched(g, x)
        # Rows that several elements share are stacked by `multiply`; each with its own need no such thing.
        moved = rows @ turn.mT if rows.shape[:-2] == turn.shape[:-2] else multiply(turn, rows)
        return self._as_data(moved + shift.mT, shape)

    def act_inverse(self, g: Tensor | Motion, x: Tensor) -> Tensor:  # type: ignore[override]
        """``A^-1 (x - t)``: more exact, far from the origin, than moving by the inverse."""
        turn, shift, rows, shape = self._matched(g, x)
        back = turn if self.linear.is_orthogonal else self.group.linear_part.inverse(turn).mT
        return self._as_data((rows - shift.mT) @ back, shape)

    def _matched(self, g: Tensor | Motion, x: Tensor) -> tuple[Tensor, Tensor, Tensor, tuple[int, ...]]:
        """The linear parts ``[*b, n, n]``, the translations ``[*b, n, 1]``, the points ``[*b, s, n]``, and their shape after ``*b``."""
        turn, shift = g if isinstance(g, Motion) else self.apart(g)
        batch, lead = turn.ndim - 2, x.ndim - 1
        if lead < batch:
            x = x.reshape((1,) * (batch - lead) + tuple(x.shape))
        ours, theirs = turn.shape[:-2], x.shape[:-1][:batch]
        self.check(x)
        if ours != theirs and any(a != b and a != 1 and b != 1 for a, b in zip(ours, theirs)):
            raise ArgumentError(
                "g", f"a batch of elements that fits the leading axes {tuple(x.shape[:-1])} of the data", f"batch {tuple(ours)}"
            )
        # Between the element's batch and the last axis lie the spectators, as one axis.
        rows = x if x.ndim == batch + 2 else x.unsqueeze(batch).flatten(batch, -2)
        return turn.to(x.dtype), shift.to(x.dtype), rows, tuple(x.shape[batch:-1])

    def _as_data(self, moved: Tensor, shape: tuple[int, ...]) -> Tensor:
        return moved if len(shape) == 1 else moved.reshape(*moved.shape[:-2], *shape, self.dim)

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and self.group == other.group  # type: ignore[attr-defined]

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.group))
