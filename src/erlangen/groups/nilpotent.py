"""The ideal of nilpotent matrices of a linear Lie algebra, and the flag of subspaces that it goes down."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor


@dataclass(frozen=True)
class NilpotentIdeal:
    """The nilpotent ideal of an algebra; what is left beside it acts on the steps of the flag as a reductive algebra.

    Attributes:
        ideal: an orthonormal basis, ``[q, m, m]``.
        rest: of its orthogonal complement in the algebra, ``[k - q, m, m]``.
        axes: ``[m, m]``, orthonormal columns, the smallest subspace of the flag first.
        steps: dimensions of the steps, in that order.
    """

    ideal: Tensor
    rest: Tensor
    axes: Tensor
    steps: tuple[int, ...]

    @property
    def level(self) -> Tensor:
        """``[m]``: to which step each axis belongs."""
        return torch.repeat_interleave(torch.arange(len(self.steps)), torch.tensor(self.steps))

    @property
    def on_steps(self) -> Tensor:
        """What the rest does on the steps, ``[k - q, m, m]``, block-diagonal in the axes."""
        inside = self.axes.mT @ self.rest @ self.axes
        return torch.where(self.level[:, None] == self.level, inside, 0.0)


def nilpotent_ideal(matrices: Float[Tensor, "k m m"], tolerance: float) -> NilpotentIdeal:
    """The largest ideal of nilpotent matrices: they are orthogonal to all under the trace form ``tr(A B)``.

    Args:
        matrices: a closed span.
        tolerance: what is smaller than this part of the largest possible is zero.

    Where some matrices that the trace form does not see are no nilpotent ones (a spiral at 45 degrees), the ideal that is returned is zero.

    >>> heisenberg = torch.zeros(3, 3, 3, dtype=torch.float64)
    >>> heisenberg[0, 0, 1] = heisenberg[1, 1, 2] = heisenberg[2, 0, 2] = 1.0
    >>> found = nilpotent_ideal(heisenberg, 1e-9)
    >>> len(found.ideal), found.steps
    (3, (1, 1, 1))
    """
    k, m, _ = matrices.shape
    basis = torch.linalg.qr(matrices.flatten(1).mT).Q.mT.view(k, m, m)
    form = torch.einsum("aij,bji->ab", basis, basis)
    values, vectors = torch.linalg.eigh(form)
    seen = values.abs() > tolerance
    ideal = torch.einsum("ka,kij->aij", vectors[:, ~seen], basis)
    rest = torch.einsum("ka,kij->aij", vectors[:, seen], basis)
    none = NilpotentIdeal(basis[:0], basis, torch.eye(m, dtype=basis.dtype), (m,))
    if not len(ideal):
        return none
    below, parts = torch.eye(m, dtype=basis.dtype), []
    while below.shape[1]:
        image = (ideal @ below).movedim(0, 1).flatten(1)
        # The image of what is below lies in it: a subspace, and what is orthogonal to that.
        left, sizes, _ = torch.linalg.svd(below.mT @ image)
        rank = int((sizes > tolerance).sum())
        if rank == below.shape[1]:
            return none
        parts.append(below @ left[:, rank:])
        below = below @ left[:, :rank]
    return NilpotentIdeal(ideal, rest, torch.cat(parts[::-1], 1), tuple(part.shape[1] for part in parts[::-1]))
