"""`OrbitRepresentative`: of a finite group, the member of each datum's orbit that comes last in the dictionary, as columns."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.groups.permutation import Symmetric
from erlangen.groups.recognise import recognised

#: Orbits of at most so many elements are gone through.
LARGEST_ORBIT = 1000
#: Numbers held at once.
AT_ONCE = 2**23


class OrbitRepresentative(nn.Module):
    """Columns ``[B, T n]``: the tokens ``[B, T, n]`` moved by that element of a finite group that makes them largest, first number first.

    Of all permutations of coordinates these are the coordinates sorted, by their value in the first token, then the second, and so on.

    Args:
        group: a finite group that acts on R^n by matrices or permutations, of at most 1000 elements, or all permutations.
        tokens: ``T``.

    Attributes:
        names: of the columns.

    Raises:
        ArgumentError: the group is infinite, or larger.

    >>> from erlangen.groups import Symmetric, Cyclic
    >>> OrbitRepresentative(Symmetric(3), tokens=1)(torch.tensor([[[1.0, 3.0, 2.0]]])).tolist()
    [[3.0, 2.0, 1.0]]
    >>> OrbitRepresentative(Cyclic(3), tokens=1)(torch.tensor([[[1.0, 3.0, 2.0]]])).tolist()
    [[3.0, 2.0, 1.0]]
    """

    def __init__(self, group: Group, tokens: int) -> None:
        super().__init__()
        group = recognised(group)
        self._sorts = isinstance(group, Symmetric)
        if not self._sorts and not (group.is_finite and group.order <= LARGEST_ORBIT):
            raise ArgumentError("group", f"a finite group of at most {LARGEST_ORBIT} elements, or all permutations", repr(group))
        rep = group.vector
        self.tokens, self.dim = tokens, rep.dim
        self._matrices = None if self._sorts else rep.matrix(group.elements()).to(torch.float64)
        self.names = [f"last of the orbit: x{t + 1}[{i}]" for t in range(tokens) for i in range(self.dim)]

    def __len__(self) -> int:
        return len(self.names)

    def forward(self, x: Float[Tensor, "B T n"]) -> Float[Tensor, "B k"]:
        """The columns, in the type of ``x``."""
        if x.ndim != 3 or tuple(x.shape[1:]) != (self.tokens, self.dim):
            raise ArgumentError("x", f"tokens [B, {self.tokens}, {self.dim}]", f"shape {tuple(x.shape)}")
        if self._matrices is None:
            for t in reversed(range(self.tokens)):
                order = x[:, t].argsort(dim=-1, descending=True, stable=True)
                x = x.gather(-1, order.unsqueeze(1).expand_as(x))
            return x.flatten(1)
        step = max(1, AT_ONCE // max(1, len(self._matrices) * self.tokens * self.dim))
        return torch.cat([self._last(part, self._matrices.to(x)) for part in x.split(step)]) if len(x) else x.flatten(1)

    @staticmethod
    def _last(x: Tensor, matrices: Tensor) -> Tensor:
        every = (x.unsqueeze(1) @ matrices.mT).flatten(2)
        left = torch.ones(every.shape[:2], dtype=torch.bool, device=x.device)
        for column in every.unbind(-1):
            best = column.masked_fill(~left, -torch.inf).amax(1, keepdim=True)
            left = left & (column >= best)
        return every[torch.arange(len(x), device=x.device), left.to(torch.int8).argmax(1)]
