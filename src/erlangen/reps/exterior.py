"""`Multivectors`: an orthogonal group on all grades of a Clifford algebra."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import combinations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from erlangen.errors import ArgumentError
from erlangen.groups.base import Group
from erlangen.reps.base import Rep


class Multivectors(Rep):
    """Matrices of a group on multivectors of its vectors, ``2^n`` coefficients in the order of :class:`~erlangen.groups.CliffordAlgebra`.

    Grade ``k`` moves by the ``k x k`` minors of the matrix: scalars stay, vectors turn, pseudoscalars are multiplied by the determinant.
    A reflection therefore changes the sign of ``e123``, whichever way it acts on bivectors: the action under which the geometric product
    commutes with all of O(n), improper elements included.

    Args:
        group: of orthogonal matrices, at most 6 x 6.

    Raises:
        ArgumentError: the group has no such matrices.

    >>> from erlangen.groups import O
    >>> Multivectors(O(3))(-torch.eye(3)).diagonal()
    tensor([ 1., -1., -1., -1.,  1.,  1.,  1., -1.])
    """

    is_orthogonal = True

    def __init__(self, group: Group) -> None:
        super().__init__(group)
        vector = getattr(group, "vector", None)
        if vector is None or not vector.is_defining or not vector.is_orthogonal or not 1 <= vector.dim <= 6:
            raise ArgumentError("group", "a group of orthogonal matrices, at most 6 x 6", str(group))
        self.n, self.dim, self.symbol = vector.dim, 2**vector.dim, f"Cl({vector.dim})"

    def equality_key(self) -> Hashable:
        return ()

    def matrix(self, g: Tensor) -> Float[Tensor, "*batch dim dim"]:
        g = g if g.is_floating_point() else g.to(torch.float64)
        blocks = [g.new_ones(*g.shape[:-2], 1, 1)]
        for grade in range(1, self.n + 1):
            blocks.append(self._minors(g, grade, blocks[-1]))
        before = 0
        rows_of_blocks = []
        for block in blocks:
            after = self.dim - before - block.shape[-1]
            rows_of_blocks.append(nn.functional.pad(block, (before, after)))
            before += block.shape[-1]
        return torch.cat(rows_of_blocks, -2)

    def _minors(self, g: Tensor, grade: int, smaller: Tensor) -> Tensor:
        """The ``grade x grade`` minors from those one smaller, by expansion along the first of their rows."""
        chosen = list(combinations(range(self.n), grade))
        place = {c: i for i, c in enumerate(combinations(range(self.n), grade - 1))}
        first = [c[0] for c in chosen]
        rest = [place[c[1:]] for c in chosen]
        total: Tensor | float = 0.0
        for k in range(grade):
            column = [c[k] for c in chosen]
            without = [place[c[:k] + c[k + 1 :]] for c in chosen]
            total = total + (-1) ** k * g[..., first, :][..., column] * smaller[..., rest, :][..., without]
        return torch.as_tensor(total)
