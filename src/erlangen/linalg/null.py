"""Null spaces of dense, streamed and matrix-free operators, with the gap that justifies their dimension."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from erlangen.errors import ArgumentError
from erlangen.linalg.gap import Cut, cut

Method = Literal["auto", "svd", "qr", "krylov"]

#: Operators with at most this many entries (128 MiB in float64) are written out: dense is more accurate than Krylov.
DENSE_ENTRIES = 2**24


class UnclearNullSpace(UserWarning):
    """A null space found from products alone whose dimension is not sure; ``clear`` is false."""


@dataclass(frozen=True)
class NullSpace:
    """The null space of a matrix and why it has that dimension.

    Args:
        basis: orthonormal columns [n, k], in the dtype and on the device of the input.
        singular_values: descending, float64; all of them, except that ``"krylov"`` knows only the largest and those
            that it looked at near zero.
        rank: ``n - k``.
        gap: last kept over first dropped singular value; large is good.
        clear: no other dimension was nearly as plausible (and ``"krylov"`` converged); look at ``singular_values`` when it is false.
        tolerance: singular values at or below it were taken as zero.
        method: ``"svd"``, ``"qr"`` (QR of row blocks, then SVD of R) or ``"krylov"``.
    """

    basis: Tensor
    singular_values: Tensor
    rank: int
    gap: float
    clear: bool
    tolerance: float
    method: str

    @property
    def dim(self) -> int:
        return self.basis.shape[-1]


def null_space(
    a: Any,
    *,
    rtol: float | None = None,
    dim: int | None = None,
    scale: float | None = None,
    method: Method = "auto",
) -> NullSpace:
    """All x with ``a @ x = 0``, as orthonormal columns, computed in float64.

    Args:
        a: a matrix [m, n] (torch tensor or NumPy array, real, complex or integer); or an iterable of row blocks
            [m_i, n], read once and never held together; or a linear operator with ``shape``, ``matvec`` and
            ``rmatvec`` (SciPy's ``LinearOperator`` or sparse matrices).
        rtol: singular values up to ``rtol * scale`` count as zero. By default the largest gap near zero decides
            (:func:`erlangen.linalg.cut`), and ``clear`` says whether it was one.
        dim: take exactly this many directions, the flattest ones.
        scale: what "large" means; by default the largest singular value. State it when ``a`` may be all rounding.
        method: ``"svd"`` (dense), ``"qr"`` (QR of row blocks first: exact to rounding, for tall matrices), ``"krylov"``
            (LOBPCG on the normal operator, polished by LSQR, for operators too large to write out; warns, as
            :class:`UnclearNullSpace`, where the dimension is not clear), or ``"auto"``.

    Raises:
        ArgumentError: ``a`` is no matrix, has NaN or infinite entries, or ``dim`` is not in 0..n.

    >>> import torch
    >>> found = null_space(torch.tensor([[1.0, 1.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64))
    >>> found.dim, found.clear, abs(float(found.basis[0, 0] + found.basis[1, 0])) < 1e-15
    (1, True, True)
    """
    if method not in ("auto", "svd", "qr", "krylov"):
        raise ArgumentError("method", "'auto', 'svd', 'qr' or 'krylov'", repr(method))
    if isinstance(a, np.ndarray):
        a = torch.from_numpy(np.ascontiguousarray(a))
    if not isinstance(a, Tensor) and hasattr(a, "shape") and (hasattr(a, "matvec") or hasattr(a, "tocsr")):
        from scipy.sparse.linalg import aslinearoperator

        operator = aslinearoperator(a)
        rows, columns = operator.shape
        if method == "krylov" or (method == "auto" and rows * columns > DENSE_ENTRIES):
            from erlangen.linalg.krylov import krylov_null_space

            _check_dim(dim, columns)
            found = krylov_null_space(operator, rtol=rtol, dim=dim, scale=scale)
            if not found.clear:
                warnings.warn(
                    f"found {found.dim} null directions of a {rows} x {columns} operator, but there may be more or fewer: the "
                    "iteration did not settle, or the gap is small; use method='svd' where the operator can be written out, or state dim",
                    UnclearNullSpace,
                    stacklevel=2,
                )
            return found
        a = torch.from_numpy(np.ascontiguousarray(operator.matmat(np.eye(columns, dtype=_numpy_dtype(operator)))))
    elif method == "krylov":
        raise ArgumentError("method", "a linear operator with method='krylov'", type(a).__name__)
    if isinstance(a, Tensor):
        if a.ndim != 2:
            raise ArgumentError("a", "a matrix [m, n]", f"shape {tuple(a.shape)}")
        rows, columns = a.shape
        if method == "qr" or (method == "auto" and rows > 2 * columns):
            return _finish(_stream(iter([a])), dim=dim, rtol=rtol, scale=scale, method="qr")
        return _finish((_work(a), rows, a), dim=dim, rtol=rtol, scale=scale, method="svd")
    if not isinstance(a, Iterable):
        raise ArgumentError("a", "a matrix, row blocks or a linear operator", type(a).__name__)
    if method == "svd":
        raise ArgumentError("method", "'auto' or 'qr' for streamed row blocks", "'svd'")
    return _finish(_stream(iter(a)), dim=dim, rtol=rtol, scale=scale, method="qr")


def _work(a: Tensor) -> Tensor:
    """The matrix in the precision we compute with."""
    return a.detach().to(torch.complex128 if a.is_complex() else torch.float64)


def _numpy_dtype(operator: Any) -> type:
    return np.complex128 if np.issubdtype(operator.dtype, np.complexfloating) else np.float64


def _check_dim(dim: int | None, columns: int) -> None:
    if dim is not None and not 0 <= dim <= columns:
        raise ArgumentError("dim", f"an integer in 0..{columns}", repr(dim))


def _stream(blocks: Iterator[Any]) -> tuple[Tensor, int, Tensor]:
    """Triangular factor of the stacked blocks (tall-skinny QR): same null space and singular values, n rows."""
    factor: Tensor | None = None
    first: Tensor | None = None
    rows = 0
    for block in blocks:
        block = torch.as_tensor(block)
        if block.ndim != 2 or (first is not None and block.shape[1] != first.shape[1]):
            width = "n" if first is None else str(first.shape[1])
            raise ArgumentError("a", f"row blocks [m, {width}]", f"a block of shape {tuple(block.shape)}")
        if first is None:
            first = block[:0]
        rows += block.shape[0]
        # Pieces of 4n rows keep the QR in cache and the memory at O(n^2), whatever the block size.
        for piece in block.split(max(4 * block.shape[1], 256)):
            piece = _work(piece)
            stacked = piece if factor is None else torch.cat([factor, piece.to(factor.device)])
            factor = torch.linalg.qr(stacked, mode="r").R if stacked.shape[0] > stacked.shape[1] else stacked
    if first is None or factor is None:
        if first is None:
            raise ArgumentError("a", "at least one row block", "an empty iterable")
        factor = _work(first)
    return factor, rows, first


def _finish(
    reduced: tuple[Tensor, int, Tensor], *, dim: int | None, rtol: float | None, scale: float | None, method: str
) -> NullSpace:
    factor, rows, like = reduced
    columns = factor.shape[1]
    _check_dim(dim, columns)
    if not bool(torch.isfinite(torch.view_as_real(factor) if factor.is_complex() else factor).all()):
        raise ArgumentError("a", "finite entries", "NaN or infinity")
    if factor.shape[0] == 0:
        values, right = factor.real.new_zeros(0), torch.eye(columns, dtype=factor.dtype, device=factor.device)
    else:
        # A wide matrix needs the full right factor: its null space is mostly in the part that SVD leaves out.
        _, values, right = torch.linalg.svd(factor, full_matrices=factor.shape[0] < columns)
    values = torch.cat([values, values.new_zeros(columns - values.numel())])
    eps = torch.finfo(like.dtype).eps if like.is_floating_point() or like.is_complex() else torch.finfo(torch.float64).eps
    decision: Cut = cut(
        values,
        shape=(rows, columns),
        eps=eps,
        rtol=rtol,
        rank=None if dim is None else columns - dim,
        scale=scale,
    )
    basis = right[decision.rank :].mH
    exact = like.is_floating_point() or like.is_complex()
    return NullSpace(
        basis.to(like.device, like.dtype if exact else torch.float64).contiguous(),
        values,
        decision.rank,
        decision.gap,
        decision.clear,
        decision.tolerance,
        method,
    )
