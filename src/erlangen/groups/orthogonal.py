"""Orthogonal groups: O(n), SO(n), and O(p, q), SO(p, q) of an indefinite form (the Lorentz groups)."""

from __future__ import annotations

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.matrix import MatrixGroup


def so_basis(p: int, q: int = 0) -> Tensor:
    """The standard basis of so(p, q), ``[n(n-1)/2, n, n]``: rotations within each sign, boosts across.

    >>> so_basis(1, 3).shape
    torch.Size([6, 4, 4])
    """
    n = p + q
    form = torch.tensor([1.0] * p + [-1.0] * q, dtype=torch.float64)
    basis = []
    for i in range(n):
        for j in range(i + 1, n):
            L = torch.zeros(n, n, dtype=torch.float64)
            # L^T J + J L = 0 with J = diag(form): J L is antisymmetric.
            L[i, j], L[j, i] = -form[i], form[j]
            basis.append(L)
    return torch.stack(basis) if basis else torch.zeros(0, n, n, dtype=torch.float64)


class SO(MatrixGroup):
    """Rotations of ``R^n``.

    >>> SO(3).dim
    3
    """

    def __init__(self, n: int) -> None:
        if not isinstance(n, int) or n < 2:
            raise ArgumentError("n", "a dimension of at least 2", n)
        super().__init__(algebra=LieAlgebra(so_basis(n), name=f"so({n})"), name=f"SO({n})")
        self.measure = "Haar"

    def sample(self, *batch, generator=None, dtype=None, device=None, scale=1.0):  # noqa: ANN001, ANN002, ANN003, ANN201
        dtype = dtype or torch.get_default_dtype()
        q, r = torch.linalg.qr(torch.randn(*batch, self.n, self.n, generator=generator, dtype=dtype))
        q = q * torch.sign(r.diagonal(dim1=-2, dim2=-1)).unsqueeze(-2)
        q = torch.cat([q[..., :1] * torch.linalg.det(q)[..., None, None], q[..., 1:]], -1)
        return q.to(device)
