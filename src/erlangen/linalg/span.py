"""Ranks of matrices, orthonormal bases of spans, and the angles between two subspaces."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.linalg.gap import cut


@dataclass(frozen=True)
class Rank:
    """Rank of one matrix: ``rank``, ``gap`` and ``clear`` as in :class:`erlangen.linalg.Cut`."""

    rank: int
    gap: float
    clear: bool
    singular_values: Tensor

    def __int__(self) -> int:
        return self.rank


@dataclass(frozen=True)
class Ranks:
    """Ranks of a batch: tensors of the batch shape, and ``singular_values`` [..., min(m, n)]."""

    rank: Tensor
    gap: Tensor
    clear: Tensor
    singular_values: Tensor


@dataclass(frozen=True)
class PrincipalAngles:
    """Angles between two subspaces, ascending (radians), and their cosines; both [min(k_u, k_v)], float64."""

    angles: Tensor
    cosines: Tensor


def numerical_rank(a: Tensor, rtol: float | None = None, *, scale: float | None = None) -> Rank:
    """Rank of a matrix [m, n], by the gap rule or by ``rtol``; float64 inside.

    >>> import torch
    >>> numerical_rank(torch.ones(4, 3)).rank
    1
    """
    if a.ndim != 2:
        raise ArgumentError("a", "a matrix [m, n]", f"shape {tuple(a.shape)}", "numerical_ranks takes batches")
    values = torch.linalg.svdvals(_work(a)) if a.numel() else torch.zeros(0, dtype=torch.float64)
    found = cut(values, shape=(a.shape[0], a.shape[1]), eps=_eps(a), rtol=rtol, scale=scale)
    return Rank(found.rank, found.gap, found.clear, values)


def numerical_ranks(a: Tensor, rtol: float | None = None, *, scale: float | None = None) -> Ranks:
    """Ranks of a batch of matrices [..., m, n], each as :func:`numerical_rank`.

    >>> import torch
    >>> numerical_ranks(torch.stack([torch.eye(2), torch.ones(2, 2)])).rank
    tensor([2, 1])
    """
    if a.ndim < 2:
        raise ArgumentError("a", "matrices [..., m, n]", f"shape {tuple(a.shape)}")
    values = torch.linalg.svdvals(_work(a))
    rows, columns, batch = a.shape[-2], a.shape[-1], a.shape[:-2]
    found = [
        cut(v, shape=(rows, columns), eps=_eps(a), rtol=rtol, scale=scale) for v in values.reshape(batch.numel(), values.shape[-1])
    ]
    return Ranks(
        torch.tensor([f.rank for f in found], dtype=torch.int64, device=a.device).reshape(batch),
        torch.tensor([f.gap for f in found], dtype=torch.float64, device=a.device).reshape(batch),
        torch.tensor([f.clear for f in found], dtype=torch.bool, device=a.device).reshape(batch),
        values,
    )


def orthonormal_span(vectors: Tensor, rtol: float | None = None) -> Tensor:
    """Orthonormal columns [n, r] with the span of the columns of ``vectors`` [n, k], in their dtype.

    >>> import torch
    >>> orthonormal_span(torch.ones(4, 3)).shape
    torch.Size([4, 1])
    """
    if vectors.ndim != 2:
        raise ArgumentError("vectors", "columns [n, k]", f"shape {tuple(vectors.shape)}")
    dtype = vectors.dtype if vectors.is_floating_point() or vectors.is_complex() else torch.float64
    left, values, _ = torch.linalg.svd(_work(vectors), full_matrices=False)
    found = cut(values, shape=(vectors.shape[0], vectors.shape[1]), eps=_eps(vectors), rtol=rtol)
    return left[:, : found.rank].to(dtype).contiguous()


def principal_angles(u: Tensor, v: Tensor) -> PrincipalAngles:
    """Principal angles between the column spans of ``u`` [n, k] and ``v`` [n, l].

    Small angles come from sines and large ones from cosines, so both are accurate to rounding.
    Source: A. V. Knyazev and M. E. Argentati (2002), SIAM J. Sci. Comput. 23.

    >>> import torch
    >>> principal_angles(torch.eye(3)[:, :1], torch.eye(3)[:, 1:]).angles / torch.pi
    tensor([0.5000], dtype=torch.float64)
    """
    if u.ndim != 2 or v.ndim != 2 or u.shape[0] != v.shape[0]:
        raise ArgumentError("v", "columns in the same space as u", f"shapes {tuple(u.shape)} and {tuple(v.shape)}")
    p, q = orthonormal_span(_work(u)), orthonormal_span(_work(v))
    if p.dtype != q.dtype:
        p, q = p.to(torch.complex128), q.to(torch.complex128)
    if p.shape[1] < q.shape[1]:
        p, q = q, p
    overlap = p.mH @ q
    cosines = torch.linalg.svdvals(overlap).clamp(max=1.0)  # descending: angles ascend
    sines = torch.linalg.svdvals(q - p @ overlap).clamp(max=1.0).flip(-1)
    angles = torch.where(cosines**2 >= 0.5, torch.asin(sines), torch.acos(cosines))
    return PrincipalAngles(angles, torch.cos(angles))


def _work(a: Tensor) -> Tensor:
    return a.detach().to(torch.complex128 if a.is_complex() else torch.float64)


def _eps(a: Tensor) -> float:
    exact = not (a.is_floating_point() or a.is_complex())
    return torch.finfo(torch.float64 if exact else a.dtype).eps
