"""The null space of an operator that is too large to write out, from products with it alone."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from scipy.sparse.linalg import LinearOperator, eigsh, lobpcg, lsqr

from erlangen.errors import ArgumentError
from erlangen.linalg.gap import cut
from erlangen.linalg.null import NullSpace

_BLOCK = 16
_SEED = 0
#: Residual of the normal operator, relative to its norm, at which LOBPCG may stop.
_CONVERGED = 1e-10
#: ... and how far, relative to its value, the flattest direction that is no null vector may be from an eigenvector.
_SETTLED = 0.1


def krylov_null_space(
    operator: LinearOperator, *, rtol: float | None, dim: int | None, scale: float | None, iterations: int = 400
) -> NullSpace:
    """Null space by LOBPCG on ``a^H a`` in deflated blocks, until a block brings no null direction.

    Blocks see repeated zeros, which single-vector Lanczos may miss. Each candidate is polished by LSQR (its row-space
    part is solved for and taken off), and singular values are read off ``a @ basis``, not the normal operator,
    so they are accurate to rounding and not to its square root.

    Source: LOBPCG, A. V. Knyazev (2001), SIAM J. Sci. Comput. 23.
    """
    rows, columns = operator.shape
    if columns <= 5 * _BLOCK:
        raise ArgumentError("method", f"more than {5 * _BLOCK} columns for 'krylov'", columns, "use method='svd'")
    dtype = np.complex128 if np.issubdtype(operator.dtype, np.complexfloating) else np.float64
    rng = np.random.default_rng(_SEED)
    normal = LinearOperator(
        (columns, columns),
        matvec=lambda x: operator.rmatvec(operator.matvec(x)),
        matmat=lambda x: operator.rmatmat(operator.matmat(x)),
        dtype=dtype,
    )
    start = rng.standard_normal(columns).astype(dtype)
    top = float(np.sqrt(max(eigsh(normal, k=1, which="LM", v0=start, return_eigenvectors=False, tol=1e-6)[0], 0.0)))
    size = top if scale is None else float(scale)
    eps = float(np.finfo(np.float64).eps)
    # A candidate this flat is polished; whether it is null is decided afterwards, on all of them together.
    flat = max(rtol or 0.0, eps**0.375) * size
    basis = np.zeros((columns, 0), dtype=dtype)
    while top > 0 and basis.shape[1] < columns - 5 * _BLOCK:
        if dim is not None and basis.shape[1] > dim:
            break
        guess = rng.standard_normal((columns, _BLOCK)).astype(dtype)
        with warnings.catch_warnings():  # we judge convergence ourselves, below
            warnings.simplefilter("ignore")
            known = basis if basis.shape[1] else None
            _, block = lobpcg(normal, guess, Y=known, largest=False, tol=_CONVERGED * top**2, maxiter=iterations)
        block = _orthonormal(_polish(operator, block, flat), basis)
        _, values, right = np.linalg.svd(operator.matmat(block), full_matrices=False)
        turned, null = block @ right.conj().T, values <= flat
        # Steep directions of a block that has null ones may not have converged, and still hide null vectors: they are not
        # deflated. A block without any null direction is the witness that there are no more.
        basis = np.concatenate([basis, turned[:, null] if null.any() else turned[:, ::-1]], axis=1)
        if not null.any():
            break
    _, values, right = np.linalg.svd(operator.matmat(basis), full_matrices=False)
    basis = basis @ right.conj().T
    seen = torch.from_numpy(np.concatenate([[max(top, values[0] if values.size else 0.0)], values]))
    unseen = columns - basis.shape[1]  # all known to be as steep as the steepest seen, or steeper
    rank = None if dim is None else columns - dim - unseen + 1
    decision = cut(seen, shape=(rows, columns), eps=eps, rtol=rtol, rank=rank, scale=scale)
    kept = max(decision.rank - 1, 0)
    # Only a witness that has converged says that there are no more: its flattest direction must be an eigenvector.
    steep = basis[:, max(kept - 1, 0) : kept]
    image = normal.matmat(steep)
    theta = np.sum(steep.conj() * image, axis=0).real
    settled = bool(np.all(np.linalg.norm(image - steep * theta, axis=0) <= _SETTLED * theta))
    return NullSpace(
        torch.from_numpy(np.ascontiguousarray(basis[:, kept:])),
        seen,
        unseen + kept,
        decision.gap,
        decision.clear and settled,
        decision.tolerance,
        "krylov",
    )


def _polish(operator: LinearOperator, block: Any, flat: float) -> Any:
    """Take the remaining row-space part off the directions that are nearly null."""
    out = block.copy()
    image = np.linalg.norm(operator.matmat(block), axis=0)
    for j in np.flatnonzero(image <= flat):
        out[:, j] -= lsqr(operator, operator.matvec(block[:, j]), atol=1e-15, btol=1e-15, iter_lim=1000)[0]
    return out


def _orthonormal(block: Any, against: Any) -> Any:
    for _ in range(2):  # twice is enough (Kahan and Parlett)
        block = block - against @ (against.conj().T @ block)
        block, _ = np.linalg.qr(block)
    return block
