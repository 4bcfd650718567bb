"""The real symplectic group: the linear canonical transformations of mechanics and of Gaussian optics."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.groups.algebra import LieAlgebra
from erlangen.groups.haar import drawn_in_single, normal, uniform
from erlangen.groups.matrix import MatrixGroup
from erlangen.groups.membership import decided_in_single, tolerance
from erlangen.groups.size import check_basis


def symplectic_form(m: int) -> Tensor:
    """``[[0, 1], [-1, 0]]`` in blocks of size m, for coordinates ``(q_1 .. q_m, p_1 .. p_m)``.

    >>> symplectic_form(1)
    tensor([[ 0.,  1.],
            [-1.,  0.]], dtype=torch.float64)
    """
    eye, zero = torch.eye(m, dtype=torch.float64), torch.zeros(m, m, dtype=torch.float64)
    return torch.cat([torch.cat([zero, eye], 1), torch.cat([-eye, zero], 1)])


def sp_basis(m: int) -> Tensor:
    """A basis of sp(2m), ``[m(2m+1), 2m, 2m]``: blocks ``[[A, B], [C, -A^T]]`` with B and C symmetric.

    >>> sp_basis(2).shape
    torch.Size([10, 4, 4])
    """
    check_basis(f"sp({2 * m})", m * (2 * m + 1), 2 * m)
    units = torch.eye(m * m, dtype=torch.float64).unflatten(-1, (m, m))
    i, j = torch.triu_indices(m, m)
    pairs = units.unflatten(0, (m, m))[i, j]
    symmetric = torch.maximum(pairs, pairs.mT)
    turns = units.new_zeros(m * m, 2 * m, 2 * m)
    turns[:, :m, :m], turns[:, m:, m:] = units, -units.mT
    upper = units.new_zeros(len(symmetric), 2 * m, 2 * m)
    upper[:, :m, m:] = symmetric
    return torch.cat([turns, upper, upper.mT])


class Sp(MatrixGroup):
    """Sp(2m): the linear maps of phase space ``R^2m`` that keep ``form``, ``g^T Omega g = Omega``.

    Sampling: ``K Z K'`` (the Bloch-Messiah decomposition) with ``K, K'`` Haar in U(m) and squeezings ``Z = diag(e^r,
    e^-r)``, ``r`` uniform in ``[0, scale]``.

    Args:
        n: the dimension 2m, even.
        ordering: of the coordinates: ``"block"`` ``(q_1 .. q_m, p_1 .. p_m)`` or ``"interleaved"`` ``(q_1, p_1, .. q_m, p_m)``.

    >>> Sp(4).dim
    10
    >>> Sp(4, ordering="interleaved").form[0].tolist()
    [0.0, 1.0, 0.0, 0.0]
    """

    def __init__(self, n: int, ordering: Literal["block", "interleaved"] = "block") -> None:
        if not isinstance(n, int) or n < 2 or n % 2:
            raise ArgumentError("n", "an even dimension of at least 2", repr(n))
        if ordering not in ("block", "interleaved"):
            raise ArgumentError("ordering", "'block' or 'interleaved'", repr(ordering))
        self.ordering = ordering
        self._order = torch.arange(n) if ordering == "block" else torch.arange(n).reshape(2, -1).T.flatten()
        self.form = self._ordered(symplectic_form(n // 2))
        name = f"Sp({n})" if ordering == "block" else f"Sp({n}), interleaved"
        super().__init__(algebra=LieAlgebra(self._ordered(sp_basis(n // 2)), name=f"sp({n})"), name=name)
        self.measure = "K Z K with K Haar in U(m) and squeezings r uniform in [0, scale]"

    def equality_key(self) -> Hashable:
        return (self.n, self.ordering)

    def _ordered(self, blocks: Tensor) -> Tensor:
        """A matrix in block ordering, in this group's."""
        order = self._order.to(blocks.device)
        return blocks[..., order[:, None], order] if self.ordering == "interleaved" else blocks

    def inverse(self, g: Tensor) -> Tensor:
        """``Omega^-1 g^T Omega``, without solving a linear system."""
        form = self.form.to(g.dtype).to(g.device)
        return form.mT @ g.mT @ form

    @decided_in_single
    def contains(self, g: Tensor, atol: float | None = None) -> Tensor:
        self.batch_shape(g)
        form = self.form.to(g.dtype).to(g.device)
        error = (g.mT @ form @ g - form).flatten(-2).abs().amax(-1)
        return error <= tolerance(g, atol) * g.flatten(-2).norm(dim=-1).square().clamp_min(1)

    @drawn_in_single
    def sample(
        self,
        *batch: int,
        generator: torch.Generator | None = None,
        dtype: torch.dtype | None = None,
        device: torch.device | None = None,
        scale: float = 1.0,
    ) -> Tensor:
        dtype, m = dtype or torch.get_default_dtype(), self.n // 2
        outer, inner = (_haar_unitary(m, batch, generator, dtype, device) for _ in range(2))
        r = scale * uniform((*batch, m), generator, dtype, device)
        return self._ordered(outer * torch.exp(torch.cat([r, -r], -1)).unsqueeze(-2) @ inner)


def _haar_unitary(
    m: int, batch: tuple[int, ...], generator: torch.Generator | None, dtype: torch.dtype, device: torch.device | None
) -> Tensor:
    """Haar unitary matrices ``U`` as the real ``[[Re U, -Im U], [Im U, Re U]]``."""
    parts = normal((2, *batch, m, m), generator, dtype, device)
    q, r = torch.linalg.qr(torch.complex(parts[0], parts[1]))
    u = q * torch.sgn(r.diagonal(dim1=-2, dim2=-1)).unsqueeze(-2)
    return torch.cat([torch.cat([u.real, -u.imag], -1), torch.cat([u.imag, u.real], -1)], -2)
