"""`Columns`: a sample's tokens as one row of numbers - the raw ones, or those that a group leaves unchanged."""

from __future__ import annotations

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.maps.invariants import InvariantColumns, invariant_columns

#: Each invariant by its tokens; or sums, sorted values and eigenvalues over all tokens.
Arrangement = Literal["each", "pooled"]


#: Of sorted values, so many from each end.
FROM_END = 24


class Columns(nn.Module):
    """Columns ``[B, k]`` of tokens ``[B, T, n]``.

    Args:
        tokens, dim: ``T`` and ``n``.
        group: whose invariants they are; ``None``: the raw numbers.
        arrangement: ``"each"``: every invariant of the tokens by itself. ``"pooled"``: of the symmetric forms of two tokens (products,
            squares of distances), as a matrix over pairs, the sums of rows, those of the first tokens among each other, the entries above
            the diagonal in descending order (of many, those of some ranks), the eigenvalues.

    Attributes:
        arrangements: those that the group has; without symmetric forms only ``"each"``.

    Raises:
        ArgumentError: no invariants of the group are known, or it has no such arrangement.

    >>> from erlangen.groups import O
    >>> Columns(2, 3, O(3))(torch.tensor([[[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]])).tolist()
    [[1.0, 2.0, 1.0]]
    >>> len(Columns(4, 3)), len(Columns(4, 3, O(3))), len(Columns(4, 3, O(3), "pooled"))
    (12, 10, 18)
    """

    def __init__(self, tokens: int, dim: int, group: Group | None = None, arrangement: Arrangement = "each") -> None:
        super().__init__()
        self.tokens, self.dim, self.group, self.arrangement = tokens, dim, group, arrangement
        self.invariants: InvariantColumns | None = None if group is None else invariant_columns(group, tokens)
        forms = 0
        if self.invariants is not None:
            forms = len(self.invariants.pairs(torch.zeros(1, tokens, dim, dtype=torch.float64)))
        self.arrangements: tuple[Arrangement, ...] = ("each", "pooled") if forms and tokens > 1 else ("each",)
        if arrangement not in self.arrangements:
            raise ArgumentError("arrangement", f"one of {', '.join(self.arrangements)}", repr(arrangement))

    def forward(self, x: Float[Tensor, "B T n"]) -> Float[Tensor, "B k"]:
        """The columns, in the type of ``x``."""
        if self.invariants is None:
            return x.flatten(1)
        if self.arrangement == "each":
            return self.invariants(x)
        return torch.cat([pooled(pairs) for pairs in self.invariants.pairs(x)], -1)

    def __len__(self) -> int:
        return self(torch.zeros(1, self.tokens, self.dim, dtype=torch.float64)).shape[1]


def pooled(pairs: Float[Tensor, "B T T"]) -> Float[Tensor, "B k"]:
    """Of symmetric matrices the sums of rows, the sums of leading blocks (the last is that of all entries), the entries above the
    diagonal in descending order, and the eigenvalues.

    >>> pooled(torch.tensor([[[1.0, 2.0], [2.0, 1.0]]])).tolist()
    [[3.0, 3.0, 1.0, 6.0, 2.0, -1.0, 3.0]]
    """
    i, j = torch.triu_indices(pairs.shape[1], pairs.shape[1], 1, device=pairs.device)
    blocks = pairs.cumsum(1).cumsum(2).diagonal(dim1=1, dim2=2)
    above = pairs[:, i, j].sort(-1, descending=True).values[:, ranks(len(i)).to(pairs.device)]
    return torch.cat([pairs.sum(-1), blocks, above, torch.linalg.eigvalsh(pairs)], -1)


def ranks(count: int) -> Tensor:
    """Places in a sorted list that say most of it: all of a short one, of a long one those near both ends, ever wider apart.

    >>> ranks(4).tolist(), len(ranks(10_000))
    ([0, 1, 2, 3], 48)
    """
    if count <= 2 * FROM_END:
        return torch.arange(count)
    near = torch.arange(FROM_END)
    # The first ones one by one, as long as steps that grow evenly would be shorter than one.
    far = torch.logspace(0, math.log10(count / 2), FROM_END, dtype=torch.float64).long() - 1
    first = torch.maximum(near, far)
    return torch.cat([first, count - 1 - first.flip(0)]).unique()
